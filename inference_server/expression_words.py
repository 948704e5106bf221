"""The words that the parser knows, by kind: what each means, in the canonical terms of an expression."""

from __future__ import annotations

import re

from inference_server.expression_nouns import COMPOUNDS, phrase_set, plural, word_set


def _table(lines: str) -> dict[str, str]:
    """``value: word, word`` a line -> {word: value}; the value is a word for itself; a line that does not
    hold a colon goes on with the one before."""
    out: dict[str, str] = {}
    for line in re.sub(r"\n(?=[^:\n]*$)", " ", lines.strip(), flags=re.MULTILINE).splitlines():
        value, _, words = line.strip().partition(":")
        for word in (value, *words.split(",")):
            if word.strip():
                out[word.strip()] = value
    return out


COLORS = _table("""
    red: reddish, crimson, scarlet
    orange: orangish
    yellow: yellowish
    green: greenish
    blue: bluish, blueish
    purple: purplish, violet, lilac
    pink: pinkish
    brown: brownish
    black: blackish
    white: whitish, off white
    gray: grey, grayish, greyish
    beige:
    tan:
    cyan:
    turquoise: aqua, aquamarine
    teal:
    magenta: fuchsia
    maroon: burgundy
    navy: navy blue
    gold: golden
    silver: silvery
    cream: creamy, ivory
    olive green:
    khaki:
    terracotta: terra cotta
    rust: rusty, rust red
    salmon:
    sky blue:
    lime green: lime
    colorful: colourful, multicolored, multicoloured, multi colored, multi coloured, multicolor, multi color
""")
SHADES = {
    "dark": "dark",
    "deep": "dark",
    "darkish": "dark",
    "light": "light",
    "pale": "light",
    "faint": "light",
    "bright": "bright",
    "vivid": "bright",
    "brilliant": "bright",
}

SIZES = _table("""
    large: big, sizeable, sizable, larger sized, major
    huge: giant, enormous, massive, gigantic, very large, very big, extra large
    small: little, minor, compact
    tiny: minuscule, miniature, very small
    medium: medium size, mid size, mid sized, midsize, middle sized, average sized, medium large
""")

SHAPES = _table("""
    round: circular, disc, disk, ring
    rectangular: oblong, rectangle
    square: quadratic, squared, squarish
    triangular: triangle
    oval: elliptical, elliptic, ellipse, ovoid
    kidney:
    curved: curving, curvy, bent, winding, meandering, arched, bending, serpentine, sinuous, crescent
    straight:
    long:
    elongated: stretched
    narrow: thin, slim, slender
    wide: broad
    short:
    cross: cruciform
    star:
    irregular: irregularly
    hexagonal: hexagon
    octagonal: octagon
    polygonal: polygon
    semicircular: semi circular, semicircle, half round
    cylindrical: cylinder
    conical: cone
    trapezoidal: trapezoid
""")

MATERIALS = _table("""
    concrete: cement
    metal: metallic, steel, iron, aluminium, aluminum, tin, zinc
    corrugated:
    grass: grassy, grassed
    dirt: earth, earthen, muddy
    gravel:
    sand: sandy
    asphalt: asphalted, tarmac, bitumen
    paved:
    unpaved:
    tiled: tile, tiles, shingled
    wooden: wood, timber
    brick: bricks
    stone:
    glass: glazed
    plastic:
    rubber:
    clay:
    thatched: thatch
    snow: snowy
""")

ORIENTATIONS = _table("""
    horizontal: horizontally
    vertical: vertically
    diagonal: diagonally
    north-south: north to south, from north to south, south to north, from south to north, north and south
    east-west: east to west, from east to west, west to east, from west to east, east and west
""")

OTHERS = word_set(
    """abandoned parked empty open old new modern ancient flat sloped sloping pitched gabled hipped ruined damaged
    destroyed collapsed flooded burned burnt isolated lonely single double multiple residential industrial commercial
    busy crowded dense sparse bare dry wet clean dirty shiny reflective moving stationary private public
    unfinished finished half adjoining detached attached shaded sunny covered uncovered fenced walled striped patterned
    textured smooth rough transparent domed tall high low multi plowed ploughed harvested cultivated fallow irrigated
    forested wooded vegetated military civil civilian agricultural historic historical main
    separate individual standalone freestanding visible dead green living lush filled solid hollow similar different
    identical same typical regular complete whole entire partial real actual wrecked sunken anchored moored docked
    flying taxiing articulated unused used full offshore onshore inland alone together upright"""
) - {"green", "multiple", "single"}

