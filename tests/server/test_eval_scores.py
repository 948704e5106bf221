"""Scores of a run: conventions, oriented boxes, consistency, errors among negatives, the papers' tables."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from rasterio.transform import Affine

from inference_server.evaluation import papers
from inference_server.evaluation.judging import Answer, judge, judged
from inference_server.evaluation.metrics import CONVENTIONS
from inference_server.evaluation.readers.base import ImageFile, Sample
from inference_server.evaluation.readers.named import _BY_NAME
from inference_server.evaluation.readers.ovss import CLASSES
from inference_server.evaluation.report import markdown, measures
from inference_server.evaluation.report_page import picked, rank
from inference_server.evaluation.runner import fingerprint
from inference_server.evaluation.tables import TABLES
from inference_server.evaluation.tables import markdown as ablation
from inference_server.models.zeroov.grounding import FALLBACKS
from inference_server.raster import RasterTile
from rsground_plugin.protocol import Detection, GroundingResult

TILE = RasterTile(np.zeros((3, 20, 20), np.uint8), np.ones((20, 20), bool), Affine.identity())
HEADER = {"engine": "x", "data": "rrsis-d:/data", "split": "test"}


def answer(name="1", *, targets=1, **more):
    return Answer(name, "a.png", "tanks", "", "tank", targets, **more)


def ring(x0, y0, x1, y1):
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))


def test_an_iou_on_the_threshold_counts_by_convention():
    # Continuous: 4 * 2 of 4 * 4. With the last pixel: 5 * 3 of 5 * 5.
    half = answer(truths=((2, 2, 6, 6),), boxes=((2, 2, 6, 4),), scores=(0.9,), mask=(8, 16))
    made = {name: measures([half], name) for name in CONVENTIONS}
    assert [made[name]["box Pr@0.5"] for name in ("default", "zeroov", "vrsbench")] == [1, 1, 1]
    assert [made[name]["box Pr@0.6"] for name in ("default", "zeroov", "vrsbench")] == [0, 0, 1]
    assert [made[name]["mask Pr@0.5"] for name in ("default", "zeroov", "vrsbench")] == [1, 0, 1]
    assert made["zeroov"]["box mIoU"] == pytest.approx(15 / 25)


def test_rows_of_one_target_leave_out_several_and_none_but_keep_errors():
    answers = [
        answer("1", truths=((2, 2, 6, 6),), boxes=((2, 2, 6, 6),), scores=(0.9,), mask=(16, 16), rotated=(16, 16)),
        answer("2", truths=((2, 2, 6, 6),), error="crashed"),
        answer("3", targets=2, truths=((2, 2, 6, 6), (8, 8, 9, 9)), mask=(16, 17)),
        answer("4", targets=0, mask=(0, 0), is_right=True),
        answer("5", targets=0, error="crashed"),
    ]
    made = measures(answers, "default")
    assert made["box mIoU"] == made["mask mIoU"] == made["rotated box mIoU"] == 0.5
    assert made["mask, any number mIoU"] == pytest.approx((1 + 0 + 16 / 17 + 1 + 0) / 5)
    report = markdown(HEADER, answers, "default")
    assert "negatives answered with nothing: 0.500" in report
    assert "## 2 without an answer" in report


def test_the_best_oriented_box_is_compared_and_the_three_geometries_with_each_other():
    square = ring(2, 2, 6, 6)
    found = Detection("1", 0.9, "tank", hbb=square, obb=ring(2, 2, 6, 4), mask=((square,),))
    sample = Sample(
        "1", ImageFile(None), "1", "tank", np.array([[2.0, 2, 6, 6]]), corners=np.array([square[:4]], float)
    )
    truth = np.zeros((20, 20), bool)
    made = judged(sample, TILE, truth, GroundingResult("tank", "x", "1", (found,)), 0.0)
    assert made.rotated == (8, 16)
    assert made.consistency == pytest.approx((0.5 + 1 + 0.5) / 3, abs=1e-4)
    boxless = judged(sample, TILE, truth, GroundingResult("tank", "x", "1", (replace(found, obb=None),)), 0.0)
    assert boxless.consistency == pytest.approx(1 / 3, abs=1e-4)
    assert judged(sample, TILE, None, GroundingResult("tank", "x", "1", (found,)), 0.0).consistency is None
    nothing = judged(sample, TILE, truth, GroundingResult("tank", "x", "1"), 0.0)
    assert (nothing.rotated, nothing.consistency) == ((0, 16), None)


def test_several_targets_are_judged_by_f1():
    truths = np.array([[0, 0, 4, 4], [10, 10, 14, 14], [0, 10, 4, 14]], float)
    assert judge(truths[:2], truths)[0]
    assert judge(truths[:1], truths) == (True, pytest.approx(1 / 3))
    assert not judge(np.array([[5.0, 5, 9, 9], *truths[:1], [15, 0, 18, 3]]), truths)[0]


def test_the_gallery_ranks_by_masks():
    answers = [
        answer("box", truths=((2, 2, 6, 6),), boxes=((2, 2, 6, 6),), mask=(1, 16), is_right=True),
        answer("mask", truths=((2, 2, 6, 6),), boxes=((2, 2, 6, 6),), mask=(12, 16), is_right=True),
        answer("unmasked", truths=((2, 2, 6, 6),), boxes=((2, 2, 6, 4),), is_right=True),
        answer("nothing there", targets=0, is_right=True),
    ]
    groups = picked(answers)
    assert [a.id for a in groups["Best"]] == ["mask", "unmasked", "box"]
    assert [a.id for a in groups["Worst"]] == ["box", "unmasked", "mask", "nothing there"]
    assert rank(answers[2]) == 0.5


def test_average_precision_is_over_all_targets():
    answers = [
        answer("1", truths=((2, 2, 6, 6),), boxes=((2, 2, 6, 6),), scores=(0.9,)),
        answer("2", targets=0, boxes=((0, 0, 1, 1),), scores=(0.95,)),
    ]
    assert "AP@0.5 of the boxes, all targets together: 0.500" in markdown(HEADER, answers, "default")


def test_what_the_engine_said_of_its_answers_is_counted():
    boxed = FALLBACKS["vlm box"]
    answers = [answer("1", notes=(boxed, boxed)), answer("2", notes=(boxed, "It is dark.")), answer("3"), answer("4")]
    report = markdown(HEADER, answers, "default")
    assert f"| {boxed} | 2 | 50.0% |\n| It is dark. | 1 | 25.0% |" in report
    assert "said of its answers" not in markdown(HEADER, [answer("3")], "default")


def test_an_ablation_table_says_how_often_it_fell_back():
    boxed, seeded = ((note,) for note in FALLBACKS.values())
    notes = (boxed, boxed, seeded, ())
    exact = {"truths": ((2, 2, 6, 6),), "boxes": ((2, 2, 6, 6),), "scores": (0.9,), "mask": (16, 16)}
    asked = [answer(str(n), **exact, notes=each) for n, each in enumerate(notes)]
    rows = len(TABLES["zeroov.2"])
    text = ablation("zeroov.2", "rrsis-d", [asked] * rows)
    head, first = (line.split(" | ") for line in text.splitlines() if line.startswith(("| row", "| cross-attention")))
    assert head[-3:] == ["by vlm box", "by seeds", "n |"]
    assert first[-3:] == ["50.00", "25.00", "4 |"]
    # Grown was a quarter; the paper's code would have had nothing for the rest.
    assert first[2:10:2] == ["100.00 / 25.00"] * 4


def test_a_fingerprint_goes_by_the_content_of_small_files_and_by_the_time_of_large_ones(tmp_path):
    small, large = tmp_path / "list.txt", tmp_path / "image.tif"
    small.write_text("a ship")
    large.write_bytes(bytes((1 << 20) + 1))
    first = fingerprint(f"risbench:{tmp_path}", "test")
    os.utime(small, (1, 1))
    assert fingerprint(f"risbench:{tmp_path}", "test") == first
    os.utime(large, (1, 1))
    second = fingerprint(f"risbench:{tmp_path}", "test")
    assert second != first
    small.write_text("a shop")
    assert fingerprint(f"risbench:{tmp_path}", "test") not in (first, second)


def test_the_papers_tables_fit_the_reports_columns():
    records = json.loads(papers._FILE.read_text(encoding="utf-8"))
    full = answer(truths=((2, 2, 6, 6),), boxes=((2, 2, 6, 6),), scores=(0.9,), mask=(16, 16), rotated=(16, 16))
    known = {*measures([full], "default"), "mIoU", "foreground IoU"}
    for record in records:
        assert record["data"] in {*_BY_NAME, *CLASSES}
        assert record["convention"] in CONVENTIONS
        assert set(record["columns"]) <= known
        for row in record["rows"].values():
            assert len(row) == len(record["columns"])
            assert all(v is None or 0 <= v <= 100 for v in row)
    assert {r["data"] for r in records} >= set(CLASSES)


def test_a_table_is_shown_with_our_row_by_the_papers_convention():
    half = answer(truths=((2, 2, 6, 6),), boxes=((2, 2, 6, 6),), scores=(0.9,), mask=(8, 16))
    report = markdown(HEADER, [half], "default")
    ours = [line for line in report.splitlines() if line.startswith("| **this run**")]
    provg, zeroov = ours[:2]
    assert provg.split(" | ")[8] == "100.00"
    assert zeroov.split(" | ")[7] == "0.00"
