"""The square that a segmenter's network sees, and the way between it and the tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference_server.geometry import Mask

#: Of ImageNet, in 0 to 1; what SAM and SAM 2 were trained with.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Frame:
    """A tile within a network's square.

    Attributes:
        height, width: of the tile.
        side: of the square.
        keeps_ratio: the longest edge fills the square and the rest is padded (SAM); else the tile is stretched (SAM 2).
    """

    height: int
    width: int
    side: int
    keeps_ratio: bool

    @property
    def filled(self) -> tuple[int, int]:
        """Rows and columns of the square that hold the tile."""
        if not self.keeps_ratio:
            return self.side, self.side
        scale = self.side / max(self.height, self.width)
        return max(1, int(self.height * scale + 0.5)), max(1, int(self.width * scale + 0.5))

    def pixels(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The network's input, (3, side, side) float32.

        Args:
            rgb: (3, row, col) uint8.
        """
        rows, cols = self.filled
        picture = Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0)))
        resized = np.asarray(picture.resize((cols, rows), Image.Resampling.BILINEAR), dtype=np.float32) / 255.0
        normal = (resized - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
        square = np.zeros((3, self.side, self.side), np.float32)
        square[:, :rows, :cols] = normal.transpose(2, 0, 1)
        return square

    def points(self, xy: NDArray[np.float64]) -> NDArray[np.float32]:
        """Points of the tile, (..., 2) as x, y, in the square."""
        rows, cols = self.filled
        # The networks shift points by half a pixel to a pixel's centre; ours are already on pixel edges.
        return (xy * (cols / self.width, rows / self.height) - 0.5).astype(np.float32)

    def low_resolution(self, coarse: NDArray[np.bool_], side: int) -> NDArray[np.float32]:
        """A mask of the tile as the logits of a mask prompt, (side, side) float32.

        Inside and outside are the inverse sigmoids of 0.999 and 0.001; the padding is 0, as what a network has not
        been told of (GeoGround's refinement).
        """
        rows, cols = (max(1, round(n * side / self.side)) for n in self.filled)
        share = Image.fromarray(coarse.astype(np.float32)).resize((cols, rows), Image.Resampling.BILINEAR)
        inside = np.clip(np.asarray(share), 1e-3, 1.0 - 1e-3)
        logits = np.zeros((side, side), np.float32)
        logits[:rows, :cols] = np.log(inside / (1.0 - inside))
        return logits

    def to_tile(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of a network's low resolution, (n, n), at the tile's size, (row, col) float32.

        Bilinear, as SAM's own post-processing does it: through the square where that has padding, else in one step.
        """
        import torch
        from torch.nn.functional import interpolate

        there = torch.from_numpy(np.ascontiguousarray(logits, np.float32))[None, None]
        if self.keeps_ratio:
            rows, cols = self.filled
            there = interpolate(there, (self.side, self.side), mode="bilinear", align_corners=False)
            there = there[..., :rows, :cols]
        out = interpolate(there, (self.height, self.width), mode="bilinear", align_corners=False)
        return np.asarray(out[0, 0].numpy(), dtype=np.float32)


def mask_of(inside: NDArray[np.bool_]) -> Mask | None:
    """The smallest window of a (row, col) mask; None where it is empty."""
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return None
    window = inside[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return Mask(np.ascontiguousarray(window), int(rows[0]), int(cols[0]))
