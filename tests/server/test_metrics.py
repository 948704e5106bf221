"""The metrics against independent implementations, and each paper's convention."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference_server.evaluation.metrics import (
    CONVENTIONS,
    ConfusionMatrix,
    Overlap,
    average_precision,
    bootstrap_interval,
    box_overlap,
    consistency,
    f1_at,
    mask_overlap,
    referring_scores,
    rotated_overlap,
)
from inference_server.geometry import OBB, iou_hbb, obb_corners

masks = arrays(bool, (7, 9), elements=st.booleans())
coords = st.floats(0, 100, width=32)


def boxes():
    return st.tuples(coords, coords, st.floats(0, 50, width=32), st.floats(0, 50, width=32)).map(
        lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
    )


@given(masks, masks)
def test_mask_iou_is_that_of_pycocotools(a, b):
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    one, two = (coco.encode(np.asfortranarray(m.astype(np.uint8))) for m in (a, b))
    if a.any() or b.any():
        assert mask_overlap(a, b).iou() == pytest.approx(coco.iou([one], [two], [0])[0, 0], abs=1e-6)
    else:
        assert mask_overlap(a, b).iou() == 1
        assert mask_overlap(a, b).iou(both_empty=0) == 0


@given(boxes(), boxes())
def test_box_iou_is_that_of_pycocotools(a, b):
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    wide = [np.array([[x0, y0, x1 - x0, y1 - y0]]) for x0, y0, x1, y1 in (a, b)]
    if min(wide[0][0, 2:].min(), wide[1][0, 2:].min()) > 1e-3:
        assert box_overlap(a, b).iou() == pytest.approx(coco.iou(*wide, [0])[0, 0], abs=1e-6)


def _clipped(subject, clip):
    """Sutherland & Hodgman 1974: the part of a polygon within a convex one, both counter-clockwise."""
    for p, q in zip(clip, np.roll(clip, -1, axis=0), strict=True):
        out = []
        sides = [(q[0] - p[0]) * (s[1] - p[1]) - (q[1] - p[1]) * (s[0] - p[0]) for s in subject]
        for i, s in enumerate(subject):
            e, side, after = subject[(i + 1) % len(subject)], sides[i], sides[(i + 1) % len(subject)]
            if side >= 0:
                out.append(s)
            if (side > 0 > after) or (side < 0 < after):
                out.append(s + (e - s) * side / (side - after))
        subject = out
        if not subject:
            break
    return np.array(subject).reshape(-1, 2)


def _area(points):
    x, y = points[:, 0], points[:, 1]
    return 0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) if len(points) else 0.0


obbs = st.tuples(*(st.floats(0, 20) for _ in range(2)), st.floats(5, 20), st.floats(1, 5), st.floats(-90, 89)).map(
    lambda v: OBB(*v)
)


@given(obbs, obbs, st.permutations(range(4)))
@settings(max_examples=60)
def test_rotated_iou_is_that_of_clipping_and_free_of_the_corners_order(a, b, order):
    one, two = obb_corners(a), obb_corners(b)
    common = _area(_clipped(list(one), two))
    expected = common / (_area(one) + _area(two) - common)
    assert rotated_overlap(one[list(order)], two).iou() == pytest.approx(expected, abs=1e-6)


@given(
    st.lists(
        st.tuples(st.lists(st.tuples(boxes(), st.floats(0, 1)), max_size=5), st.lists(boxes(), max_size=4)),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=40)
def test_average_precision_is_that_of_pycocotools(samples):
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    from pycocotools.cocoeval import COCOeval

    big = [
        ([(b, s) for b, s in answers if min(b[2] - b[0], b[3] - b[1]) > 0.01],
         [t for t in truths if min(t[2] - t[0], t[3] - t[1]) > 0.01])
        for answers, truths in samples
    ]  # fmt: skip
    ours = average_precision(
        [
            (np.array([s for _, s in answers]),
             iou_hbb(np.array([b for b, _ in answers], float).reshape(-1, 4), np.array(truths, float).reshape(-1, 4)))
            for answers, truths in big
        ]
    )  # fmt: skip
    if not any(truths for _, truths in big):
        assert np.isnan(ours)
        return

    def xywh(b):
        return [b[0], b[1], b[2] - b[0], b[3] - b[1]]

    truth, answer = coco.COCO(), coco.COCO()
    images = [{"id": i} for i in range(len(big))]
    for dataset, items in (
        (truth, [(i, t, 0.0) for i, (_, truths) in enumerate(big) for t in truths]),
        (answer, [(i, b, s) for i, (answers, _) in enumerate(big) for b, s in answers]),
    ):
        dataset.dataset = {
            "images": images,
            "categories": [{"id": 1}],
            "annotations": [
                {"id": n, "image_id": i, "category_id": 1, "bbox": xywh(b), "area": 1.0, "iscrowd": 0, "score": s}
                for n, (i, b, s) in enumerate(items, 1)
            ],
        }
        dataset.createIndex()
    run = COCOeval(truth, answer, "bbox")
    run.params.iouThrs = np.array([0.5])
    run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
    run.evaluate()
    run.accumulate()
    assert ours == pytest.approx(float(run.eval["precision"][0, :, 0, 0, -1].mean()), abs=1e-6)


@given(
    arrays(np.uint8, (6, 5), elements=st.integers(0, 2)),
    arrays(np.uint8, (6, 5), elements=st.sampled_from([0, 1, 2, 255])),
)
def test_confusion_matrix_is_the_sets_of_pixels(answer, truth):
    matrix = ConfusionMatrix(3)
    matrix.add(answer[:3], truth[:3])
    matrix.add(answer[3:], truth[3:])
    used = truth != 255
    for c, iou in enumerate(matrix.ious()):
        union = ((answer == c) | (truth == c)) & used
        if union.any():
            assert iou == pytest.approx(((answer == c) & (truth == c)).sum() / union.sum(), abs=1e-6)
        else:
            assert np.isnan(iou)


def test_a_class_out_of_range_is_told():
    with pytest.raises(ValueError, match="0 to 1 in the truth, got 5 to 5"):
        ConfusionMatrix(2).add(np.zeros((1, 1), np.uint8), np.full((1, 1), 5, np.uint8))


def test_rmsin_counts_an_iou_on_the_threshold_and_zeroov_does_not():
    half = [Overlap(1, 2)]
    assert referring_scores(half, CONVENTIONS["rmsin"]).precision[0.5] == 1
    assert referring_scores(half, CONVENTIONS["zeroov"]).precision[0.5] == 0


@pytest.mark.parametrize("paper", ["zeroov", "vrsbench"])
def test_pixel_inclusive_boxes_hold_their_last_pixel(paper):
    inclusive = CONVENTIONS[paper].is_pixel_inclusive
    assert box_overlap((0, 0, 1, 1), (1, 0, 2, 1), is_pixel_inclusive=inclusive).iou() == pytest.approx(2 / 6)
    assert box_overlap((0, 0, 1, 1), (1, 0, 2, 1)).iou() == 0


def test_an_unread_answer_scores_zero_and_stays():
    scores = referring_scores([Overlap(4, 4), None])
    assert (scores.count, scores.miou, scores.precision[0.9]) == (2, 0.5, 0.5)


def test_oiou_weighs_by_area():
    scores = referring_scores([Overlap(100, 100), Overlap(0, 300)])
    assert (scores.miou, scores.oiou) == (0.5, 0.25)


def test_consistency_counts_a_missing_signal_as_nothing():
    square = np.array([(0, 0), (4, 0), (4, 4), (0, 4)], float)
    assert consistency((0, 0, 4, 4), square, square) == pytest.approx(1)
    assert consistency((0, 0, 4, 4), square, None) == pytest.approx(1 / 3)
    assert consistency((0, 0, 4, 4), square, square * [0.5, 1]) == pytest.approx((1 + 0.5 + 0.5) / 3)


def test_f1_of_none_one_and_many():
    assert f1_at(np.zeros((0, 0))) == 1
    assert f1_at(np.zeros((0, 2))) == 0
    assert f1_at(np.array([[0.9, 0.8], [0.7, 0.1]])) == 0.5
    assert f1_at(np.eye(3)) == 1


def test_bootstrap_interval_holds_the_mean_and_narrows_with_the_count():
    values = np.tile([0.0, 1.0], 200)
    low, high = bootstrap_interval(400, lambda i: float(values[i].mean()))
    assert low < 0.5 < high
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.15)
