"""The segmenter without weights: prompts answered with nodes of the tile's region tree."""

from __future__ import annotations

import numpy as np

from inference_server.geometry import hbb_of_mask, iou_hbb, nms
from inference_server.models.base import Progress, silent
from inference_server.models.segmenters.automatic import grid
from inference_server.models.segmenters.base import Everything
from inference_server.raster import RasterTile
from inference_server.regions import build_region_tree
from inference_server.segmenter import RegionSegmenter, Segment


class RegionTile(RegionSegmenter):
    """A tile's region tree and the prompts on it."""

    def segment_all(self, settings: Everything = Everything(), progress: Progress = silent) -> list[Segment]:  # noqa: B008
        """The most object-like region under each click of a grid, best first; overlapping ones once.

        The thresholds on expected IoU and stability are a network's; regions have neither.
        """
        height, width = self.shape
        clicks = grid(height, width, settings.points_per_side)
        found: dict[bytes, Segment] = {}
        for i, (x, y) in enumerate(clicks.tolist()):
            if i % settings.points_per_batch == 0:
                progress("everything", i, len(clicks))
            segment = self.segment_points([(x, y)])
            if segment is not None:
                mask = segment.mask
                found[np.array([mask.row, mask.col, *mask.pixels.shape, mask.area]).tobytes()] = segment
        progress("everything", len(clicks), len(clicks))
        segments = list(found.values())
        if not segments:
            return []
        extents = [hbb_of_mask(s.mask) for s in segments]
        boxes = np.array([(b.x_min, b.y_min, b.x_max, b.y_max) for b in extents])
        kept = nms(np.array([s.score for s in segments]), iou_hbb(boxes, boxes), settings.nms_iou)
        return [segments[k] for k in kept]


class RegionTreeSegmenter:
    """Builds the region tree of a tile; nothing to download, nothing to free."""

    name = "regions"
    revision = "region tree"

    def encode(self, tile: RasterTile, progress: Progress = silent) -> RegionTile:
        """The tile's region tree, ready for prompts."""
        return RegionTile(build_region_tree(tile.rgb, tile.valid, progress=progress))

    def unload(self) -> None:
        """Nothing to free: trees are the caller's."""
