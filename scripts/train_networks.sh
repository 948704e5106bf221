#!/bin/bash
# The shipped networks, made anew from the shared data: bash scripts/train_networks.sh DATA FOLDER [quick]
# The evidence network (early.onnx, then with the late labels too middle.onnx and evidence.onnx, which keeps a quarter of
# that; ten hours on one core), the embedded engine's verdicts (verdicts.npz, a quarter of an hour), then ProVG on the
# network's maps (provg.onnx, three and a half hours) and what it judges regions by (regions.npz, ten minutes). 14 GB.
# All land in FOLDER with their cards; the installed ones stay as they are. Stopped, it goes on where it was.
# "quick" does every step on little data, in some minutes, to see that all of them run: what it makes is of no use.
set -euo pipefail
data=${1:?the folder with towns/, cars/, planes/ and trees/} folder=${2:?the folder to write to}
if [ "${3:-}" = quick ]; then
    generated=24 places=6 early=0.5 middle=1 minutes=1.5 judged=(--generated 2 --sites 2 --at-most 2) asked=(--generated 2 --places 1 --at-most 1) provg=(--scenes 8 --places 4 --steps 4 --warm-up 1 --validation 4 --every 2 --patience 2)
else
    generated=1200 places=1600 early=160 middle=430 minutes=615 judged=(--generated 90 --sites 60)
    asked=()
    provg=(--scenes 500 --places 300 --steps 8800 --warm-up 100 --validation 60 --every 600 --patience 20)
fi
mkdir -p "$folder"
data=$(cd "$data" && pwd) folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")/.."
python=.venv-train/bin/python
if [ ! -e .venv-train/.installed ]; then
    python3 -m venv .venv-train
    $python -m pip install --quiet -r inference_server/requirements.txt -e ".[dev,provg,train]"
    touch .venv-train/.installed
fi
# Processors that multiply in bfloat16 are 1.6 times as fast so.
halved=(); grep -qs avx512_bf16 /proc/cpuinfo && halved=(--bfloat16)
draw() { # [OPTION...]: the label maps; what is there stays, real pictures are drawn anew
    $python -m inference_server.training.evidence_data --data "$data" --cache "$folder/maps" \
        --generated "$generated" --places "$places" "$@"
}
train() { # NAME MINUTES [OPTION...]: goes on from where the last one ended, unless it is there
    if [ ! -e "$folder/$1.pt" ]; then
        $python -m inference_server.training.evidence --cache "$folder/maps" --minutes "$2" "${halved[@]}" \
            --state "$folder/state.pt" --output "$folder/$1.onnx" "${@:3}"
        cp "$folder/state.pt" "$folder/$1.pt"
    fi
}
# What was labelled late comes late: how the network of before sees it teaches the verdicts how far to trust a network.
[ -e "$folder/early.pt" ] || draw --early
train early "$early"
[ -e "$folder/middle.pt" ] || draw
train middle "$middle"
train evidence "$minutes" --blend "$folder/middle.pt"
if [ ! -e "$folder/verdicts.npz" ]; then
    $python -m inference_server.training.geobia_verdicts --data "$data" --cache "$folder/verdicts" \
        "${judged[@]}" --network "$folder/evidence.onnx" --sight "$folder/early.onnx" \
        --output "$folder/verdicts.npz"
fi
resume=(); [ -e "$folder/provg/state.pt" ] && resume=(--resume)
$python -m inference_server train provg -o "$folder/provg" --data "$data" --cache "$folder/pictures" \
    --encoder "$folder/evidence.pt" --backbone-rate 0 --side 256 --batch 4 --queries 4 \
    --lambda-box 0.2 --lambda-mask 5 --dice 0.5 "${halved[@]}" "${provg[@]}" "${resume[@]}"
$python -m inference_server.training.provg_regions --data "$data" --cache "$folder/regions" "${asked[@]}" \
    --network "$folder/provg/provg.onnx" --output "$folder/provg/regions.npz"
$python -m inference_server.evaluation.provg_check "$folder/provg/provg.onnx"
