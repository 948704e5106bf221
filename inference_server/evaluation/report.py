"""A run's answers as a Markdown page: scores with intervals, conventions, breakdowns, the papers' tables, faults."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from inference_server.evaluation.judging import Answer
from inference_server.evaluation.metrics import (
    CONVENTIONS,
    THRESHOLDS,
    Convention,
    Overlap,
    ReferringScores,
    average_precision,
    bootstrap_interval,
    box_overlap,
    referring_scores,
)
from inference_server.evaluation.papers import beside
from inference_server.geometry import iou_hbb

_SIZES_PX = ((32, "small (< 32 px)"), (96, "medium (< 96 px)"), (math.inf, "large"))
#: So many notes are listed, the most frequent.
_MOST_NOTES = 20
_MEASURES = """\
mIoU is the mean over samples of the IoU, oIoU the summed intersections over the summed unions, Pr@X the share of
samples that reach IoU X. "box", "mask" and "rotated box" are over the expressions that name one thing (all those of
the papers' sets): the best detection counts, and what is not answered or could not be read scores 0. "mask, any
number" is over all expressions with known masks: the union of all detections counts where several things or none are
named, and nothing answered to nothing there scores 1."""


def markdown(header: Mapping[str, Any], answers: Sequence[Answer], convention: str) -> str:
    """The whole report but its pictures. ``convention`` is the one of ``CONVENTIONS`` that scores are given by."""
    faults = [a for a in answers if a.error]
    data = str(header.get("data")).partition(":")[0]
    parts = [
        f"# {header.get('data')} by {header.get('engine')}",
        "\n".join(f"- {name}: {value}" for name, value in header.items()),
        _scores(answers, convention),
        _more_scores(answers),
        _conventions(answers),
        beside(data, str(header.get("split")), {name: measures(answers, name) for name in CONVENTIONS}),
        _breakdown("kind", answers, lambda a: a.kind or "-"),
        _breakdown("class", [a for a in answers if not a.is_negative], lambda a: a.category or "-"),
        _breakdown("size", [a for a in answers if a.truths], _size),
        _notes(answers),
        listed_faults([(a.id, a.error) for a in faults]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _notes(answers: Sequence[Answer]) -> str:
    """How often the engine said what of its answers, as that it fell back on something else."""
    counts = Counter(note for answer in answers for note in set(answer.notes))
    if not counts:
        return ""
    rows = [f"| {note} | {n} | {n / len(answers):.1%} |" for note, n in counts.most_common(_MOST_NOTES)]
    return "\n".join(["## What the engine said of its answers\n", "| note | answers | share |", "|---|---|---|", *rows])


def listed_faults(faults: Sequence[tuple[str, str]]) -> str:
    """The section that names what could not be answered, by id and error; "" where there is none."""
    lines = "\n".join(f"- {name}: {error}" for name, error in faults)
    return f"## {len(faults)} without an answer (each scores 0)\n\n{lines}" if faults else ""


def box_of(answer: Answer, convention: Convention) -> Overlap | None:
    """Overlap of the best box with the only true one; None where that is not known or the answer is missing."""
    if answer.error or len(answer.truths) != 1:
        return None
    best = answer.boxes[0] if answer.boxes else None
    is_inclusive = convention.is_pixel_inclusive
    if best is None:
        union = box_overlap(answer.truths[0], answer.truths[0], is_pixel_inclusive=is_inclusive).union
        return Overlap(0.0, union)
    return box_overlap(best, answer.truths[0], is_pixel_inclusive=is_inclusive)


def mask_of(answer: Answer) -> Overlap | None:
    """Overlap of the masks; None where it is not known."""
    return Overlap(*answer.mask) if answer.mask else None


def _rows(answers: Sequence[Answer], convention: Convention) -> dict[str, ReferringScores]:
    """The scores by what is compared; what the data does not know is left out."""
    single = [a for a in answers if a.targets == 1]
    compared: dict[str, tuple[list[Answer], Callable[[Answer], Overlap | None]]] = {
        "box": (single, lambda a: box_of(a, convention)),
        "mask": ([a for a in single if a.mask or a.error], mask_of),
        "rotated box": (
            [a for a in single if a.rotated or a.error],
            lambda a: Overlap(*a.rotated) if a.rotated else None,
        ),
        "mask, any number": ([a for a in answers if a.mask or a.error], mask_of),
    }
    rows = {}
    for name, (items, overlap) in compared.items():
        overlaps = [overlap(a) for a in items]
        if any(o is not None for o in overlaps):
            rows[name] = referring_scores(overlaps, convention)
    return rows


def measures(answers: Sequence[Answer], convention: str) -> dict[str, float]:
    """Every score by its name, as "box Pr@0.5" and "mask mIoU", in [0, 1]."""
    out: dict[str, float] = {}
    for name, scores in _rows(answers, CONVENTIONS[convention]).items():
        out |= {f"{name} mIoU": scores.miou, f"{name} oIoU": scores.oiou}
        out |= {f"{name} Pr@{t}": share for t, share in scores.precision.items()}
    return out


def _scores(answers: Sequence[Answer], convention: str) -> str:
    lines = ["| measure | n | mIoU | oIoU | " + " | ".join(f"Pr@{t}" for t in THRESHOLDS) + " |"]
    lines.append("|---" * (4 + len(THRESHOLDS)) + "|")
    for name, made in _rows(answers, CONVENTIONS[convention]).items():
        shares = " | ".join(f"{made.precision[t]:.3f}" for t in THRESHOLDS)
        lines.append(f"| {name} | {made.count} | {made.miou:.3f} | {made.oiou:.3f} | {shares} |")
    return "\n".join([*lines, "", _MEASURES])


def _more_scores(answers: Sequence[Answer]) -> str:
    several = [a for a in answers if a.targets > 1]
    negatives = [a for a in answers if a.is_negative]
    positives = [a for a in answers if not a.is_negative]
    consistent = [a.consistency for a in answers if a.consistency is not None]
    precision = average_precision([_scored(a) for a in answers])
    lines = [
        f"right (one target: box IoU >= 0.5; several: F1 >= 0.5): {_share(positives)}",
        f"F1 of the boxes at IoU 0.5, mean: {_mean([a.f1 for a in answers])}",
        f"- of several targets: {_mean([a.f1 for a in several])}" if several else "",
        f"negatives answered with nothing: {_share(negatives)}" if negatives else "",
        "" if math.isnan(precision) else f"AP@0.5 of the boxes, all targets together: {precision:.3f}",
        f"consistency of box, oriented box and mask (BCS): {_mean(consistent)}" if consistent else "",
        f"seconds: median {np.median([a.seconds for a in answers]):.2f}",
    ]
    return "\n".join(line if line.startswith("- ") else f"- {line}" for line in lines if line)


def _scored(answer: Answer) -> tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """Scores (n,) and IoUs (n, m) of an answer's boxes."""
    boxes, truths = (np.array(b, float).reshape(-1, 4) for b in (answer.boxes, answer.truths))
    return np.array(answer.scores, float), iou_hbb(boxes, truths)


def _conventions(answers: Sequence[Answer]) -> str:
    """How much the papers' ways of counting matter here."""
    columns = ("box Pr@0.5", "box mIoU", "mask Pr@0.5", "mask mIoU")
    rows = [f"| convention | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for name in CONVENTIONS:
        made = measures(answers, name)
        rows.append(f"| {name} | {' | '.join(f'{made[c]:.4f}' if c in made else '-' for c in columns)} |")
    return "## As the papers' codes count\n\n" + "\n".join(rows)


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} of {len(values)}"


def _share(items: Sequence[Answer]) -> str:
    """The share that is right with its 95 % bootstrap interval."""
    if not items:
        return "-"
    right = np.array([a.is_right for a in items], float)
    low, high = bootstrap_interval(len(right), lambda i: float(right[i].mean()))
    return f"{right.mean():.3f} ({low:.3f} to {high:.3f}) of {len(items)}"


def _size(answer: Answer) -> str:
    side = np.mean([math.sqrt(max(0.0, (b[2] - b[0]) * (b[3] - b[1]))) for b in answer.truths])
    return next(name for limit, name in _SIZES_PX if side < limit)


def _breakdown(title: str, answers: Sequence[Answer], key: Callable[[Answer], str]) -> str:
    groups: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        groups[key(answer)].append(answer)
    rows = [f"| {title} | right (95 %) | nothing answered |", "|---|---|---|"]
    for name, items in sorted(groups.items(), key=lambda g: (-len(g[1]), g[0])):
        rows.append(f"| {name} | {_share(items)} | {sum(not a.boxes for a in items)} |")
    return f"## By {title}\n\n" + "\n".join(rows) if groups else ""
