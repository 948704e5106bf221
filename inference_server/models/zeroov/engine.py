"""The RSVG-ZeroOV engine: a VLM overlooks, a diffusion model focuses, regions evolve, a segmenter refines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.transform import Affine

from inference_server.expression import Phrase
from inference_server.models.base import ExplanationMap, Prediction, Predictions, Progress
from inference_server.models.memory import Ladder, Rung
from inference_server.models.segmenters import Segmenter, segmenter_from
from inference_server.models.zeroov.config import ZeroOVConfig
from inference_server.models.zeroov.grounding import FALLBACKS, Attention, Grounded, attend, ground
from inference_server.models.zeroov.weights import Parts, parts_from_environment
from inference_server.raster import RasterTile
from rsground_plugin.protocol import EngineInfo


@dataclass(eq=False)
class Encoding:
    """A tile as the models have taken it in; taken in anew where memory makes them move to other hardware.

    Attributes:
        tile: its pixels.
        prompted: the tile as the segmenter has taken it in; None where nothing is refined.
        rung: what the rest was made on.
        seen: the VLM's keys and values for it.
        latent: the diffusion model's; None where nothing is asked of it.
        structure: A_S, where it does not depend on the expression.
    """

    tile: RasterTile
    prompted: Any
    rung: Rung | None = None
    seen: Any = None
    latent: Any = None
    structure: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """What is found of a whole expression, as the paper evaluates it: one mask, the maps, the VLM's words and box."""

    grounded: Grounded
    attention: Attention
    text: str
    box: Any


