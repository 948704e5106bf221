"""The runner and its command: resumed, refused, reported; faults score 0 and are listed."""

import json

import numpy as np
import pytest
from PIL import Image

from inference_server.__main__ import main
from inference_server.evaluation.runner import read_answers


@pytest.fixture
def phrases(tmp_path):
    root = tmp_path / "data"
    for folder in ("img_rgb", "mask"):
        (root / folder).mkdir(parents=True)
    pixels = np.full((96, 96, 3), (90, 110, 80), np.uint8)
    pixels[30:60, 20:70] = (200, 40, 40)
    Image.fromarray(pixels).save(root / "img_rgb" / "1.png")
    Image.fromarray((pixels[..., 0] == 200).astype(np.uint8)).save(root / "mask" / "1.png")
    (root / "output_phrase_test.txt").write_text("1.png the red building\n2.png a tank\n", encoding="utf-8")
    return root


def ask(data, output, *more):
    return main(["eval", "--data", f"risbench:{data}", "-o", str(output), *more])


def test_a_missing_image_scores_zero_and_is_listed(phrases, tmp_path, capsys):
    assert ask(phrases, tmp_path / "run") == 0
    out = capsys.readouterr().out
    assert "1 without an answer (each scores 0)" in out
    assert "2.png: expected an image, there is no such file" in out
    _, (found, missing) = read_answers(tmp_path / "run" / "answers.jsonl")
    assert found.mask[0] / found.mask[1] > 0.8
    assert found.is_right
    assert not missing.is_right
    assert "data:image/jpeg" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_a_run_goes_on_after_a_line_cut_off(phrases, tmp_path):
    ask(phrases, tmp_path / "run")
    path = tmp_path / "run" / "answers.jsonl"
    kept = path.read_text().splitlines(keepends=True)
    path.write_text("".join(kept[:2]) + kept[2][:20])
    ask(phrases, tmp_path / "run")
    after = path.read_text().splitlines(keepends=True)
    assert after[:2] == kept[:2]
    assert json.loads(after[2])["id"] == "2"


def test_changed_data_is_refused_and_restart_takes_it(phrases, tmp_path, capsys):
    ask(phrases, tmp_path / "run")
    (phrases / "output_phrase_test.txt").write_text("1.png the green building\n", encoding="utf-8")
    assert ask(phrases, tmp_path / "run") != 0
    assert "holds answers of another run (fingerprint" in capsys.readouterr().err
    assert ask(phrases, tmp_path / "run", "--restart") == 0


def test_compare_lists_what_was_won_and_lost(phrases, tmp_path, capsys):
    ask(phrases, tmp_path / "a")
    ask(phrases, tmp_path / "b")
    path = tmp_path / "b" / "answers.jsonl"
    path.write_text(path.read_text().replace('"is_right": true', '"is_right": false'))
    capsys.readouterr()
    assert main(["eval", "compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    out = capsys.readouterr().out
    assert "2 in both: right 1 -> 0" in out
    assert "1 lost" in out
    assert "the red building" in out


def test_unknown_data_is_told(tmp_path, capsys):
    assert main(["eval", "--data", "nothing:here", "-o", str(tmp_path)]) != 0
    assert "expected one of scenes" in capsys.readouterr().err
