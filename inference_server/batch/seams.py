"""What tiles found, as whole objects: pieces joined across seams, what two tiles saw kept once.

Every tile gives what meets its core. An object that its window holds whole belongs to the tile whose core has the
middle of its box; the neighbours' sights of it are dropped. What reaches a window's edge is a piece: it is joined to
the pieces and objects of other tiles that agree with it in the zone that both windows see. What then still overlaps
another tile's object is kept once (greedy non-maximum suppression on the shapes themselves). What is larger than the
overlap may also come from the coarse pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from inference_server.batch.grid import Tile
from inference_server.batch.tiles import Piece

#: Intersection over union, in the zone that both windows see, from which two pieces are of one object.
SAME_IN_ZONE = 0.3
#: A whole sight that has this share of the joined shape is the object.
WHOLE_SHARE = 0.9
#: Overlap of two tiles' objects from which they are one: over union, or over the smaller.
SAME_IOU, SAME_PART = 0.5, 0.8
#: The middles of two sights of one object differ by less than this.
SLACK_PX = 8.0
#: A coarse object must be longer than so many overlaps: what is smaller is seen whole.
COARSE_MARGINS = 2.0
#: A coarse object gives way to fine ones within it that have this share of it and a score as high.
FINE_SHARE = 0.2

Geometries = NDArray[Any]


@dataclass(frozen=True)
class Whole:
    """One object of a scene.

    Attributes:
        score, label, brightness, kind: as a piece's.
        shape: multipolygon, pixel space of the scene's fine pass.
        tile: number of the tile that owns it.
        is_joined: made of pieces of several tiles.
    """

    score: float
    label: str
    brightness: float | None
    kind: str
    shape: MultiPolygon
    tile: int
    is_joined: bool = False


def whole_objects(found: Sequence[tuple[int, Piece]], tiles: Sequence[Tile]) -> list[Whole]:
    """The objects of one phrase in one pass.

    Args:
        found: tile number and piece, in order of tile and of the engine's answer.
        tiles: of the pass, by number.
    """
    if not found:
        return []
    numbers = np.array([number for number, _ in found])
    pieces = [piece for _, piece in found]
    shapes = _shapes([piece.shape for piece in pieces])
    groups = _groups(shapes, numbers, pieces, tiles)
    ranked: list[tuple[int, Whole]] = []
    for members in groups:
        ranked += _of_group(members, pieces, numbers, shapes, tiles)
    return _once(ranked)


def with_coarse(fine: list[Whole], coarse: Sequence[Whole], margin: int) -> list[Whole]:
    """The fine pass's objects and those of the coarse one that no tile could see whole.

    A coarse object that a fine one matches is left out: the fine outline is finer. One that is taken replaces the
    fragments of it that the fine pass has.
    """
    for large in sorted(coarse, key=lambda whole: -whole.score):
        x_0, y_0, x_1, y_1 = large.shape.bounds
        if max(x_1 - x_0, y_1 - y_0) <= COARSE_MARGINS * margin:
            continue
        shapes = _shapes([whole.shape for whole in fine])
        near = shapely.STRtree(shapes).query(large.shape, predicate="intersects") if fine else np.array([], int)
        shared = shapely.area(shapely.intersection(shapes[near], large.shape))
        areas = shapely.area(shapes[near])
        is_same = shared / (areas + large.shape.area - shared) >= SAME_IOU
        inside = near[shared >= SAME_PART * areas]
        better = [i for i in inside if fine[i].score >= large.score and not fine[i].is_joined]
        if is_same.any() or sum(fine[i].shape.area for i in better) >= FINE_SHARE * large.shape.area:
            continue
        gone = set(inside.tolist())
        fine = [whole for i, whole in enumerate(fine) if i not in gone] + [large]
    return fine


def scaled(whole: Whole, factor: Sequence[float]) -> Whole:
    """The object in another pass's pixels."""
    return replace(whole, shape=shapely.transform(whole.shape, lambda xy: xy * np.asarray(factor)))


def _shapes(shapes: Sequence[BaseGeometry]) -> Geometries:
    out = np.empty(len(shapes), dtype=object)
    out[:] = shapes
    return out


