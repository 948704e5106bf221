"""A generated scene of 16,384 pixels through a batch: duplicates, halves along seams, agreement with single tiles.

    .venv/bin/python benchmarks/batch_scene.py FOLDER [--side 16384] [--workers 1]

FOLDER keeps the scene, its truth and the journal: stopped, the same command goes on. An hour of two cores.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.transform import Affine
from rasterio.windows import Window
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from inference_server.allocator import share_one_arena  # noqa: E402

PART_PX, GSD_M = 2048, 0.3
THEMES = ("residential", "mixed", "industrial", "rural", "residential", "urban", "mixed", "harbour")
#: Rows and columns of generated parts start here, so that seams run through them and not between them.
SHIFT = (700, 500)
#: What is asked for, and the category of the truth.
TEXTS = {"buildings": "building", "cars": "car"}
#: Corners of the areas that are also searched alone, as one tile, as shares of what is left of the side.
AREAS = [(0.08, 0.11), (0.35, 0.52), (0.52, 0.21), (0.71, 0.83), (0.93, 0.42), (0.2, 0.9)]
#: Side of such an area; with the margins around it one tile holds it.
AREA_PX = 1016
AFFINE = Affine(GSD_M, 0, 500_000, 0, -GSD_M, 5_500_000)

Geometries = NDArray[Any]

#: Lines to compare the tiles' with lie so far from them. By multiples of 8, as the tiles' do: sides of vehicles fall on
#: the cells of the evidence, which are two pixels wide.
ELSEWHERE_PX = (40, 200, 304)


def make_scene(place: Path, side: int) -> Path:
    """The raster, and beside it ``truth.npz``: outlines of what is in it, whole and in its pixels, by category."""
    from inference_server.evaluation.scenes import generate
    from inference_server.outlines import polygon_of_mask

    path = place / f"scene_{side}.tif"
    if (place / "truth.npz").is_file() and path.is_file():
        return path
    truth: dict[str, list[Any]] = {category: [] for category in TEXTS.values()}
    parts = [
        generate(40 + i, size_px=(PART_PX, PART_PX), gsd_m=GSD_M, theme=theme, expressions=0)
        for i, theme in enumerate(THEMES)
    ]
    outlines = [
        [(o.category, polygon_of_mask(o.mask)) for o in part.objects if o.category in truth and not o.is_cut]
        for part in parts
    ]
    profile = {"count": 3, "height": side, "width": side, "dtype": "uint8", "tiled": True, "compress": "deflate"}
    rng = np.random.default_rng(0)
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32631", transform=AFFINE, zlevel=1, **profile) as dataset:
        for row in range(SHIFT[0] - PART_PX, side, PART_PX):
            start = SHIFT[1] - int(rng.integers(0, PART_PX))
            for number, col in enumerate(range(start - PART_PX, side, PART_PX)):
                which = (number + 3 * (row // PART_PX)) % len(parts)
                top, left = max(0, -row), max(0, -col)
                height, width = min(PART_PX, side - row) - top, min(PART_PX, side - col) - left
                if height <= 0 or width <= 0:
                    continue
                pixels = parts[which].rgb[:, top : top + height, left : left + width]
                dataset.write(pixels, window=Window(col + left, row + top, width, height))
                for category, outline in outlines[which]:
                    moved = shapely.transform(outline, lambda xy, col=col, row=row: xy + np.array([col, row]))
                    x_0, y_0, x_1, y_1 = moved.bounds
                    if x_0 >= 0 and y_0 >= 0 and x_1 <= side and y_1 <= side:
                        truth[category].append(moved)
    np.savez(place / "truth.npz", **{k: np.array(shapely.to_wkb(v), dtype=object) for k, v in truth.items()})
    return path


def search(
    raster: Path, output: Path, *, area: Any = None, workers: int = 1
) -> tuple[dict[str, Geometries], list[Any]]:
    """The masks found by expression, in the scene's pixels, and the tiles; prints how far it is."""
    from inference_server.batch.run import Batch
    from inference_server.models.registry import Registry
    from rsground_plugin.protocol import BatchRequest, TileEvent

    def tell(event: Any) -> None:
        if isinstance(event, TileEvent) and event.done % 8 == 0:
            print(f"{time.strftime('%H:%M:%S')} {output.stem} {event.done}/{event.total}", file=sys.stderr, flush=True)

    on_map = None
    if area is not None:
        corners = shapely.transform(area, lambda xy: np.stack(AFFINE * (xy[:, 0], xy[:, 1]), axis=1))
        on_map = ((tuple(corners.exterior.coords),),)
    request = BatchRequest((str(raster),), tuple(TEXTS), str(output), outputs=("mask",), area=on_map)
    batch = Batch.prepare(request, Registry, workers=workers)
    batch.run(tell)
    _, _, shapes, columns = pyogrio.raw.read(output, layer="masks", columns=["expression"])
    in_pixels = shapely.transform(shapely.from_wkb(shapes), lambda xy: np.stack(~AFFINE * (xy[:, 0], xy[:, 1]), axis=1))
    in_pixels = shapely.make_valid(in_pixels)
    return {text: in_pixels[columns[0] == text] for text in TEXTS}, list(batch.scenes[0].fine.tiles)


