"""The RSVG-ZeroOV engine: a VLM overlooks, a diffusion model focuses, regions evolve, a segmenter refines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference_server.expression import Phrase
from inference_server.models.base import Prediction, Predictions, Progress
from inference_server.models.zeroov.config import ZeroOVConfig
from inference_server.models.zeroov.grounding import Attention, Grounded, attend, ground
from inference_server.models.zeroov.weights import Parts, parts_from_environment
from inference_server.raster import RasterTile
from inference_server.regions import build_region_tree
from inference_server.segmenter import RegionSegmenter
from rsground_plugin.protocol import EngineInfo

#: Where an answer does not come from what was grown, the user is told.
NOTES = {
    "vlm box": "Attention grew into nothing: the box that the language model wrote was used.",
    "seeds": "Attention grew into nothing and the language model wrote no box: its strongest responses were used.",
}


@dataclass(frozen=True, eq=False)
class Encoding:
    """A tile as the models have taken it in.

    Attributes:
        rgb, valid: the tile's pixels.
        seen: the VLM's keys and values for it.
        latent: the diffusion model's; None where its structure is not asked for.
        structure: A_S, where it does not depend on the expression.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    seen: Any
    latent: Any
    structure: NDArray[np.float32] | None

    @cached_property
    def segmenter(self) -> RegionSegmenter:
        """The region tree's answers to prompts."""
        return RegionSegmenter(build_region_tree(self.rgb, self.valid))


@dataclass(frozen=True, eq=False)
class Answer:
    """What is found of a whole expression, as the paper evaluates it: one mask, the maps, the VLM's own box."""

    grounded: Grounded
    attention: Attention
    text: str
    box: Any


class ZeroOVEngine:
    """Training-free grounding. The pipeline asks it phrase by phrase; ``answer`` asks a whole expression at once.

    Args:
        parts: loads the models; where the environment says when None.
        config: how it runs.

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
    )

    def __init__(self, parts: Parts | None = None, config: ZeroOVConfig | None = None) -> None:
        self._parts = parts_from_environment() if parts is None else parts
        self.config = ZeroOVConfig() if config is None else config
        self._parts.check(with_diffusion=self._needs_diffusion, with_sam=self.config.structure == "sam")
        self.info = replace(ZeroOVEngine.info, revision=f"{self._parts.revision}-{hash_of(self.config)}")

    @property
    def _needs_diffusion(self) -> bool:
        return "diffusion" in (self.config.structure, self.config.overview)

    def encode(self, tile: RasterTile, progress: Progress) -> Encoding:
        """Lets the VLM see the tile, and keeps A_S where the expression does not enter it."""
        progress("loading", 0, 2)
        vlm = self._parts.vlm()
        progress("overview", 0, 1)
        seen = vlm.see(tile.rgb, with_structure=self.config.structure == "vlm")
        latent = None
        if self._needs_diffusion:
            progress("loading", 1, 2)
            latent = self._parts.diffusion().latent_of(tile.rgb)
        return Encoding(tile.rgb, tile.valid, seen, latent, self._structure_of_tile(tile.rgb, seen, latent, progress))

    def _structure_of_tile(
        self, rgb: NDArray[np.uint8], seen: Any, latent: Any, progress: Progress
    ) -> NDArray[np.float32] | None:
        """A_S where the expression does not enter it; None where it does, or where there is none."""
        if self.config.structure == "vlm":
            return np.asarray(seen.structure, np.float32)
        if self.config.structure == "sam":
            from inference_server.models.zeroov.sam import sam_structure

            return sam_structure(self._parts.sam(), rgb)
        if self.config.structure == "diffusion" and self.config.focus == "fast":
            return self._structure(latent, "", progress)
        return None

    def find(self, encoding: Any, phrase: Phrase, progress: Progress) -> Predictions:
        """Candidates for a phrase, best first: each connected region that grew."""
        attention, _, box = self._attention(encoding, phrase.text, progress)
        progress("refine", 0, 1)
        found = ground(attention, encoding.valid.shape, self.config, segmenter=encoding.segmenter, box=box, whole=False)
        label = phrase.category or "object"
        items = tuple(Prediction(min(g.score, 1.0), label, mask=g.mask) for g in found)
        return Predictions(items, notes=tuple(NOTES[g.path] for g in found if g.path in NOTES))

    def answer(self, rgb: NDArray[np.uint8], expression: str, progress: Progress = lambda *_: None) -> Answer:
        """One mask for a whole expression, as in the paper.

        Args:
            rgb: (3, row, col) uint8.
            expression: any words.
            progress: called with stage, done, total.
        """
        shape = (rgb.shape[1], rgb.shape[2])
        valid = np.ones(shape, bool)
        seen = self._parts.vlm().see(rgb, with_structure=self.config.structure == "vlm")
        latent = self._parts.diffusion().latent_of(rgb) if self._needs_diffusion else None
        structure = self._structure_of_tile(rgb, seen, latent, progress)
        encoding = Encoding(rgb, valid, seen, latent, structure)
        attention, text, box = self._attention(encoding, expression, progress)
        refiner = None if self.config.refine == "none" else encoding.segmenter
        found = ground(attention, shape, self.config, segmenter=refiner, box=box, whole=True)
        return Answer(found[0], attention, text, box)

    def _attention(self, encoding: Encoding, expression: str, progress: Progress) -> tuple[Attention, str, Any]:
        progress("overview", 0, 1)
        overlooked = self._parts.vlm().overlook(encoding.seen, expression, self.config)
        cross = overlooked.attention
        if self.config.overview == "diffusion":
            from inference_server.models.zeroov.diffusion import words_of

            cross = words_of(self._parts.diffusion(), encoding.latent, expression, self.config)
        structure = encoding.structure
        if structure is None and self.config.structure == "diffusion":
            structure = self._structure(encoding.latent, expression, progress)
        grid = encoding.seen.grid if self.config.structure == "vlm" else None
        return attend(cross, structure, self.config, grid=grid), overlooked.text, overlooked.box

    def _structure(self, latent: Any, prompt: str, progress: Progress) -> NDArray[np.float32]:
        from inference_server.models.zeroov.diffusion import structure_of

        told: Callable[[int, int], None] = lambda done, total: progress("focus", done, total)  # noqa: E731
        return structure_of(self._parts.diffusion(), latent, prompt, self.config, told)

    def unload(self) -> None:
        """Frees the models; they load again when asked."""
        self._parts.unload()


def hash_of(config: ZeroOVConfig) -> str:
    """Eight digits that differ when the settings do."""
    import hashlib

    return hashlib.blake2b(repr(config).encode(), digest_size=4).hexdigest()
