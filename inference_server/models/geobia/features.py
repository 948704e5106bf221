"""What every node of a region tree looks like: one table of numbers, computed once per tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from inference_server.models.base import ScenePart
from inference_server.regions import DIRECTIONS, RegionTree

Column = NDArray[np.float64]

#: Nodes whose outlines are measured at a time: their support functions fit the processor's cache.
BLOCK_NODES = 2048


@dataclass(frozen=True, eq=False)
class NodeTable:
    """Attributes of all nodes of a tree, one (node,) float64 array each.

    Attributes:
        area: pixels; perimeter: pixels, staircase-corrected.
        cx, cy: centroid in pixels.
        length, width: sides of the oriented bounding rectangle in pixels, length >= width.
        angle: direction of the long side in degrees, [0, 180), clockwise from the x axis.
        rectangularity: area over that of the oriented rectangle.
        solidity: area over that of the convex hull (a 48-sided estimate of it).
        roundness: 1 for a disc: area over that of the circle through the farthest point, and even widths.
        compactness: 4 pi area / perimeter^2.
        lightness, a, b: mean colour, white-balanced CIELAB; chroma, hue (degrees).
        spread: standard deviation of the colour inside.
        texture: mean absolute high-pass lightness inside.
        border_gradient, inner_gradient: mean colour gradient on the border and between leaves inside.
        closure: share of the border that is a strong edge.
        contrast: colour distance to what lies just outside.
        out_lightness: mean lightness just outside.
        out_green, out_dark, out_water, out_paved: share of the border that touches vegetation, shadow, water, paving.
        green, dark, water, paved: share of the inside that is so.
        edge_share: share of the perimeter on the border of the tile or of missing data.
        parent_growth: area over the parent's.
    """

    area: Column
    perimeter: Column
    cx: Column
    cy: Column
    length: Column
    width: Column
    angle: Column
    rectangularity: Column
    solidity: Column
    roundness: Column
    compactness: Column
    lightness: Column
    a: Column
    b: Column
    chroma: Column
    hue: Column
    spread: Column
    texture: Column
    border_gradient: Column
    inner_gradient: Column
    closure: Column
    contrast: Column
    out_lightness: Column
    out_green: Column
    out_dark: Column
    out_water: Column
    out_paved: Column
    green: Column
    dark: Column
    water: Column
    paved: Column
    edge_share: Column
    parent_growth: Column


@dataclass(frozen=True)
class SceneTone:
    """The scene's own light: what neutral, dark and bright look like in it.

    Attributes:
        a, b: CIELAB chromaticity of its neutral.
        low, high: lightness of its shadows and of its brightest surfaces.
        chroma: how colourful it is: 90th percentile of chroma about the neutral.
        gradient: typical gradient between neighbouring regions.
    """

    a: float
    b: float
    low: float
    high: float
    chroma: float
    gradient: float

    @classmethod
    def of(cls, survey: Mapping[str, float]) -> SceneTone:
        """The tone in what a survey said."""
        return cls(**{field.name: survey[field.name] for field in fields(cls)})

    def balanced(self, lab: NDArray[np.float64]) -> NDArray[np.float64]:
        """Colours (..., 3) as they would look in neutral light with a full range of lightness."""
        out = np.array(lab, dtype=np.float64)
        # Half-way only (the square root): a scene of lawns and asphalt need not hold a white.
        scale = float(np.clip(np.sqrt(80.0 / max(self.high - self.low, 1.0)), 1.0, 1.6))
        out[..., 0] = np.clip((out[..., 0] - self.low) * scale + 0.5 * (8.0 + min(self.low, 30.0)), 0.0, 100.0)
        # Haze takes chroma away as it lifts the shadows: both are given back together.
        out[..., 1:] = (out[..., 1:] - np.array([self.a, self.b])) * scale
        return out


def scene_tone(tree: RegionTree, leaf_lab: NDArray[np.float64]) -> SceneTone:
    """The tone of a scene from its leaves' mean colours (leaf, 3), weighted by area."""
    weight = tree.leaf_area / tree.leaf_area.sum()
    order = np.argsort(leaf_lab[:, 0])
    cumulative = np.cumsum(weight[order])
    low, high = (float(leaf_lab[order[np.searchsorted(cumulative, q)], 0]) for q in (0.01, 0.985))
    chroma = np.hypot(leaf_lab[:, 1], leaf_lab[:, 2])
    # Neutral surfaces are the least colourful third of those that are neither black nor green.
    candidate = (leaf_lab[:, 0] > low + 0.25 * (high - low)) & (leaf_lab[:, 1] > -8.0)
    a = b = 0.0
    if weight[candidate].sum() > 0.05:
        limit = np.quantile(chroma[candidate], 0.35)
        near = candidate & (chroma <= limit)
        a, b = (float(np.average(leaf_lab[near, i], weights=weight[near])) for i in (1, 2))
        # Half of the cast only: a sandy scene is sandy, not badly lit.
        a, b = 0.5 * a, 0.5 * b
    about = np.hypot(leaf_lab[:, 1] - a, leaf_lab[:, 2] - b)
    gradient = float(np.average(tree.edge_gradient, weights=tree.edge_length)) if len(tree.edges) else 1.0
    return SceneTone(a, b, low, high, float(np.quantile(about, 0.9)), max(gradient, 0.2))


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Values of leaves summed along the borders between them, times their length.

    Attributes:
        across: (leaf, value) of each leaf's neighbours.
        along: (edge, value) of the two leaves of each edge together.
    """

    across: NDArray[np.float64]
    along: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LeafTable:
    """What the leaves look like; shared by all trees over them.

    Attributes:
        sums: (leaf, 6): sums over the pixels of L, a, b, |Lab|^2, x, y.
        texture: (leaf,) sum of absolute high-pass lightness.
        balanced: (leaf, 3) mean colour in neutral light.
        cover: (leaf, 4) membership in vegetation, shadow, water, paving.
        surroundings: of (leaf, 7): balanced and cover.
        frame: (leaf,) border along the tile's frame or missing data, in pixels.
        tone: the scene's light.
        origin: the tile's first pixel in its scene, (row, col).
    """

    sums: NDArray[np.float64]
    texture: Column
    balanced: NDArray[np.float64]
    cover: NDArray[np.float64]
    surroundings: Surroundings
    frame: Column
    tone: SceneTone
    origin: tuple[int, int] = (0, 0)


def leaf_colors(tree: RegionTree) -> NDArray[np.float64]:
    """(leaf, 3) float64 mean CIELAB of the leaves."""
    return np.stack([tree.leaf_sums(band) for band in tree.lab], axis=1) / tree.leaf_area[:, None]


def leaf_table(tree: RegionTree, part: ScenePart | None = None) -> LeafTable:
    """Computes the table of the leaves, pixel by pixel once; a part of a scene is seen in the scene's light."""
    squares = tree.leaf_sums(np.einsum("brc,brc->rc", tree.lab, tree.lab))
    mean = leaf_colors(tree)
    color = mean * tree.leaf_area[:, None]
    tone = scene_tone(tree, mean) if part is None or part.survey is None else SceneTone.of(part.survey)
    texture = tree.leaf_sums(np.abs(tree.lab[0] - gaussian_filter(tree.lab[0], 2.0)))
    balanced = tone.balanced(mean)
    cover = np.column_stack(_surfaces(balanced, texture / tree.leaf_area))
    deep = _deep_water(tree, balanced, texture, tree.area[-1] if part is None else part.nominal_px)
    cover[deep] = (0.0, 0.0, 1.0, 0.0)
    rows, cols = (np.arange(count, dtype=np.float32) + 0.5 for count in tree.labels.shape)
    reach = [tree.leaf_sums(np.broadcast_to(at, tree.labels.shape)) for at in (cols, rows[:, None])]
    sums = np.column_stack([color, squares, *reach])
    around = surroundings(tree, np.column_stack([balanced, cover]))
    return LeafTable(sums, texture, balanced, cover, around, _frame_length(tree), tone, ScenePart.origin_of(part))