def overlaps(one: Geometries, other: Geometries) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Indices of pairs that meet, and the area that they share."""
    i, j = shapely.STRtree(other).query(one, predicate="intersects")
    return i, j, shapely.area(shapely.intersection(one[i], other[j]))


def duplicates(found: Geometries) -> int:
    """Pairs that are one object: over half of their union, or four fifths of the smaller, is shared."""
    i, j, shared = overlaps(found, found)
    areas = shapely.area(found)
    i, j, shared = i[i < j], j[i < j], shared[i < j]
    union = areas[i] + areas[j] - shared
    return int(((shared >= 0.5 * union) | (shared >= 0.8 * np.minimum(areas[i], areas[j]))).sum())


def halved(found: Geometries, truth: Geometries, seams: Any) -> tuple[int, int, int, int]:
    """True objects in two or more parts: of those on a seam, and of the others; (parts, all, parts, all)."""
    i, j, shared = overlaps(found, truth)
    is_part = (shared >= 0.6 * shapely.area(found)[i]) & (shared >= 0.15 * shapely.area(truth)[j])
    is_part &= shared <= 0.85 * shapely.area(truth)[j]
    counts = np.bincount(j[is_part], minlength=len(truth))
    on_seam = shapely.intersects(truth, seams)
    return tuple(
        int(n) for n in ((counts[on_seam] > 1).sum(), on_seam.sum(), (counts[~on_seam] > 1).sum(), (~on_seam).sum())
    )


def straight_cuts(found: Geometries, lines: Any) -> int:
    """Objects of which a side of 8 pixels or more lies on one of the lines, to half a pixel."""
    near = shapely.intersection(shapely.boundary(found), shapely.buffer(lines, 0.5, cap_style="flat"))
    return int((shapely.length(near) >= 8.0).sum())


def agreement(one: Geometries, other: Geometries, inner: Any) -> tuple[int, int]:
    """Twice the matched and the number of objects within ``inner``: F1 is the one by the other.

    Matched one to one where intersection over union is at least 0.5; the partner may reach beyond.
    """
    i, j, shared = overlaps(one, other)
    iou = shared / (shapely.area(one)[i] + shapely.area(other)[j] - shared)
    i, j, iou = i[iou >= 0.5], j[iou >= 0.5], iou[iou >= 0.5]
    has_one, has_other = np.zeros(len(one), bool), np.zeros(len(other), bool)
    for members in _clusters(i, j, len(one), len(other)):
        rows, cols = np.unique(i[members]), np.unique(j[members])
        fits = np.zeros((len(rows), len(cols)))
        fits[np.searchsorted(rows, i[members]), np.searchsorted(cols, j[members])] = iou[members]
        for a, b in zip(*linear_sum_assignment(fits, maximize=True), strict=True):
            if fits[a, b]:
                has_one[rows[a]] = has_other[cols[b]] = True
    is_inner, is_inner_too = shapely.covers(inner, one), shapely.covers(inner, other)
    return int(has_one[is_inner].sum() + has_other[is_inner_too].sum()), int(is_inner.sum() + is_inner_too.sum())


def _clusters(i: NDArray[Any], j: NDArray[Any], n: int, m: int) -> Iterator[NDArray[Any]]:
    graph = coo_matrix((np.ones(len(i)), (i, j + n)), shape=(n + m, n + m))
    labels = connected_components(graph, directed=False)[1][i]
    for label in np.unique(labels):
        yield np.flatnonzero(labels == label)


def against_single_tiles(raster: Path, place: Path, found: dict[str, Geometries], side: int) -> dict[str, list[float]]:
    """F1 by expression over each of ``AREAS``, all together last."""
    sums: dict[str, list[tuple[int, int]]] = {text: [] for text in TEXTS}
    for number, shares in enumerate(AREAS):
        row, col = (round(share * (side - AREA_PX)) for share in shares)
        area = shapely.box(col, row, col + AREA_PX, row + AREA_PX)
        alone, tiles = search(raster, place / f"area_{number}.gpkg", area=area)
        if len(tiles) != 1:
            raise AssertionError(f"Expected the area to be one tile, got {len(tiles)}")
        for text in TEXTS:
            ours = found[text][shapely.intersects(area, found[text])]
            sums[text].append(agreement(ours, alone[text], area))
    return {
        text: [round(hits / max(1, count), 3) for hits, count in [*pairs, tuple(map(sum, zip(*pairs, strict=True)))]]
        for text, pairs in sums.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=16384)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    share_one_arena()  # as the command line does
    start = time.monotonic()
    raster = make_scene(options.folder, options.side)
    made = time.monotonic()
    found, tiles = search(raster, options.folder / "found.gpkg", workers=options.workers)
    seconds = time.monotonic() - made
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cores = shapely.union_all([shapely.box(*tile.core.bounds).boundary for tile in tiles])
    edges = shapely.union_all([shapely.box(*tile.window.bounds).boundary for tile in tiles])
    rim = shapely.box(0, 0, options.side, options.side).boundary
    inside = shapely.difference(shapely.union_all([cores, edges]), rim.buffer(1))
    truths = np.load(options.folder / "truth.npz", allow_pickle=True)
    print(f"scene {made - start:.0f} s, batch {seconds:.0f} s, peak {peak_mb:.0f} MB, {len(tiles)} tiles")
    for text, category in TEXTS.items():
        truth = shapely.from_wkb(truths[category])
        on_seam, all_on_seam, off, all_off = halved(found[text], truth, cores)
        elsewhere = [
            straight_cuts(found[text], shapely.transform(inside, lambda xy, by=by: xy + by)) for by in ELSEWHERE_PX
        ]
        print(
            f"{text}: {len(found[text])} found, {len(truth)} true; duplicates {duplicates(found[text])}; straight"
            f" sides on seams {straight_cuts(found[text], inside)}, on lines elsewhere {elsewhere}; true ones in parts:"
            f" {on_seam} of {all_on_seam} on a seam, {off} of {all_off} others"
        )
    print(
        "F1 against one tile, by area, then all:",
        json.dumps(against_single_tiles(raster, options.folder, found, options.side)),
    )


if __name__ == "__main__":
    main()
