"""A data set from "NAME:PATH" and a split."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from inference_server.errors import InvalidRequest
from inference_server.evaluation.readers import scene_sets
from inference_server.evaluation.readers.base import DataSet
from inference_server.evaluation.readers.dior_rsvg import DiorRsvg
from inference_server.evaluation.readers.earthreason import EarthReason
from inference_server.evaluation.readers.ovss import CLASSES, Ovss
from inference_server.evaluation.readers.percent import GeoChat, VrsBench
from inference_server.evaluation.readers.phrases import PhraseList
from inference_server.evaluation.readers.refgeo import PARTS, RefGeo
from inference_server.evaluation.readers.rrsisd import RrsisD


def _refgeo(part: str, path: Path, split: str) -> DataSet:
    return RefGeo(path, split, part=part)


def _labelled(name: str, path: Path, _: str) -> DataSet:
    return scene_sets.labelled(name, path)


_BY_NAME: dict[str, Callable[[Path, str], DataSet]] = {
    "rrsis-d": RrsisD,
    "risbench": lambda path, split: PhraseList(path, split, name="risbench"),
    "refsegrs": lambda path, split: PhraseList(path, split, name="refsegrs"),
    "dior-rsvg": DiorRsvg,
    "vrsbench": VrsBench,
    "geochat": GeoChat,
    "earthreason": EarthReason,
    **{f"refgeo-{part}": partial(_refgeo, part) for part in PARTS},
    "towns": lambda path, _: scene_sets.towns(path),
    **{name: partial(_labelled, name) for name in ("planes", "cars", "trees")},
}


def open_data(text: str, split: str) -> DataSet | Ovss:
    """The data set of "NAME:PATH"; "scenes", "scenes:A:B" (seeds, B not included) and "benchmark" need no path.

    An :class:`Ovss` has labelled pictures instead of expressions.

    Raises:
        InvalidRequest: unknown name, no path, or a file that is not as its format says (InvalidData).
    """
    name, _, rest = text.partition(":")
    if name == "benchmark":
        return scene_sets.benchmark()
    if name == "scenes":
        first, colon, last = (rest or "0:10").partition(":")
        if not (colon and first.isdigit() and last.isdigit() and int(first) < int(last)):
            raise InvalidRequest(f"--data scenes: expected seeds A:B with A < B, got {rest!r}", field="data")
        return scene_sets.generated(range(int(first), int(last)))
    if name in CLASSES and rest:
        return Ovss(Path(rest), split, name=name)
    if name not in _BY_NAME or not rest:
        known = ", ".join(["scenes[:A:B]", "benchmark", *(f"{n}:PATH" for n in (*_BY_NAME, *CLASSES))])
        raise InvalidRequest(f"--data: expected one of {known}; got {text!r}", field="data")
    return _BY_NAME[name](Path(rest), split)
