"""What the evidence network learns from: generated scenes and the real sets that may be shipped on, as label maps.

``python -m inference_server.training.evidence_data --data ../shared/data --cache FOLDER`` draws them once (about ten
minutes on two cores for 1,200 scenes); ``inference_server.training.evidence`` reads them.
"""

from __future__ import annotations

import argparse
import logging
import math
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy.ndimage import distance_transform_edt
from shapely.geometry import Polygon

from inference_server.evaluation.scenes import generate
from inference_server.geometry import Mask, iou_hbb
from inference_server.models.evidence.classes import BIT, CORE, EDGE, EVIDENCE_CLASSES, THINGS, bits_of
from inference_server.models.geobia.blobs import blob_trees
from inference_server.models.geobia.features import leaf_table
from inference_server.models.geobia.selection import Forest
from inference_server.regions import build_region_tree
from inference_server.training.evidence_places import place_of
from inference_server.training.evidence_surfaces import EARLY, LATE, labels_of, paint_surfaces
from inference_server.training.geobia_labels import LabelledTile, cars, planes, towns, trees

log = logging.getLogger(__name__)

Bits = NDArray[np.uint32]

#: Generated scenes for fitting begin here; 0-999 are for development, 100,000 and above are held out.
FIRST_SEED = 10_000
#: Those from here on are of places that nothing but the trainings draws.
FIRST_PLACE = 20_000
SIDE_PX = 640
PIXEL_SIZES_M = (0.12, 0.15, 0.2, 0.25, 0.3, 0.3, 0.3, 0.4, 0.5, 0.6)
ALL = np.uint32((1 << len(BIT)) - 1)
#: A pixel belongs to the core where it is so deep in its thing, relative to the deepest.
CORE_DEPTH = 0.45
#: Classes that a real set does not show at all; whatever else it does not label stays unknown.
ABSENT = {
    "towns": "pool ship bridge airplane runway water tennis_court basketball_court track tank bus",
    "cars": "pool ship bridge airplane runway water tennis_court basketball_court track soccer_field tank field"
    " container",
    "planes": "pool ship bridge tennis_court basketball_court track soccer_field",
    "trees": "pool ship bridge airplane runway water tennis_court basketball_court track soccer_field tank building"
    " car truck bus container parking_lot",
}
LABELLED = {"towns": "building", "cars": "car truck bus", "planes": "airplane", "trees": "tree"}
#: Airports that the rules and verdicts were not fitted on, of which those are taken whose land cover was labelled.
MORE_PLANES = slice(2, None, 3)
#: Outlines of the towns are off by up to so many metres.
OUTLINE_ERROR_M = 0.9


@dataclass(frozen=True, eq=False)
class LabelledMap:
    """A picture with what is known of each pixel.

    Attributes:
        source: "generated", "towns", "cars", "planes" or "trees".
        name: of the picture in it.
        gsd_m: metres a pixel.
        rgb: (3, row, col) uint8.
        on: (row, col) bits of the classes that a pixel shows.
        unknown: (row, col) bits of the classes that nothing is known about.
    """

    source: str
    name: str
    gsd_m: float
    rgb: NDArray[np.uint8]
    on: Bits
    unknown: Bits


def generated_map(seed: int) -> LabelledMap:
    """A generated scene: everything is known, but for what its bare ground may be taken for."""
    gsd = float(np.random.default_rng(seed).choice(PIXEL_SIZES_M))
    place = place_of(seed) if seed >= FIRST_PLACE else None
    scene = generate(seed, size_px=(SIDE_PX, SIDE_PX), gsd_m=gsd, theme=place, expressions=0)
    shape = scene.valid.shape
    on = np.zeros(shape, np.uint32)
    for item in scene.objects:
        if item.category in BIT:
            _paint(on, item.mask, bits_of([item.category]), item.category in THINGS)
    unknown = np.zeros(shape, np.uint32)
    ground = bits_of(name for name in scene.background if name in BIT)
    unknown[on & np.uint32(bits_of({*THINGS, "road", "parking lot", "water", "runway", "bridge"})) == 0] = ground
    unknown[~scene.valid] = ALL
    unknown &= ~on
    return LabelledMap("generated", str(seed), gsd, scene.rgb, on, unknown)


