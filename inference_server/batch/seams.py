"""What tiles found, as whole objects: pieces joined across seams, what two tiles saw kept once.

Every tile gives what meets its core. An object that its window holds whole belongs to the tile whose core has the
middle of its box; the neighbours' sights of it are dropped. What reaches a window's edge is a piece: it is joined to
the pieces and objects of other tiles that agree with it in the zone that both windows see. What then still overlaps
another tile's object is kept once (greedy non-maximum suppression on the shapes themselves). What is larger than the
overlap may also come from the coarse pass.

Boxes say which shapes may meet, strip by strip; only those are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from shapely.geometry import MultiPolygon
from shapely.geometry.base import BaseGeometry

from inference_server.batch.grid import Tile
from inference_server.batch.objects import COLUMNS, KINDS, Objects, Shelf, chunks

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
#: Height of the strips in which boxes are compared.
_STRIP_PX = 1024.0

Indices = NDArray[np.intp]
Tick = Callable[[], None]


def whole_objects(shelf: Shelf, level: int, phrase: int, tiles: Sequence[Tile], tick: Tick) -> Objects:
    """The objects of one phrase in one pass, best owned first; those made of pieces are put on the shelf.

    Args:
        shelf: of the scene.
        level: the pass.
        phrase: its number.
        tiles: of the pass, by number.
        tick: called now and then; what it raises ends the work.
    """
    windows, cores = (
        np.array([box.bounds for box in boxes])
        for boxes in ([tile.window for tile in tiles], [tile.core for tile in tiles])
    )
    pieces = np.concatenate([np.zeros(0, COLUMNS), *_ranked(shelf, level, phrase, cores, tick)])
    labels = _groups(shelf, pieces, windows, tick)
    counts = np.bincount(labels, minlength=1)
    is_single = counts[labels] == 1
    singles = pieces[is_single & (pieces["rank"] >= 0)]
    joined = [_of_group(shelf, pieces[members]) for members in _members(labels, ~is_single)]
    del pieces, labels, counts, is_single
    return _once(shelf, np.concatenate([singles, np.array(joined, COLUMNS)]), tick)


def with_coarse(shelf: Shelf, fine: Objects, coarse: Objects, factor: Sequence[float], margin: int) -> Objects:
    """The fine pass's objects and those of the coarse one that no tile could see whole.

    A coarse object that a fine one matches is left out: the fine outline is finer. One that is taken replaces the
    fragments of it that the fine pass has.

    Args:
        shelf: of the scene.
        fine, coarse: each in the pixels of its pass.
        factor: (x, y) fine pixels of a coarse one.
        margin: overlap of the tiles, in pixels of either pass.
    """
    scale = np.asarray(factor, dtype=np.float64)
    spans = (coarse["bounds"][:, 2:] - coarse["bounds"][:, :2]) * scale
    large = coarse[spans.max(axis=1, initial=0.0) > COARSE_MARGINS * margin]
    for row in large[np.argsort(-large["score"], kind="stable")]:
        shape = shapely.transform(shelf.shape(row["key"]), lambda xy: xy * scale)
        area, bounds = shape.area, np.array(shape.bounds)
        near = np.flatnonzero(_boxes_meet(fine["bounds"], bounds))
        shared = shapely.area(shapely.intersection(shelf.shapes(fine["key"][near]), shape))
        areas = fine["area"][near]
        is_same = shared / (areas + area - shared) >= SAME_IOU
        inside = near[(shared > 0) & (shared >= SAME_PART * areas)]
        better = inside[(fine["score"][inside] >= row["score"]) & ~fine["is_joined"][inside]]
        if is_same.any() or fine["area"][better].sum() >= FINE_SHARE * area:
            continue
        taken = np.array([row], COLUMNS)
        taken["key"], taken["bounds"], taken["area"] = shelf.put(shape), bounds, area
        fine = np.concatenate([np.delete(fine, inside), taken])
    return fine


def _ranked(shelf: Shelf, level: int, phrase: int, cores: NDArray[np.float64], tick: Tick) -> Iterator[Objects]:
    """The pieces with their ranks, some at a time."""
    for pieces, shapes in shelf.pieces(level, phrase):
        tick()
        core = cores[pieces["tile"]]
        bounds = pieces["bounds"]
        middle = (bounds[:, :2] + bounds[:, 2:]) / 2
        beyond = np.maximum(core[:, :2] - middle, middle - core[:, 2:]).max(axis=1)
        is_within = (core[:, :2] <= middle).all(axis=1) & (middle < core[:, 2:]).all(axis=1)
        pieces["rank"] = np.where(is_within, 0, np.where(beyond <= SLACK_PX, 1, -1))
        # No other tile has the rest of a cut one: it stays where most of it lies.
        cut = np.flatnonzero(pieces["is_cut"])
        inside = shapely.area(shapely.intersection(shapes[cut], shapely.box(*core[cut].T)))
        pieces["rank"][cut] = np.where(inside >= 0.5 * pieces["area"][cut], 1, -1)
        yield pieces


def _boxes_meet(bounds: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((bounds[:, :2] <= other[2:]).all(axis=1) & (bounds[:, 2:] >= other[:2]).all(axis=1))


def _near_pairs(
    objects: Objects, is_wanted: Callable[[Indices, Indices], NDArray[np.bool_]], tick: Tick
) -> Iterator[tuple[Indices, Indices]]:
    """Pairs (first < second) whose boxes meet, some at a time."""
    bounds = objects["bounds"]
    first_strip, last_strip = (np.floor(bounds[:, side] / _STRIP_PX).astype(int) for side in (1, 3))
    for strip in range(first_strip.min(initial=0), last_strip.max(initial=-1) + 1):
        tick()
        here = np.flatnonzero((first_strip <= strip) & (strip <= last_strip))
        boxes = shapely.box(*bounds[here].T)
        first, second = here[shapely.STRtree(boxes).query(boxes)]
        # A pair belongs to the first strip that has both.
        is_ours = (first < second) & (np.maximum(first_strip[first], first_strip[second]) == strip)
        first, second = first[is_ours], second[is_ours]
        is_taken = is_wanted(first, second)
        first, second = first[is_taken], second[is_taken]
        for part in chunks(len(first)):
            yield first[part], second[part]


def _groups(shelf: Shelf, pieces: Objects, windows: NDArray[np.float64], tick: Tick) -> NDArray[np.int32]:
    """(n,) numbers of the objects that the pieces are of."""
    tiles, is_cut = pieces["tile"], pieces["is_cut"]
    links = [np.zeros((2, 0), np.intp)]
    pairs = _near_pairs(pieces, lambda i, j: (tiles[i] != tiles[j]) & (is_cut[i] | is_cut[j]), tick)
    for first, second in pairs:
        a, b = windows[tiles[first]], windows[tiles[second]]
        low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
        zones = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
        ours = shapely.intersection(shelf.shapes(pieces["key"][first]), zones)
        theirs = shapely.intersection(shelf.shapes(pieces["key"][second]), zones)
        shared = shapely.area(shapely.intersection(ours, theirs))
        union = shapely.area(ours) + shapely.area(theirs) - shared
        is_one = shared >= SAME_IN_ZONE * np.maximum(union, 1e-9)
        links.append(np.stack([first[is_one], second[is_one]]))
    first, second = np.concatenate(links, axis=1)
    graph = coo_matrix((np.ones(len(first), np.int8), (first, second)), shape=(len(pieces), len(pieces)))
    labels: NDArray[np.int32] = connected_components(graph, directed=False)[1] if len(pieces) else np.zeros(0, np.int32)
    return labels


def _members(labels: NDArray[np.int32], is_taken: NDArray[np.bool_]) -> Iterator[Indices]:
    """Indices of each group's pieces among those taken, in their order; groups by their first piece."""
    taken = np.flatnonzero(is_taken)
    order = taken[np.argsort(labels[taken], kind="stable")]
    if len(order):
        groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
        yield from sorted(groups, key=lambda group: int(group[0]))


