"""Surfaces by their form alone, where a colour is asked for and nothing is recognised as one.

The network and the verdicts learnt fields, soil, parking lots, aprons, roads and runways from generated scenes: a real
one may look like none of these. With a colour beside its name ("the orange field"), form and colour are evidence enough
for an answer that says what it went by.
"""

from __future__ import annotations

import numpy as np

from inference_server.models.geobia.classes import Nodes, by_rules
from inference_server.models.geobia.features import Column, ramp

#: Classes whose rules are asked, without what was learnt.
BY_RULES = frozenset({"soil", "apron", "parking lot", "road", "runway"})
#: All that real imagery has and the engine often does not see.
OVERLOOKED = BY_RULES | {"field"}
#: What form is worth at most.
WORTH = 0.75
#: What the network may see where a field is, and how much form counts where it sees none of it.
FIELD_LIKE, UNSEEN = ("field", "grass", "soccer field"), 0.6


def by_form(name: str, nodes: Nodes) -> Column | None:
    """(node,) how well each node has the form of a surface, in [0, WORTH]; None for all other classes."""
    if name in BY_RULES:
        return np.asarray(WORTH * by_rules(name, nodes))
    if name != "field":
        return None
    t = nodes.t
    seen = np.maximum(ramp(nodes.witness.seen(FIELD_LIKE), 0.1, 0.5), UNSEEN)
    return np.asarray(
        WORTH * seen * nodes.area(100, 1e7, soft=1.5) * nodes.share(1e-6, 0.5) * nodes.bulky
        * ramp(t.solidity, 0.55, 0.8) * ramp(t.rectangularity, 0.4, 0.65) * ramp(7.0 - t.texture, 0.0, 3.5)
    )  # fmt: skip
