"""The package's version is the plugin's: it is read from metadata.txt, beside this file or in the folder above."""

import configparser
from pathlib import Path

from setuptools import setup


def _version() -> str:
    here = Path(__file__).resolve().parent
    for metadata in (here / "metadata.txt", here.parent / "metadata.txt"):
        parser = configparser.ConfigParser(interpolation=None)
        if parser.read(metadata, encoding="utf-8") and parser.get("general", "name", fallback="") == "RSGround":
            return parser.get("general", "version")
    raise SystemExit(f"metadata.txt of RSGround is missing: looked in {here} and {here.parent}")


setup(version=_version())
