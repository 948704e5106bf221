"""Segmenters: boxes, clicks and coarse masks on a tile become masks; one interface, four implementations."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from inference_server.errors import WeightsMissing
from inference_server.models.catalogue import CATALOGUE, pinned
from inference_server.models.hardware import hardware, require
from inference_server.models.segmenters.base import Everything, PromptedTile, Segmenter
from inference_server.models.store import is_repo_id, locate, store_folder

#: Environment variable: "regions", an id of the hub, a folder, or a ``.pth`` file of the original SAM.
SEGMENTER = "RSGROUND_SEGMENTER"
REGIONS = "regions"

__all__ = ["REGIONS", "SEGMENTER", "Everything", "PromptedTile", "Segmenter", "make_segmenter", "segmenter_from"]


def segmenter_from(environment: Mapping[str, str] = os.environ) -> Segmenter:
    """The segmenter that the environment names, the one without weights when it names none.

    Raises:
        EngineUnavailable: its packages or weights are missing; nothing is loaded yet.
    """
    return make_segmenter(environment.get(SEGMENTER) or REGIONS)


def make_segmenter(source: str) -> Segmenter:
    """A segmenter by name; its weights are looked for now and loaded when first needed.

    Args:
        source: as the environment variable.

    Raises:
        EngineUnavailable: its packages or weights are missing.
    """
    if source == REGIONS:
        from inference_server.models.segmenters.region_tree import RegionTreeSegmenter

        return RegionTreeSegmenter()
    from inference_server.models.segmenters.network import NetworkSegmenter

    require("torch", "transformers", "safetensors", what=f"The segmenter {source}")
    if source.endswith(".pth"):
        from inference_server.models.segmenters import original_sam

        path = _file(source)
        return NetworkSegmenter(
            lambda hw: original_sam.load(path, hw), name=path.name, revision=_stamp(path), hardware=hardware()
        )
    from inference_server.models.segmenters import transformers_sam

    revision = pinned(source) if is_repo_id(source) else None
    folder = locate(source, marker="config.json", variable=SEGMENTER, revision=revision)
    transformers_sam.model_type(folder)
    return NetworkSegmenter(
        lambda hw: transformers_sam.load(folder, hw),
        name=Path(source).name,
        revision=revision or _stamp(folder / "config.json"),
        hardware=hardware(),
    )


def _file(source: str) -> Path:
    """A ``.pth`` file, as given or of that name in the store. Raises WeightsMissing."""
    path = Path(source).expanduser()
    for candidate in (path, store_folder() / path.name):
        if candidate.is_file():
            return candidate
    known = any(w.repo == path.name for w in CATALOGUE)
    remedy = f"Get it with `rsground models pull {path.name}`" if known else "Check the path"
    raise WeightsMissing(f"There is no file {source}. {remedy}, or set {SEGMENTER} to another.", field="request.engine")


def _stamp(path: Path) -> str:
    """Names a state of a file: eight digits of its name, size and time."""
    state = path.stat()
    return hashlib.sha256(f"{path.name} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:8]
