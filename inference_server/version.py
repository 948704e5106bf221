"""The one version number, from metadata.txt."""

from __future__ import annotations

import configparser
import importlib.metadata
from pathlib import Path


def _version() -> str:
    # Beside the package in the repository and in the plugin's zip; an installed package has its own metadata.
    beside = Path(__file__).resolve().parents[1] / "metadata.txt"
    if beside.is_file():
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(beside, encoding="utf-8")
        if parser.get("general", "name", fallback="") == "RSGround":
            return parser.get("general", "version")
    return importlib.metadata.version("rsground")


VERSION = _version()
