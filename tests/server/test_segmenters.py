"""Segmenters: a tile is taken in once; prompts on it give what the libraries' own code gives; faults are told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import Affine

from inference_server.errors import OutOfMemory, PackageMissing, WeightsDamaged, WeightsMissing
from inference_server.geometry import HBB, Mask
from inference_server.models.hardware import Hardware
from inference_server.models.segmenters import Everything, make_segmenter, segmenter_from
from inference_server.models.segmenters.automatic import stability
from inference_server.models.segmenters.frame import MEAN, STD, Frame
from inference_server.models.segmenters.network import NetworkSegmenter
from inference_server.raster import RasterTile

CPU = Hardware("cpu", "fp32")


def tile_of(rgb: np.ndarray, valid: np.ndarray | None = None) -> RasterTile:
    valid = np.ones(rgb.shape[1:], bool) if valid is None else valid
    return RasterTile(rgb=rgb, valid=valid, affine=Affine.identity(), crs=None, nir=None)


def noise(height: int = 50, width: int = 80) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (3, height, width), dtype=np.uint8)


def iou(mask: Mask, truth: np.ndarray) -> float:
    there = mask.full(truth.shape)
    return float((there & truth).sum() / (there | truth).sum())


class PlantedNetwork:
    """Answers every click with the rectangle of the input that holds it, as a network that knows it all."""

    side, low_side, keeps_ratio = 256, 64, True

    def __init__(self, hardware: Hardware = CPU) -> None:
        self.hardware = hardware
        self.embedded = 0

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        self.embedded += 1
        return pixels[0, 2::4, 2::4] > 1.0

    def decode(self, embedding, *, points=None, labels=None, box=None, logits=None, multimask=True):
        from scipy.ndimage import label

        things, _ = label(embedding)
        if points is None:
            points = np.array([[(box[:2] + box[2:]) / 2]])
        at = ((points[:, 0] + 0.5) / 4).astype(int)
        chosen = things[at[:, 1], at[:, 0]]
        masks = np.where((things[None] == chosen[:, None, None]) & (chosen[:, None, None] > 0), 10.0, -10.0)
        blurred = np.where(masks > 0, 0.5, -0.5)  # sure, but not stable
        unsure = masks
        out = np.stack([masks, blurred, unsure], axis=1).astype(np.float32)
        scores = np.tile(np.float32([0.95, 0.99, 0.7]), (len(out), 1))
        scores[chosen == 0] = 0.1
        return (out, scores) if multimask else (out[:, :1], scores[:, :1])


def planted() -> tuple[np.ndarray, list[np.ndarray]]:
    rgb = np.full((3, 160, 240), 30, np.uint8)
    truths = []
    for row, col, rows, cols in ((16, 16, 40, 60), (90, 30, 48, 32), (60, 150, 60, 72)):
        rgb[:, row : row + rows, col : col + cols] = 240
        truth = np.zeros(rgb.shape[1:], bool)
        truth[row : row + rows, col : col + cols] = True
        truths.append(truth)
    return rgb, truths


def segmenter(load=PlantedNetwork, hardware: Hardware = CPU) -> NetworkSegmenter:
    return NetworkSegmenter(load, name="planted", revision="1", hardware=hardware)


# -- the square that a network sees ------------------------------------------------------------------


def test_sam_sees_what_the_library_prepares():
    pytest.importorskip("transformers", reason="the library's image processor is the oracle")
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    rgb = noise(301, 457)
    theirs = SamImageProcessorPil()(rgb.transpose(1, 2, 0), return_tensors="np")
    frame = Frame(301, 457, 1024, keeps_ratio=True)
    assert frame.filled == tuple(theirs["reshaped_input_sizes"][0])
    np.testing.assert_allclose(frame.pixels(rgb), theirs["pixel_values"][0], atol=2e-6)


def test_sam2_sees_the_tile_stretched_and_normalised():
    from PIL import Image

    rgb = noise(301, 457)
    stretched = np.asarray(Image.fromarray(rgb.transpose(1, 2, 0)).resize((128, 128), Image.Resampling.BILINEAR))
    expected = (stretched / 255.0 - MEAN) / STD
    np.testing.assert_allclose(
        Frame(301, 457, 128, keeps_ratio=False).pixels(rgb), expected.transpose(2, 0, 1), atol=1e-5
    )


@pytest.mark.parametrize("keeps_ratio", [True, False])
def test_a_corner_of_the_tile_is_a_corner_of_its_part_of_the_square(keeps_ratio):
    frame = Frame(300, 600, 1024, keeps_ratio)
    rows, cols = frame.filled
    # Half a pixel less: the networks add it.
    np.testing.assert_allclose(frame.points(np.array([[600.0, 300.0]])), [[cols - 0.5, rows - 0.5]])


@pytest.mark.parametrize("keeps_ratio", [True, False])
def test_a_mask_prompt_comes_back_as_it_was(keeps_ratio):
    pytest.importorskip("torch", reason="logits are scaled by torch")
    frame = Frame(150, 300, 1024, keeps_ratio)
    coarse = np.zeros((150, 300), bool)
    coarse[30:90, 60:200] = True
    back = frame.to_tile(frame.low_resolution(coarse, 256)) > 0
    assert (back & coarse).sum() / (back | coarse).sum() > 0.97


# -- prompts -------------------------------------------------------------------------------------------


def test_a_tile_is_embedded_once_and_prompted_often():
    pytest.importorskip("torch", reason="logits are scaled by torch")
    rgb, truths = planted()
    network = PlantedNetwork()
    prompted = segmenter(lambda _: network).encode(tile_of(rgb))
    boxed = prompted.segment_box(HBB(16, 16, 76, 56))
    clicked = prompted.segment_points([(46, 114)])
    masked = prompted.segment_mask(truths[2])
    assert [iou(s.mask, t) > 0.9 for s, t in zip((boxed, clicked, masked), truths, strict=True)] == [True] * 3
    assert network.embedded == 1


def test_everything_is_found_once_and_what_is_unsure_or_unstable_is_not():
    pytest.importorskip("torch", reason="logits are scaled by torch")
    rgb, truths = planted()
    told = []
    found = segmenter().encode(tile_of(rgb)).segment_all(Everything(12), lambda *event: told.append(event))
    assert len(found) == 3
    assert all(max(iou(s.mask, t) for s in found) > 0.9 for t in truths)
    assert [s.score for s in found] == [pytest.approx(0.95)] * 3
    assert told[-1] == ("everything", 144, 144)


def test_stability_is_the_ratio_of_two_areas():
    logits = np.float32([[2, 2, 0.5, -0.5, -2]])
    assert stability(logits, 1.0) == pytest.approx(2 / 4)
    assert stability(np.full((2, 2), -5, np.float32), 1.0) == 0.0


def test_masks_end_where_the_data_do():
    pytest.importorskip("torch", reason="logits are scaled by torch")
    rgb, truths = planted()
    valid = np.ones(rgb.shape[1:], bool)
    valid[:, :40] = False
    found = segmenter().encode(tile_of(rgb, valid)).segment_all(Everything(12))
    assert not any((s.mask.full(valid.shape) & ~valid).any() for s in found)
    assert any(iou(s.mask, truths[0] & valid) > 0.85 for s in found)


def test_an_empty_or_wrong_coarse_mask_is_told():
    prompted = segmenter().encode(tile_of(noise()))
    assert prompted.segment_mask(np.zeros((50, 80), bool)) is None
    with pytest.raises(ValueError, match=r"expected shape \(50, 80\), got \(3, 3\)"):
        prompted.segment_mask(np.ones((3, 3), bool))


def test_regions_answer_without_weights():
    rgb, truths = planted()
    prompted = segmenter_from({}).encode(tile_of(rgb))
    assert iou(prompted.segment_box(HBB(30, 90, 62, 138)).mask, truths[1]) > 0.95
    found = prompted.segment_all(Everything(16))
    assert all(max(iou(s.mask, t) for s in found) > 0.95 for t in truths)
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)


# -- the libraries' networks ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    pytest.importorskip("transformers", reason="tiny SAMs are made with transformers")
    import tiny_segmenters

    folder = tmp_path_factory.mktemp("sam")
    return {kind: getattr(tiny_segmenters, kind)(folder / kind) for kind in ("sam", "sam2")}


@pytest.fixture(params=["sam", "sam2"])
def checkpoint(request, checkpoints) -> Path:
    return checkpoints[request.param]


def library_masks(folder: Path, rgb: np.ndarray, **prompts) -> tuple[np.ndarray, np.ndarray]:
    """Masks (3, row, col) and scores (3,) by the library's own forward pass from pixels."""
    import torch
    from transformers import Sam2Model, SamModel
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    is_first = folder.name == "sam"
    model = (SamModel if is_first else Sam2Model).from_pretrained(folder).eval()
    frame = Frame(*rgb.shape[1:], 64, keeps_ratio=is_first)
    with torch.inference_mode():
        out = model(pixel_values=torch.from_numpy(frame.pixels(rgb))[None], **prompts)
    if is_first:
        processor = SamImageProcessorPil(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64})
        masks = processor.post_process_masks([out.pred_masks[0]], [rgb.shape[1:]], [frame.filled])[0][0]
    else:
        masks = torch.nn.functional.interpolate(out.pred_masks[0], rgb.shape[1:], mode="bilinear")[0] > 0
    return masks.numpy(), out.iou_scores[0, 0].numpy()