def node_table(tree: RegionTree, leaves: LeafTable) -> NodeTable:
    """Computes the table of a tree's own nodes, vectorised over nodes."""
    own, tone = tree.own, leaves.tone

    def total(per_leaf: NDArray[np.float64]) -> NDArray[np.float64]:
        return tree.accumulate(per_leaf)[own]

    area = tree.area[own]
    texture = total(leaves.texture) / area
    totals = total(leaves.sums)
    mean = totals[:, :3] / area[:, None]
    spread = np.sqrt(np.maximum(totals[:, 3] / area - np.sum(mean**2, axis=1), 0.0))
    balanced = tone.balanced(mean)
    cover = total(leaves.cover * tree.leaf_area[:, None]) / area[:, None]

    border = tree.border_length[own]
    frame = total(leaves.frame)
    crack = border + frame
    safe = np.maximum(border, 1e-6)
    gradient = tree.edge_gradient * tree.edge_length
    inner_length = tree.accumulate_inner(tree.edge_length)[own]
    inner_gradient = tree.accumulate_inner(gradient)[own] / np.maximum(inner_length, 1.0)
    strong = np.clip(tree.edge_gradient / tone.gradient - 0.8, 0.0, 1.0) * tree.edge_length
    around = outside(tree, leaves.surroundings)[own] / safe[:, None]
    contrast = np.where(border > 0, np.linalg.norm(balanced - around[:, :3], axis=1), 0.0)

    support, centroid = tree.support[own], totals[:, 4:6] / area[:, None]
    blocks = [slice(at, at + BLOCK_NODES) for at in range(0, len(area), BLOCK_NODES)]
    extents = [_extents(support[block], area[block], centroid[block]) for block in blocks]
    length, width, angle, hull, roundness = map(np.concatenate, zip(*extents, strict=True))
    perimeter = np.maximum(crack * np.pi / 4.0, 1.0)
    return NodeTable(
        area=area,
        perimeter=perimeter,
        cx=totals[:, 4] / area,
        cy=totals[:, 5] / area,
        length=length,
        width=width,
        angle=angle,
        rectangularity=np.minimum(area / np.maximum(length * width, 1.0), 1.0),
        solidity=np.minimum(area / np.maximum(hull, 1.0), 1.0),
        roundness=roundness,
        compactness=np.minimum(4.0 * np.pi * area / perimeter**2, 1.2),
        lightness=balanced[:, 0],
        a=balanced[:, 1],
        b=balanced[:, 2],
        chroma=np.hypot(balanced[:, 1], balanced[:, 2]),
        hue=np.degrees(np.arctan2(balanced[:, 2], balanced[:, 1])) % 360.0,
        spread=spread,
        texture=texture,
        border_gradient=tree.accumulate_border(gradient)[own] / safe,
        inner_gradient=inner_gradient,
        closure=np.clip(tree.accumulate_border(strong)[own] / safe, 0.0, 1.0),
        contrast=contrast,
        out_lightness=around[:, 0],
        out_green=around[:, 3],
        out_dark=around[:, 4],
        out_water=around[:, 5],
        out_paved=around[:, 6],
        green=cover[:, 0],
        dark=cover[:, 1],
        water=cover[:, 2],
        paved=cover[:, 3],
        edge_share=frame / np.maximum(crack, 1.0),
        parent_growth=area / np.maximum(tree.area[tree.parents[own]], 1.0),
    )


