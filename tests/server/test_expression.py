"""The parser against its table of worked expressions, and against any string."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_server.expression import Expression, Number, Phrase, describe, notation, parse
from inference_server.expression_lexer import MAX_WORDS, lex
from inference_server.expression_nouns import is_plural, plural, singular

TABLE = Path(__file__).parent / "expressions.txt"


def table() -> list[tuple[str, str, tuple[str, ...]]]:
    """(expression, notation, words not understood) of each line of the table."""
    rows = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            text, _, answer = line.partition(" => ")
            answer, _, ignored = answer.partition("  ~ ")
            rows.append((text, answer.strip(), tuple(ignored.split(", ")) if ignored else ()))
    return rows


ROWS = table()
#: Words from every corner of the vocabulary, to make sentences that nobody would say.
VOCABULARY = """the a all every two second last largest nearest closest to farthest from left right upper lower north
NE middle edge corner of in on next near between and or but not no without with whose roof is are that which it them
each other red dark blue large round L-shaped concrete parked car cars building storage tank parking lot road one ones
50 m m2 than larger more within about than long wide image row group patch surrounded by end
, . ? ! ' - ( é 車 🚗"""


def test_table_is_large() -> None:
    assert len(ROWS) >= 300
    assert len({text for text, _, _ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("text", "answer", "ignored"), ROWS, ids=[text or "(empty)" for text, _, _ in ROWS])
def test_table(text: str, answer: str, ignored: tuple[str, ...]) -> None:
    expression = parse(text)
    assert notation(expression) == answer
    assert expression.ignored == ignored


def phrases(expression: Expression) -> list[Phrase]:
    """All phrases of an expression, anchors included."""
    found: list[Phrase] = []
    waiting = list(expression.targets)
    while waiting:
        phrase = waiting.pop()
        found.append(phrase)
        waiting += [a for part in (*phrase.relations, *phrase.orders) for a in part.anchors]
    return found


def check_sound(text: str) -> None:
    """What holds for the parse of any string."""
    expression = parse(text)
    assert expression.text == text
    assert parse(text) == expression
    assert isinstance(describe(expression), str)
    assert isinstance(notation(expression), str)
    for phrase in phrases(expression):
        # Folded, not lowered: Cherokee letters fold to capitals.
        assert phrase.category == phrase.category.strip().casefold()
        assert phrase.number.kind in ("one", "all", "count", "any")
        assert (phrase.number.count is not None) == (phrase.number.kind == "count")
        for relation in phrase.relations:
            assert relation.anchors
            assert len(relation.anchors) <= 2 or relation.predicate != "between"
            assert (relation.distance_m is not None) == (relation.predicate == "within_distance")
        for order in phrase.orders:
            assert order.rank != 0
            assert (order.key == "distance") == bool(order.anchors)


@given(st.text(max_size=200))
@settings(max_examples=300)
def test_any_text_is_read(text: str) -> None:
    check_sound(text)


@given(st.lists(st.sampled_from(VOCABULARY.split()), max_size=40).map(" ".join))
@settings(max_examples=500)
def test_any_row_of_known_words_is_read(text: str) -> None:
    check_sound(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t ",
        "?!.,;:-–—…",
        "🏠🚗🏊",
        "Ꭰ Straße İ",
        "x" * 10_000,
        "a " * 5_000,
        "next to the car " * 600,
        "the car and " * 800,
        "between the road and " * 500,
        "with a red roof that is " * 400,
        "(" * 10_000,
        "красная машина слева от дома",
        "道路左边的白色储罐",
        "السيارة الحمراء",
        "the red\ncar\r\nnext to\tthe bus",
        "\x00\ud800",
        "the ½ ② Ⅻ ١٢ cars",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_odd_texts(text: str) -> None:
    check_sound(text)


@pytest.mark.parametrize("text", ["", "   ", "?!", "🏠🏠", "the of and", "1234", "---", "please", "hello", "not"])
def test_nothing_to_look_for(text: str) -> None:
    assert parse(text).targets == ()
    assert describe(parse(text)) == "nothing to look for" or parse(text).ignored


def test_other_scripts_are_kept_as_category() -> None:
    (target,) = parse("красная машина").targets
    assert target.category == "красная машина"


def test_long_text_says_what_was_left_out() -> None:
    expression = parse("the red car " + "next to the bus " * MAX_WORDS)
    assert expression.targets[0].category == "car"
    assert expression.ignored[-1].endswith("...")


def test_newlines_and_case_change_nothing() -> None:
    plain = parse("the red car next to the bus").targets
    assert parse("The RED\n car\tNEXT to the Bus").targets == plain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the white storage tank left of the road", "white storage tank"),
        ("all white storage tanks", "white storage tank"),
        ("the second red car from the left", "red car"),
        ("the largest dark red roof in the upper left", "dark red roof"),
        ("the house with a blue roof next to the pool", "house with blue roof"),
        ("the car that is red", "red car"),
        ("the car that is not red", "car"),
        ("a large, round pool", "large round pool"),
        ("black or grey cars", "black or grey car"),
        ("the tennis court with white lines", "tennis court with white lines"),
        ("the L-shaped building", "l-shaped building"),
        ("red-roofed houses", "red-roofed house"),
    ],
)
def test_phrase_text_is_what_an_engine_reads(text: str, words: str) -> None:
    assert parse(text).targets[0].text == words