_NUMBER_WORDS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
_ORDINAL_WORDS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
)  # fmt: skip
NUMBERS = {w: n for n, w in enumerate(_NUMBER_WORDS, 1)}
NUMBERS |= {"dozen": 12, "pair of": 2, "couple of": 2, "a pair of": 2, "a couple of": 2, "a dozen": 12, "twenty": 20}
ORDINALS = {w: n for n, w in enumerate(_ORDINAL_WORDS, 1)}
ORDINALS |= {
    "last": -1,
    "final": -1,
    "second to last": -2,
    "second last": -2,
    "next to last": -2,
    "penultimate": -2,
    "last but one": -2,
    "third to last": -3,
    "third last": -3,
}

#: superlative -> (order key, descending)
SUPERLATIVES: dict[str, tuple[str, bool]] = {}
for _words, _key, _descending in (
    ("largest biggest greatest hugest", "area", True),
    ("smallest tiniest littlest least", "area", False),
    ("longest", "length", True),
    ("shortest", "length", False),
    ("widest broadest thickest", "width", True),
    ("narrowest thinnest slimmest", "width", False),
    ("brightest lightest whitest palest", "brightness", True),
    ("darkest blackest dimmest", "brightness", False),
    ("leftmost", "x", False),
    ("rightmost", "x", True),
    ("topmost uppermost highest", "y", False),
    ("bottommost lowermost lowest undermost", "y", True),
    ("northernmost northmost", "north", True),
    ("southernmost southmost", "north", False),
    ("easternmost eastmost", "east", True),
    ("westernmost westmost", "east", False),
    ("roundest squarest", "elongation", False),
    ("tallest", "height", True),
    ("centermost middlemost", "center", False),
    ("outermost", "center", True),
):
    SUPERLATIVES |= dict.fromkeys(word_set(_words), (_key, _descending))
for _words, _key, _descending in (
    (
        "left most|farthest left|furthest left|far left|most left|most to the left|furthest to the left|"
        "farthest to the left|extreme left|outermost left",
        "x",
        False,
    ),
    (
        "right most|farthest right|furthest right|far right|most right|most to the right|furthest to the right|"
        "farthest to the right|extreme right|outermost right",
        "x",
        True,
    ),
    ("top most|upper most|most upper|furthest up", "y", False),
    ("bottom most|lower most|most lower|furthest down", "y", True),
    ("most northern|most northerly|furthest north|farthest north|north most", "north", True),
    ("most southern|most southerly|furthest south|farthest south|south most", "north", False),
    ("most eastern|most easterly|furthest east|farthest east|east most", "east", True),
    ("most western|most westerly|furthest west|farthest west|west most", "east", False),
    ("most elongated|most stretched", "elongation", True),
    ("most compact|most circular|most round|least elongated|most square", "elongation", False),
    ("most central|most centered|most centred", "center", False),
):
    SUPERLATIVES |= dict.fromkeys(phrase_set(_words), (_key, _descending))
COLOR_SUPERLATIVES = {
    "reddest": "red", "greenest": "green", "bluest": "blue", "yellowest": "yellow", "brownest": "brown",
    "greyest": "gray", "grayest": "gray",
}  # fmt: skip
NEARNESS = {
    "nearest": False, "closest": False, "nearest to": False, "closest to": False, "most near": False,
    "farthest": True, "furthest": True, "most distant": True, "remotest": True, "farthest from": True,
    "furthest from": True, "farthest away from": True, "furthest away from": True, "most distant from": True,
    "farthest away": True, "furthest away": True, "farthest to": True, "furthest to": True,
}  # fmt: skip
#: comparative -> (order key, descending)
COMPARATIVES = {
    "larger": ("area", True), "bigger": ("area", True), "greater": ("area", True), "smaller": ("area", False),
    "longer": ("length", True), "shorter": ("length", False), "wider": ("width", True), "broader": ("width", True),
    "narrower": ("width", False), "brighter": ("brightness", True), "lighter": ("brightness", True),
    "darker": ("brightness", False), "taller": ("height", True),
}  # fmt: skip

