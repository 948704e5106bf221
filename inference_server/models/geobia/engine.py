"""The embedded engine: nodes of the region tree scored by class rules, colours and shapes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference_server.expression import Attribute, Phrase
from inference_server.expression_nouns import with_article
from inference_server.models.base import ExplanationMap, Prediction, Predictions, Progress, ScenePart
from inference_server.models.evidence.runtime import MODEL, Evidence, evidence_of
from inference_server.models.geobia.blobs import blob_trees
from inference_server.models.geobia.classes import Nodes, degree
from inference_server.models.geobia.colors import is_color, membership, strength_in, tone_note, tone_of
from inference_server.models.geobia.features import (
    Column,
    NodeTable,
    SceneTone,
    joined,
    leaf_colors,
    leaf_table,
    node_table,
    ramp,
    scene_tone,
)
from inference_server.models.geobia.form import OVERLOOKED, by_form
from inference_server.models.geobia.pieces import drawn_pieces
from inference_server.models.geobia.pixel_size import GUESSED, pixel_size
from inference_server.models.geobia.selection import Forest, grouped, settle
from inference_server.models.geobia.shapes import shape_degree
from inference_server.models.geobia.tidy import tidied, without_notches
from inference_server.models.geobia.vocabulary import CONVEX, GROUPED, SURFACES, Meaning, meaning
from inference_server.models.geobia.witness import (
    Witness,
    leaf_evidence,
    piece_tree,
    road_pieces,
    vehicle_pieces,
    vehicle_tree,
)
from inference_server.raster import RasterTile
from inference_server.regions import build_region_tree
from rsground_plugin.protocol import EngineInfo

#: Answers below this score are not given: it was set so that most things that are not there stay unanswered.
MIN_SCORE = 0.36
#: The same where the pixel size is guessed: size speaks less clearly for a thing then.
MIN_UNMEASURED = 0.32
#: Of a tile on its own, and of a part of a scene, whose objects are gathered and ordered as a whole.
MAX_CANDIDATES, MAX_OF_PART = 150, 5000
#: Longest edge of the map of scores, in cells, and from which score on it shows something.
MAP_CELLS, SHOWN_SCORE = 512, 0.05
#: So much of a class's part in the score is left to how typical a node is.
TYPICAL = 0.8
#: A class's probability from which it counts fully, and below which it is not there.
LIKELY, PRESENT = 0.85, 0.25
#: Where form and colour have to do, agreement below the first of these is none, from the second on it is full.
OF_THE_COLOR = (0.5, 0.85)
#: What a colour is worth at most when it shows in parts only, and in what share of the region it begins to, and fully.
IN_PARTS, SHARE = 0.9, (0.2, 0.7)
#: Of those that fit nearly as well as the best, one that is duller by so many steps of lightness loses that share.
CONTENDER, DULLER, TONES = 0.75, 0.3, 25.0


@dataclass(frozen=True, eq=False)
class Encoding:
    """What is kept of a tile: its trees, the table of their nodes, the scene's tone, how many answers it may give."""

    forest: Forest
    nodes: Nodes
    tone: SceneTone
    at_most: int = MAX_CANDIDATES


@dataclass(frozen=True, eq=False)
class Weighed:
    """What the engine thinks of every node, for one phrase.

    Attributes:
        wanted: the class that the words mean.
        fit: (node,) how well each is of the class.
        score: (node,) with the other words.
        least: nodes that score less are no answers.
        notes: what to say with the answer.
    """

    wanted: Meaning
    fit: Column
    score: Column
    least: float
    notes: tuple[str, ...]


