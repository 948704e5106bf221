"""A segmentation run as a Markdown page and gallery: IoU by class, the paper's table beside ours, faults."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference_server.evaluation.metrics import CONVENTIONS, bootstrap_interval
from inference_server.evaluation.papers import beside
from inference_server.evaluation.readers.ovss import Labelled
from inference_server.evaluation.report import listed_faults
from inference_server.evaluation.report_page import segmented_card, shrunk
from inference_server.evaluation.segmentation import Segmented, class_ious, headline

LEGEND = "Each picture, its true classes and the answered ones in the same colours; white: ignored or not answered."


def markdown(header: Mapping[str, Any], answers: Sequence[Segmented], classes: Sequence[Sequence[str]]) -> str:
    """The whole report but its pictures. The IoUs are of the pixels of all pictures together."""
    name = str(header.get("data")).partition(":")[0]
    known = [a for a in answers if a.counts]
    parts = [f"# {header.get('data')} by {header.get('engine')}", "\n".join(f"- {k}: {v}" for k, v in header.items())]
    if known:
        counts = np.array([a.counts for a in known], np.int64)
        low, high = bootstrap_interval(len(known), lambda i: headline(counts[i].sum(axis=0)), rounds=300)
        total = counts.sum(axis=0)
        figure = "foreground IoU" if len(classes) == 2 else "mIoU"
        rows = [f"| {', '.join(names)} | {iou:.3f} |" for names, iou in zip(classes, class_ious(total), strict=True)]
        seconds = np.median([a.seconds for a in known])
        parts += [
            f"{figure}: {headline(total):.3f} (95 %: {low:.3f} to {high:.3f}) over {len(known)} pictures; "
            f"{total[:, -1].sum() / max(1, total.sum()):.1%} of the pixels not answered; median {seconds:.1f} s",
            "\n".join(["| class | IoU |", "|---|---|", *rows]),
            beside(name, str(header.get("split")), {key: {figure: headline(total)} for key in CONVENTIONS}),
        ]
    parts.append(listed_faults([(a.id, a.error) for a in answers if a.error]))
    return "\n\n".join(part for part in parts if part) + "\n"


def cards(
    answers: Sequence[Segmented], pictures: Mapping[str, Labelled], folder: Path, count: int = 4
) -> dict[str, list[str]]:
    """The gallery: best, worst and random pictures.

    Args:
        pictures: by id. folder: where the answered indices are.
    """
    known = sorted((a for a in answers if not a.error and a.id in pictures), key=_figure)
    random = [known[int(i)] for i in np.random.default_rng(0).permutation(len(known))[:count]]
    groups = {"Best": known[::-1][:count], "Worst": known[:count], "Random": random}
    return {
        title: [
            segmented_card(a.image, _side_by_side(pictures[a.id], folder / f"{a.id}.png"), _figure(a)) for a in items
        ]
        for title, items in groups.items()
    }


def _figure(answer: Segmented) -> float:
    return float(np.nan_to_num(headline(np.array(answer.counts, np.int64))))


def _side_by_side(picture: Labelled, answered: Path) -> list[Image.Image]:
    with Image.open(answered) as image:
        answer = np.asarray(image)
    rgb = Image.fromarray(picture.image.tile().rgb.transpose(1, 2, 0))
    return [shrunk(rgb)[0], *(_colored(indices, picture.classes) for indices in (picture.label(), answer))]


def _colored(indices: NDArray[Any], classes: int) -> Image.Image:
    """Background dark, the other classes in hues of equal distance, everything else white."""
    palette = np.full((256, 3), 255, np.uint8)
    palette[0] = 40
    for index in range(1, classes):
        palette[index] = [round(255 * v) for v in colorsys.hsv_to_rgb(index / classes, 0.75, 0.9)]
    image = Image.fromarray(palette[indices.astype(np.uint8)])
    return image.resize(shrunk(image)[0].size, Image.Resampling.NEAREST)
