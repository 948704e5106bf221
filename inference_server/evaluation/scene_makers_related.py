"""Makers of expressions that name a thing by others: relations, chains, between, negation, groups."""

from __future__ import annotations

import math
from functools import partial

from inference_server.evaluation.scene_facts import COLORED, STUFF, Noun
from inference_server.evaluation.scene_types import SceneExpression, SceneObject
from inference_server.evaluation.scene_words import noun_word, phrase
from inference_server.evaluation.scene_writer import HOSTS, POSITIONS, Test, Writer, no, other_than, relate


def make_relation(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = w.any_noun(target)
    if len(w.facts.members(noun)[0]) < 2:
        return None
    tries_pool = target.category == "building" and w.rng.random() < 0.35 and "pool" in w.facts.categories
    if tries_pool and w.fits_alone(noun, target, partial(w.facts.has, kind="pool")):
        return w.done(f"{w.write(noun, target)} with a {noun_word('pool', w.rng)}", "relation", target, noun)
    tries_trees = target.category in ("building", "tank", "parking lot", "pool", "water") and w.rng.random() < 0.2
    if tries_trees and w.fits_alone(noun, target, partial(w.facts.surrounded, kind="tree")):
        return w.done(f"{w.write(noun, target)} surrounded by trees", "relation", target, noun)
    for anchor, name in w.anchors(target):
        words = relate(w, target, anchor, noun)
        if words:
            return w.done(f"{w.write(noun, target)} {words} the {name}", "relation", target, noun, [anchor])
    return None


def make_chain(w: Writer, target: SceneObject) -> SceneExpression | None:
    near = [
        o
        for o in w.facts.seen
        if o is not target
        and o.category not in ("tree", "road")
        and o.visible >= 0.5
        and o.category not in w.facts.scene.background
        and math.dist(o.center, target.center) < 3 * (w.facts.size(o) + w.facts.size(target))
        and o.id != target.host
    ]
    w.rng.shuffle(near)
    noun = w.any_noun(target)
    if len(w.facts.members(noun)[0]) < 2:
        return None
    for middle in near[:3]:
        middle_noun = w.any_noun(middle)
        if len(w.facts.members(middle_noun)[0]) < 2:
            continue
        first = relate(w, target, middle, noun)
        if not first:
            continue
        for anchor, name in w.anchors(middle)[:3]:
            second = relate(w, middle, anchor, middle_noun) if anchor is not target else ""
            if second:
                link = " that is" if w.rng.random() < 0.6 else ""
                text = f"{w.write(noun, target)} {first} the {w.write(middle_noun, middle)}{link} {second} the {name}"
                return w.done(text, "chain", target, noun, [middle, anchor])
    return None


def make_between(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = w.any_noun(target)
    if target.category in STUFF or len(w.facts.members(noun)[0]) < 2:
        return None
    pairs: list[tuple[SceneObject, SceneObject, str]] = []
    named = [(a, n) for a, n in w.anchors(target) if a.category not in STUFF]
    for i, (one, first) in enumerate(named):
        for two, second in named[:i]:
            pairs.append((one, two, f"the {first} and the {second}"))
    for category in sorted(w.facts.categories - STUFF - {"tree"} - w.facts.scene.background):
        items = w.facts.is_agreed(Noun(category))
        if len(items) == 2 and target not in items:
            pairs.append((items[0], items[1], f"the two {noun_word(category, w.rng, many=True)}"))
    w.rng.shuffle(pairs)
    for one, two, words in pairs[:8]:
        if math.dist(one.center, two.center) > 0.6 * max(w.facts.width, w.facts.height):
            continue
        if w.fits_alone(noun, target, other_than([one, two], partial(w.facts.between, one=one, two=two))):
            return w.done(f"{w.write(noun, target)} between {words}", "between", target, noun, [one, two])
    return None


def make_negation(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = Noun(target.category)
    items = w.facts.is_agreed(noun)
    f = w.facts
    if target not in items or len(items) < 2:
        return None
    others = [o for o in items if o is not target]
    if target.category in COLORED:
        color = others[0].color
        sure, maybe = f.members(Noun(target.category, color))
        if len(sure) == len(others) and target not in maybe:
            forms = ("{noun} that is not {color}", "{noun} which is not {color}", "non-{color} {noun}")
            text = w.one_of(forms[:2] if " " in color else forms)
            return w.done(text.format(noun=w.write(noun, target), color=color), "negation", target, noun)
    if target.category == "building":
        for option in w.nouns(target):
            if len(f.members(option)[0]) >= 2 and w.fits_alone(option, target, no(partial(f.has, kind="pool"))):
                return w.done(
                    f"{w.write(option, target)} without a {noun_word('pool', w.rng)}", "negation", target, option
                )
    for option in w.nouns(target):
        if len(f.members(option)[0]) < 2:
            continue
        for anchor, name in w.anchors(others[0]):
            if anchor is target or anchor in items:
                continue
            if w.fits_alone(option, target, no(partial(f.near, two=anchor))):
                return w.done(
                    f"{w.write(option, target)} that is not near the {name}", "negation", target, option, [anchor]
                )
        for host_category, preposition in HOSTS.items():
            hosts = f.is_agreed(Noun(host_category))
            if (
                len(hosts) == 1
                and host_category not in f.scene.background
                and w.fits_alone(option, target, no(partial(f.on, two=hosts[0])))
            ):
                word = noun_word(host_category, w.rng)
                return w.done(
                    f"{w.write(option, target)} not {preposition} the {word}", "negation", target, option, hosts
                )
    return None


_COUNTS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


def make_number(w: Writer, target: SceneObject) -> SceneExpression | None:
    noun = w.any_noun(target)
    f = w.facts
    sure, maybe = f.members(noun)
    if target not in sure or target.category in STUFF or target.category == "tree":
        return None
    tests: list[tuple[str, Test, list[SceneObject]]] = [("", lambda _: 1, [])]
    for part in POSITIONS:
        if f.position(target, part) == 1:
            tests.append((" " + w.one_of(POSITIONS[part]), partial(f.position, word=part), []))
    for host in f.seen:
        if host.id == target.host and host.category in HOSTS and f.is_agreed(Noun(host.category)) == [host]:
            word = f" {HOSTS[host.category]} the {noun_word(host.category, w.rng)}"
            tests.append((word, partial(f.on, two=host), [host]))
    for i in w.rng.permutation(len(tests)):
        where, test, anchors = tests[int(i)]
        grades = {o.id: test(o) for o in maybe}
        group = [o for o in sure if grades[o.id] == 1]
        if not 2 <= len(group) <= 12 or any(g >= 0 for k, g in grades.items() if k not in {o.id for o in group}):
            continue
        if not all(f.is_referable(o) for o in group):
            continue
        many = (
            phrase(noun, noun_word(noun.category, w.rng, many=True), w.rng).replace(" roof", " roofs")
            if noun.category == "building" and noun.color
            else phrase(noun, noun_word(noun.category, w.rng, many=True), w.rng)
        )
        if " that is " in many or "roofss" in many:
            continue
        many = many.replace("with a ", "with ").replace("with an ", "with ")
        if len(group) in _COUNTS and w.rng.random() < 0.5:
            text = f"{_COUNTS[len(group)]} {many}{where}"
            return w.done(text, "number", group, noun, anchors)
        text = w.one_of(("all {}", "all the {}", "every one of the {}", "all {}")).format(many + where)
        made = w.done(text, "number", group, noun, anchors)
        return SceneExpression(text, made.kind, made.target_ids, made.anchor_ids, made.category)
    return None
