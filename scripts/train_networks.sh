#!/bin/bash
# The shipped networks, made anew from the shared data: bash scripts/train_networks.sh DATA FOLDER [quick]
# The evidence network (evidence.onnx, four hours on two cores), then ProVG on its maps (provg.onnx, three hours).
# Both land in FOLDER with their cards; the installed ones stay as they are. Stopped, it goes on where it was.
# "quick" does every step on little data, in some minutes, to see that all of them run: what it makes is of no use.
set -euo pipefail
data=${1:?the folder with towns/, cars/, planes/ and trees/} folder=${2:?the folder to write to}
if [ "${3:-}" = quick ]; then
    generated=24 minutes=1 provg=(--scenes 8 --steps 4 --warm-up 1 --validation 4 --every 2 --patience 2)
else
    generated=1200 minutes=230
    provg=(--scenes 500 --steps 3300 --warm-up 100 --validation 60 --every 500 --patience 20)
fi
mkdir -p "$folder"
data=$(cd "$data" && pwd) folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")/.."
python=.venv-train/bin/python
if [ ! -e .venv-train/.installed ]; then
    python3 -m venv .venv-train
    $python -m pip install --quiet -r inference_server/requirements.txt -e ".[dev,provg]"
    touch .venv-train/.installed
fi
if [ ! -e "$folder/maps/complete" ]; then
    $python -m inference_server.training.evidence_data --data "$data" --cache "$folder/maps" --generated "$generated"
    touch "$folder/maps/complete"
fi
if [ ! -e "$folder/evidence.onnx" ]; then
    $python -m inference_server.training.evidence --cache "$folder/maps" --minutes "$minutes" \
        --state "$folder/evidence.pt" --output "$folder/evidence.onnx"
fi
resume=(); [ -e "$folder/provg/state.pt" ] && resume=(--resume)
$python -m inference_server train provg -o "$folder/provg" --data "$data" --cache "$folder/pictures" \
    --encoder "$folder/evidence.pt" --backbone-rate 0 --side 256 --batch 4 --queries 4 \
    --lambda-box 0.2 --lambda-mask 5 --dice 0.5 "${provg[@]}" "${resume[@]}"
$python -m inference_server.evaluation.provg_check "$folder/provg/provg.onnx"