def test_a_box_gives_the_librarys_best_mask(checkpoint):
    import torch

    rgb = noise()
    frame = Frame(50, 80, 64, keeps_ratio=checkpoint.name == "sam")
    rows, cols = frame.filled
    corners = torch.tensor([[[10 * cols / 80, 5 * rows / 50, 60 * cols / 80, 40 * rows / 50]]]) - 0.5
    masks, scores = library_masks(checkpoint, rgb, input_boxes=corners)
    segment = make_segmenter(str(checkpoint)).encode(tile_of(rgb)).segment_box(HBB(10, 5, 60, 40))
    best = int(scores.argmax())
    np.testing.assert_array_equal(segment.mask.full((50, 80)), masks[best])
    assert segment.score == pytest.approx(float(scores[best]), abs=1e-5)


def test_a_click_gives_the_librarys_best_mask(checkpoint):
    import torch

    rgb = noise()
    rows, cols = Frame(50, 80, 64, keeps_ratio=checkpoint.name == "sam").filled
    click = torch.tensor([[[[33 * cols / 80, 21 * rows / 50]]]]) - 0.5
    masks, scores = library_masks(checkpoint, rgb, input_points=click, input_labels=torch.ones(1, 1, 1, dtype=int))
    segment = make_segmenter(str(checkpoint)).encode(tile_of(rgb)).segment_points([(33, 21)])
    np.testing.assert_array_equal(segment.mask.full((50, 80)), masks[int(scores.argmax())])


