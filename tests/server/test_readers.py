"""The readers on tiny data sets in each true format, and on corrupt ones."""

import json
import os
import pickle
from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from inference_server.evaluation.readers.base import InvalidData
from inference_server.evaluation.readers.dior_rsvg import DiorRsvg
from inference_server.evaluation.readers.earthreason import EarthReason
from inference_server.evaluation.readers.ovss import CLASSES, Ovss
from inference_server.evaluation.readers.percent import GeoChat, VrsBench
from inference_server.evaluation.readers.phrases import PhraseList
from inference_server.evaluation.readers.refgeo import RefGeo
from inference_server.evaluation.readers.rle import RunLengthMask
from inference_server.evaluation.readers.rrsisd import RrsisD
from inference_server.evaluation.readers.scene_sets import BENCHMARK_GSDS_M, benchmark_scenes, labelled

MASK = np.zeros((6, 8), bool)
MASK[1:3, 2:7] = True


def image(path, pixels=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 8, 3), 90, np.uint8) if pixels is None else pixels).save(path)


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def runs(mask):
    flat = np.concatenate([[False], mask.T.ravel(), [not mask[-1, -1]]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], ends])).tolist()


@pytest.fixture
def rrsisd(tmp_path):
    refs = [
        {"image_id": 1, "split": split, "file_name": "1.jpg", "category_id": 3, "ann_id": 10, "ref_id": number,
         "sentences": [{"tokens": ["a"], "raw": "A tank", "sent": "a tank", "sent_id": number}]}
        for number, split in enumerate(["train", "test"])
    ]  # fmt: skip
    (tmp_path / "rrsisd").mkdir()
    (tmp_path / "rrsisd" / "refs(unc).p").write_bytes(pickle.dumps(refs, protocol=2))
    content = {
        "images": [{"id": 1, "height": 6, "width": 8, "file_name": "1.jpg"}],
        "categories": [{"id": 3, "name": "storagetank"}],
        "annotations": [
            {"id": 10, "image_id": 1, "categories_id": 3, "bbox": [2, 1, 7, 3], "area": -5,
             "segmentation": [{"size": [6, 8], "counts": runs(MASK)}]}
        ],
    }  # fmt: skip
    text(tmp_path / "rrsisd" / "instances.json", json.dumps(content))
    image(tmp_path / "images" / "rrsisd" / "JPEGImages" / "1.jpg")
    return tmp_path


def test_rrsisd_boxes_are_corners_and_masks_codes(rrsisd):
    (sample,) = RrsisD(rrsisd, "test").samples()
    assert (sample.id, sample.expression, sample.category) == ("1/1", "a tank", "storagetank")
    assert sample.boxes.tolist() == [[2, 1, 7, 3]]
    assert (sample.mask.mask() == MASK).all()
    assert sample.image.tile().rgb.shape == (3, 6, 8)


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_that_calls_something_is_refused_and_does_not_run(rrsisd):
    target = rrsisd / "harm"
    (rrsisd / "rrsisd" / "refs(unc).p").write_bytes(pickle.dumps(Malicious(str(target))))
    with pytest.raises(InvalidData, match=r"refs\(unc\).p: expected a pickle of plain values: it names"):
        list(RrsisD(rrsisd, "test").samples())
    assert not target.exists()


@pytest.mark.parametrize("keep", [0, 1, 40, -1])
def test_a_pickle_cut_off_is_told(rrsisd, keep):
    path = rrsisd / "rrsisd" / "refs(unc).p"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InvalidData, match=r"refs\(unc\).p"):
        list(RrsisD(rrsisd, "test").samples())


def test_json_cut_off_is_told(rrsisd):
    path = rrsisd / "rrsisd" / "instances.json"
    path.write_text(path.read_text()[:60])
    with pytest.raises(InvalidData, match=r"instances.json: expected JSON, it may be cut off"):
        list(RrsisD(rrsisd, "test").samples())


def test_a_missing_image_is_told(rrsisd):
    (sample,) = RrsisD(rrsisd, "test").samples()
    sample.image.path.unlink()
    with pytest.raises(InvalidData, match=r"1.jpg: expected an image, there is no such file"):
        sample.image.tile()


def test_a_broken_image_is_told(rrsisd):
    (sample,) = RrsisD(rrsisd, "test").samples()
    sample.image.path.write_bytes(b"no picture")
    with pytest.raises(InvalidData, match=r"1.jpg: expected an image, it cannot be read"):
        sample.image.tile()


