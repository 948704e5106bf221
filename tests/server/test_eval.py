"""The runner and its command: resumed, refused, reported; faults score 0 and are listed."""

import json

import numpy as np
import pytest
from PIL import Image
from rasterio.transform import Affine

from inference_server.__main__ import main
from inference_server.evaluation.judging import Answer, judged
from inference_server.evaluation.readers.base import ImageFile, Sample
from inference_server.evaluation.runner import read_answers
from inference_server.raster import RasterTile
from rsground_plugin.protocol import Detection, GroundingResult


@pytest.fixture
def phrases(tmp_path):
    root = tmp_path / "data"
    for folder in ("img_rgb", "mask"):
        (root / folder).mkdir(parents=True)
    pixels = np.full((96, 96, 3), (90, 110, 80), np.uint8)
    pixels[30:60, 20:70] = (180, 50, 45)
    Image.fromarray(pixels).save(root / "img_rgb" / "1.png")
    Image.fromarray((pixels[..., 0] == 180).astype(np.uint8)).save(root / "mask" / "1.png")
    (root / "output_phrase_test.txt").write_text("1.png the red object\n2.png a tank\n", encoding="utf-8")
    return root


def ask(data, output, *more):
    return main(["eval", "--data", f"risbench:{data}", "-o", str(output), *more])


def test_a_missing_image_scores_zero_and_is_listed(phrases, tmp_path, capsys):
    assert ask(phrases, tmp_path / "run") == 0
    out = capsys.readouterr().out
    assert "| mask | 2 |" in out
    assert "1 without an answer (each scores 0)" in out
    assert "2.png: expected an image, there is no such file" in out
    assert "### ProVG, Table 3" in out
    assert "| ProVG (Ours) | 78.06 |" in out
    assert "| **this run** |" in out
    _, (found, missing) = read_answers(tmp_path / "run" / "answers.jsonl", Answer)
    assert found.truths == ((20, 30, 70, 60),)
    assert not found.error
    assert not missing.is_right
    assert "data:image/jpeg" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_geochat_is_asked_for_oriented_boxes(phrases, tmp_path, capsys):
    (phrases / "images").mkdir()
    (phrases / "img_rgb" / "1.png").rename(phrases / "images" / "1.png")
    record = {"image_id": "1.png", "question": "the red object", "ground_truth": "{<21><31><73><62>|<0>}"}
    (phrases / "referring.jsonl").write_text(json.dumps(record), encoding="utf-8")
    assert main(["eval", "--data", f"geochat:{phrases}", "-o", str(tmp_path / "run")]) == 0
    assert "| rotated box | 1 |" in capsys.readouterr().out


def square(x, y, side, score):
    ring = ((x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y))
    return Detection(f"{x}", score, "tank", hbb=ring, mask=((ring,),))


@pytest.mark.parametrize(
    ("truths", "found", "is_right", "mask"),
    [
        ([(2, 2, 6, 6)], [square(2, 2, 4, 0.9), square(10, 2, 4, 0.5)], True, (16, 16)),
        ([(2, 2, 6, 6)], [square(2, 2, 4, 0.5), square(10, 2, 4, 0.9)], False, (0, 32)),
        ([(2, 2, 6, 6), (10, 2, 14, 6)], [square(2, 2, 4, 0.9), square(10, 2, 4, 0.5)], True, (32, 32)),
        ([], [], True, (0, 0)),
        ([], [square(2, 2, 4, 0.9)], False, (0, 16)),
    ],
)
def test_the_best_answers_one_target_and_all_answer_several(truths, found, is_right, mask):
    tile = RasterTile(np.zeros((3, 20, 20), np.uint8), np.ones((20, 20), bool), Affine.identity())
    truth = np.zeros((20, 20), bool)
    for x0, y0, x1, y1 in truths:
        truth[y0:y1, x0:x1] = True
    sample = Sample("1", ImageFile(None), "1", "tanks", np.array(truths, float).reshape(-1, 4))
    answer = judged(sample, tile, truth, GroundingResult("tanks", "x", "1", tuple(found)), 0.0)
    assert answer.is_right is is_right
    assert answer.mask == mask


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
    path = tmp_path / "a" / "answers.jsonl"
    path.write_text(path.read_text().replace('"is_right": false', '"is_right": true', 1))
    capsys.readouterr()
    assert main(["eval", "compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    out = capsys.readouterr().out
    assert "2 in both: right 1 -> 0" in out
    assert "1 lost" in out
    assert "the red object" in out


def test_unknown_data_is_told(tmp_path, capsys):
    assert main(["eval", "--data", "nothing:here", "-o", str(tmp_path)]) != 0
    assert "expected one of scenes" in capsys.readouterr().err