def test_negative_clicks_and_coarse_masks_reach_the_network(checkpoint):
    network = make_segmenter(str(checkpoint)).network()
    embedding = network.embed(Frame(50, 80, 64, True).pixels(noise()))
    points, box = np.float32([[[20, 20], [40, 40]]]), np.float32([5, 5, 50, 40])
    first, second = (network.decode(embedding, points=points, labels=np.array([[1, x]]))[0] for x in (0, 1))
    assert not np.allclose(first, second)
    plain = network.decode(embedding, box=box, multimask=False)[0]
    prompted = network.decode(embedding, box=box, logits=np.full((16, 16), 7, np.float32), multimask=False)[0]
    assert plain.shape == prompted.shape == (1, 1, 16, 16)
    assert not np.allclose(plain, prompted)


def test_a_batch_of_clicks_gives_what_each_gives_alone(checkpoint):
    network = make_segmenter(str(checkpoint)).network()
    embedding = network.embed(Frame(50, 80, 64, True).pixels(noise()))
    points = np.random.default_rng(0).uniform(0, 60, (5, 1, 2)).astype(np.float32)
    labels = np.ones((5, 1), np.int64)
    logits, scores = network.decode(embedding, points=points, labels=labels)
    alone = [network.decode(embedding, points=points[i : i + 1], labels=labels[:1]) for i in range(5)]
    np.testing.assert_allclose(logits, np.concatenate([a[0] for a in alone]), atol=1e-5)
    np.testing.assert_allclose(scores, np.concatenate([a[1] for a in alone]), atol=1e-5)


