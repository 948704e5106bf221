"""Referring expressions for a scene, unambiguous by construction, and negatives that nothing fits.

A maker proposes words for a target and keeps them only when the facts say that the target surely fits and every
rival surely does not. Kinds, see ``KINDS``, follow the constructions that the parser knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from inference_server.evaluation import scene_makers as makers
from inference_server.evaluation import scene_makers_related as related
from inference_server.evaluation.scene_negatives import make_negative
from inference_server.evaluation.scene_types import Scene, SceneExpression, SceneObject
from inference_server.evaluation.scene_writer import Writer

#: What an expression rests on.
KINDS = (
    "category",
    "color",
    "size",
    "shape",
    "position",
    "superlative",
    "closest",
    "order",
    "relation",
    "chain",
    "between",
    "negation",
    "number",
    "negative",
)


Maker = Callable[[Writer, SceneObject], "SceneExpression | None"]
_MAKERS: dict[str, Maker] = {
    "category": makers.make_category,
    "color": makers.make_color,
    "size": makers.make_size,
    "shape": makers.make_shape,
    "position": makers.make_position,
    "superlative": makers.make_superlative,
    "closest": makers.make_closest,
    "order": makers.make_order,
    "relation": related.make_relation,
    "chain": related.make_chain,
    "between": related.make_between,
    "negation": related.make_negation,
    "number": related.make_number,
}
#: How often a kind is tried, a round.
_SHARES = {
    "relation": 3,
    "superlative": 2,
    "color": 2,
    "position": 3,
    "size": 2,
    "shape": 3,
    "negation": 2,
    "closest": 2,
    "negative": 3,
}
#: How many targets are tried before a kind is passed over; rare kinds look harder.
_TRIES = {"size": 30, "shape": 60, "negation": 25, "position": 20, "color": 20, "order": 20}


def express(
    scene: Scene, rng: np.random.Generator, count: int, *, kinds: Sequence[str] = KINDS
) -> tuple[SceneExpression, ...]:
    """Up to ``count`` different expressions over all kinds that the scene gives rise to.

    Args:
        scene: with its objects; its own expressions are ignored.
        rng: decides what is asked and in which words.
        count: how many at most; sparse scenes give fewer.
        kinds: which of ``KINDS`` to make.
    """
    writer = Writer(scene, rng)
    by_category: dict[str, list[SceneObject]] = {}
    for item in writer.targets:
        by_category.setdefault(item.category, []).append(item)
    for items in by_category.values():
        rng.shuffle(items)
    made: list[SceneExpression] = []
    used: dict[str, int] = {}
    plan = [k for k in kinds for _ in range(_SHARES.get(k, 1))]
    idle = 0
    while len(made) < count and idle < 2 and (by_category or scene.objects):
        before = len(made)
        for kind in [plan[i] for i in rng.permutation(len(plan))]:
            if len(made) >= count:
                break
            found = _attempt(writer, kind, by_category, used, made)
            if found is not None:
                made.append(found)
                for target_id in found.target_ids:
                    used[target_id] = used.get(target_id, 0) + 1
        idle = idle + 1 if len(made) == before else 0
    return tuple(made)


def _attempt(
    writer: Writer,
    kind: str,
    by_category: dict[str, list[SceneObject]],
    used: dict[str, int],
    made: list[SceneExpression],
) -> SceneExpression | None:
    texts = {e.text.lower() for e in made}
    if kind == "negative":
        if sum(e.kind == "negative" for e in made) > 0.15 * len(made):
            return None
        text, category = make_negative(writer.facts, writer.rng)
        return SceneExpression(text, kind, (), (), category) if text and text.lower() not in texts else None
    categories = sorted(by_category)
    for _ in range(_TRIES.get(kind, 12)):
        if not categories:
            return None
        items = by_category[categories[int(writer.rng.integers(len(categories)))]]
        target = items[int(writer.rng.integers(len(items)))]
        if used.get(target.id, 0) >= (3 if kind in ("number", "relation", "chain", "between", "order") else 2):
            continue
        if target.category == "tree" and kind not in ("closest", "relation"):
            continue  # bushes are no trees, but who is to say?
        found = _MAKERS[kind](writer, target)
        if found is not None and found.text.lower() not in texts:
            same = [e for e in made if e.kind == kind and e.target_ids == found.target_ids]
            if not same:
                return found
    return None
