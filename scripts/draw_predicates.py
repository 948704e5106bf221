"""Draws the field of truth of every relation and position into docs/img/relations.

    .venv/bin/python scripts/draw_predicates.py

The anchor is orange. The colour at a point is the grade of a target (its outline is drawn in the lower right
corner) whose middle lies there: white 0, dark blue 1; the line is where it begins to count (``FLOOR``).
Comparisons have no place: they are drawn over the target's width and height.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from shapely import affinity
from shapely.geometry import LineString, MultiPolygon, Polygon, box
from skimage.measure import find_contours

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from inference_server.anchoring import FLOOR, Item, Targets, grades_to_anchors  # noqa: E402
from inference_server.expression import Phrase, Position, Relation  # noqa: E402
from inference_server.placing import position_grades  # noqa: E402
from inference_server.predicates import PREDICATES, between  # noqa: E402
from inference_server.relation_terms import Candidate, Frame  # noqa: E402
from inference_server.shapes import Pairs, Shapes  # noqa: E402

OUT = ROOT / "docs" / "img" / "relations"
FIELD = 240  # side of the field in its own pixels
STEP = 4  # a target every so many pixels
PICTURE = 200  # side of the picture in pixels
#: The map is turned in the pictures, so that north is not up.
FRAME = Frame(FIELD, FIELD, None, 0.5, (math.sin(math.radians(20)), -math.cos(math.radians(20))))
UPRIGHT = Frame(FIELD, FIELD, None, 0.5, (0.0, -1.0))

Grades = NDArray[np.float64]
Shape = Polygon | MultiPolygon

SQUARE = box(-6, -6, 6, 6)
BAR = box(-16, -4, 16, 4)
HOUSE = affinity.translate(box(-24, -18, 24, 18), 120, 120)
BUS = affinity.rotate(affinity.translate(box(-22, -7, 22, 7), 120, 120), -15)
ROAD = LineString([(-20, 205), (110, 150), (260, 40)]).buffer(11)
FIELD_SHAPE = Polygon([(50, 60), (190, 45), (205, 180), (70, 195)])
RING = Polygon(box(60, 60, 180, 180).exterior, [box(72, 72, 168, 168).exterior.coords])
TREES = MultiPolygon(
    [affinity.translate(box(-9, -9, 9, 9).buffer(2), 120 + 38 * math.cos(a), 120 + 38 * math.sin(a)) for a in range(6)]
)
STEEP = LineString([(175, -30), (130, 120), (60, 270)]).buffer(11)

#: predicate -> (target at the origin, anchor); the rest are a small square by a house.
CAST: dict[str, tuple[Shape, Shape]] = {
    "on": (SQUARE, ROAD),
    "in": (SQUARE, RING),
    "at": (SQUARE, HOUSE),
    "containing": (box(-40, -40, 40, 40), affinity.translate(SQUARE, 120, 120)),
    "with": (box(-24, -18, 24, 18), affinity.translate(box(-9, -7, 9, 7), 120, 120)),
    "part_of": (SQUARE, HOUSE),
    "same_as": (box(-24, -18, 24, 18), HOUSE),
    "around": (SQUARE, HOUSE),
    "surrounded_by": (SQUARE, TREES),
    "along": (BAR, ROAD),
    "parallel_to": (affinity.rotate(BAR, -28), ROAD),
    "perpendicular_to": (affinity.rotate(BAR, 60), ROAD),
    "facing": (BAR, HOUSE),
    "opposite": (box(-24, -18, 24, 18), HOUSE),
    "in_front_of": (SQUARE, BUS),
    "behind": (SQUARE, BUS),
    "leading_to": (affinity.rotate(box(-40, -4, 40, 4), 20), HOUSE),
    "at_end_of": (SQUARE, affinity.rotate(box(60, 112, 180, 128), 20)),
    "at_edge_of": (SQUARE, FIELD_SHAPE),
    "at_center_of": (SQUARE, FIELD_SHAPE),
    "crossing": (affinity.rotate(box(-26, -5, 26, 5), 60), ROAD),
    "left_of_a_road": (SQUARE, STEEP),
    "far_from": (SQUARE, box(8, 200, 24, 216)),
}
COMPARISONS = ("larger_than", "smaller_than", "longer_than", "shorter_than", "wider_than", "narrower_than")
POSITIONS = (
    "left", "top left", "center", "center right", "edge", "bottom edge", "corner", "top right corner", "north",
    "north-east",
)  # fmt: skip


def main() -> None:
    """Draws all pictures and says how many."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name in [*PREDICATES, "left_of_a_road"]:
        if name not in COMPARISONS:
            target, anchor = CAST.get(name, (SQUARE, FIELD_SHAPE if "_part_of" in name else HOUSE))
            predicate = PREDICATES["left_of" if name == "left_of_a_road" else name]
            frame = FRAME if name.startswith(("north", "south", "east", "west")) else UPRIGHT
            anchors = Shapes([anchor])
            grades = _over_places(target, lambda s, p=predicate, a=anchors, f=frame: p(Pairs(s, a), f)[:, 0])
            draw(name, grades, target, [anchor], frame)
    for name in COMPARISONS:
        draw_sizes(name)
    pair = (box(40, 60, 84, 100), box(150, 130, 206, 176))
    draw(
        "between",
        _over_places(SQUARE, lambda s: between(s, Shapes([pair[0]]), Shapes([pair[1]]))[:, 0, 0]),
        SQUARE,
        pair,
    )
    roads = (ROAD, affinity.translate(ROAD, -70, -75))
    draw(
        "between_roads",
        _over_places(SQUARE, lambda s: between(s, *(Shapes([r]) for r in roads))[:, 0, 0]),
        SQUARE,
        roads,
    )
    draw("within_distance", _over_places(SQUARE, _within_20_m), SQUARE, [HOUSE])
    draw_brightness()
    for value in POSITIONS:
        frame = FRAME if value.startswith("north") else UPRIGHT
        grades = _over_places(SQUARE, lambda s, v=value, f=frame: position_grades(s, Position(v, v), f))
        draw("position_" + value.replace(" ", "_").replace("-", "_"), grades, SQUARE, [], frame)
    pictures = sorted(OUT.glob("*.png"))
    print(f"{len(pictures)} pictures, the largest of {max(p.stat().st_size for p in pictures)} bytes, in {OUT}")


