"""Generated scenes and the shared real sets as samples, with expressions made from their labels and pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine
from skimage.color import rgb2lab

from inference_server.evaluation.readers.base import InvalidData, Sample
from inference_server.evaluation.scene_expressions import express
from inference_server.evaluation.scene_makers import make_superlative
from inference_server.evaluation.scene_types import Scene, SceneExpression, SceneObject
from inference_server.evaluation.scene_writer import Writer
from inference_server.evaluation.scenes import generate
from inference_server.evaluation.town_expressions import color_name, town_scenes
from inference_server.geometry import BoolMask, Mask, hbb_of_mask, obb_corners, obb_of_mask
from inference_server.raster import RasterTile
from inference_server.training import geobia_labels
from inference_server.training.geobia_labels import LabelledObject, LabelledTile

#: What boxes allow to say surely; their areas are not the things' areas, and other classes are not labelled.
_BOX_KINDS = ("category", "color", "position", "position", "superlative", "order", "closest", "relation", "number",
              "between")  # fmt: skip
_NOT_OF_BOXES = ("largest", "biggest", "smallest", "tiniest", "longest", "mixed")
_VEHICLES = frozenset({"car", "bus", "truck"})
#: Pictures that the embedded engine was not fitted on, where a set is divided.
_LABELLED: dict[str, Callable[[Path], Iterator[LabelledTile]]] = {
    "planes": lambda folder: geobia_labels.planes(folder, slice(1, None, 3)),
    "cars": lambda folder: geobia_labels.cars(folder, slice(1, None, 2)),
    "trees": geobia_labels.trees,
}


@dataclass(frozen=True, eq=False)
class InMemory:
    """A tile that is there already."""

    held: RasterTile

    def tile(self) -> RasterTile:
        return self.held


@dataclass(frozen=True, eq=False)
class UnionMask:
    """The pixels of some objects of a tile."""

    parts: tuple[Mask, ...]
    shape: tuple[int, int]

    def mask(self) -> BoolMask:
        out = np.zeros(self.shape, bool)
        for part in self.parts:
            out |= part.full(self.shape)
        return out


class SceneSet:
    """Samples out of scenes.

    Args:
        name: of the set.
        scenes: makes them, one after the other.
        has_masks: whether the objects' masks are their pixels, or only their boxes.
    """

    def __init__(self, name: str, scenes: Callable[[], Iterator[Scene]], *, has_masks: bool) -> None:
        self.name, self._scenes, self._has_masks = name, scenes, has_masks

    def samples(self) -> Iterator[Sample]:
        for scene in self._scenes():
            image = InMemory(scene.tile)
            objects = {o.id: o for o in scene.objects}
            name = f"{scene.theme}/{scene.seed}/{scene.gsd_m:.2f} m"
            for number, asked in enumerate(scene.expressions):
                targets = [objects[i] for i in asked.target_ids]
                boxes = [(o.hbb.x_min, o.hbb.y_min, o.hbb.x_max, o.hbb.y_max) for o in targets]
                corners = np.array([obb_corners(o.obb) for o in targets]).reshape(-1, 4, 2)
                mask = UnionMask(tuple(o.mask for o in targets), (scene.valid.shape[0], scene.valid.shape[1]))
                yield Sample(
                    id=f"{name}/{number}", image=image, image_name=name, expression=asked.text,
                    boxes=np.array(boxes, float).reshape(-1, 4), corners=corners if self._has_masks else None,
                    mask=mask if self._has_masks else None, category=asked.category, kind=asked.kind,
                )  # fmt: skip


def generated(seeds: range, *, expressions: int = 20, size_px: int = 1024, gsd_m: float = 0.3) -> SceneSet:
    """Generated scenes, ``expressions`` each at most."""
    return SceneSet(
        "scenes",
        lambda: (generate(s, size_px=(size_px, size_px), gsd_m=gsd_m, expressions=expressions) for s in seeds),
        has_masks=True,
    )


#: The project's own benchmark; a change of any of these is a new version.
BENCHMARK_VERSION = 2
BENCHMARK_EXPRESSIONS = 2000
BENCHMARK_SEED = 200_000
BENCHMARK_GSDS_M = (0.2, 0.3, 0.5)
_BENCHMARK_A_SCENE = 12


def benchmark() -> SceneSet:
    """The first 2,000 expressions about scenes from seed 200,000 on, at the pixel sizes in turn.

    Of the many expressions about a scene, twelve are asked whose kinds have been asked least so far.
    """
    return SceneSet(f"benchmark-{BENCHMARK_VERSION}", benchmark_scenes, has_masks=True)


def benchmark_scenes() -> Iterator[Scene]:
    """The benchmark's scenes with what is asked about each."""
    asked: Counter[str] = Counter()
    number = 0
    while asked.total() < BENCHMARK_EXPRESSIONS:
        gsd = BENCHMARK_GSDS_M[number % len(BENCHMARK_GSDS_M)]
        scene = generate(BENCHMARK_SEED + number, size_px=(768, 768), gsd_m=gsd, expressions=60)
        left = min(_BENCHMARK_A_SCENE, BENCHMARK_EXPRESSIONS - asked.total())
        yield replace(scene, expressions=_rarest(scene.expressions, asked, left))
        number += 1