def test_a_code_of_another_size_is_told(tmp_path):
    code = {"size": [6, 8], "counts": runs(MASK)}
    with pytest.raises(InvalidData, match=r"expected the size \(5, 8\) of the image, got \(6, 8\)"):
        RunLengthMask((code,), tmp_path / "a.json", (5, 8)).mask()
    with pytest.raises(InvalidData, match="expected runs over 48 pixels, got 47"):
        RunLengthMask(({"size": [6, 8], "counts": [40, 7]},), tmp_path / "a.json").mask()


def test_a_compressed_code_cut_off_within_a_number_is_told(tmp_path):
    code = {"size": [6, 8], "counts": "0P"}
    with pytest.raises(InvalidData, match=r"a.json: RLE: expected size and counts"):
        RunLengthMask((code,), tmp_path / "a.json").mask()


@given(arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_compressed_codes_are_read_as_pycocotools_writes_them(mask):
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert (RunLengthMask((code,), None).mask() == mask).all()


@pytest.mark.parametrize(("suffix", "name"), [(".png", "risbench"), (".tif", "refsegrs")])
def test_phrase_lists_split_at_the_first_space(tmp_path, suffix, name):
    image(tmp_path / "img_rgb" / f"7{suffix}")
    image(tmp_path / "mask" / f"7{suffix}", MASK.astype(np.uint8) * 255)
    text(tmp_path / "output_phrase_test.txt", f"7{suffix} the tank on the left\n\n")
    (sample,) = PhraseList(tmp_path, "test", name=name).samples()
    assert sample.expression == "the tank on the left"
    assert (sample.mask.mask() == MASK).all()
    text(tmp_path / "output_phrase_test.txt", "7\n")
    with pytest.raises(InvalidData, match="line 1: expected 'file phrase'"):
        list(PhraseList(tmp_path, "test", name=name).samples())


VOC = (
    "<object><name>ship</name><bndbox><xmin>{0}</xmin><ymin>1</ymin><xmax>7</xmax><ymax>3</ymax></bndbox>"
    "<description>ship &amp; pier {0}</description></object>"
)


@pytest.fixture
def dior(tmp_path):
    for stem, numbers in (("00002", (2,)), ("00001", (0, 1))):
        items = "".join(VOC.format(n) for n in numbers)
        body = f"<annotation><filename>{stem}.jpg</filename>{items}</annotation>"
        text(tmp_path / "Annotations" / f"{stem}.xml", body)
        image(tmp_path / "JPEGImages" / f"{stem}.jpg")
    return tmp_path


def test_dior_rsvg_splits_count_objects_over_the_sorted_files(dior):
    text(dior / "test.txt", "1\n2\n")
    first, second = DiorRsvg(dior, "test").samples()
    assert (first.image_name, first.expression) == ("00001.jpg", "ship & pier 1")
    assert (second.image_name, second.boxes.tolist()) == ("00002.jpg", [[2, 1, 7, 3]])


def test_dior_rsvg_tells_what_does_not_fit(dior):
    text(dior / "test.txt", "1 9")
    with pytest.raises(InvalidData, match=r"test.txt: expected numbers below 3"):
        list(DiorRsvg(dior, "test").samples())
    text(dior / "Annotations" / "00001.xml", "<annotation><object>")
    with pytest.raises(InvalidData, match=r"00001.xml: expected a VOC annotation, it may be cut off"):
        list(DiorRsvg(dior, "test").samples())


@pytest.mark.parametrize("part", ["rsvg", "dior_rsvg", "geochat", "vrsbench", "avvg"])
def test_refgeo_records_may_go_over_several_lines(tmp_path, part):
    record = {"question_id": 5, "image_id": "a.png", "dataset": part, "question": "a ship", "bbox": [2, 1, 7, 3],
              "poly": [[2, 1], [7, 1], [7, 3], [2, 3]], "image_width": 8, "image_height": 6}  # fmt: skip
    text(tmp_path / "metainfo" / f"{part}_test.jsonl", json.dumps(record) + "\n" + json.dumps(record, indent=1))
    image(tmp_path / "masks" / part / "a_5.png", MASK.astype(np.uint8))
    samples = list(RefGeo(tmp_path, "test", part=part).samples())
    assert len(samples) == 2
    assert samples[0].corners.shape == (1, 4, 2)
    assert (samples[0].mask.mask() == MASK).all()
    text(tmp_path / "metainfo" / f"{part}_test.jsonl", json.dumps(record)[:-9])
    with pytest.raises(InvalidData, match="cut off"):
        list(RefGeo(tmp_path, "test", part=part).samples())


def test_vrsbench_boxes_are_hundredths_of_512(tmp_path):
    record = {"image_id": "a.png", "question": "a ship", "ground_truth": "{<25><0><50><100>}", "is_unique": True}
    text(tmp_path / "VRSBench_EVAL_referring.json", json.dumps([record]))
    (tmp_path / "images").mkdir()
    (sample,) = VrsBench(tmp_path, "test").samples()
    assert sample.boxes.tolist() == [[128, 0, 256, 512]]
    assert sample.kind == "unique"


def test_geochat_boxes_are_turned(tmp_path):
    record = {"image_id": "a.png", "question": "a ship", "ground_truth": "{<40><45><60><55>|<90>}"}
    text(tmp_path / "referring.jsonl", json.dumps(record))
    image(tmp_path / "images" / "a.png", np.zeros((100, 200, 3), np.uint8))
    (sample,) = GeoChat(tmp_path, "test").samples()
    assert sample.boxes == pytest.approx(np.array([[95, 30, 105, 70]]))
    (tmp_path / "images" / "a.png").unlink()
    with pytest.raises(InvalidData, match=r"a.png: expected an image, there is no such file"):
        list(GeoChat(tmp_path, "test").samples())


def test_earthreason_without_answer_has_no_target(tmp_path):
    root = tmp_path / "RSReasonSeg" / "test"
    for number, answer in enumerate([["a pier"], [""]]):
        image(root / "images" / f"{number}.jpg")
        image(root / "labels" / f"{number}.png", MASK.astype(np.uint8))
        text(root / "QAs" / f"{number}.json", json.dumps({"questions": ["where?", "what?"], "answer": answer}))
    samples = list(EarthReason(tmp_path, "test").samples())
    assert [s.is_negative for s in samples] == [False, False, True, True]
    (root / "labels" / "0.png").unlink()
    with pytest.raises(InvalidData, match=r"expected as many images as labels and QAs, got \[2, 1, 2\]"):
        list(EarthReason(tmp_path, "test").samples())


@pytest.mark.parametrize("name", CLASSES)
def test_ovss_labels_are_indices_below_the_number_of_classes(tmp_path, name):
    image(tmp_path / "img_dir" / "val" / "a.png")
    image(tmp_path / "ann_dir" / "val" / "a.png", MASK.astype(np.uint8))
    (picture,) = Ovss(tmp_path, "val", name=name).pictures()
    assert (picture.label() == MASK).all()
    image(tmp_path / "ann_dir" / "val" / "a.png", MASK.astype(np.uint8) * 99)
    with pytest.raises(InvalidData, match="expected classes below"):
        picture.label()


def test_the_benchmark_asks_the_kinds_evenly():
    scenes = list(islice(benchmark_scenes(), 3))
    assert [s.gsd_m for s in scenes] == list(BENCHMARK_GSDS_M)
    asked = [e for s in scenes for e in s.expressions]
    assert len(asked) == 36
    counts = Counter(e.kind for e in asked)
    assert max(counts.values()) <= 4
    assert counts["negative"]
    assert any(len(e.target_ids) > 1 for e in asked)


def test_there_are_17_ovss_sets():
    assert len(CLASSES) == 17
    assert CLASSES["openearthmap"][8] == ("building", "roof", "house")


@pytest.mark.parametrize(
    ("name", "line"),
    [("planes", "{x} {y} {right} {y} {right} {down} {x} {down} plane 0"), ("cars", "0 {share} 0.5 0.1 0.05")],
)
def test_pictures_that_nobody_measured_are_asked_without_a_pixel_size(tmp_path, name, line):
    for number in range(3):
        image(tmp_path / f"{number}.jpg", np.full((200, 300, 3), 90, np.uint8))
        lines = [line.format(x=80 * k + 20, right=80 * k + 60, y=40, down=90, share=0.25 * k + 0.25) for k in range(3)]
        text(tmp_path / f"{number}.txt", "\n".join(lines))
    sample, *_ = labelled(name, tmp_path).samples()
    tile = sample.image.tile()
    assert tile.crs is None
    assert tile.affine.is_identity