def _surfaces(lab: NDArray[np.float64], texture: Column) -> tuple[Column, Column, Column, Column]:
    """Graded membership of leaves in vegetation, shadow, water and paving, from balanced colour and texture."""
    light, a, b = lab.T
    chroma = np.hypot(a, b)
    green = ramp(-a, 2.0, 7.0) * ramp(b, -2.0, 4.0) * ramp(85.0 - light, 0.0, 10.0)
    dark = ramp(26.0 - light, 0.0, 10.0)
    smooth = ramp(3.2 - texture, 0.0, 2.0)
    bluish = ramp(-b - 0.3 * np.abs(a), 1.0, 7.0)
    deep = ramp(45.0 - light, 0.0, 14.0) * ramp(1.8 - texture, 0.0, 1.0) * ramp(6.0 - b, 0.0, 6.0)
    water = np.maximum(bluish * ramp(60.0 - light, 0.0, 15.0), deep) * smooth
    paved = (
        ramp(13.0 - chroma, 0.0, 7.0)
        * ramp(light, 24.0, 34.0)
        * ramp(88.0 - light, 0.0, 10.0)
        * ramp(5.0 - texture, 0.0, 2.5)
    )
    return green, dark, water, paved


def _deep_water(tree: RegionTree, balanced: NDArray[np.float64], texture: Column, tile_px: float) -> NDArray[np.bool_]:
    """(leaf,) bool: leaves of large, smooth, dark or bluish regions. A shadow is as dark, but never as large."""
    area = tree.area
    light, a, b = (tree.accumulate(balanced * tree.leaf_area[:, None]) / area[:, None]).T
    rough = tree.accumulate(texture) / area
    square = tree.accumulate(np.sum(balanced**2, axis=1) * tree.leaf_area) / area
    spread = np.sqrt(np.maximum(square - light**2 - a**2 - b**2, 0.0))
    dark = (light < 40.0) & (b < 8.0) & (a > -12.0)
    blue = (b < -6.0) & (light < 66.0) & (a < 3.0)
    is_water = (area > 0.012 * tile_px) & (rough < 2.2) & (spread < 8.0) & (dark | blue)
    start, end = tree.intervals
    change = np.zeros(tree.n_leaves + 1)
    np.add.at(change, start[is_water], 1.0)
    np.add.at(change, end[is_water], -1.0)
    return np.asarray(np.cumsum(change)[:-1][start[: tree.n_leaves]] > 0)


