"""Expressions decoupled into cues, and sub-word tokens: no torch needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_server.models.provg.config import COMPACT
from inference_server.models.provg.decouple import decouple
from inference_server.models.provg.inputs import feed_of, planes_of
from inference_server.models.provg.tokenizer import CLS, SEP, SubwordTokenizer, build_vocabulary, split_words

LINES = (Path(__file__).with_name("provg_cues.txt")).read_text(encoding="utf-8").splitlines()
EXAMPLES = [tuple(part.strip() for part in line.split(" | ")) for line in LINES if line and not line.startswith("#")]
TOKENIZER = SubwordTokenizer(build_vocabulary(["the white storage tanks left of the road"] * 3, 700))


def test_there_are_two_hundred_examples():
    assert len({expression for expression, _, _ in EXAMPLES}) >= 200


@pytest.mark.parametrize(("expression", "spatial", "attributes"), EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_worked_examples(expression, spatial, attributes):
    cues = decouple(expression)
    assert cues.context == expression
    assert cues.spatial == ((expression,) if spatial == "-" else tuple(spatial.split("; ")))
    assert cues.attributes == ((expression,) if attributes == "-" else tuple(attributes.split("; ")))


WORDS = st.sampled_from((
    *("the", "a", "tank", "left", "of", "right", "between", "and", "nearest", "to", "from", "3", "m", "corner"),
    *("20", "within", ".", ",", "with", "in", "red", "cars", "not", "away", "most", "is", "on", "next", "side", "area"),
))  # fmt: skip


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=80), st.lists(WORDS, max_size=14).map(" ".join)))
def test_any_string_has_cues_that_are_slices_of_it_in_order(text):
    cues = decouple(text)
    assert cues.context == text.strip()
    for phrases in (cues.spatial, cues.attributes):
        assert phrases
        at = 0
        for phrase in phrases:
            at = text.index(phrase, at) + len(phrase)


@settings(max_examples=200)
@given(st.text(max_size=60), st.integers(4, 20))
def test_any_string_has_tokens(text, room):
    ids = TOKENIZER.encode(text, room)
    assert (ids[0], ids[-1]) == (CLS, SEP)
    assert 2 <= len(ids) <= room
    assert all(0 <= i < len(TOKENIZER.vocabulary) for i in ids)


@settings(max_examples=100)
@given(st.text(max_size=40))
def test_tokens_spell_the_words(text):
    spelled = bytearray()
    for number in TOKENIZER.encode(text, 10_000)[1:-1]:
        token = TOKENIZER.vocabulary[number]
        is_byte = 3 <= number < 259
        spelled += bytes([number - 3]) if is_byte else token.removeprefix("##").encode()
    assert spelled == "".join(split_words(text)).encode("utf-8", "surrogatepass")


def test_words_that_are_met_often_are_one_token():
    ids = TOKENIZER.encode("the White tanks", 20)
    assert [TOKENIZER.vocabulary[i] for i in ids[1:-1]] == ["the", "white", "tanks"]
    assert len(TOKENIZER.encode("whitetank", 20)) < 2 + len("whitetank")


def test_vocabulary_is_the_same_each_time_and_no_larger_than_asked():
    corpus = ["red roofs", "blue roofs", "the road"]
    assert build_vocabulary(corpus, 500) == build_vocabulary(reversed(corpus), 500)
    assert len(build_vocabulary(corpus * 50, 400)) <= 400
    with pytest.raises(ValueError, match="size"):
        build_vocabulary(corpus, 100)
    with pytest.raises(ValueError, match="build_vocabulary"):
        SubwordTokenizer(["a", "b"])


def test_feed_has_nine_arrays_of_equal_shapes():
    feed = feed_of(["the tank left of the road", "cars"], TOKENIZER, 20)
    assert len(feed) == 9
    for part in ("context", "spatial", "attributes"):
        shapes = {feed[f"{part}_{name}"].shape for name in ("ids", "segments", "positions")}
        assert len(shapes) == 1
    assert (feed["context_segments"][1] == 0).any()


def test_planes_tell_the_pixel_size_of_the_squashed_picture():
    rgb = np.full((3, 960, 960), 118, np.uint8)
    planes = planes_of(rgb, COMPACT, gsd_m=0.3)
    assert planes.shape == (5, 480, 480)
    assert np.abs(planes[:3]).max() < 0.01
    assert planes[3, 0, 0] == pytest.approx(1.0)
    assert planes[4].min() == 1.0
    assert not planes_of(rgb, COMPACT, gsd_m=None)[3:].any()
