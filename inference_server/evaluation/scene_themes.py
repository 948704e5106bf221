"""The kinds of places that a scene can be."""

from __future__ import annotations

from collections.abc import Callable

from inference_server.evaluation.scene_site import Site
from inference_server.evaluation.scene_themes_built import harbour, industrial, residential, urban
from inference_server.evaluation.scene_themes_open import airport, mixed, rural, sports

#: Builds a place; returns the categories that its bare ground may be taken for.
Theme = Callable[[Site], frozenset[str]]
THEMES: dict[str, Theme] = {
    "residential": residential,
    "urban": urban,
    "industrial": industrial,
    "harbour": harbour,
    "airport": airport,
    "rural": rural,
    "sports": sports,
    "mixed": mixed,
}