def _over_places(target: Shape, grade: Callable[[Shapes], Grades]) -> Grades:
    """(row, col) grades of the target with its centroid at each place of the field."""
    places = np.arange(STEP / 2, FIELD, STEP)
    shapes = Shapes([affinity.translate(target, x, y) for y in places for x in places])
    return np.asarray(grade(shapes)).reshape(len(places), len(places))


def _within_20_m(shapes: Shapes) -> Grades:
    relation = Relation("within_distance", (Phrase("house", "house"),), distance_m=20.0)
    targets = Targets("car", [Candidate(1.0, g, "car", None) for g in shapes.geometries])
    return grades_to_anchors(targets, relation, [Item(Candidate(1.0, HOUSE, "house", None), 1.0)], UPRIGHT).grades


def draw(name: str, grades: Grades, target: Shape, anchors: Sequence[Shape], frame: Frame = UPRIGHT) -> None:
    """One picture: the field, the line of FLOOR, the anchors, the target, the north arrow of a turned map."""
    image, scale = _canvas(grades)
    pen = ImageDraw.Draw(image)
    for anchor in anchors:
        for part in getattr(anchor, "geoms", [anchor]):
            rings = [part.exterior, *part.interiors]
            for ring in rings:
                pen.line([(x * scale, y * scale) for x, y in ring.coords], fill=(214, 108, 20), width=5, joint="curve")
    _, _, high_x, high_y = target.bounds
    shift_x, shift_y = FIELD - 8 - high_x, FIELD - 8 - high_y
    for part in getattr(target, "geoms", [target]):
        pen.line(
            [((x + shift_x) * scale, (y + shift_y) * scale) for x, y in part.exterior.coords],
            fill=(30, 30, 30),
            width=3,
        )
    if frame is not UPRIGHT:
        x, y = 26 * scale, 30 * scale
        dx, dy = frame.north[0] * 17 * scale, frame.north[1] * 17 * scale
        pen.line([(x - dx, y - dy), (x + dx, y + dy)], fill=(30, 30, 30), width=3)
        head = [(x + dx, y + dy)]
        head += [(x + dx * 0.5 + s * dy * 0.25, y + dy * 0.5 - s * dx * 0.25) for s in (-1, 1)]
        pen.polygon(head, fill=(30, 30, 30))
    _save(image, name)


def draw_sizes(name: str) -> None:
    """A comparison, over the target's width (to the right) and height (down); the anchor has those of the box."""
    sides = np.arange(STEP / 2, FIELD, STEP)
    shapes = Shapes([box(0, 0, w, h) for h in sides for w in sides])
    anchor = box(0, 0, 110, 70)
    grades = PREDICATES[name](Pairs(shapes, Shapes([anchor])), UPRIGHT)[:, 0].reshape(len(sides), -1)
    image, scale = _canvas(grades)
    ImageDraw.Draw(image).rectangle([2, 2, 110 * scale, 70 * scale], outline=(214, 108, 20), width=5)
    _save(image, name)


def draw_brightness() -> None:
    """ "brighter than": the target's brightness to the right, the anchor's down."""
    levels = np.linspace(0, 1, FIELD // STEP)
    phrase = Phrase("roof", "roof")
    rows = {"brighter_than": [], "darker_than": []}  # type: dict[str, list[Grades]]
    for name, grades in rows.items():
        for anchor in levels:
            targets = Targets("car", [Candidate(1.0, SQUARE, "car", i, float(b)) for i, b in enumerate(levels)])
            item = Item(Candidate(1.0, affinity.translate(SQUARE, 50, 0), "roof", "anchor", float(anchor)), 1.0)
            grades.append(grades_to_anchors(targets, Relation(name, (phrase,)), [item], UPRIGHT).grades)
        _save(_canvas(np.array(grades))[0], name)


def _canvas(grades: Grades) -> tuple[Image.Image, float]:
    """The field as an image of twice the picture's size, and its pixels for one of the field's."""
    side = 2 * PICTURE
    low, high = np.array([255.0, 255.0, 255.0]), np.array([24.0, 78.0, 140.0])
    # a few levels are enough to see, and make small files
    levels = np.round(grades * 16)[..., None] / 16
    pixels = (low + (high - low) * levels).astype(np.uint8)
    image = Image.fromarray(pixels, "RGB").resize((side, side), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(image)
    per_cell = side / grades.shape[0]
    for line in find_contours(np.pad(grades, 1), FLOOR):
        points = [((c - 0.5) * per_cell, (r - 0.5) * per_cell) for r, c in line]
        pen.line(points, fill=(90, 90, 90), width=2)
    return image, side / FIELD


def _save(image: Image.Image, name: str) -> None:
    ImageDraw.Draw(image).rectangle([0, 0, image.width - 1, image.height - 1], outline=(190, 190, 190), width=2)
    small = image.resize((PICTURE, PICTURE), Image.Resampling.LANCZOS)
    small.quantize(128).save(OUT / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
