"""Tone words: of several that fit alike, the bright, the dark or the light one is meant beside the others."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from inference_server.expression import parse
from inference_server.models.geobia.engine import beside_the_others


@pytest.fixture
def reds() -> SimpleNamespace:
    """A bright and a dull red region, and a bright one that hardly fits."""
    table = SimpleNamespace(
        lightness=np.array([60.0, 40.0, 62.0]), chroma=np.array([60.0, 40.0, 62.0]), hue=np.array([30.0, 30.0, 30.0])
    )
    return SimpleNamespace(t=table, is_part=False)


@pytest.mark.parametrize(
    ("words", "best"),
    [("the bright red roof", 0), ("the dark red roof", 1), ("the light red roof", 0), ("the red roof", 1)],
)
def test_of_several_that_fit_alike_a_tone_word_means_the_one_that_stands_out(
    reds: SimpleNamespace, words: str, best: int
) -> None:
    compared = beside_the_others(np.array([0.78, 0.8, 0.3]), [0, 1, 2], parse(words).targets[0], reds)
    assert compared.argmax() == best


@pytest.mark.parametrize("words", ["all bright red roofs", "the roof that is not bright red"])
def test_of_all_of_them_each_is_judged_alone(reds: SimpleNamespace, words: str) -> None:
    score = np.array([0.78, 0.8, 0.3])
    assert beside_the_others(score, [0, 1, 2], parse(words).targets[0], reds).tolist() == score.tolist()


def test_in_a_part_of_a_scene_what_stands_out_may_lie_elsewhere(reds: SimpleNamespace) -> None:
    reds.is_part = True
    score = np.array([0.78, 0.8, 0.3])
    assert beside_the_others(score, [0, 1, 2], parse("the bright red roof").targets[0], reds) is score