def _groups(
    shapes: Geometries, numbers: NDArray[np.int_], pieces: Sequence[Piece], tiles: Sequence[Tile]
) -> list[list[int]]:
    """Indices of the pieces of each object, in their order."""
    is_cut = np.array([piece.is_cut for piece in pieces])
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    wanted = (first < second) & (numbers[first] != numbers[second]) & (is_cut[first] | is_cut[second])
    first, second = first[wanted], second[wanted]
    windows = np.array([tile.window.bounds for tile in tiles])
    a, b = windows[numbers[first]], windows[numbers[second]]
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    zones = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    ours, theirs = shapely.intersection(shapes[first], zones), shapely.intersection(shapes[second], zones)
    shared = shapely.area(shapely.intersection(ours, theirs))
    union = shapely.area(ours) + shapely.area(theirs) - shared
    is_one = shared >= SAME_IN_ZONE * np.maximum(union, 1e-9)
    first, second = first[is_one], second[is_one]
    count = len(pieces)
    links = coo_matrix((np.ones(len(first)), (first, second)), shape=(count, count))
    _, labels = connected_components(links, directed=False)
    groups: dict[int, list[int]] = {}
    for i, label in enumerate(labels.tolist()):
        groups.setdefault(label, []).append(i)
    return list(groups.values())


def _of_group(
    members: list[int],
    pieces: Sequence[Piece],
    numbers: NDArray[np.int_],
    shapes: Geometries,
    tiles: Sequence[Tile],
) -> list[tuple[int, Whole]]:
    """The group's object with its rank for suppression: 0 owned, 1 near its owner's core; none if it is another's."""
    if len(members) == 1:
        i = members[0]
        rank = _rank(pieces[i], tiles[int(numbers[i])])
        return [] if rank is None else [(rank, _whole(pieces[i], int(numbers[i])))]
    joined = shapely.union_all(shapes[members])
    areas = {i: float(shapely.area(shapes[i])) for i in members}
    complete = [i for i in members if not pieces[i].is_cut]
    best = max(complete, key=lambda i: (areas[i], -i), default=None)
    if best is not None and areas[best] >= WHOLE_SHARE * joined.area:
        return [(0, _whole(pieces[best], int(numbers[best])))]
    largest = max(members, key=lambda i: (areas[i], -i))
    lights = [(light, areas[i]) for i in members if (light := pieces[i].brightness) is not None]
    piece = pieces[largest]
    if piece.kind != "mask":
        joined = joined.envelope if piece.kind == "hbb" else joined.minimum_rotated_rectangle
    whole = Whole(
        max(pieces[i].score for i in members),
        piece.label,
        sum(x * w for x, w in lights) / sum(w for _, w in lights) if lights else None,
        piece.kind,
        _multi(joined),
        int(numbers[largest]),
        is_joined=True,
    )
    return [(0, whole)]


def _rank(piece: Piece, tile: Tile) -> int | None:
    x_0, y_0, x_1, y_1 = piece.shape.bounds
    core = tile.core
    if piece.is_cut:
        # No other tile has the rest of it: it stays where most of it lies.
        inside = piece.shape.intersection(shapely.box(*core.bounds)).area
        return 1 if inside >= 0.5 * piece.shape.area else None
    x, y = (x_0 + x_1) / 2, (y_0 + y_1) / 2
    if core.col_0 <= x < core.col_1 and core.row_0 <= y < core.row_1:
        return 0
    beyond = max(core.col_0 - x, x - core.col_1, core.row_0 - y, y - core.row_1)
    return 1 if beyond <= SLACK_PX else None


def _whole(piece: Piece, tile: int) -> Whole:
    return Whole(piece.score, piece.label, piece.brightness, piece.kind, piece.shape, tile)


def _multi(shape: BaseGeometry) -> MultiPolygon:
    polygons = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return MultiPolygon(polygons)


def _once(ranked: Sequence[tuple[int, Whole]]) -> list[Whole]:
    """Of objects of different tiles that are one, the first by rank, score and place."""
    if not ranked:
        return []

    def key(item: tuple[int, Whole]) -> tuple[Any, ...]:
        rank, whole = item
        return (rank, not whole.is_joined, -whole.score, whole.tile, whole.shape.bounds)

    wholes = [whole for _, whole in sorted(ranked, key=key)]
    shapes = _shapes([whole.shape for whole in wholes])
    areas = shapely.area(shapes)
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    tiles = np.array([whole.tile for whole in wholes])
    is_joined = np.array([whole.is_joined for whole in wholes])
    wanted = (first < second) & ((tiles[first] != tiles[second]) | is_joined[first] | is_joined[second])
    first, second = first[wanted], second[wanted]
    shared = shapely.area(shapely.intersection(shapes[first], shapes[second]))
    is_one = (shared >= SAME_IOU * (areas[first] + areas[second] - shared)) | (
        shared >= SAME_PART * np.minimum(areas[first], areas[second])
    )
    rivals: dict[int, list[int]] = {}
    for i, j in zip(first[is_one].tolist(), second[is_one].tolist(), strict=True):
        rivals.setdefault(j, []).append(i)
    kept: set[int] = set()
    for i in range(len(wholes)):
        if not any(j in kept for j in rivals.get(i, ())):
            kept.add(i)
    return [wholes[i] for i in sorted(kept)]