def real_map(tile: LabelledTile, labels: NDArray[np.uint8] | None = None) -> LabelledMap:
    """A labelled picture: a box's thing is the region of the tree that fills it best, the rest of it is unknown.

    Around the source's own labels stands what was labelled by eye (``evidence_surfaces.labels_of``).
    """
    shape = tile.rgb.shape[1:]
    on = np.zeros(shape, np.uint32)
    known = bits_of(name.replace("_", " ") for name in (ABSENT[tile.source] + " " + LABELLED[tile.source]).split())
    unknown = np.full(shape, ALL & ~np.uint32(known), np.uint32)
    if tile.source == "towns":
        _paint_outlines(tile, on, unknown)
    else:
        _paint_boxes(tile, on, unknown)
    if labels is not None:
        paint_surfaces(on, unknown, labels, tuple(LABELLED[tile.source].split()))
    unknown[~tile.valid] = ALL
    return LabelledMap(tile.source, tile.name, tile.gsd_m, tile.rgb, on, unknown)


def _paint(on: Bits, mask: Mask, bits: int, is_thing: bool) -> None:
    rows, cols = mask.pixels.shape
    there = on[mask.row : mask.row + rows, mask.col : mask.col + cols]
    there[mask.pixels] |= np.uint32(bits)
    if is_thing:
        depth = distance_transform_edt(np.pad(mask.pixels, 1))[1:-1, 1:-1]
        core = depth > CORE_DEPTH * depth.max()
        there[mask.pixels] &= ~np.uint32(bits_of([EDGE, CORE]))
        there[core] |= np.uint32(bits_of([CORE]))
        there[mask.pixels & (depth <= 1.0) & ~core] |= np.uint32(bits_of([EDGE]))


def _paint_outlines(tile: LabelledTile, on: Bits, unknown: Bits) -> None:
    whole = np.zeros(on.shape, bool)
    for item in tile.objects:
        if item.outline is None:
            continue
        inside = _raster(item.outline, on.shape)
        whole |= inside
        depth = distance_transform_edt(inside)
        on[inside] |= np.uint32(bits_of(["building"]))
        on[depth > CORE_DEPTH * depth.max()] |= np.uint32(bits_of([CORE]))
        unknown[inside] &= ~np.uint32(bits_of([CORE]))
    ring = OUTLINE_ERROR_M / tile.gsd_m
    near = (distance_transform_edt(whole) <= ring) & whole | (distance_transform_edt(~whole) <= ring) & ~whole
    unknown[near] |= np.uint32(bits_of(["building", CORE, EDGE]))


def _paint_boxes(tile: LabelledTile, on: Bits, unknown: Bits) -> None:
    # A crown is no region of its own.
    forest = None if tile.source == "trees" else _regions(tile)
    boxes = None if forest is None else forest.boxes
    rows, cols = on.shape
    for item in tile.objects:
        x0, y0, x1, y1 = item.box
        window = (
            slice(max(0, math.floor(y0 - 2)), min(rows, math.ceil(y1 + 2))),
            slice(max(0, math.floor(x0 - 2)), min(cols, math.ceil(x1 + 2))),
        )
        bits = bits_of([item.name]) | bits_of([CORE, EDGE])
        unknown[window] |= np.uint32(bits)
    for item in tile.objects:
        mask = _ellipse(item.box, 0.75 if item.name == "tree" else 0.3, (rows, cols))
        if forest is not None and boxes is not None and item.name != "tree":
            iou = iou_hbb(boxes, np.array([item.box]))[:, 0]
            if iou.max() >= 0.65:
                mask = forest.mask(int(iou.argmax()))
        if mask is None:
            continue
        height, width = mask.pixels.shape
        there = (slice(mask.row, mask.row + height), slice(mask.col, mask.col + width))
        bits = bits_of([item.name])
        on[there][mask.pixels] |= np.uint32(bits)
        unknown[there][mask.pixels] &= ~np.uint32(bits)


