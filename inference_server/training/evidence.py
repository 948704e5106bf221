"""Trains the evidence network: ``python -m inference_server.training.evidence --cache FOLDER --minutes 240``.

The folder holds the label maps of ``inference_server.training.evidence_data``. Writes ``evidence.onnx`` beside the
runtime that reads it, and the state to go on from (``--state``). Four hours on two cores.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import math
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from inference_server.evaluation.evidence_check import write_card
from inference_server.models.evidence.classes import BIT, CORE, EDGE, EVIDENCE_CLASSES, TOPMOST
from inference_server.models.evidence.network import INPUTS, EvidenceNetwork, Probabilities
from inference_server.training.evidence_crops import Crops
from inference_server.training.evidence_restore import restored

log = logging.getLogger(__name__)

MODEL = Path(__file__).parents[1] / "models" / "evidence" / "evidence.onnx"
HELD_BACK = 25
DICE = 0.5
AVERAGING = 0.998
#: Crops that the scales of the 8-bit activations are taken from.
CALIBRATED_ON = 32
#: Batches of 16 crops that the statistics of a blend are taken from.
STATISTICS_FROM = 20


def targets_of(on: Tensor, unknown: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What each pixel may be.

    Args:
        on: (batch, row, col) bits of the classes that a pixel shows.
        unknown: bits of those that nothing is known about.

    Returns:
        topmost: (batch, row, col) the class that lies on top, ``len(EVIDENCE_CLASSES)`` for none.
        allowed: (batch, class + 1, row, col) bool, which answers are right; the last is "none of them".
        binary: (batch, 2, row, col) float, core and rim.
        known: (batch, 2, row, col) float, whether these are known.
    """
    n = len(EVIDENCE_CLASSES)
    topmost = torch.full_like(on, n)
    for name in reversed(TOPMOST):
        topmost[(on >> BIT[name]) & 1 == 1] = BIT[name]
    shifts = torch.arange(n)[None, :, None, None]
    open_ones = torch.cat([(unknown[:, None] >> shifts) & 1, torch.ones_like(unknown[:, None])], 1) == 1
    allowed = functional.one_hot(topmost, n + 1).permute(0, 3, 1, 2).bool() | (open_ones & (topmost == n)[:, None])
    pair = torch.tensor([BIT[CORE], BIT[EDGE]])[None, :, None, None]
    binary = ((on[:, None] >> pair) & 1).float()
    return topmost, allowed, binary, (1 - ((unknown[:, None] >> pair) & 1)).float()


def loss_of(logits: Tensor, on: Tensor, unknown: Tensor) -> Tensor:
    """Cross-entropy of the set of right answers (Cour et al. 2011), rare classes weighing more, and Dice.

    Where a pixel may be any of several classes the probability of all of them together is what counts.
    """
    n = len(EVIDENCE_CLASSES)
    topmost, allowed, binary, known = targets_of(on, unknown)
    joint = torch.cat([logits[:, :n], logits[:, -1:]], 1)
    log_p = joint.log_softmax(1)
    entropy = -log_p.masked_fill(~allowed, -1e4).logsumexp(1)
    share = torch.bincount(topmost.flatten(), minlength=n + 1) / topmost.numel()
    weight = (0.06 / share.clamp(min=1e-4)).sqrt().clamp(0.7, 10.0)
    total = (entropy * weight[topmost]).mean()
    is_certain = (allowed.sum(1) == 1)[:, None]
    probability = log_p.exp() * is_certain
    wanted = (allowed & is_certain).float()
    overlap = (probability * wanted).sum((0, 2, 3))
    dice = 1.0 - (2 * overlap + 1.0) / (probability.sum((0, 2, 3)) + wanted.sum((0, 2, 3)) + 1.0)
    is_present = (wanted.sum((0, 2, 3)) > 4).float()
    total = total + DICE * (dice * is_present).sum() / is_present.sum().clamp(min=1.0)
    deep = functional.binary_cross_entropy_with_logits(logits[:, n:-1], binary, known, reduction="none")
    return total + (deep * torch.tensor([1.0, 0.3])[None, :, None, None]).mean() * 2.0


def is_held_back(path: Path) -> bool:
    """One picture in 25 is for validation."""
    return zlib.crc32(path.name.encode()) % HELD_BACK == 0