def test_everything_keeps_what_the_library_keeps(checkpoints):
    import torch
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    rgb, settings = noise(), Everything(5, pred_iou=1e-9, stability=0.3, stability_offset=1e-6, nms_iou=1.0)
    prompted = make_segmenter(str(checkpoints["sam"])).encode(tile_of(rgb))
    ours = prompted.segment_all(settings)
    from inference_server.models.segmenters.automatic import grid

    frame = Frame(50, 80, 64, True)
    logits, scores = prompted._decode(points=frame.points(grid(50, 80, 5))[:, None], labels=np.ones((25, 1), int))
    large = torch.from_numpy(np.stack([[frame.to_tile(m) for m in three] for three in logits]))
    _, kept, _ = SamImageProcessorPil().filter_masks(
        large, torch.from_numpy(scores), (50, 80), [0, 0, 80, 50],
        pred_iou_thresh=1e-9, stability_score_thresh=0.3, stability_score_offset=1e-6,
    )  # fmt: skip
    assert 0 < len(kept) < 75
    np.testing.assert_allclose(sorted(s.score for s in ours), sorted(kept.clip(0, 1).tolist()), atol=1e-8)


def test_a_tile_answers_after_its_segmenter_was_unloaded(checkpoint):
    segmenter = make_segmenter(str(checkpoint))
    prompted = segmenter.encode(tile_of(noise()))
    before = prompted.segment_points([(30, 20)])
    segmenter.unload()
    after = prompted.segment_points([(30, 20)])
    np.testing.assert_array_equal(before.mask.full((50, 80)), after.mask.full((50, 80)))


def test_half_precision_gives_nearly_the_same(checkpoint):
    from inference_server.models.segmenters import transformers_sam

    pixels = Frame(50, 80, 64, True).pixels(noise())
    logits = []
    for dtype in ("fp32", "bf16"):
        network = transformers_sam.load(checkpoint, Hardware("cpu", dtype))
        logits.append(network.decode(network.embed(pixels), box=np.float32([5, 5, 50, 40]))[0])
    assert np.abs(logits[0] - logits[1]).max() < 0.05 * max(1.0, np.abs(logits[0]).max())


# -- faults --------------------------------------------------------------------------------------------


def test_too_little_memory_moves_down_the_ladder_and_stays_there():
    tried = []

    class Large(PlantedNetwork):
        def embed(self, pixels):
            tried.append(self.hardware)
            if self.hardware.device != "cpu":
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return super().embed(pixels)

    gpu = Hardware("cuda", "fp32", half="fp16")
    large = segmenter(Large, gpu)
    large.encode(tile_of(noise()))
    assert [(h.device, h.dtype) for h in tried if not h.offload] == [
        ("cuda", "fp32"),
        ("cuda", "fp16"),
        ("cpu", "fp32"),
    ]
    large.encode(tile_of(noise()))
    assert tried[-1].device == "cpu"
    assert len([h for h in tried if h.device == "cuda"]) == len(tried) - 2


def test_too_little_memory_everywhere_is_told():
    class TooLarge(PlantedNetwork):
        def embed(self, pixels):
            raise MemoryError

    with pytest.raises(OutOfMemory, match="Choose a smaller area"):
        segmenter(TooLarge).encode(tile_of(noise()))