def _of_group(shelf: Shelf, pieces: Objects) -> np.void:
    """The object that several pieces are of."""
    shapes, areas = shelf.shapes(pieces["key"]), pieces["area"]
    joined = shapely.union_all(shapes)
    complete = np.flatnonzero(~pieces["is_cut"])
    if len(complete):
        best = complete[np.argmax(areas[complete])]
        if areas[best] >= WHOLE_SHARE * joined.area:
            row = pieces[best].copy()
            row["rank"] = 0
            return row  # type: ignore[no-any-return]
    row = pieces[np.argmax(areas)].copy()
    if KINDS[row["kind"]] != "mask":
        joined = joined.envelope if KINDS[row["kind"]] == "hbb" else joined.minimum_rotated_rectangle
    whole = _multi(joined)
    row["key"], row["bounds"], row["area"] = shelf.put(whole), whole.bounds, whole.area
    row["score"], row["rank"], row["is_cut"], row["is_joined"] = pieces["score"].max(), 0, False, True
    is_lit = ~np.isnan(pieces["brightness"])
    if is_lit.any():
        row["brightness"] = np.average(pieces["brightness"][is_lit], weights=areas[is_lit])
    return row  # type: ignore[no-any-return]


def _multi(shape: BaseGeometry) -> MultiPolygon:
    polygons = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return MultiPolygon(polygons)


def _once(shelf: Shelf, objects: Objects, tick: Tick) -> Objects:
    """Of objects of different tiles that are one, the first by rank, score and place."""
    places = objects["bounds"].T[::-1]
    objects = objects[np.lexsort((*places, objects["tile"], -objects["score"], ~objects["is_joined"], objects["rank"]))]
    tiles, is_joined, areas = objects["tile"], objects["is_joined"], objects["area"]
    rivals = [np.zeros((2, 0), np.intp)]
    pairs = _near_pairs(objects, lambda i, j: (tiles[i] != tiles[j]) | is_joined[i] | is_joined[j], tick)
    for first, second in pairs:
        shapes, others = shelf.shapes(objects["key"][first]), shelf.shapes(objects["key"][second])
        shared = shapely.area(shapely.intersection(shapes, others))
        is_one = (shared >= SAME_IOU * (areas[first] + areas[second] - shared)) | (
            shared >= SAME_PART * np.minimum(areas[first], areas[second])
        )
        is_one &= shared > 0
        rivals.append(np.stack([first[is_one], second[is_one]]))
    first, second = np.concatenate(rivals, axis=1)
    is_kept = np.ones(len(objects), bool)
    for i in np.argsort(second, kind="stable"):  # the better one's fate is settled by then
        is_kept[second[i]] &= not is_kept[first[i]]
    return objects[is_kept]