class GeobiaEngine:
    """Object-based image analysis on a region tree; CPU only, nothing to download."""

    info = EngineInfo(
        name="geobia",
        title="Embedded (object-based, no download)",
        gives=("hbb", "obb", "mask"),
        needs="Nothing: no download, no GPU.",
        limits="Knows common overhead classes by colour, size, shape and surroundings; it does not recognise rare"
        " things or read fine detail, and confuses look-alikes.",
        licence="GPL-2.0-or-later",
        revision="",
        is_default=True,
        explains=True,
    )

    def __init__(self, see: Callable[..., Evidence] = evidence_of) -> None:
        """With another eye than the evidence network, as long as it is asked like ``evidence_of``."""
        self._see = see
        self.info = EngineInfo(
            **{**GeobiaEngine.info.to_dict(), "gives": GeobiaEngine.info.gives, "revision": _revision()}
        )

    def survey(self, sheet: RasterTile) -> Mapping[str, float]:
        """The tone of a scene, and where it does not say how large its pixels are, how large they seem."""
        tree = build_region_tree(sheet.rgb, sheet.valid)
        tone = asdict(scene_tone(tree, leaf_colors(tree)))
        pixel = pixel_size(sheet)
        return tone if pixel.is_known else {**tone, GUESSED: pixel.gsd_m}

    def encode(self, tile: RasterTile, progress: Progress, part: ScenePart | None = None) -> Encoding:
        """Builds the region tree and its table."""
        origin = ScenePart.origin_of(part)
        with ThreadPoolExecutor(2) as beside:
            sizing = beside.submit(pixel_size, tile, part)
            seeing = beside.submit(lambda: self._see(tile.rgb, sizing.result().gsd_m, origin=origin))
            vehicles = beside.submit(lambda: vehicle_pieces(seeing.result(), tile.valid.shape))
            roads = beside.submit(lambda: road_pieces(seeing.result(), tile.valid))
            drawn = beside.submit(lambda: drawn_pieces(seeing.result(), tile.valid))
            if part is not None:
                # A batch has other work for a second core; one after the other, they need less memory.
                seeing.result()
            tree = build_region_tree(tile.rgb, tile.valid, pieces=vehicles.result, progress=progress)
            progress("features", 0, 3)
            described = beside.submit(tree.describe_leaves)
            leaves = leaf_table(tree, part)
            described.result()
            witnessed = beside.submit(leaf_evidence, seeing.result(), tree)
            seen = beside.submit(
                lambda: (
                    *(piece_tree(seeing.result(), tree, one) for one in (roads.result(), drawn.result().labels)),
                    vehicle_tree(tree, vehicles.result()),
                )
            )
            trees = (tree, *blob_trees(tree, leaves), *seen.result())
            progress("features", 1, 3)
            table = joined(list(beside.map(lambda each: node_table(each, leaves), trees)))
            progress("features", 2, 3)
        trees = tuple(each.without_pixels() for each in trees)
        tile_px = int(np.count_nonzero(tile.valid)) if part is None else part.nominal_px
        pieces = drawn.result().with_others(vehicles.result(), roads.result(), seeing.result().scale)
        witness = Witness(witnessed.result(), trees, pieces)
        progress("features", 3, 3)
        nodes = Nodes(table, sizing.result(), tile_px, leaves.tone.gradient, witness, is_part=part is not None)
        return Encoding(Forest(trees), nodes, leaves.tone, MAX_CANDIDATES if part is None else MAX_OF_PART)

    def find(self, encoding: Any, phrase: Phrase, progress: Progress) -> Predictions:
        """Candidates for a phrase, best first."""
        progress("candidates", 0, 1)
        if not meaning(phrase.category).is_known and not any(a.kind in ("color", "shape") for a in phrase.attributes):
            return Predictions(
                why_empty=f'The embedded engine does not know what "{phrase.category}" looks like.',
                failed_part="engine",
            )
        found = self.choose(encoding, phrase, self.weigh(encoding, phrase))
        progress("candidates", 1, 1)
        return found

    def weigh(self, encoding: Encoding, phrase: Phrase, *, fit: Column | None = None) -> Weighed:
        """How well every node fits a phrase.

        Args:
            encoding: of the tile.
            phrase: as parsed.
            fit: (node,) how well each is of the class, from another judge than the rules.
        """
        wanted, nodes, is_judged = meaning(phrase.category), encoding.nodes, fit is not None
        least = MIN_SCORE if nodes.pixel.is_known else MIN_UNMEASURED
        fit = degree(wanted.name, nodes) if fit is None else fit
        agreement, notes = attribute_degree(encoding.forest, nodes.t, phrase.attributes, strength_in(encoding.tone))
        is_colored = any(a.kind == "color" for a in phrase.attributes)
        if is_colored:
            notes.append(tone_note(encoding.tone))
        notes.append(nodes.pixel.note)
        if not wanted.is_known and not is_judged:
            notes.append(
                f'"{phrase.category}" is not a class the embedded engine knows: it went by colour and shape alone.'
            )
        score = combine(fit, agreement)
        # Not of a part of a scene: what other parts hold may be recognised.
        is_unseen = not is_judged and score.max(initial=0.0) < least
        if agreement is not None and is_colored and not nodes.is_part and is_unseen:
            form = by_form(wanted.name, nodes)
            looks = score if form is None else np.sqrt(form * agreement * ramp(agreement, *OF_THE_COLOR))
            if looks.max(initial=0.0) >= least:
                score = looks
                notes.append(f'Nothing was recognised as "{phrase.category}": it went by form and colour.')
        return Weighed(wanted, fit, score, least, tuple(note for note in notes if note))

    def choose(self, encoding: Encoding, phrase: Phrase, weighed: Weighed) -> Predictions:
        """The nodes that are things of their own, as candidates."""
        forest, nodes, wanted, score = encoding.forest, encoding.nodes, weighed.wanted, weighed.score
        chosen = settle(forest, score, weighed.least, is_surface=wanted.name in SURFACES, at_most=encoding.at_most)
        fit_map = score_map(forest, score)
        if not chosen:
            part, why = _why(weighed.fit, phrase, wanted)
            return Predictions(why_empty=why, failed_part=part, notes=weighed.notes, maps=(fit_map,))
        label = phrase.category or "object"
        if wanted.name in GROUPED:
            groups = grouped(forest, chosen, nodes.t)
            masks = [forest.union(group) for group in groups]
        else:
            groups = [[node] for node in chosen]
            masks = [tidied(forest.mask(node)) for node in chosen]
            if wanted.name in CONVEX:
                masks = [without_notches(mask) for mask in masks]
        compared = beside_the_others(score, chosen, phrase, nodes)
        scores = [float(compared[group].max()) for group in groups]
        best_first = sorted(zip(scores, masks, strict=True), key=lambda pair: -pair[0])
        return Predictions(
            tuple(Prediction(s, label, mask=m) for s, m in best_first), notes=weighed.notes, maps=(fit_map,)
        )

    def unload(self) -> None:
        """Nothing to free: encodings are the caller's."""


