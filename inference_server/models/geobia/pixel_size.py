"""How large a pixel is on the ground: known, or guessed within bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from inference_server.models.base import ScenePart
from inference_server.models.evidence.scale import guessed_gsd
from inference_server.placement import Placement
from inference_server.raster import RasterTile

#: The guess among what a survey says of a scene.
GUESSED = "gsd_m"
#: A guess may be off by this factor; things are judged at sizes that much to either side of it.
WITHIN, TRIED_WITHIN = 1.5, 1.25


@dataclass(frozen=True)
class PixelSize:
    """Metres a pixel.

    Attributes:
        finest, coarsest: bounds; equal where the size is known.
        tried: the sizes at which things are judged; the one that speaks best for a thing counts.
    """

    finest: float
    coarsest: float
    tried: tuple[float, ...]

    @classmethod
    def known(cls, gsd_m: float) -> PixelSize:
        return cls(gsd_m, gsd_m, (gsd_m,))

    @classmethod
    def guessed(cls, gsd_m: float) -> PixelSize:
        return cls(gsd_m / WITHIN, gsd_m * WITHIN, (gsd_m / TRIED_WITHIN, gsd_m * TRIED_WITHIN))

    @property
    def is_known(self) -> bool:
        return self.finest == self.coarsest

    @property
    def gsd_m(self) -> float:
        """The size itself, or the guess."""
        return math.sqrt(self.finest * self.coarsest)

    @property
    def note(self) -> str:
        """What to tell the user; nothing where the size is known."""
        if self.is_known:
            return ""
        return f"The image does not say how large its pixels are: {self.gsd_m:.2g} m was guessed from what it shows."


def pixel_size(tile: RasterTile, part: ScenePart | None = None) -> PixelSize:
    """Of a tile: as its georeference says, or as the scene's survey guessed, or as its own content lets one guess."""
    gsd_m = Placement(tile.affine, tile.crs).gsd_m(tile.width, tile.height)
    if gsd_m is not None:
        return PixelSize.known(gsd_m)
    told = None if part is None or part.survey is None else part.survey.get(GUESSED)
    return PixelSize.guessed(guessed_gsd(tile.rgb) if told is None else told)
