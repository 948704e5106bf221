"""Named colours as graded memberships in balanced CIELAB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference_server.models.geobia.features import Column, NodeTable, SceneTone, ramp


@dataclass(frozen=True)
class NamedColor:
    """A region of colour space with soft borders, in CIELAB lightness, chroma and hue (degrees).

    Each pair is (0 membership, full membership); hue is (centre, full within, none beyond).
    """

    hue: tuple[float, float, float] | None = None
    chroma_above: tuple[float, float] | None = None
    chroma_below: tuple[float, float] | None = None
    light_above: tuple[float, float] | None = None
    light_below: tuple[float, float] | None = None


COLORS: dict[str, NamedColor] = {
    "red": NamedColor(hue=(28, 20, 36), chroma_above=(6, 24), light_below=(92, 80)),
    "orange": NamedColor(hue=(58, 14, 30), chroma_above=(12, 32), light_above=(30, 42)),
    "brown": NamedColor(hue=(55, 28, 48), chroma_above=(3, 10), light_below=(74, 58), chroma_below=(52, 40)),
    "yellow": NamedColor(hue=(90, 14, 28), chroma_above=(14, 34), light_above=(40, 58)),
    "green": NamedColor(hue=(140, 36, 58), chroma_above=(3, 13)),
    "turquoise": NamedColor(hue=(205, 28, 48), chroma_above=(5, 16), light_above=(28, 42)),
    "blue": NamedColor(hue=(262, 34, 56), chroma_above=(5, 18)),
    "purple": NamedColor(hue=(318, 18, 34), chroma_above=(6, 18)),
    "pink": NamedColor(hue=(10, 34, 54), chroma_above=(4, 14), light_above=(46, 64)),
    "white": NamedColor(chroma_below=(19, 9), light_above=(62, 80)),
    "gray": NamedColor(chroma_below=(15, 8), light_above=(20, 34), light_below=(94, 78)),
    "black": NamedColor(chroma_below=(22, 12), light_below=(40, 24)),
    "beige": NamedColor(hue=(76, 26, 44), chroma_above=(2, 7), chroma_below=(34, 24), light_above=(50, 66)),
    "gold": NamedColor(hue=(82, 14, 26), chroma_above=(18, 34), light_above=(40, 55)),
    "silver": NamedColor(chroma_below=(12, 7), light_above=(50, 64)),
    "tan": NamedColor(hue=(70, 24, 44), chroma_above=(5, 11), light_above=(40, 55), light_below=(92, 84)),
    "maroon": NamedColor(hue=(25, 22, 40), chroma_above=(8, 18), light_below=(50, 38)),
    "colorful": NamedColor(chroma_above=(14, 34)),
    "dark": NamedColor(light_below=(46, 28)),
    "light": NamedColor(light_above=(58, 76)),
}

SYNONYMS = {
    "grey": "gray", "cyan": "turquoise", "teal": "turquoise", "aqua": "turquoise", "azure": "blue", "navy": "blue",
    "violet": "purple", "lilac": "purple", "magenta": "purple", "rose": "pink", "salmon": "pink", "crimson": "red",
    "scarlet": "red", "terracotta": "orange", "rust": "brown", "rusty": "brown", "cream": "beige", "ivory": "white",
    "sandy": "beige", "khaki": "beige", "golden": "gold", "silvery": "silver", "charcoal": "black", "olive": "green",
    "emerald": "green", "lime": "green", "bright": "light", "pale": "light", "colourful": "colorful",
}  # fmt: skip

#: So much of a hue's membership is left to how strong the colour is.
PURITY = 0.2

#: So much of green is lost where yellow is full.
NOT_GREEN = 0.8

#: In a scene less colourful than this (its tone's chroma) a faint colour is called by its name all the same, as if it
#: were stronger by the square root of what the scene lacks, so many times at most.
COLORFUL, STRONGER = 20.0, 2.0

_DARKER = frozenset({"dark", "deep"})
_LIGHTER = frozenset({"light", "bright", "pale"})


def strength_in(tone: SceneTone) -> float:
    """By how much a scene's colours count as stronger than they are: people name colours by what else there is."""
    return float(np.clip(np.sqrt(COLORFUL / max(tone.chroma, 1e-6)), 1.0, STRONGER))