@torch.no_grad()
def intersection_over_union(network: nn.Module, batches: list[tuple[Tensor, Tensor, Tensor]]) -> dict[str, float]:
    """IoU of each class as the likeliest answer, and of the core at probability 0.5, over what is known."""
    network.eval()
    n = len(EVIDENCE_CLASSES)
    inter, union = torch.zeros(n + 1), torch.zeros(n + 1)
    for image, on, unknown in batches:
        logits = network(image)
        topmost, allowed, binary, known = targets_of(on, unknown)
        likeliest = torch.cat([logits[:, :n], logits[:, -1:]], 1).argmax(1)
        is_certain = allowed.sum(1) == 1
        for number in range(n):
            found, wanted = (likeliest == number) & is_certain, (topmost == number) & is_certain
            inter[number] += (found & wanted).sum()
            union[number] += (found | wanted).sum()
        found, wanted = (logits[:, n] > 0) & (known[:, 0] > 0), (binary[:, 0] > 0) & (known[:, 0] > 0)
        inter[n] += (found & wanted).sum()
        union[n] += (found | wanted).sum()
    names = (*EVIDENCE_CLASSES, CORE)
    return {name: float(inter[i] / union[i]) for i, name in enumerate(names) if union[i] > 0}


def train(
    files: list[Path],
    *,
    minutes: float,
    batch: int,
    rate: float,
    state: Path | None,
    shipped: Path | None = None,
    seed: int = 0,
    workers: int = 1,
    halved: bool = False,
) -> EvidenceNetwork:
    """The averaged network after so many minutes in all, over which the learning rate falls as a half cosine.

    Goes on from ``state`` where the file exists, whose minutes count; else begins from the ``shipped`` model, if given.
    ``halved`` multiplies in bfloat16, 1.6 times as fast where the processor has AVX512-BF16, slower where not.
    """
    torch.manual_seed(seed)
    if shipped is None:
        network = EvidenceNetwork()
    else:
        stream = iter(DataLoader(Crops(files, seed + 3), batch_size=4 * batch))
        network = restored(shipped, next(stream)[0])
    averaged = EvidenceNetwork()
    network.to(memory_format=torch.channels_last)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}])
    first, before = 0, 0.0
    if state is not None and state.exists():
        stored = torch.load(state, weights_only=True)
        network.load_state_dict(stored["network"])
        averaged.load_state_dict(stored["averaged"])
        optimizer.load_state_dict(stored["optimizer"])
        first, before = int(stored["step"]), float(stored["minutes"])
        log.info("going on from step %d, %.0f minutes", first, before)
    else:
        averaged.load_state_dict(network.state_dict())
    held = [f for f in files if is_held_back(f)]
    rest = [f for f in files if not is_held_back(f)]
    checked = []
    if held:
        stream = iter(DataLoader(Crops(held, 1), batch_size=batch))
        checked = [next(stream) for _ in range(16)]
    crops = Crops(rest, seed + 1000 + first)
    loader = iter(DataLoader(crops, batch_size=batch, num_workers=workers, prefetch_factor=4 if workers else None))
    started, total = time.monotonic(), 0.0
    spent, step = before, first
    while spent < minutes:
        warm = min(1.0, (step + 1) / 200)
        now = rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * spent / minutes)))
        for group in optimizer.param_groups:
            group["lr"] = now
        network.train()
        image, on, unknown = next(loader)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=halved):
            logits = network(image.to(memory_format=torch.channels_last))
        loss = loss_of(logits.float(), on, unknown)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        total += float(loss.detach())
        keep = min(AVERAGING, (step + 1) / (step + 20))
        with torch.no_grad():
            for mean, current in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
                mean.lerp_(current, 1 - keep) if mean.is_floating_point() else mean.copy_(current)
        step += 1
        spent = before + (time.monotonic() - started) / 60
        if step % 50 == 0:
            pace = 60 * (spent - before) / (step - first)
            log.info("step %d loss %.4f rate %.5f, %.2f s a step", step, total / 50, now, pace)
            total = 0.0
        if step % 500 == 0 or spent >= minutes:
            found = intersection_over_union(averaged, checked)
            log.info("IoU %s", " ".join(f"{k}={v:.2f}" for k, v in found.items()))
            if state is not None:
                states: dict[str, Any] = {"network": network, "averaged": averaged, "optimizer": optimizer}
                stored = {k: v.state_dict() for k, v in states.items()} | {"step": step, "minutes": spent}
                torch.save(stored, state)
    return averaged.eval()