def _regions(tile: LabelledTile) -> Forest:
    tree = build_region_tree(tile.rgb, tile.valid)
    return Forest((tree, *blob_trees(tree, leaf_table(tree))))


def _ellipse(box: tuple[float, float, float, float], share: float, shape: tuple[int, int]) -> Mask | None:
    x0, y0, x1, y1 = box
    cx, cy, rx, ry = (x0 + x1) / 2, (y0 + y1) / 2, share * (x1 - x0) / 2, share * (y1 - y0) / 2
    row0, row1 = max(0, int(cy - ry)), min(shape[0], math.ceil(cy + ry))
    col0, col1 = max(0, int(cx - rx)), min(shape[1], math.ceil(cx + rx))
    if row1 <= row0 or col1 <= col0:
        return None
    y, x = np.mgrid[row0:row1, col0:col1] + 0.5
    return Mask(((x - cx) / max(rx, 0.5)) ** 2 + ((y - cy) / max(ry, 0.5)) ** 2 <= 1.0, row0, col0)


def _raster(outline: Polygon, shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.asarray(rasterize([outline], out_shape=shape, dtype="uint8") > 0)


def real_maps(data: Path, parts: tuple[str, ...] = (EARLY, LATE)) -> Iterator[LabelledMap]:
    """All of them, with these parts of what was labelled by eye.

    The second of every three airports and of every two streets are left for looking at.
    """
    for reader in (towns, cars, planes, trees):
        for tile in reader(data / reader.__name__):
            if tile.source == "towns" and tile.name.split("/")[1] == "8":
                continue
            yield real_map(tile, labels_of(tile.source, tile.name, parts))
    for tile in planes(data / "planes", MORE_PLANES):
        labels = labels_of(tile.source, tile.name, parts)
        if labels is not None:
            yield real_map(tile, labels)


def write(item: LabelledMap, folder: Path) -> Path:
    """Stores one map; returns its file."""
    path = folder / f"{item.source}_{item.name.replace('/', '-')}.npz"
    np.savez(path, rgb=item.rgb, on=item.on, unknown=item.unknown, gsd_m=item.gsd_m, source=item.source)
    return path


def _generate(job: tuple[int, Path]) -> None:
    seed, folder = job
    if not (folder / f"generated_{seed}.npz").exists():
        write(generated_map(seed), folder)


def main() -> None:
    """Draws everything into a folder; what is there already stays."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with towns/, cars/, planes/, trees/")
    parser.add_argument("--cache", type=Path, required=True, help="folder to write to")
    parser.add_argument("--generated", type=int, default=1200, help="number of generated scenes")
    parser.add_argument("--places", type=int, default=1600, help="number of scenes of further places")
    parser.add_argument("--early", action="store_true", help="without the late part of what was labelled by eye")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    seeds = (*range(FIRST_SEED, FIRST_SEED + args.generated), *range(FIRST_PLACE, FIRST_PLACE + args.places))
    jobs = [(seed, args.cache) for seed in seeds]
    with multiprocessing.Pool(args.processes) as pool:
        for done, _ in enumerate(pool.imap_unordered(_generate, jobs, chunksize=4), 1):
            if done % 100 == 0:
                log.info("%d of %d scenes", done, len(jobs))
    for number, item in enumerate(real_maps(args.data, (EARLY,) if args.early else (EARLY, LATE)), 1):
        write(item, args.cache)
        if number % 50 == 0:
            log.info("%d real pictures", number)
    log.info("classes: %s", ", ".join(EVIDENCE_CLASSES))


if __name__ == "__main__":
    main()
