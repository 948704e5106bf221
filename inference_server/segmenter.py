"""From prompts to masks without weights: boxes, clicks and coarse masks answered with nodes of the region tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference_server.geometry import HBB, Mask
from inference_server.models.geobia.additive import additive_scores, attributes
from inference_server.models.geobia.features import leaf_table, node_table, ramp
from inference_server.regions import RegionTree

#: The curves of "object" do not use sizes; any pixel size will do.
_ANY_GSD_M = 0.3


@dataclass(frozen=True)
class Segment:
    """One answer to a prompt: its mask and how sure the segmenter is, 0 to 1."""

    mask: Mask
    score: float


class RegionSegmenter:
    """Answers prompts with the tile's own regions.

    Built once per tile; a prompt then costs milliseconds. The answer to a box is the node whose extent agrees with it
    best; to clicks, the most object-like node that holds the positive and not the negative ones; to a coarse mask, the
    union of the largest nodes that lie mostly inside it.
    """

    def __init__(self, tree: RegionTree) -> None:
        self._tree = tree
        leaves = leaf_table(tree)
        table = node_table(tree, leaves)
        # What fills most of the tile is its ground, not a thing in it.
        ground = ramp(tree.area / tree.area[-1], 0.3, 0.7)
        columns = attributes(table, _ANY_GSD_M, leaves.tone.gradient)
        self._objectness = additive_scores()["object"](columns) * (1.0 - ground)
        self._area = tree.area
        self._bounds = tree.bounds[:, [1, 0, 3, 2]].astype(np.float64)

    @property
    def shape(self) -> tuple[int, int]:
        """(row, col) of the tile."""
        rows, cols = self._tree.labels.shape
        return int(rows), int(cols)

    def segment_box(self, box: HBB) -> Segment | None:
        """The region that fills a box best; None where the box holds no data.

        Nodes are ranked by the IoU of their extent with the box, and among near equals by how object-like they are.
        """
        x0, y0, x1, y1 = self._bounds.T
        wide = np.clip(np.minimum(x1, box.x_max) - np.maximum(x0, box.x_min), 0.0, None)
        high = np.clip(np.minimum(y1, box.y_max) - np.maximum(y0, box.y_min), 0.0, None)
        both = wide * high
        whole = (box.x_max - box.x_min) * (box.y_max - box.y_min)
        iou = both / np.maximum((x1 - x0) * (y1 - y0) + whole - both, 1e-9)
        if not iou.any():
            return None
        # A thin or ragged region can span a box that it hardly fills.
        fill = np.clip(self._area / np.maximum((x1 - x0) * (y1 - y0), 1.0) / 0.5, 0.0, 1.0)
        rank = iou * (0.5 + 0.5 * fill) * (0.75 + 0.25 * self._objectness)
        node = int(np.argmax(rank))
        return Segment(self._tree.mask(node), float(np.clip(iou[node], 0.0, 1.0)))

    def segment_points(
        self, positive: Sequence[tuple[float, float]], negative: Sequence[tuple[float, float]] = ()
    ) -> Segment | None:
        """The region under clicks, (x, y) in pixels; None where no positive click hits data.

        Each positive click names the most object-like of its enclosing nodes that holds no negative click; where one
        node holds several positive clicks it answers for them together.
        """
        banned = np.zeros(self._tree.n_nodes, dtype=bool)
        for leaf in self._leaves_at(negative):
            banned[self._tree.ancestors(leaf)] = True
        clicked = self._leaves_at(positive)
        if not clicked:
            return None
        chains = [[n for n in self._tree.ancestors(leaf) if not banned[n]] for leaf in clicked]
        chains = [chain for chain in chains if chain]
        if not chains:
            return None
        common = set(chains[0]).intersection(*chains[1:])
        nodes = [self._best(sorted(common))] if common else sorted({self._best(chain) for chain in chains})
        return Segment(self._tree.union_mask(nodes), float(np.mean(self._objectness[nodes])))

    def segment_mask(self, coarse: NDArray[np.bool_]) -> Segment | None:
        """The regions that a coarse mask means, (row, col) bool of the tile's shape; None when it is empty.

        Raises:
            ValueError: when the shape is not the tile's.
        """
        labels = self._tree.labels
        if coarse.shape != labels.shape:
            raise ValueError(f"coarse mask: expected shape {labels.shape}, got {coarse.shape}")
        hit = np.bincount(labels[coarse & (labels >= 0)], minlength=self._tree.n_leaves).astype(np.float64)
        inside = self._tree.accumulate(hit)
        if not inside[-1]:
            return None
        share = inside / self._area
        chosen: list[int] = []
        above = self._tree.parents
        start, end = self._tree.intervals
        covered = np.zeros(self._tree.n_leaves, dtype=bool)
        # From the root down: the largest nodes mostly inside, then what is left of the mask below them.
        for node in np.flatnonzero(share >= 0.5)[::-1].tolist():
            if covered[start[node]] or (share[above[node]] >= 0.7 and above[node] != node and share[node] < 0.5):
                continue
            if share[node] >= 0.7 or node < self._tree.n_leaves:
                chosen.append(node)
                covered[start[node] : end[node]] = True
        if not chosen:
            chosen = [int(np.argmax(inside[: self._tree.n_leaves]))]
        agreed = float(inside[chosen].sum())
        union = float(self._area[chosen].sum() + inside[-1] - agreed)
        return Segment(self._tree.union_mask(chosen), agreed / max(union, 1.0))

    def _best(self, nodes: list[int]) -> int:
        scores = self._objectness[nodes]
        # Of nearly equal nodes the largest: a click on one roof face means the roof.
        near = np.flatnonzero(scores >= 0.9 * scores.max())
        return nodes[int(near[-1])]

    def _leaves_at(self, points: Sequence[tuple[float, float]]) -> list[int]:
        height, width = self._tree.labels.shape
        out = []
        for x, y in points:
            if 0 <= x < width and 0 <= y < height and (leaf := int(self._tree.labels[int(y), int(x)])) >= 0:
                out.append(leaf)
        return out
