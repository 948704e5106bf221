"""RSGround: finds things in overhead imagery from a sentence, as layers in QGIS."""

from __future__ import annotations

from typing import Any


def classFactory(iface: Any) -> Any:
    """QGIS's entry point. Imports inside: the server imports this package too, without QGIS."""
    from .plugin import RSGroundPlugin

    return RSGroundPlugin(iface)