def blended(before: EvidenceNetwork, after: EvidenceNetwork, share: float, files: list[Path]) -> EvidenceNetwork:
    """So much of the later weights, the rest of the earlier ones, from which those were trained on.

    Between the two lies a network that keeps more of what the first could do in pictures of a kind that neither saw
    (Wortsman et al. 2022, WiSE-FT). The normalisations' statistics are taken anew.
    """
    mixed, late, early = EvidenceNetwork(), after.state_dict(), before.state_dict()
    mixed.load_state_dict({k: early[k].lerp(late[k], share) if late[k].is_floating_point() else late[k] for k in late})
    for module in mixed.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    mixed.train()
    with torch.no_grad():
        for image, _, _ in itertools.islice(DataLoader(Crops(files, 7), batch_size=16), STATISTICS_FROM):
            mixed(image)
    return mixed.eval()


def export(network: EvidenceNetwork, path: Path, calibration: list[Tensor]) -> None:
    """Writes the network with sigmoids as ONNX in 8 bits, rows and columns free.

    Activations are scaled by what the calibration inputs, (1, 5, row, col) each, bring about. Weights take 7 bits:
    processors without VNNI add two products in 16 bits, which 8 would overflow.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._left = iter(calibration)

        def get_next(self) -> dict[str, Any] | None:
            following = next(self._left, None)
            return None if following is None else {"image": following.numpy()}

    whole = nn.Sequential(network, Probabilities()).eval()
    free = {0: "batch", 2: "rows", 3: "cols"}
    half = {0: "batch", 2: "half_rows", 3: "half_cols"}
    with tempfile.TemporaryDirectory() as folder:
        exact, ready = Path(folder) / "exact.onnx", Path(folder) / "ready.onnx"
        torch.onnx.export(
            whole, (torch.zeros(1, INPUTS, 64, 64),), str(exact), input_names=["image"], output_names=["evidence"],
            opset_version=17, dynamo=False, dynamic_axes={"image": free, "evidence": half},
        )  # fmt: skip
        quant_pre_process(str(exact), str(ready), skip_symbolic_shape=True)
        quantize_static(
            str(ready), str(path), Reader(), quant_format=QuantFormat.QDQ, op_types_to_quantize=["Conv", "Add"],
            per_channel=True, reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip


def main() -> None:
    """Trains and writes the model."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=240.0)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--state", type=Path, default=None)
    parser.add_argument("--shipped", type=Path, default=None, help="an evidence.onnx to begin from")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--bfloat16", action="store_true", help="faster on processors with AVX512-BF16")
    parser.add_argument("--blend", type=Path, default=None, help="the state of before, a part of which is kept")
    parser.add_argument("--share", type=float, default=0.75, help="of the weights of after, where --blend is given")
    parser.add_argument("--output", type=Path, default=MODEL)
    args = parser.parse_args()
    files = sorted(args.cache.glob("*.npz"))
    if not files:
        parser.error(f"{args.cache} holds no label maps: make them with inference_server.training.evidence_data")
    network = train(
        files, minutes=args.minutes, batch=args.batch, rate=args.rate, state=args.state, shipped=args.shipped,
        workers=args.workers, halved=args.bfloat16,
    )  # fmt: skip
    rest = [f for f in files if not is_held_back(f)]
    if args.blend is not None:
        before = EvidenceNetwork()
        before.load_state_dict(torch.load(args.blend, weights_only=True)["averaged"])
        network = blended(before, network, args.share, rest)
    calibration = DataLoader(Crops(rest, 2, crop_px=384), batch_size=1)
    export(network, args.output, [image for image, _, _ in itertools.islice(calibration, CALIBRATED_ON)])
    facts = {"minutes": args.minutes, "batch": args.batch, "maps": len(files)}
    write_card(args.output, facts if args.blend is None else {**facts, "blend": args.share})
    log.info("written: %s and its card beside it", args.output)


if __name__ == "__main__":
    main()