def membership(name: str, table: NodeTable, strength: float = 1.0) -> Column | None:
    """How well each node's colour is called ``name``, (node,) in [0, 1]; None when it is no colour name.

    Understands compounds: "dark red", "light blue", "reddish", "bluish gray", "red and white", "black or gray".
    ``strength`` is the scene's, see ``strength_in``; what is white, gray or black is so without it.
    """
    words = [w for w in name.lower().replace("-", " ").split() if w]
    if "or" in words or "and" in words:
        parts = " ".join("|" if w in ("or", "and") else w for w in words).split("|")
        each = [membership(part.strip(), table, strength) for part in parts if part.strip()]
        found = [m for m in each if m is not None]
        return np.maximum.reduce(found) if found else None
    named = [w for w in (_canonical(w) for w in words) if w is not None]
    if not named:
        return None
    base = named[-1]
    out = _degree(COLORS[base], table, strength)
    if base == "green":
        # The greens begin where yellow is dull, an olive or dry grass; what is plainly yellow is no green.
        towards_yellow = ramp(112.0 - table.hue, 0.0, 10.0)
        out = out * (1.0 - NOT_GREEN * towards_yellow * _degree(COLORS["yellow"], table, strength))
    has_hue = COLORS[base].hue is not None
    for modifier in ("vivid" if has_hue and m == "light" and "bright" in words else m for m in named[:-1]):
        if modifier == "vivid":
            # What glows is strong and light.
            out = out * (0.25 + 0.75 * ramp(table.chroma + 0.5 * (table.lightness - 45.0), 14.0, 44.0))
        elif modifier in ("dark", "light") and base not in ("dark", "light"):
            # Dark and light shift what is expected of a colour; they do not ask for black or white.
            wanted = (
                ramp(72.0 - table.lightness, 0.0, 24.0) if modifier == "dark" else ramp(table.lightness, 38.0, 62.0)
            )
            out = out * (0.25 + 0.75 * wanted)
        elif modifier != base:
            out = np.sqrt(out * np.maximum(_degree(COLORS[modifier], table, strength), 1e-6))
    return out


def tone_of(name: str, table: NodeTable) -> Column | None:
    """(node,) what the first word of "bright red", "dark gray" or "light blue" orders by, about as CIELAB's L.

    None without such a word before a colour.
    """
    words = [w for w in name.lower().replace("-", " ").split() if w]
    named = [w for w in (_canonical(w) for w in words) if w is not None]
    if len(named) != 2 or named[0] not in ("dark", "light") or named[1] in ("dark", "light"):
        return None
    if named[0] == "dark":
        return -table.lightness
    if "bright" in words and COLORS[named[1]].hue is not None:
        return table.chroma + 0.5 * table.lightness
    return table.lightness


def is_color(name: str) -> bool:
    """Whether any word of ``name`` is a colour."""
    return any(_canonical(word) is not None for word in name.lower().replace("-", " ").split())


def _canonical(word: str) -> str | None:
    if word in _DARKER:
        return "dark"
    if word in _LIGHTER:
        return "light"
    word = SYNONYMS.get(word, word)
    if word in COLORS:
        return word
    if word.endswith("ish"):
        for stem in (word[:-3], word[:-4], word[:-3] + "e"):
            stem = SYNONYMS.get(stem, stem)
            if stem in COLORS:
                return stem
    return None


def _degree(color: NamedColor, table: NodeTable, strength: float) -> Column:
    out = np.ones_like(table.lightness)
    chroma = strength * table.chroma
    if color.hue is not None:
        # Of two reds the stronger is "the red one", though both are red.
        out = 1.0 - PURITY + PURITY * ramp(chroma, 8.0, 48.0)
        centre, full, none = color.hue
        away = np.abs((table.hue - centre + 180.0) % 360.0 - 180.0)
        out = out * ramp(none - away, 0.0, none - full)
    for column, above, below in (
        (chroma, color.chroma_above, None),
        (table.chroma, None, color.chroma_below),
        (table.lightness, color.light_above, color.light_below),
    ):
        if above is not None:
            out = out * ramp(column, *above)
        if below is not None:
            out = out * ramp(-column, -below[0], -below[1])
    return out


def tone_note(tone: SceneTone) -> str:
    """A sentence for the user when the scene has hardly any colour to go by, else empty."""
    return "The scene is nearly colourless: colour words count for little." if tone.chroma < 2.0 else ""
