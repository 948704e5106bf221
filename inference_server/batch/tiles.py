"""One tile asked all phrases: the candidates to keep of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from inference_server.batch.grid import Tile
from inference_server.detections import luminance
from inference_server.expression import Phrase
from inference_server.geometry import hbb_corners, obb_corners
from inference_server.models.base import Engine, Prediction, Predictions, Progress, ScenePart, SurveyingEngine
from inference_server.outlines import polygon_of_mask
from inference_server.raster import RasterTile


@dataclass(frozen=True)
class Piece:
    """A candidate as one tile sees it.

    Attributes:
        phrase: number of the phrase.
        score, label, brightness: the candidate's.
        kind: "mask", "obb" or "hbb": what the engine gave.
        shape: multipolygon, pixel space of the pass (not of the tile).
        is_cut: it reaches the window's edge within the scene, so there is more of it beyond.
    """

    phrase: int
    score: float
    label: str
    brightness: float | None
    kind: str
    shape: MultiPolygon
    is_cut: bool


@dataclass(frozen=True)
class Silence:
    """Why a tile has nothing for a phrase, or a note beside what it has."""

    phrase: int
    why: str
    failed_part: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TileAnswer:
    """What a tile adds to the journal."""

    pieces: tuple[Piece, ...] = ()
    silences: tuple[Silence, ...] = ()


@dataclass(frozen=True)
class SurveyAnswer:
    """What an engine's survey said of a pass; None where it holds no data."""

    survey: Mapping[str, float] | None


@dataclass(frozen=True)
class TileFindings:
    """What the engine said of a tile, not outlined yet: number of the phrase and its predictions; luminance."""

    answers: tuple[tuple[int, Predictions], ...]
    gray: NDArray[np.uint8]


def ask_tile(
    engine: Engine, pixels: RasterTile, phrases: Sequence[tuple[int, Phrase]], part: ScenePart, progress: Progress
) -> TileFindings:
    """The engine's answers about one tile, encoded once; what ``progress`` raises ends the work."""
    if isinstance(engine, SurveyingEngine):
        encoding = engine.encode(pixels, progress, part)
    else:
        encoding = engine.encode(pixels, progress)
    answers = tuple((number, engine.find(encoding, phrase, progress)) for number, phrase in phrases)
    return TileFindings(answers, luminance(pixels.rgb))


def outlined(findings: TileFindings, tile: Tile, size: tuple[int, int]) -> TileAnswer:
    """The candidates that meet the tile's core, outlined; ``size`` is the pass's width and height."""
    pieces: list[Piece] = []
    silences: list[Silence] = []
    for number, answer in findings.answers:
        found = [_piece(number, item, findings.gray, tile, size) for item in answer.items]
        pieces += [piece for piece in found if piece is not None]
        if not answer.items or answer.notes:
            silences.append(Silence(number, answer.why_empty, answer.failed_part, answer.notes))
    return TileAnswer(tuple(pieces), tuple(silences))


def _piece(number: int, item: Prediction, gray: NDArray[np.uint8], tile: Tile, size: tuple[int, int]) -> Piece | None:
    window = tile.window
    brightness = None
    if item.mask is not None:
        mask = item.mask
        height, width = mask.pixels.shape
        values = gray[mask.row : mask.row + height, mask.col : mask.col + width][mask.pixels]
        if not values.size:
            return None
        brightness, kind, shape = float(values.mean()) / 255, "mask", polygon_of_mask(mask)
    elif item.obb is not None:
        kind, shape = "obb", MultiPolygon([Polygon(obb_corners(item.obb))])
    elif item.hbb is not None:
        kind, shape = "hbb", MultiPolygon([Polygon(hbb_corners(item.hbb))])
    else:
        raise ValueError(f"Prediction {item.label!r}: expected a mask, an hbb or an obb, got none of them")
    moved = shapely.transform(shape, lambda xy: xy + np.array([window.col_0, window.row_0]))
    if not _meets(moved, tile):
        return None
    return Piece(number, item.score, item.label, brightness, kind, moved, _is_cut(moved, tile, size))


def _meets(shape: BaseGeometry, tile: Tile) -> bool:
    return bool(shapely.box(*tile.core.bounds).intersects(shape))


def _is_cut(shape: BaseGeometry, tile: Tile, size: tuple[int, int]) -> bool:
    """Within a pixel of an edge of the window that is none of the scene."""
    x_0, y_0, x_1, y_1 = shape.bounds
    window = tile.window
    return (
        (window.col_0 > 0 and x_0 <= window.col_0 + 1)
        or (window.row_0 > 0 and y_0 <= window.row_0 + 1)
        or (window.col_1 < size[0] and x_1 >= window.col_1 - 1)
        or (window.row_1 < size[1] and y_1 >= window.row_1 - 1)
    )