def test_color_of_a_part_tells_the_part() -> None:
    (attribute,) = parse("the house whose roof is blue").targets[0].attributes
    assert (attribute.kind, attribute.value, attribute.text) == ("color", "blue", "blue roof")


def test_position_before_the_noun_is_relative() -> None:
    assert parse("the left building").targets[0].positions[0].relative
    assert not parse("the building on the left").targets[0].positions[0].relative


def test_words_of_relations_and_positions_are_kept() -> None:
    target = parse("the car immediately left of the red bus in the upper right corner").targets[0]
    assert target.relations[0].text == "immediately left of the red bus in the upper right corner"
    assert target.relations[0].anchors[0].positions[0].text == "in the upper right corner"


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("house", "houses"),
        ("bus", "buses"),
        ("tree", "trees"),
        ("lorry", "lorries"),
        ("bush", "bushes"),
        ("church", "churches"),
        ("box", "boxes"),
        ("course", "courses"),
        ("warehouse", "warehouses"),
        ("tennis court", "tennis courts"),
        ("jetty", "jetties"),
        ("quay", "quays"),
    ],
)
def test_singular_and_plural(one: str, many: str) -> None:
    assert singular(many) == one
    assert plural(one) == many
    assert is_plural(many)
    assert not is_plural(one)


@pytest.mark.parametrize("word", ["grass", "tennis", "bus", "glass", "gas", "campus", "underpass", "debris", "canvas"])
def test_words_on_s_that_are_no_plurals(word: str) -> None:
    assert singular(word) == word
    assert not is_plural(word)


def test_numbers() -> None:
    assert parse("the cars").targets[0].number == Number("all")
    assert parse("seven cars").targets[0].number == Number("count", 7)
    assert parse("largest car").targets[0].number == Number("one")


def test_describe_speaks_plainly() -> None:
    line = describe(parse("the second red car from the left next to the bus facing north"))
    assert line == "car: red, 2nd from the left, next to (bus) (not understood: “facing north”)"
    assert describe(parse("two cars or trucks within 50 m of the river")).count("within 50 m of (river)") == 2


def test_lexemes_know_where_they_stand() -> None:
    text = "The storage tanks, NE of it"
    lexemes, unread = lex(text)
    assert unread == ""
    assert [text[x.start : x.end] for x in lexemes] == ["The", "storage tanks", ",", "NE", "of", "it"]
    assert [x.kind for x in lexemes] == ["det", "noun", "comma", "dir", "rel", "pronoun"]