DIRECTIONS = _table("""
    left: lefthand, leftward, leftwards, leftside
    right: righthand, rightward, rightwards, rightside
    top: upper, uppper
    bottom: lower
    center: centre, middle, central, mid, centered, centred, centrally
    top left: topleft, upperleft
    top right: topright, upperright
    bottom left: bottomleft, lowerleft
    bottom right: bottomright, lowerright
    north: northern, northerly, northward, northwards
    south: southern, southerly, southward, southwards
    east: eastern, easterly, eastward, eastwards
    west: western, westerly, westward, westwards
    north-east: northeast, northeastern, northeasterly, north eastern
    north-west: northwest, northwestern, northwesterly, north western
    south-east: southeast, southeastern, southeasterly, south eastern
    south-west: southwest, southwestern, southwesterly, south western
""")
#: Understood only in capitals: "NE of the lake".
COMPASS = {
    "N": "north", "S": "south", "E": "east", "W": "west",
    "NE": "north-east", "NW": "north-west", "SE": "south-east", "SW": "south-west",
}  # fmt: skip
SIDES = word_set(
    """side sides corner corners part parts edge edges half halves third quarter quadrant end ends portion area region
    border borders section margin margins bank flank fringe boundary boundaries segment zone rim tip"""
)

#: relation words -> predicate; the anchor's words follow
RELATIONS = _table("""
    next_to: next to, at the foot of, beside, adjacent to, adjacent, by, side by side with, neighboring,
        neighbouring, right by, close by, next, next door to, at the side of, by the side of, on the side of,
        to the side of, on either side of, on both sides of, flanked by, lined with, lined by, bordered by,
        fringed by, flanking, besides, just off, hugging
    near: near to, close to, nearby, in the vicinity of, in proximity to, in close proximity to, not far from,
        closeby, in the neighborhood of, in the neighbourhood of, among, amongst, a short distance from,
        not far away from
    far_from: far from, far away from, away from, distant from, a long way from, a long distance from,
        remote from, well away from
    between: in between, inbetween, midway between, halfway between, half way between, in the middle between,
        sandwiched between, in the middle of the space between, in the gap between, squeezed between
    on: on top of, upon, onto, atop, on the top of, on the surface of
    in: inside, inside of, within, into, in the interior of, in the inside of, within the bounds of,
        within the limits of
    around: surrounding, encircling, all around, enclosing, bounding, surrounds, encircles, encloses,
        that goes around
    surrounded_by: surrounded by, surrounded with, enclosed by, encircled by, ringed by, hemmed in by,
        in the midst of, amid, amidst, surrounded on all sides by, bounded by
    along: alongside, lined up along, lining, running along, along the side of, along the sides of, alongside of
    parallel_to: parallel to, parallel with, running parallel to, aligned with
    perpendicular_to: perpendicular to, at right angles to, orthogonal to
    facing: looking onto, overlooking, fronting, looking at, faces, overlooks, fronts, looking out on, looking over
    opposite: opposite to, across from, opposite of, on the other side of, across the street from,
        across the road from, on the far side of, on the opposite side of, over the road from, over from,
        to the other side of
    in_front_of: in front of, ahead of, at the front of, in the front of
    behind: at the back of, at the rear of, beyond, in back of, to the rear of, past
    at_end_of: at the end of, at the far end of, on the end of, at the ends of, at one end of, at either end of,
        near the end of, at the beginning of, at the start of, at the tip of, at end of, at both ends of,
        at the head of
    touching: in contact with, attached to, connected to, joined to, linked to, connected with, adjoining,
        abutting, bordering, touches, joins, contiguous to, borders, abuts, adjoins, connecting to, connects to,
        connecting, connects, linking, joining, docked to, moored to,
        bordering on, leaning against, against
    crossing: crosses, spanning, spans, traversing, passing over, going over, crossing over, intersecting,
        intersects, passes over, goes over, goes across, going across, running across, cutting across,
        stretching across, leading over, leads over, bridging, bridges over, that cuts through, passing through,
        running through, going through, runs through, cutting through
    across:
    over: right over
    under: underneath, beneath
    above: higher than, higher up than, on the upper side of, further up than
    below: lower than, lower down than, on the lower side of, further down than
    leading_to: leading to, leads to, lead to, leading up to, going to, goes to, running to, ending at, ends at,
        leading into, leading towards, leading toward
    with: casting, having, has, have, had, featuring, features, equipped with, including, includes, include,
        accompanied by, possessing, possesses, fitted with, topped with, topped by, together with, along with,
        which has, that has
    containing: contains, contain, full of, filled with, occupied by, holding, holds, carrying, carries, hosting,
        loaded with, crowded with
    without: lacking, lacks, lack, free of, with no, devoid of, has no, have no, having no, empty of, minus,
        containing no, contains no, not having
    except: except for, excluding, other than, apart from, aside from, but for, besides the, but not for
    covered_with: covered by, covered with, covered in, made of, made from, built of, made out of, built from,
        consisting of, made up of, composed of, built with, paved with, overgrown with, overgrown by,
        planted with
    at:
    of: belonging to, part of, being part of, that belongs to
    outside: outside of, out of, off
""")