def surroundings(tree: RegionTree, leaf_values: NDArray[np.float64]) -> Surroundings:
    """What several (leaf, value) are along the leaves' borders, for all trees over the leaves."""
    one, other, length = tree.edges[:, 0], tree.edges[:, 1], tree.edge_length
    across = [
        np.bincount(one, length * value[other], tree.n_leaves) + np.bincount(other, length * value[one], tree.n_leaves)
        for value in leaf_values.T
    ]
    along = length[:, None] * (leaf_values[one] + leaf_values[other])
    return Surroundings(np.stack(across, axis=1).astype(np.float64), along)


def outside(tree: RegionTree, around: Surroundings) -> NDArray[np.float64]:
    """(node, value) sums along each node's border of length times the value of the leaf just outside."""
    inner = np.stack([tree.accumulate_inner(value) for value in around.along.T], axis=1)
    return np.asarray(tree.accumulate(around.across) - inner)


def _frame_length(tree: RegionTree) -> Column:
    """Per leaf the length of its border along the tile's frame or missing data, in pixels."""
    padded = np.pad(tree.labels, 1, constant_values=-1)
    core = padded[1:-1, 1:-1]
    counts = np.zeros(tree.n_leaves)
    for other in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        on_frame = (other < 0) & (core >= 0)
        counts += np.bincount(core[on_frame], minlength=tree.n_leaves)
    return counts


def _extents(
    support: NDArray[np.float64], area: Column, centroid: NDArray[np.float64]
) -> tuple[Column, Column, Column, Column, Column]:
    """Length, width and angle of the smallest oriented rectangle, hull area, roundness; from support functions."""
    spans = support[:, :DIRECTIONS] + support[:, DIRECTIONS:]
    quarter = DIRECTIONS // 2
    turned = np.roll(spans, -quarter, axis=1)
    best = np.argmin(spans * turned, axis=1)
    here, there = (np.take_along_axis(s, best[:, None], axis=1)[:, 0] for s in (spans, turned))
    along = np.where(here >= there, best, (best + quarter) % DIRECTIONS)
    length, width = np.maximum(here, there), np.minimum(here, there)
    # Area of the polygon circumscribed with 2 * DIRECTIONS sides.
    step = np.pi / DIRECTIONS
    before, after = np.roll(support, 1, axis=1), np.roll(support, -1, axis=1)
    sides = (before + after - 2.0 * np.cos(step) * support) / np.sin(step)
    angles = np.arange(2 * DIRECTIONS) * step
    reach = support - (centroid[:, :1] * np.cos(angles) + centroid[:, 1:] * np.sin(angles))
    hull = 0.5 * np.sum(reach * np.maximum(sides, 0.0), axis=1)
    circle = area / np.maximum(np.pi * reach.max(axis=1) ** 2, 1.0)
    even = spans.min(axis=1) / np.maximum(spans.max(axis=1), 1e-6)
    return length, width, along * 180.0 / DIRECTIONS, hull, np.clip(circle, 0.0, 1.0) * ramp(even, 0.5, 0.85)


def ramp(x: Column, low: float, high: float) -> Column:
    """0 at ``low`` and below, 1 at ``high`` and above, linear between."""
    return np.clip((x - low) / (high - low), 0.0, 1.0)


def joined(tables: list[NodeTable]) -> NodeTable:
    """The tables of several trees, one below the other."""
    return NodeTable(*(np.concatenate([getattr(t, f.name) for t in tables]) for f in fields(NodeTable)))
