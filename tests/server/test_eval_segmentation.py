"""Segmentation sets: which class a pixel takes, faults in the denominator, the command from pictures to report."""

import numpy as np
import pytest
from PIL import Image

from inference_server.__main__ import main
from inference_server.evaluation.runner import read_answers
from inference_server.evaluation.segmentation import Segmented, best_classes, class_ious, headline


def test_a_pixel_takes_the_class_with_the_highest_score():
    scored = [(1, np.array([[0.4, 0.9, 0.0]])), (2, np.array([[0.6, 0.2, 0.0]])), (1, np.array([[0.0, 0.1, 0.0]]))]
    assert best_classes(scored, (1, 3), 3).tolist() == [[2, 1, 3]]


def test_unanswered_pixels_lower_the_iou_of_their_class():
    counts = np.array([[6, 0, 2], [1, 3, 4]])
    assert class_ious(counts) == pytest.approx([6 / 9, 3 / 8])
    assert headline(counts) == pytest.approx(3 / 8), "one class beside background: the foreground's"
    three = np.array([[6, 0, 0, 2], [1, 3, 0, 4], [0, 0, 0, 0]])
    assert headline(three) == pytest.approx((6 / 9 + 3 / 8) / 2), "a class that is nowhere does not count"


@pytest.fixture
def whu(tmp_path):
    pixels = np.full((96, 96, 3), (90, 110, 80), np.uint8)
    pixels[30:60, 20:70] = (180, 50, 45)
    for part in ("img_dir", "ann_dir"):
        (tmp_path / "whu" / part / "test").mkdir(parents=True)
    for name in ("a", "b"):
        Image.fromarray(pixels).save(tmp_path / "whu" / "img_dir" / "test" / f"{name}.png")
        label = (pixels[..., 0] == 180).astype(np.uint8)
        Image.fromarray(label).save(tmp_path / "whu" / "ann_dir" / "test" / f"{name}.png")
    (tmp_path / "whu" / "img_dir" / "test" / "b.png").write_bytes(b"no picture")
    return tmp_path / "whu"


def test_the_command_asks_classes_and_counts_an_unreadable_picture_as_not_answered(whu, tmp_path, capsys):
    assert main(["eval", "--data", f"whu-aerial:{whu}", "-o", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "foreground IoU: " in out
    assert "| building | " in out
    assert "| Training-free | 58.80 |" in out
    assert "1 without an answer (each scores 0)" in out
    assert "b.png: expected an image, it cannot be read" in out
    _, (read, unread) = read_answers(tmp_path / "run" / "answers.jsonl", Segmented)
    assert np.sum(read.counts) == np.sum(unread.counts) == 96 * 96
    assert unread.counts == ((0, 0, 96 * 96 - 1500), (0, 0, 1500))
    with Image.open(tmp_path / "run" / "answers" / "a.png") as image:
        assert np.count_nonzero(np.asarray(image) == 1) == read.counts[0][1] + read.counts[1][1]
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8").count("data:image/jpeg") == 9


def test_compare_shows_the_figure_of_both_runs(whu, tmp_path, capsys):
    for name in ("one", "two"):
        main(["eval", "--data", f"whu-aerial:{whu}", "-o", str(tmp_path / name), "--limit", "1"])
    capsys.readouterr()
    path = tmp_path / "one" / "answers.jsonl"
    header = path.read_text(encoding="utf-8").splitlines()[0]
    path.write_text(header + '\n{"id": "a", "image": "a.png", "counts": [[7716, 0, 0], [750, 750, 0]]}\n')
    assert main(["eval", "compare", str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    assert "1 in both: 0.500 -> " in capsys.readouterr().out


def test_compare_of_no_run_is_told(tmp_path, capsys):
    (tmp_path / "answers.jsonl").write_text("[]\n")
    assert main(["eval", "compare", str(tmp_path), str(tmp_path)]) != 0
    assert "expected the answers of a run, JSON lines: its first line is list" in capsys.readouterr().err
