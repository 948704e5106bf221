"""Ablation tables of RSVG-ZeroOV's paper, row by row as settings of the engine: ``rsground eval --table zeroov.3``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from inference_server.errors import InvalidRequest
from inference_server.evaluation.judging import Answer, boxes_of, failed, rows_of
from inference_server.evaluation.metrics import mask_overlap
from inference_server.evaluation.readers.base import Sample
from inference_server.evaluation.report import listed_faults, measures
from inference_server.geometry import hbb_of_mask, iou_hbb
from inference_server.models.zeroov.grounding import FALLBACKS

if TYPE_CHECKING:
    from inference_server.models.zeroov.config import ZeroOVConfig

#: Columns of all four tables, as ``report.measures`` names them.
COLUMNS = ("box Pr@0.5", "box mIoU", "mask Pr@0.5", "mask mIoU")
#: The paper's tables are without Refine, on RRSIS-D's test split.
DATA, SPLIT = "rrsis-d", "test"


@dataclass(frozen=True)
class Row:
    """One row: its name in the paper, the settings that differ from the paper's own, its figures in percent."""

    name: str
    settings: Mapping[str, Any]
    paper: tuple[float, float, float, float] | None


_OURS = (30.15, 32.92, 12.84, 21.85)
TABLES: Mapping[str, tuple[Row, ...]] = {
    "zeroov.2": (
        Row("cross-attention alone", {"structure": "none"}, (21.49, 26.26, 1.18, 6.15)),
        Row("ViT in VLM", {"structure": "vlm"}, (12.53, 21.02, 2.13, 7.40)),
        Row("ViT in SAM", {"structure": "sam"}, (18.85, 23.56, 4.77, 10.23)),
        Row("U-Net in DM", {}, _OURS),
    ),
    "zeroov.3": (
        Row("Anchor-based", {"interaction": "anchor", "evolve": False}, (23.18, 26.94, 6.58, 16.69)),
        Row("+ Evolve", {"interaction": "anchor"}, (28.73, 31.48, 7.61, 16.58)),
        Row("Multiplication", {"interaction": "multiplication", "evolve": False}, (21.94, 26.32, 10.03, 19.78)),
        Row("+ Evolve", {"interaction": "multiplication"}, (29.26, 31.54, 11.52, 20.75)),
        Row("Exponentiation", {"interaction": "exponentiation", "evolve": False}, (24.07, 28.61, 5.37, 15.30)),
        Row("+ Evolve", {"interaction": "exponentiation"}, (27.38, 31.02, 5.31, 14.00)),
        Row("Similarity, as the code", {"interaction": "propagate", "evolve": False}, (22.63, 26.65, 10.26, 20.56)),
        Row("+ Evolve", {"interaction": "propagate"}, _OURS),
        Row("Similarity, as Eq. 3", {"interaction": "cosine", "evolve": False}, None),
        Row("+ Evolve", {"interaction": "cosine"}, None),
    ),
    "zeroov.7": (
        Row("RSVG-ZeroOV", {}, _OURS),
        Row("w/o VLM", {"overview": "diffusion"}, (16.22, 18.82, 11.43, 15.81)),
        Row("w/o DM", {"structure": "none"}, (21.49, 26.26, 1.18, 6.15)),
        Row("w/o Evolve", {"evolve": False}, (22.63, 26.65, 10.26, 20.56)),
        Row("O-E-F", {"order": "evolve-focus"}, (27.34, 29.51, 7.18, 15.89)),
    ),
    "zeroov.8": (
        Row("16", {"resolutions": (16,)}, (26.16, 28.39, 12.01, 19.98)),
        Row("32", {"resolutions": (32,)}, (29.84, 31.97, 12.53, 21.11)),
        Row("64", {"resolutions": (64,)}, (27.70, 30.76, 10.55, 20.13)),
        Row("16, 32", {"resolutions": (16, 32)}, (28.23, 29.86, 12.70, 20.41)),
        Row("32, 64", {"resolutions": (32, 64)}, _OURS),
        Row("16, 32, 64", {"resolutions": (16, 32, 64)}, (27.86, 30.51, 11.98, 20.36)),
    ),
}