def test_missing_weights_say_how_to_get_them(tmp_path, monkeypatch):
    pytest.importorskip("transformers", reason="packages are asked for first")
    monkeypatch.setenv("RSGROUND_MODELS", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(WeightsMissing, match="rsground models pull facebook/sam-vit-huge"):
        make_segmenter("facebook/sam-vit-huge")
    with pytest.raises(WeightsMissing, match=r"rsground models pull sam_vit_b_01ec64\.pth"):
        make_segmenter("sam_vit_b_01ec64.pth")
    with pytest.raises(WeightsMissing, match="RSGROUND_SEGMENTER"):
        make_segmenter(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsMissing, match=r"expected config\.json"):
        make_segmenter(str(tmp_path / "empty"))


def test_damaged_weights_say_so(checkpoints, tmp_path):
    import shutil

    folder = shutil.copytree(checkpoints["sam"], tmp_path / "sam")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(WeightsDamaged, match="pull them again"):
        make_segmenter(str(folder)).encode(tile_of(noise()))
    (folder / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(WeightsDamaged, match="needs one of type sam or sam2"):
        make_segmenter(str(folder)).encode(tile_of(noise()))
    (folder / "config.json").write_text("{")
    with pytest.raises(WeightsDamaged, match="no configuration"):
        make_segmenter(str(folder))


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    pytest.importorskip("transformers", reason="packages are asked for first")
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "segment_anything" else find(name))
    path = tmp_path / "sam_vit_b_01ec64.pth"
    path.write_bytes(b"")
    with pytest.raises(PackageMissing, match=r"not installed here: .*segment_anything"):
        make_segmenter(str(path)).encode(tile_of(noise()))


# -- original checkpoints ------------------------------------------------------------------------------


def test_an_original_checkpoint_gives_what_its_own_predictor_gives(tmp_path, monkeypatch):
    pytest.importorskip("torchvision", reason="segment_anything imports it")
    segment_anything = pytest.importorskip("segment_anything", reason="original checkpoints are its")
    import torch
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    def tiny(checkpoint=None):
        torch.manual_seed(0)
        return Sam(
            image_encoder=ImageEncoderViT(
                depth=2, embed_dim=16, img_size=64, mlp_ratio=2, num_heads=2, patch_size=16, out_chans=16,
                use_rel_pos=True, global_attn_indexes=[1], window_size=2,
            ),
            prompt_encoder=PromptEncoder(
                embed_dim=16, image_embedding_size=(4, 4), input_image_size=(64, 64), mask_in_chans=8
            ),
            mask_decoder=MaskDecoder(
                num_multimask_outputs=3, transformer=TwoWayTransformer(2, 16, 2, 32), transformer_dim=16,
                iou_head_depth=3, iou_head_hidden_dim=16,
            ),
        )  # fmt: skip

    path = tmp_path / "sam_vit_b_tiny.pth"
    model = tiny().eval()
    torch.save(model.state_dict(), path)
    monkeypatch.setitem(segment_anything.sam_model_registry, "vit_b", tiny)
    rgb = noise()
    prompted = make_segmenter(str(path)).encode(tile_of(rgb))
    predictor = segment_anything.SamPredictor(model)
    frame = Frame(50, 80, 64, True)
    predictor.set_torch_image(
        torch.nn.functional.pad(
            torch.from_numpy(frame.pixels(rgb)[:, : frame.filled[0]])[None] * model.pixel_std + model.pixel_mean,
            (0, 0, 0, 0),
        ),
        (50, 80),
    )
    masks, scores, _ = predictor.predict(box=np.array([10, 5, 60, 40]) - 0.5 / (64 / 80))
    # Our pixels were normalised with the rounded constants in 0 to 1, theirs in 0 to 255.
    segment = prompted.segment_box(HBB(10, 5, 60, 40))
    agreed = segment.mask.full((50, 80)) == masks[int(scores.argmax())]
    assert agreed.mean() > 0.999
    assert segment.score == pytest.approx(max(0.0, float(scores.max())), abs=1e-3)


def test_an_original_checkpoint_of_unknown_kind_is_told(tmp_path):
    pytest.importorskip("torchvision", reason="segment_anything imports it")
    pytest.importorskip("segment_anything", reason="original checkpoints are its")
    path = tmp_path / "weights.pth"
    path.write_bytes(b"none")
    with pytest.raises(WeightsDamaged, match="vit_h, vit_l, vit_b"):
        make_segmenter(str(path)).encode(tile_of(noise()))
    damaged = tmp_path / "sam_vit_b_01ec64.pth"
    damaged.write_bytes(b"none")
    with pytest.raises(WeightsDamaged, match="cannot be loaded"):
        make_segmenter(str(damaged)).encode(tile_of(noise()))


def test_hardware_is_a_value():
    assert dataclasses.replace(CPU, dtype="bf16").sentence == "the CPU"
    assert Hardware("cuda", "fp16", offload=True).sentence == "cuda in fp16, part of it in main memory"
