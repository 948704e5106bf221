"""How large a pixel is on the ground: known, or guessed within bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from affine import Affine

from inference_server.models.base import ScenePart
from inference_server.models.evidence.scale import guessed_gsd
from inference_server.placement import Placement
from inference_server.raster import RasterTile

#: Coordinates beyond the first are neither degrees nor a picture's own pixels; a step between the others is in metres.
FAR, STEPS = 50_000.0, (0.01, 30.0)
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
        note: what to tell the user about it; nothing where the CRS says it.
    """

    finest: float
    coarsest: float
    tried: tuple[float, ...]
    note: str = ""

    @classmethod
    def known(cls, gsd_m: float, note: str = "") -> PixelSize:
        return cls(gsd_m, gsd_m, (gsd_m,), note)

    @classmethod
    def guessed(cls, gsd_m: float) -> PixelSize:
        note = (
            f"The image does not say how large its pixels are: {gsd_m:.2g} m was guessed from what it shows. If you"
            " know it, say it."
        )
        return cls(gsd_m / WITHIN, gsd_m * WITHIN, (gsd_m / TRIED_WITHIN, gsd_m * TRIED_WITHIN), note)

    @property
    def is_known(self) -> bool:
        return self.finest == self.coarsest

    @property
    def gsd_m(self) -> float:
        """The size itself, or the guess."""
        return math.sqrt(self.finest * self.coarsest)


def pixel_size(tile: RasterTile, part: ScenePart | None = None) -> PixelSize:
    """Of a tile: as its georeference or the user says, or as the scene's survey or its own content lets one guess.

    Coordinates without a CRS, as world files give them, are taken for metres where they look like a national grid's.
    """
    gsd_m = Placement(tile.affine, tile.crs, tile.told_gsd_m).gsd_m(tile.width, tile.height)
    if gsd_m is not None:
        return PixelSize.known(gsd_m)
    if (step := _step_of_a_grid(tile.affine)) is not None:
        return PixelSize.known(
            step, f"The image has no CRS: its coordinates were taken for metres, {step:.2g} a pixel."
        )
    told = None if part is None or part.survey is None else part.survey.get(GUESSED)
    return PixelSize.guessed(guessed_gsd(tile.rgb) if told is None else told)


def _step_of_a_grid(affine: Affine) -> float | None:
    """The side of a pixel where coordinates are as large as a national grid's; None where they may be others."""
    step = math.sqrt(abs(affine.determinant))
    is_far = max(abs(affine.c), abs(affine.f)) > FAR
    return step if is_far and STEPS[0] <= step <= STEPS[1] else None
