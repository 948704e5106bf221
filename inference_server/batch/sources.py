"""What the user names - files, folders, globs, STAC items and collections - as a list of rasters."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from inference_server.errors import InvalidRequest

#: Files of a folder that are taken for rasters.
SUFFIXES = (".tif", ".tiff", ".vrt", ".jp2", ".img", ".png", ".jpg", ".jpeg")
#: Assets of a STAC item that show the ground, best first; by role, then by media type.
_ROLES = ("visual", "data")
_MEDIA = ("image/tiff", "image/jp2", "image/png", "image/jpeg", "image/vnd.stac.geotiff")


def rasters_of(named: Sequence[str]) -> tuple[str, ...]:
    """Absolute paths and addresses, each once, in the order named; those of a folder or glob by name.

    Raises:
        InvalidRequest: a name stands for nothing.
    """
    rasters: dict[str, None] = {}
    for name in named:
        for raster in _rasters(name):
            rasters[raster] = None
    return tuple(rasters)


def _rasters(name: str) -> Iterable[str]:
    if _is_address(name) or name.startswith("/vsi"):
        return [name]
    path = Path(name)
    if path.is_dir():
        found = sorted(str(p.resolve()) for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        return found or _nothing(name, f"a folder with files that end in {', '.join(SUFFIXES)}")
    if path.is_file():
        if path.suffix.lower() in (".json", ".geojson"):
            return _stac_rasters(path)
        return [str(path.resolve())]
    if glob.has_magic(name):
        found = sorted(str(Path(p).resolve()) for p in glob.glob(name, recursive=True) if Path(p).is_file())
        return found or _nothing(name, "a pattern that some file matches")
    return _nothing(name, "a raster file, a folder, a pattern or a STAC file")


def _nothing(name: str, expected: str) -> Iterable[str]:
    raise InvalidRequest(f"{name}: expected {expected}; there is none.", field="batch.rasters")


def _is_address(name: str) -> bool:
    return urlsplit(name).scheme in ("http", "https", "s3", "gs", "az")


def _stac_rasters(path: Path) -> list[str]:
    """The rasters of a STAC item, item collection, collection or catalog in a local file; links are followed."""
    found: list[str] = []
    waiting, seen = [path.resolve()], set()
    while waiting:
        file = waiting.pop(0)
        if file in seen:
            continue
        seen.add(file)
        document = _document(file)
        features = document.get("features") if document.get("type") == "FeatureCollection" else [document]
        items = [item for item in features or [] if isinstance(item, dict)]
        for item in items:
            found += [_resolved(asset, file) for asset in _assets(item)]
        for link in document.get("links") or []:
            if isinstance(link, dict) and link.get("rel") in ("item", "child") and isinstance(link.get("href"), str):
                target = _resolved(link["href"], file)
                if _is_address(target):
                    raise InvalidRequest(
                        f"{file}: its link {target} is not a local file. Download the items first.",
                        field="batch.rasters",
                    )
                waiting.append(Path(target))
    if not found:
        raise InvalidRequest(f"{path}: expected a STAC file with imagery; it has none.", field="batch.rasters")
    return found


def _document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{file}: expected a STAC file: {error}", field="batch.rasters") from error
    if not isinstance(document, dict):
        raise InvalidRequest(f"{file}: expected a STAC object, got {type(document).__name__}.", field="batch.rasters")
    return document


def _assets(item: dict[str, Any]) -> list[str]:
    """Addresses of an item's imagery: its "visual" asset, else those with the role "data", else all that are images."""
    assets = item.get("assets")
    given = [a for a in (assets.values() if isinstance(assets, dict) else ()) if isinstance(a, dict) and "href" in a]
    for role in _ROLES:
        chosen = [str(a["href"]) for a in given if role in (a.get("roles") or ())]
        if chosen:
            return chosen
    return [str(a["href"]) for a in given if str(a.get("type", "")).startswith(_MEDIA)]


def _resolved(href: str, file: Path) -> str:
    if _is_address(href):
        return href
    if href.startswith("file:"):
        return str(Path(urlsplit(href).path))
    return str(Path(urlsplit(urljoin(file.as_uri(), href)).path).resolve())