class ZeroOVEngine:
    """Training-free grounding. The pipeline asks it phrase by phrase; ``answer`` asks a whole expression at once.

    Args:
        parts: loads the models; where the environment says when None.
        config: how it runs.
        segmenter: for Refine; the environment's when None.

    Raises:
        EngineUnavailable: a package or weights are missing; the message says which and what to do.
    """

    info = EngineInfo(
        name="zeroov",
        title="RSVG-ZeroOV (a language model's attention and a diffusion model's)",
        gives=("hbb", "obb", "mask"),
        needs="The weights of a Qwen vision-language model and of Stable Diffusion; a GPU with 12 GB or more.",
        limits="Understands any words; small things in large tiles are lost on its grid of 32 x 32 cells: zoom in.",
        licence="GPL-2.0-or-later; the weights have their own",
        revision="",
        explains=True,
    )

    def __init__(
        self, parts: Parts | None = None, config: ZeroOVConfig | None = None, segmenter: Segmenter | None = None
    ) -> None:
        self._parts = parts_from_environment() if parts is None else parts
        self.config = ZeroOVConfig() if config is None else config
        self._parts.check(with_diffusion=self._needs_diffusion, with_sam=self.config.structure == "sam")
        self._segmenter = segmenter_from() if segmenter is None else segmenter
        self._as_asked = Rung(self._parts.hardware)
        self._ladder = Ladder(self._as_asked.hardware, self._parts.unload)
        parts_of_revision = (self._parts.revision, self._segmenter.name, hash_of(self.config))
        self.info = replace(ZeroOVEngine.info, revision="-".join(parts_of_revision))

    @property
    def _needs_diffusion(self) -> bool:
        return "diffusion" in (self.config.structure, self.config.overview)

    def encode(self, tile: RasterTile, progress: Progress) -> Encoding:
        """Lets the models see the tile, and keeps A_S where the expression does not enter it."""
        prompted = None if self.config.refine == "none" else self._segmenter.encode(tile, progress)
        encoding = Encoding(tile, prompted)
        self._ladder.run(lambda rung: self._take_in(encoding, rung, progress), side_px=max(tile.width, tile.height))
        return encoding

    def find(self, encoding: Any, phrase: Phrase, progress: Progress) -> Predictions:
        """Candidates for a phrase, best first: each connected region that grew."""
        attention, _, box = self._attention(encoding, phrase.text, progress)
        progress("refine", 0, 1)
        shape = (encoding.tile.height, encoding.tile.width)
        found = ground(attention, shape, self.config, segmenter=encoding.prompted, box=box, whole=False)
        label = phrase.category or "object"
        notes = [FALLBACKS[g.path] for g in found if g.path in FALLBACKS]
        if encoding.rung not in (None, self._as_asked):
            notes.append(encoding.rung.sentence)
        maps = (("A_C", attention.cross), ("A_CS", attention.focused), ("A_E", attention.evolved))
        return Predictions(
            tuple(Prediction(min(g.score, 1.0), label, mask=g.mask) for g in found),
            notes=tuple(notes),
            maps=tuple(ExplanationMap(name, values.astype(np.float32)) for name, values in maps),
        )

    def answer(self, rgb: NDArray[np.uint8], expression: str, progress: Progress = lambda *_: None) -> Answer:
        """One mask for a whole expression, as in the paper.

        Args:
            rgb: (3, row, col) uint8.
            expression: any words.
            progress: called with stage, done, total.
        """
        shape = (rgb.shape[1], rgb.shape[2])
        encoding = self.encode(RasterTile(rgb=rgb, valid=np.ones(shape, bool), affine=Affine.identity()), progress)
        attention, text, box = self._attention(encoding, expression, progress)
        found = ground(attention, shape, self.config, segmenter=encoding.prompted, box=box, whole=True)
        return Answer(found[0], attention, text, box)

    def unload(self) -> None:
        """Frees the models; they load again when asked."""
        self._parts.unload()
        self._segmenter.unload()

    def _take_in(self, encoding: Encoding, rung: Rung, progress: Progress) -> None:
        """Fills an encoding on a rung of the ladder."""
        self._parts.move(rung.hardware)
        progress("loading", 0, 2)
        vlm = self._parts.vlm()
        progress("overview", 0, 1)
        rgb = encoding.tile.rgb
        encoding.seen = vlm.see(rgb, with_structure=self.config.structure == "vlm", shrink=rung.shrink)
        if self._needs_diffusion:
            progress("loading", 1, 2)
            encoding.latent = self._parts.diffusion().latent_of(rgb)
        encoding.structure = self._structure_of_tile(encoding, progress)
        encoding.rung = rung

    def _structure_of_tile(self, encoding: Encoding, progress: Progress) -> NDArray[np.float32] | None:
        """A_S where the expression does not enter it; None where it does, or where there is none."""
        if self.config.structure == "vlm":
            return np.asarray(encoding.seen.structure, np.float32)
        if self.config.structure == "sam":
            from inference_server.models.zeroov.sam import sam_structure

            return sam_structure(self._parts.sam(), encoding.tile.rgb)
        if self.config.structure == "diffusion" and self.config.focus == "fast":
            return self._structure(encoding.latent, "", progress)
        return None

    def _attention(self, encoding: Encoding, expression: str, progress: Progress) -> tuple[Attention, str, Any]:
        side_px = max(encoding.tile.width, encoding.tile.height)
        return self._ladder.run(lambda rung: self._attend(encoding, expression, rung, progress), side_px=side_px)

    def _attend(
        self, encoding: Encoding, expression: str, rung: Rung, progress: Progress
    ) -> tuple[Attention, str, Any]:
        if encoding.rung != rung:
            self._take_in(encoding, rung, progress)
        progress("overview", 0, 1)
        text, box = "", None
        if self.config.overview == "diffusion":
            from inference_server.models.zeroov.diffusion import words_of

            cross: Any = words_of(self._parts.diffusion(), encoding.latent, expression, self.config)
        else:
            overlooked = self._parts.vlm().overlook(encoding.seen, expression, self.config)
            cross, text, box = overlooked.attention, overlooked.text, overlooked.box
        structure = encoding.structure
        if structure is None and self.config.structure == "diffusion":
            structure = self._structure(encoding.latent, expression, progress)
        grid = encoding.seen.grid if self.config.structure == "vlm" else None
        return attend(cross, structure, self.config, grid=grid), text, box

    def _structure(self, latent: Any, prompt: str, progress: Progress) -> NDArray[np.float32]:
        from inference_server.models.zeroov.diffusion import structure_of

        told: Callable[[int, int], None] = lambda done, total: progress("focus", done, total)  # noqa: E731
        return structure_of(self._parts.diffusion(), latent, prompt, self.config, told)


def hash_of(config: ZeroOVConfig) -> str:
    """Eight digits that differ when the settings do."""
    return hashlib.blake2b(repr(config).encode(), digest_size=4).hexdigest()
