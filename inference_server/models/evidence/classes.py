"""The classes that the evidence network tells apart, in the order of its outputs."""

from __future__ import annotations

from collections.abc import Iterable

EVIDENCE_CLASSES = (
    "building", "road", "car", "truck", "bus", "tree", "grass", "field", "water", "pool", "tank", "ship", "container",
    "parking lot", "bridge", "airplane", "runway", "tennis court", "basketball court", "soccer field", "track",
)  # fmt: skip
#: Countable things, each with a core and a rim; and what lies between them.
THINGS = (
    "building", "car", "truck", "bus", "tree", "pool", "tank", "ship", "container", "airplane", "tennis court",
    "basketball court", "soccer field", "track",
)  # fmt: skip
SURFACES = ("road", "grass", "field", "water", "parking lot", "bridge", "runway")
#: Two further outputs say where a countable thing is deep inside, and where its rim runs.
CORE, EDGE = "core", "edge"
OUTPUTS = (*EVIDENCE_CLASSES, CORE, EDGE)
BIT = {name: number for number, name in enumerate(OUTPUTS)}
#: Where several lie over one another, the first of these is what the pixel shows.
TOPMOST = (
    "car", "truck", "bus", "container", "airplane", "ship", "tank", "pool", "tree", "building", "tennis court",
    "basketball court", "soccer field", "track", "bridge", "road", "runway", "parking lot", "water", "field", "grass",
)  # fmt: skip


def bits_of(names: Iterable[str]) -> int:
    """The bits of several classes."""
    return sum(1 << BIT[name] for name in names)
