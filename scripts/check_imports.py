"""Checks that the rooms of the house import each other only as docs/architecture says.

protocol imports the standard library only
gui -> core -> protocol; core never imports gui
rsground_plugin never imports the server or its libraries
inference_server takes only protocol from the plugin, and never qgis
__main__ -> serving -> app -> pipeline -> {models, raster, expression, relations ...} -> {geometry, errors}
torch and its family: only under models/ and training/, and only inside functions; or in modules of networks (a
folder under models/) and recipes, which then are heavy themselves: the rules for torch hold for them too
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_IN_THE_PLUGIN = {
    *("inference_server", "torch", "rasterio", "shapely", "pydantic", "requests", "pyproj", "scipy", "skimage"),
    *("higra", "starlette", "uvicorn", "pyogrio"),
}
HEAVY = {"torch", "torchvision", "transformers", "diffusers", "segment_anything", "sam2", "accelerate", "onnxruntime"}
#: A room of the server imports rooms of its own level or below. A room without a number has level 2.
LEVELS = {
    "__main__": 6,
    "commands": 6,
    "evaluation": 6,
    "training": 6,
    "serving": 5,
    "app": 4,
    "pipeline": 3,
    "geometry": 1,
    "errors": 0,
}
DEFAULT_LEVEL = 2
#: What is imported to list or to make engines: never heavy.
LIGHT = {"__init__", "base", "registry", "engine", "config"}


@dataclass(frozen=True)
class Import:
    """One import: the module imported, absolute, the line, and whether it runs when the file is imported."""

    module: str
    line: int
    is_top_level: bool


def imports(path: Path) -> Iterator[Import]:
    """Every import of a file; relative ones made absolute, ``from a import b`` as ``a.b``."""
    package = path.relative_to(ROOT).parts[:-1]
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, id(node) not in inside)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(f"{stem}.{alias.name}", node.lineno, id(node) not in inside)


def heavy_modules(files: list[Path]) -> set[str]:
    """The modules that import torch or its family when they are imported, directly or through one another."""
    top_level = {_module(f): {i.module for i in imports(f) if i.is_top_level} for f in files if _may_be_heavy(f)}
    heavy: set[str] = set()
    while found := {m for m, wanted in top_level.items() if m not in heavy and _any_heavy(wanted, heavy)}:
        heavy |= found
    return heavy


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _may_be_heavy(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    is_in_place = parts[1] == "training" or (parts[1] == "models" and len(parts) > 3)
    return parts[0] == "inference_server" and is_in_place and path.stem not in LIGHT


def _any_heavy(wanted: set[str], heavy: set[str]) -> bool:
    return any(m.split(".")[0] in HEAVY or m in heavy or m.rpartition(".")[0] in heavy for m in wanted)


def faults(path: Path, heavy: set[str]) -> Iterator[str]:
    """A sentence for each import of the file that breaks a rule; ``heavy`` as ``heavy_modules`` gives it."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    for found in imports(path):
        for reason in _reasons(parts, found, heavy):
            yield f"{path.relative_to(ROOT)}:{found.line}: {found.module}: {reason}"


def _reasons(parts: tuple[str, ...], found: Import, heavy: set[str]) -> Iterator[str]:
    names = found.module.split(".")
    top = names[0]
    if parts == ("rsground_plugin", "protocol"):
        if top not in sys.stdlib_module_names and top != "__future__":
            yield "the protocol imports the standard library only"
    elif parts[0] == "rsground_plugin":
        if top in NOT_IN_THE_PLUGIN:
            yield "the plugin never imports the server nor its libraries"
        if parts[1] == "core" and names[:2] == ["rsground_plugin", "gui"]:
            yield "core never imports gui"
    elif parts[0] == "inference_server":
        yield from _server_reasons(parts, names)
        is_light = ".".join(parts) not in heavy
        if top in HEAVY and (parts[1] not in ("models", "training") or (found.is_top_level and is_light)):
            yield "only under models/ and training/, inside the function that loads the model"
        elif is_light and found.is_top_level and _any_heavy({found.module}, heavy):
            yield "it imports torch: import it inside the function that needs it"


def _server_reasons(parts: tuple[str, ...], names: list[str]) -> Iterator[str]:
    if names[0] in ("qgis", "PyQt5", "PyQt6"):
        yield "the server never imports QGIS"
    if names[0] == "rsground_plugin" and names[1:2] != ["protocol"]:
        yield "the server takes only the protocol from the plugin"
    if names[0] == "inference_server" and len(names) > 1:
        own, other = (LEVELS.get(name, DEFAULT_LEVEL) for name in (parts[1], names[1]))
        if other > own:
            yield f"{parts[1]} lies below {names[1]}"


def main() -> int:
    files = [p for room in ("rsground_plugin", "inference_server") for p in sorted((ROOT / room).rglob("*.py"))]
    heavy = heavy_modules(files)
    found = [fault for path in files for fault in faults(path, heavy)]
    print("\n".join(found) if found else f"imports of {len(files)} files follow the rules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