#: "parked next to ...": says nothing that the relation does not
PLACED = word_set(
    """parked standing located situated lying placed positioned sitting found seen visible floating docked moored
    anchored built constructed stationed set lined arranged resting stopped waiting installed planted erected
    sited laid painted located lies sits stands stand lie sit running runs run going goes driving moving
    travelling traveling sailing flying growing grows shown present available appearing appears happening
    swimming walking towards toward heading oriented aligned extending stretching depicted pictured
    captured displayed visible staying hidden immediately lead positionned near-by"""
)

#: Words that may open a request; the weak ones only when a noun phrase follows ("map the roads", "box truck").
LEADS = word_set(
    """find show me us please where is are was which what i i'm am want wants would like to see can could you help
    locate
    detect segment identify highlight outline select extract get give look looking for search searching need
    there here delineate digitize digitise vectorize vectorise draw trace do does how many let's let lets
    display tell point hey hi hello ok okay kindly now just also try could may might will shall we my there's
    should i'd zoom go take pick choose retrieve return spot ground localize localise catch hunt seek
    out at in on bounding boxes mask masks polygon polygons around number count and then"""
)
WEAK_LEADS = word_set(
    "point at out in on to for around number count and then spot ground mask masks polygon polygons boxes"
)
PHRASE_LEADS = (
    "number of", "amount of", "location of", "locations of", "position of", "positions of", "outline of", "outlines of",
    "bounding box of", "bounding box around", "mask of", "masks of", "presence of",
)  # fmt: skip

QUANTIFIERS = phrase_set(
    """all|every|each|some|several|many|few|a few|lots of|a lot of|multiple|numerous|various|all of|each of|most of
    most|a number of|plenty of|any and all|both|both of|all the other|each and every|every single|every one of
    all kinds of
    the other|other|the remaining|remaining|the rest of|another"""
)
DETERMINERS = word_set("the a an this that these those my our its their his her your such certain")
ADVERBS = word_set(
    """very quite fairly really rather slightly somewhat relatively mostly mainly partly partially completely entirely
    clearly directly immediately exactly approximately roughly closely just almost nearly also currently only
    prominently extremely particularly especially fully newly well too so still somewhere
    predominantly primarily truly even pretty super actually either"""
)
COPULAS = word_set("is are was were be being been am looks look seems seem appears")
UNITS = {
    **dict.fromkeys(word_set("m metre metres meter meters mtr"), ("length", 1.0)),
    **dict.fromkeys(word_set("km kilometre kilometres kilometer kilometers"), ("length", 1000.0)),
    **dict.fromkeys(word_set("cm centimetre centimetres centimeter centimeters"), ("length", 0.01)),
    **dict.fromkeys(word_set("ft feet foot"), ("length", 0.3048)),
    **dict.fromkeys(word_set("yd yard yards"), ("length", 0.9144)),
    **dict.fromkeys(word_set("mi mile miles"), ("length", 1609.344)),
    **dict.fromkeys(("m2", "m²", "sqm", "sq m", "square metres", "square meters", "square metre", "square meter"),
                    ("area", 1.0)),
    **dict.fromkeys(("ha", "hectare", "hectares"), ("area", 10_000.0)),
    **dict.fromkeys(("km2", "km²", "square kilometers", "square kilometres"), ("area", 1_000_000.0)),
    **dict.fromkeys(("acre", "acres"), ("area", 4046.8564224)),
    **dict.fromkeys(("square feet", "sq ft", "ft2", "ft²"), ("area", 0.09290304)),
}  # fmt: skip
#: words before a figure -> bound: "low" at least, "high" at most, "about"
BOUNDS = _table("""
    low: more than, at least, over, above, greater than, larger than, bigger than, minimum, no less than,
        exceeding, longer than, wider than, upwards of, farther than, further than, not less than, beyond,
        a minimum of, min
    high: less than, at most, under, below, smaller than, up to, no more than, fewer than, maximum, shorter than,
        narrower than, not more than, closer than, within, a maximum of, max, a radius of, within a radius of,
        nearer than, within a distance of
    about: around, approximately, roughly, circa, ca, some, nearly, almost, exactly, a distance of,
        at a distance of, at
""")

COMPOUND_NOUNS: dict[str, str] = {}
for _line in COMPOUNDS.strip().splitlines():
    for _noun in _line.split("|"):
        COMPOUND_NOUNS[_noun] = _noun
        COMPOUND_NOUNS[plural(_noun)] = _noun
COMPOUND_NOUNS |= {"blocks of flats": "block of flats", "bodies of water": "body of water"}
COMPOUND_NOUNS |= {"body of water": "body of water", "ground track fields": "ground track field"}