def rows_named(table: str) -> tuple[Row, ...]:
    """The rows of a table. Raises InvalidRequest for one that is not known."""
    if table not in TABLES:
        raise InvalidRequest(f"--table: expected one of {', '.join(TABLES)}, got {table!r}", field="table")
    return TABLES[table]


def asker_of(row: Row, base: ZeroOVConfig) -> Callable[[], WholeAsker]:
    """Makes what answers by a row's settings; can be sent to another process."""
    return partial(WholeAsker, replace(base, **row.settings))


class WholeAsker:
    """Asks whole expressions, as the paper does: one mask each, whose extent is the box."""

    def __init__(self, config: ZeroOVConfig) -> None:
        from inference_server.models.zeroov.engine import ZeroOVEngine

        self._engine = ZeroOVEngine(config=config)

    def __call__(self, samples: Sequence[Sample]) -> list[Answer]:
        return [self._one(sample) for sample in samples]

    def _one(self, sample: Sample) -> Answer:
        start = time.perf_counter()
        try:
            tile = sample.image.tile()
            truth = sample.mask.mask() if sample.mask is not None else None
            answer = self._engine.answer(tile.rgb, sample.expression)
        except Exception as error:  # the rest is still asked
            return failed(sample, error, time.perf_counter() - start)
        found = answer.grounded
        box = hbb_of_mask(found.mask)
        boxes = np.array([[box.x_min, box.y_min, box.x_max, box.y_max]])
        over = None if truth is None else mask_overlap(found.mask.full(tile.valid.shape), truth)
        truths = sample.boxes if sample.boxes is not None else boxes_of(truth)
        return Answer(
            sample.id, sample.image_name, sample.expression, sample.kind, sample.category,
            len(truths), rows_of(truths), boxes=rows_of(boxes), scores=(round(found.score, 4),),
            mask=None if over is None else (over.intersection, over.union),
            is_right=bool(len(truths) == 1 and iou_hbb(boxes, truths)[0, 0] >= 0.5),
            seconds=round(time.perf_counter() - start, 3), understood=answer.text,
            notes=(FALLBACKS[found.path],) if found.path in FALLBACKS else (),
        )  # fmt: skip


def markdown(table: str, data: str, answers: Sequence[Sequence[Answer]]) -> str:
    """The paper's table with ours beside it, in percent.

    Args:
        answers: of each row; those that failed count as wrong and are listed.
    """
    head = " | ".join([*(f"{c} paper | ours" for c in COLUMNS), *(f"by {path}" for path in FALLBACKS)])
    width = 2 + 2 * len(COLUMNS) + len(FALLBACKS)
    lines = [f"# Table {table} on {data}\n", f"| row | {head} | n |", "|---" * width + "|"]
    for row, asked in zip(rows_named(table), answers, strict=True):
        ours = (measures(asked, "zeroov"), measures([_without_fallback(a) for a in asked], "zeroov"))
        cells = []
        for index, column in enumerate(COLUMNS):
            theirs = "-" if row.paper is None else f"{row.paper[index]:.2f}"
            figures = dict.fromkeys(f"{100 * each[column]:.2f}" for each in ours if column in each)
            cells.append(f"{theirs} | {' / '.join(figures) or '-'}")
        cells += [f"{100 * sum(note in a.notes for a in asked) / len(asked):.2f}" for note in FALLBACKS.values()]
        lines.append(f"| {row.name} | {' | '.join(cells)} | {len(asked)} |")
    lines.append("\nThe paper's figures are of RRSIS-D's test split, without Refine; ours are of the data named above.")
    lines.append(
        "Where nothing grew, ours is the box that the VLM wrote, else that of the seeds: how often, in percent, stands"
        " under “by ...”. The paper's code scores 0 there: where that makes a difference, the second figure does, too."
    )
    faults = [(f"{r.name}: {a.id}", a.error) for r, asked in zip(rows_named(table), answers) for a in asked if a.error]
    return "\n".join(lines) + "\n" + (listed_faults(faults) if faults else "")


def _without_fallback(answer: Answer) -> Answer:
    """The answer, or none where it did not come from what grew."""
    if not set(answer.notes) & set(FALLBACKS.values()):
        return answer
    return replace(answer, boxes=(), scores=(), mask=None if answer.mask is None else (0.0, answer.mask[1]))