def beside_the_others(score: Column, chosen: list[int], phrase: Phrase, nodes: Nodes) -> Column:
    """The scores, less for what is duller than another that fits: "the bright red roof" is the brightest of the red.

    Of one thing only; of all that are bright each is judged alone, and so is what is seen of a part of a scene.
    """
    if phrase.number.kind == "all" or nodes.is_part:
        return score
    likely = [node for node in chosen if score[node] >= CONTENDER * score[chosen].max()]
    for attribute in phrase.attributes:
        tone = tone_of(attribute.value, nodes.t) if attribute.kind == "color" and not attribute.negated else None
        if tone is not None:
            score = score * (1.0 - DULLER * np.clip((tone[likely].max() - tone) / TONES, 0.0, 1.0))
    return score


def score_map(forest: Forest, score: Column) -> ExplanationMap:
    """How well each place fits the words: the best score of any region that holds it, below the engine's limit too."""
    labels = forest.trees[0].labels
    step = -(-max(labels.shape) // MAP_CELLS)
    best = np.append(forest.best_per_leaf(score, above=SHOWN_SCORE), 0.0).astype(np.float32)
    # Each cell shows the pixel in its middle.
    rows, cols = (((np.arange(-(-n // step)) + 0.5) * n / -(-n // step)).astype(int) for n in labels.shape)
    return ExplanationMap("score", best[labels[np.ix_(rows, cols)]])


def attribute_degree(
    forest: Forest, table: NodeTable, attributes: tuple[Attribute, ...], strength: float
) -> tuple[Column | None, list[str]]:
    """How well each node has the colour and shape words, None without any; and notes on words passed over.

    ``strength`` of the scene's colours, see ``colors.strength_in``.
    """
    total: Column | None = None
    notes: list[str] = []
    for attribute in attributes:
        words = (attribute.value, *attribute.others)
        each = [_word_degree(forest, table, word, attribute.kind, strength) for word in words]
        degrees = [d for d in each if d is not None]
        if not degrees:
            # Sizes and directions are settled by the relations.
            if attribute.kind not in ("size", "orientation"):
                notes.append(f'"{attribute.text}" was passed over: the embedded engine cannot tell.')
            continue
        # "red and white" is a pattern of both, whose mean is neither; either is taken for it.
        found = np.maximum.reduce(degrees)
        found = 1.0 - found if attribute.negated else found
        total = found if total is None else total * found
    return total, notes


def _word_degree(forest: Forest, table: NodeTable, word: str, kind: str, strength: float) -> Column | None:
    if kind == "color" or is_color(word):
        whole = membership(word, table, strength)
        if whole is None:
            return None
        # A red car is red between its windows, a rusty roof in patches: what share of it is so counts as well.
        share = np.concatenate([t.mean(whole[: t.n_leaves])[t.own] for t in forest.trees])
        return np.maximum(whole, IN_PARTS * ramp(share, *SHARE))
    return shape_degree(word, table) if kind in ("shape", "material", "other") else None


def combine(fit: Column, agreement: Column | None) -> Column:
    """Class and attributes: both are needed.

    What is likely of the class is as good as what is certain: among likely ones the words decide ("red", "left of",
    "the largest"), not how typical of its class each is.
    """
    likely = ((1.0 - TYPICAL) * np.minimum(fit / LIKELY, 1.0) + TYPICAL * fit) * (fit >= PRESENT)
    return np.sqrt(likely if agreement is None else likely * agreement * ramp(agreement, 0.03, 0.2))


def _why(fit: Column, phrase: Phrase, wanted: Meaning) -> tuple[str, str]:
    what = with_article(phrase.category or "object")
    if phrase.attributes and float(fit.max(initial=0.0)) >= MIN_SCORE:
        words = " ".join(a.text for a in phrase.attributes)
        return "attribute", f"There are regions that could be {what}, but none that is {words}."
    if wanted.name in OVERLOOKED:
        return (
            "overlooked",
            f"Nothing here looks like {what} to the embedded engine, which often misses such surfaces.",
        )
    return "target", f"Nothing here looks like {what} to the embedded engine."


def _revision() -> str:
    """A hash of the engine's own sources: its answers change when they do."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    fitted = [folder / "additive.json", folder / "boosted.npz", folder / "verdicts.npz", MODEL]
    shared = [folder.parent.parent / name for name in ("regions.py", "watershed.py")]
    shared += [MODEL.parent / name for name in ("runtime.py", "scale.py")]
    for path in [*sorted(folder.glob("*.py")), *fitted, *shared]:
        digest.update(path.read_bytes())
    return "rules-" + digest.hexdigest()[:10]