def _rarest(expressions: Sequence[SceneExpression], asked: Counter[str], count: int) -> tuple[SceneExpression, ...]:
    """So many of them, one after the other of the kind asked least; counts them in ``asked``."""
    left = list(expressions)
    picked: list[SceneExpression] = []
    while left and len(picked) < count:
        one = min(left, key=lambda e: asked[e.kind])
        left.remove(one)
        picked.append(one)
        asked[one.kind] += 1
    return tuple(picked)


def towns(folder: Path, *, expressions: int = 20, gsd_m: float = 0.3) -> SceneSet:
    """Roofs of the town mosaics. Raises InvalidData when there are none."""

    def scenes() -> Iterator[Scene]:
        try:
            yield from town_scenes(folder, gsd_m=gsd_m, expressions=expressions)
        except FileNotFoundError as error:
            raise InvalidData(folder, str(error)) from error

    return SceneSet("towns", scenes, has_masks=True)


def labelled(name: str, folder: Path, *, expressions: int = 8) -> SceneSet:
    """Planes, cars or trees, of which planes and cars are held out.

    The embedded engine's curves were fitted on every third plane picture and every second
    car picture (``geobia_labels.planes`` and ``cars``, from the first one on); none of those is given here. Of the
    planes every third from the second on is given. Trees are not held out: training saw all of them.
    """

    def scenes() -> Iterator[Scene]:
        if not any(folder.glob("*.jpg")) and not any(folder.glob("*.tif")):
            raise InvalidData(folder, f"expected the pictures of {name!r}, found none")
        for number, tile in enumerate(_LABELLED[name](folder)):
            yield _scene(tile, number, expressions)

    return SceneSet(name, scenes, has_masks=False)


def _scene(tile: LabelledTile, number: int, expressions: int) -> Scene:
    lab = rgb2lab(tile.rgb.transpose(1, 2, 0)).astype(np.float32)
    # Nobody measured the pixels of planes and cars: what their labels' sizes let one reckon would tell too much.
    is_placed = tile.source == "trees"
    affine = Affine(tile.gsd_m, 0, 500_000, 0, -tile.gsd_m, 5_300_000) if is_placed else Affine.identity()
    crs = CRS.from_epsg(32632) if is_placed else None
    objects = [_object(i, o, tile, lab) for i, o in enumerate(tile.objects, 1)]
    scene = Scene(
        number, f"{tile.source}:{tile.name}", tile.gsd_m, tile.rgb, tile.valid, affine, crs,
        frozenset(), tuple(o for o in objects if o is not None),
    )  # fmt: skip
    rng = np.random.default_rng([number, 79])
    made = _of_trees(scene, rng) if tile.source == "trees" else express(scene, rng, 3 * expressions, kinds=_BOX_KINDS)
    sure = [e for e in made if not any(word in e.text.lower() for word in _NOT_OF_BOXES)]
    return replace(scene, expressions=tuple(sure[:expressions]))


def _of_trees(scene: Scene, rng: np.random.Generator) -> tuple[SceneExpression, ...]:
    """All of them, and those farthest to a side."""
    writer = Writer(scene, rng)
    found = [make_superlative(writer, o) for o in writer.targets]
    every = SceneExpression("all the trees", "number", tuple(o.id for o in scene.objects), (), "tree")
    return (every, *(e for e in found if e is not None))


def _object(number: int, item: LabelledObject, tile: LabelledTile, lab: NDArray[np.float32]) -> SceneObject | None:
    """The labelled box as an object; None where it lies outside the tile."""
    rows, cols = tile.valid.shape
    x0, y0, x1, y1 = (round(v) for v in item.box)
    left, top, right, bottom = max(0, x0), max(0, y0), min(cols, x1), min(rows, y1)
    if right - left < 2 or bottom - top < 2:
        return None
    mask = Mask(np.ones((bottom - top, right - left), bool), top, left)
    inner_y, inner_x = (bottom - top) // 4, (right - left) // 4
    core = lab[top + inner_y : bottom - inner_y, left + inner_x : right - inner_x].reshape(-1, 3)
    spread = float(core.std(axis=0)[1:].max())
    mean = tile.rgb[:, top:bottom, left:right].mean(axis=(1, 2))
    obb = obb_of_mask(mask)
    return SceneObject(
        id=f"{item.name}-{number}", category=item.name,
        color=color_name(np.median(core, axis=0), spread=spread) if item.name in _VEHICLES else "mixed",
        mask=mask, hbb=hbb_of_mask(mask), obb=obb, shape="irregular", length_m=obb.width * tile.gsd_m,
        width_m=obb.height * tile.gsd_m, height_m=0.0, visible=1.0,
        is_cut=x0 < 0 or y0 < 0 or x1 > cols or y1 > rows, host="",
        mean_rgb=(float(mean[0]), float(mean[1]), float(mean[2])),
    )  # fmt: skip
