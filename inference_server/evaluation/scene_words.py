"""How analysts type: nouns and their synonyms, colour words, ways to begin."""

from __future__ import annotations

import numpy as np

from inference_server.evaluation.scene_facts import Facts, Noun
from inference_server.evaluation.scene_types import SceneObject
from inference_server.expression_nouns import with_article

NOUNS: dict[str, tuple[tuple[str, str], ...]] = {
    "building": (("building", "buildings"), ("building", "buildings"), ("roof", "roofs")),
    "car": (("car", "cars"), ("car", "cars"), ("car", "cars"), ("automobile", "automobiles")),
    "bus": (("bus", "buses"),),
    "truck": (("truck", "trucks"), ("truck", "trucks"), ("lorry", "lorries")),
    "tree": (("tree", "trees"),),
    "grass": (("lawn", "lawns"), ("patch of grass", "patches of grass"), ("grass area", "grass areas")),
    "field": (("field", "fields"), ("crop field", "crop fields"), ("farm field", "farm fields")),
    "water": (("water", "waters"), ("water body", "water bodies")),
    "pool": (("pool", "pools"), ("swimming pool", "swimming pools"), ("swimming pool", "swimming pools")),
    "tank": (("storage tank", "storage tanks"), ("tank", "tanks"), ("oil tank", "oil tanks")),
    "ship": (("ship", "ships"), ("boat", "boats"), ("vessel", "vessels")),
    "container": (("container", "containers"), ("shipping container", "shipping containers")),
    "parking lot": (("parking lot", "parking lots"), ("parking lot", "parking lots"), ("car park", "car parks")),
    "bridge": (("bridge", "bridges"),),
    "airplane": (("airplane", "airplanes"), ("plane", "planes"), ("aircraft", "aircraft")),
    "runway": (("runway", "runways"),),
    "road": (("road", "roads"), ("street", "streets")),
    "tennis court": (("tennis court", "tennis courts"),),
    "basketball court": (("basketball court", "basketball courts"),),
    "soccer field": (
        ("soccer field", "soccer fields"),
        ("football pitch", "football pitches"),
        ("soccer pitch", "soccer pitches"),
    ),
    "track": (("running track", "running tracks"), ("athletics track", "athletics tracks")),
    "vehicle": (("vehicle", "vehicles"),),
    "court": (("court", "courts"), ("sports court", "sports courts")),
}

COLOR_WORDS: dict[str, tuple[str, ...]] = {
    "gray": ("gray", "grey"),
    "dark gray": ("dark gray", "dark grey"),
    "light gray": ("light gray", "light grey"),
    "orange": ("orange", "orange", "terracotta"),
    "tan": ("beige", "tan"),
    "turquoise": ("turquoise", "cyan"),
}

_OPENINGS = (
    "the {}",
    "the {}",
    "the {}",
    "{}",
    "find the {}",
    "Find the {}",
    "show me the {}",
    "locate the {}",
    "select the {}",
    "where is the {}?",
    "The {}.",
    "detect the {}",
    "mark the {}",
)
_OPENINGS_MANY = ("the {}", "the {}", "{}", "find the {}", "show me the {}", "select the {}", "Locate the {}")


def begin(text: str, rng: np.random.Generator, *, many: bool = False) -> str:
    """The noun phrase as a whole request, with or without an article or a verb."""
    openings = _OPENINGS_MANY if many else _OPENINGS
    return openings[int(rng.integers(len(openings)))].format(text)


def noun_word(category: str, rng: np.random.Generator, *, many: bool = False) -> str:
    forms = NOUNS[category]
    return forms[int(rng.integers(len(forms)))][1 if many else 0]


def specific_word(facts: Facts, item: SceneObject, rng: np.random.Generator) -> str:
    """A word for this very object; houses and rivers have their own."""
    wide = max(item.length_m, 1.0)
    if item.category == "building" and wide < 19 and rng.random() < 0.35 and facts.scene.theme != "airport":
        return "house"
    box = item.hbb
    touches = box.x_min <= 1 or box.y_min <= 1 or box.x_max >= facts.width - 1 or box.y_max >= facts.height - 1
    if item.category == "water" and touches and facts.scene.theme in ("rural", "mixed") and rng.random() < 0.6:
        return "river"
    if item.category == "water" and not touches and rng.random() < 0.6:
        return "pond" if wide < 60 else "lake"
    return noun_word(item.category, rng)


def color_word(category: str, color: str, rng: np.random.Generator) -> str:
    if color == "light gray" and category in ("car", "vehicle") and rng.random() < 0.5:
        return "silver"
    words = COLOR_WORDS.get(color, (color,))
    return words[int(rng.integers(len(words)))]


def phrase(noun: Noun, word: str, rng: np.random.Generator) -> str:
    """Colour and noun put together: "red car", "car that is red", "building with a red roof"."""
    if not noun.color:
        return word
    color = color_word(noun.category, noun.color, rng)
    if noun.category == "building" and word != "roof" and rng.random() < 0.3:
        return f"{word} with {with_article(color)} roof"
    if rng.random() < 0.05:
        return f"{word} that is {color}"
    return f"{color} {word}"
