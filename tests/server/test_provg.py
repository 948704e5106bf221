"""ProVG's network, piece by piece, against the paper's equations."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="ProVG's network needs torch: pip install 'rsground[provg]'")

from torch.nn import functional  # noqa: E402

from inference_server.models.provg.cfm import CrossScaleFusion, RepVGGBlock  # noqa: E402
from inference_server.models.provg.config import FULL, ProVGConfig  # noqa: E402
from inference_server.models.provg.decouple import Cues, decouple  # noqa: E402
from inference_server.models.provg.export import export  # noqa: E402
from inference_server.models.provg.heads import BoxHead, coordinates_like, rectangle_of  # noqa: E402
from inference_server.models.provg.inputs import feed_of, pack, planes_of, tokens_of  # noqa: E402
from inference_server.models.provg.lcd import CalibrationDecoder  # noqa: E402
from inference_server.models.provg.model import ProVG, load_checkpoint, save_checkpoint, tensors_of  # noqa: E402
from inference_server.models.provg.pcm import (  # noqa: E402
    CrossAttention,
    Language,
    LocateAttention,
    Modulator,
    SurveyAttention,
    VerifyAttention,
    WordFeatures,
)
from inference_server.models.provg.text import CompactTextEncoder, masked_mean  # noqa: E402
from inference_server.models.provg.tokenizer import SubwordTokenizer, build_vocabulary  # noqa: E402

TINY = ProVGConfig(
    channels=(8, 12, 16, 24), depths=(1, 1, 1, 1), text_width=16, text_layers=2, text_heads=2, vocabulary_size=600,
    max_tokens=32, image_size=64, width=12,
)  # fmt: skip
TOKENIZER = SubwordTokenizer(build_vocabulary(["the white tank left of the road", "red roofs"], TINY.vocabulary_size))
SENTENCES = ("the white tank left of the road", "roof", "the second red car from the left, near the lake")

#: The last map, 4 x 4, is one window.
SWIN = {"image_size": 128, "embed_dim": 8, "depths": [1, 2, 2, 1], "num_heads": [1, 2, 4, 8], "window_size": 4}


def tokens(sentences=SENTENCES, *, extra=0):
    """The three packed cues as tensors, with ``extra`` columns of padding."""
    parts = [tensors_of(t) for t in tokens_of([decouple(s) for s in sentences], TOKENIZER, TINY.max_tokens)]
    return [functional.pad(part, (0, extra)) for part in parts]


def words(batch=2, count=5, width=16, real=3):
    is_word = torch.zeros(batch, count, dtype=torch.bool)
    is_word[:, :real] = True
    return WordFeatures(torch.randn(batch, count, width), is_word)


def language():
    return Language(words(), words(count=4, real=2), words(count=3, real=3))


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


class TestModulator:
    def test_attention_is_softmax_over_words_and_padding_weighs_nothing(self):
        attention, queries, cue = CrossAttention(6), torch.randn(1, 4, 6), words(1, 5, 6)
        q, k, v = attention.query(queries), attention.key(cue.features[:, :3]), attention.value(cue.features[:, :3])
        expected = torch.softmax(q @ k.mT / 6**0.5, -1) @ v
        torch.testing.assert_close(attention(queries, cue.features, cue.is_word), expected)

    def test_survey_gates_each_pixel_and_channel(self):
        survey, v, cues = SurveyAttention(8, 16), torch.randn(2, 8, 3, 5), language()
        gate = survey.gate(v, cues)
        assert gate.shape == v.shape
        assert 0 < gate.min() < gate.max() < 1
        torch.testing.assert_close(survey(v, cues), survey.project(v * gate))

    def test_survey_attends_from_the_pixel_it_gates(self):
        survey, v, cues = SurveyAttention(8, 16), torch.randn(2, 8, 3, 5), language()
        moved = v.clone()
        moved[:, :, 1, 2] += 1.0
        changed = (survey.gate(moved, cues) != survey.gate(v, cues)).any(1)
        assert changed[:, 1, 2].all()
        assert changed.sum() == 2

    def test_locate_has_one_weight_a_pixel(self):
        locate, v, cues = LocateAttention(8, 16), torch.randn(2, 8, 3, 5), language()
        gate = locate.gate(v, cues)
        assert gate.shape == (2, 1, 3, 5)
        torch.testing.assert_close(locate(v, cues), locate.project(v * gate))
        pixel = locate.attention(
            locate.saliency(v)[:, :, 2, 4][..., None], locate.words(cues.spatial.features), cues.spatial.is_word
        )
        torch.testing.assert_close(gate[:, 0, 2, 4], torch.sigmoid(pixel)[:, 0, 0])

    def test_verify_has_one_weight_a_channel_and_no_projection(self):
        verify, v, cues = VerifyAttention(8, 16), torch.randn(2, 8, 3, 5), language()
        gate = verify.gate(v, cues)
        assert gate.shape == (2, 8, 1, 1)
        torch.testing.assert_close(verify(v, cues), v * gate)
        channel = verify.attention(
            v[:, 3:4].mean((2, 3))[..., None], verify.words(cues.attributes.features), cues.attributes.is_word
        )
        torch.testing.assert_close(gate[:, 3, 0, 0], torch.sigmoid(channel)[:, 0, 0])

    @pytest.mark.parametrize(
        ("letter", "part"),
        [("S", "context"), ("L", "spatial"), ("V", "attributes")],
    )
    def test_each_step_reads_its_own_cue(self, letter, part):
        modulate, v, cues = Modulator(8, replace(TINY, order=letter)), torch.randn(2, 8, 3, 5), language()
        for other in ("context", "spatial", "attributes"):
            changed = Language(**{**cues.__dict__, other: words()})
            assert torch.equal(modulate(v, changed), modulate(v, cues)) == (other != part)

    @pytest.mark.parametrize("order", ["".join(p) for p in itertools.permutations("SLV")] + ["LV"])
    def test_order_is_the_order_of_steps(self, order):
        modulate, v, cues = Modulator(8, replace(TINY, order=order)), torch.randn(2, 8, 3, 5), language()
        kinds = {"S": SurveyAttention, "L": LocateAttention, "V": VerifyAttention}
        assert [type(step) for step in modulate.steps] == [kinds[letter] for letter in order]
        expected = v
        for step in modulate.steps:
            expected = step(expected, cues)
        torch.testing.assert_close(modulate(v, cues), expected)

    def test_global_guidance_depends_on_the_sentence_mean_alone(self):
        modulate = Modulator(8, replace(TINY, modulation="global"))
        v, cues = torch.randn(2, 8, 3, 5), language()
        mean = masked_mean(cues.context.features, cues.context.is_word)
        same = WordFeatures(mean[:, None].expand(-1, 5, -1), torch.ones(2, 5, dtype=torch.bool))
        torch.testing.assert_close(modulate(v, cues), modulate(v, Language(same, words(), words())))

    def test_parallel_injection_is_both_on_the_same_map(self):
        modulate = Modulator(8, replace(TINY, modulation="parallel"))
        v, cues = torch.randn(2, 8, 3, 5), language()
        torch.testing.assert_close(modulate(v, cues), (modulate.steps[0](v, cues) + modulate.steps[1](v, cues)) / 2)


class TestFusion:
    def test_fused_blocks_agree(self):
        block = RepVGGBlock(6)
        for norm in (block.three[1], block.one[1]):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            norm.weight.data.uniform_(0.5, 2)
            norm.bias.data.normal_()
        block.eval()
        x = torch.randn(2, 6, 9, 7)
        before = block(x)
        block.fuse()
        assert not hasattr(block, "three")
        torch.testing.assert_close(block(x), before, atol=1e-5, rtol=1e-5)

    def test_fused_network_agrees(self):
        network = ProVG(TINY)
        image = torch.randn(3, 5, 64, 64)
        network.train()
        with torch.no_grad():
            network(image, *tokens())  # gives the norms statistics of their own
            network.eval()
            before = network(image, *tokens())
            after = network.fuse()(image, *tokens())
        torch.testing.assert_close(after.mask_logits, before.mask_logits, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(after.box, before.box, atol=1e-5, rtol=1e-5)

    def test_equations_8_and_9_as_printed(self):
        fusion = CrossScaleFusion(replace(TINY, is_cascaded=False)).eval()
        maps = [torch.randn(1, c, 16 >> i, 16 >> i) for i, c in enumerate(TINY.channels)]
        v = [project(x) for project, x in zip(fusion.lateral, maps, strict=True)]
        down = [fusion.down_blocks[i](v[i] + functional.interpolate(v[i + 1], scale_factor=2)) for i in range(3)]
        down.append(v[3])
        up = [down[0]] + [fusion.up_blocks[i - 1](down[i] + fusion.reduce[i - 1](down[i - 1])) for i in (1, 2, 3)]
        for found, expected in zip(fusion(maps), up, strict=True):
            torch.testing.assert_close(found, expected)

    def test_without_fusion_scales_stay_apart(self):
        fusion = CrossScaleFusion(replace(TINY, fusion=False)).eval()
        maps = [torch.randn(1, c, 16 >> i, 16 >> i) for i, c in enumerate(TINY.channels)]
        before = fusion(maps)
        maps[3] = maps[3] + 1
        after = fusion(maps)
        assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True, True, True, False]


class TestDecoder:
    def test_equations_10_and_11(self):
        decoder = CalibrationDecoder(TINY)
        maps = [torch.randn(1, 12, 16 >> i, 16 >> i) for i in range(4)]
        sentence = torch.randn(1, 16)
        decoded = decoder(maps, sentence)
        expected = None
        for i in (3, 2, 1, 0):
            x = decoder.mix[i](maps[i] if expected is None else torch.cat([maps[i], expected], 1))
            x = x + x * torch.sigmoid(decoder.calibrate[i].linear(sentence))[:, :, None, None]
            expected = functional.interpolate(x, scale_factor=2.0 if i else 1.0, mode="bilinear", align_corners=False)
            torch.testing.assert_close(decoded[i], expected)
        assert decoded[0].shape[-2:] == (16, 16)

    def test_without_calibration_the_sentence_is_not_read(self):
        decoder = CalibrationDecoder(replace(TINY, calibration=False))
        maps = [torch.randn(1, 12, 16 >> max(0, i - 1), 16 >> max(0, i - 1)) for i in range(4)]
        assert torch.equal(decoder(maps, torch.zeros(1, 16))[0], decoder(maps, torch.ones(1, 16))[0])


class TestBoxHead:
    def test_equations_12_and_13(self):
        head = BoxHead(replace(TINY, box_pooling="mean", coordinates=False))
        decoded = [torch.randn(2, 12, 16 >> max(0, i - 1), 16 >> max(0, i - 1)) for i in range(4)]
        pooled = torch.stack(
            [functional.relu(p(x)).mean((2, 3)) for p, x in zip(head.project, decoded, strict=True)], 1
        )
        weights = torch.softmax(head.stage_weights(pooled.mean(2)), 1)
        _, features = head(decoded, torch.zeros(2, 1, 16, 16))
        torch.testing.assert_close(features, sum(weights[:, i, None] * pooled[:, i] for i in range(4)))

    def test_without_aggregation_only_the_finest_stage_counts(self):
        head = BoxHead(replace(TINY, aggregation=False))
        decoded = [torch.randn(2, 12, 16 >> max(0, i - 1), 16 >> max(0, i - 1)) for i in range(4)]
        before, _ = head(decoded, torch.zeros(2, 1, 16, 16))
        decoded[1:] = [x + 1 for x in decoded[1:]]
        assert torch.equal(head(decoded, torch.zeros(2, 1, 16, 16))[0], before)

    def test_mask_pooling_reads_where_the_mask_is(self):
        head = BoxHead(replace(TINY, coordinates=False))
        decoded = [torch.zeros(1, 12, 16 >> max(0, i - 1), 16 >> max(0, i - 1)) for i in range(4)]
        decoded[0][..., 2:4, 2:4] = 1.0
        foreground = torch.full((1, 1, 16, 16), -20.0)
        foreground[..., 2:4, 2:4] = 20.0
        here = functional.relu(head.project[0](decoded[0]))[0, :, 2, 2]
        torch.testing.assert_close(head._pool(0, decoded[0], foreground)[0], here, atol=0.02, rtol=0.02)

    def test_anchor_is_the_rectangle_that_is_likely(self):
        foreground = torch.full((2, 1, 16, 32), -3.0)
        foreground[0, 0, 4:8, 10:22] = 2.0
        foreground[1, 0, 15, 31] = -1.0
        wanted = [[16 / 32, 6 / 16, 12 / 32, 4 / 16], [31.5 / 32, 15.5 / 16, 1 / 32, 1 / 16]]
        torch.testing.assert_close(rectangle_of(foreground), torch.tensor(wanted))

    def test_anchored_box_begins_at_the_mask_and_learns_the_difference(self):
        head = BoxHead(replace(TINY, box_anchor=True))
        decoded = [torch.randn(1, 12, 16 >> max(0, i - 1), 16 >> max(0, i - 1)) for i in range(4)]
        foreground = torch.full((1, 1, 16, 16), -8.0)
        foreground[..., 2:6, 8:12] = 8.0
        box, _ = head(decoded, foreground)
        torch.testing.assert_close(box, torch.tensor([[10 / 16, 4 / 16, 4 / 16, 4 / 16]]))
        box[:, 0].sum().backward()
        assert head.mlp[-1].weight.grad.abs().sum() > 0

    def test_coordinates_are_pixel_centres(self):
        grid = coordinates_like(torch.zeros(1, 3, 2, 4))
        assert grid[0, 0, 0].tolist() == [0.125, 0.375, 0.625, 0.875]
        assert grid[0, 1, :, 0].tolist() == [0.25, 0.75]


class TestText:
    def test_packed_phrases_equal_phrases_of_their_own(self):
        encoder = CompactTextEncoder(TINY).eval()
        phrases = ("white tank", "left of the road", "red")
        packed = tensors_of(pack([phrases], TOKENIZER, 32))
        together = encoder(*packed)[0]
        apart = [encoder(*tensors_of(pack([(p,)], TOKENIZER, 32)))[0] for p in phrases]
        torch.testing.assert_close(together, torch.cat(apart), atol=1e-5, rtol=1e-5)

    def test_bert_packs_alike(self):
        transformers = pytest.importorskip("transformers", reason="BERT comes through transformers")
        from inference_server.models.provg.text import BertTextEncoder

        config = replace(TINY, text="bert")
        sizes = transformers.BertConfig(
            vocab_size=600, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
        )
        encoder = BertTextEncoder(config, bert_config=sizes).eval()
        packed = encoder(*tensors_of(pack([("white tank", "red")], TOKENIZER, 32)))[0]
        alone = encoder(*tensors_of(pack([("red",)], TOKENIZER, 32)))[0]
        torch.testing.assert_close(packed[-len(alone) :], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("extra", [1, 7])
def test_padding_never_changes_an_answer(extra):
    network = ProVG(TINY).eval()
    image = torch.randn(3, 5, 64, 64)
    with torch.no_grad():
        plain, padded = network(image, *tokens()), network(image, *tokens(extra=extra))
        alone = network(image[1:2], *tokens(SENTENCES[1:2]))
    for name in ("mask_logits", "box", "presence_logit"):
        torch.testing.assert_close(getattr(padded, name), getattr(plain, name), atol=1e-5, rtol=1e-5)
        # In a batch the short sentence is padded to the long one's length.
        torch.testing.assert_close(getattr(alone, name)[0], getattr(plain, name)[1], atol=1e-5, rtol=1e-5)


ABLATIONS = {
    "w/o PCM": {"modulation": "none"},
    "Fig. 2(a)": {"modulation": "global"},
    "Fig. 2(b)": {"modulation": "parallel"},
    "Fig. 2(c)": {"order": "LV"},
    "S-V-L": {"order": "SVL"},
    "L-V-S": {"order": "LVS"},
    "V-L-S": {"order": "VLS"},
    "w/o CFM": {"fusion": False},
    "w/o LCM": {"calibration": False},
    "w/o FA": {"aggregation": False},
    "not residual": {"is_residual": False},
    "box from the mask": {"box_anchor": True},
    "as printed": {
        "is_cascaded": False,
        "box_pooling": "mean",
        "coordinates": False,
        "presence": False,
        "word_kernel": False,
    },
}


@pytest.mark.parametrize("change", ABLATIONS.values(), ids=ABLATIONS)
def test_every_ablation_answers_and_learns(change):
    network = ProVG(replace(TINY, **change))
    output = network(torch.randn(3, 5, 64, 64), *tokens())
    assert output.mask_logits.shape == (3, 2, 64, 64)
    assert output.box.shape == (3, 4)
    assert (output.presence_logit is None) == ("presence" in change)
    loss = output.mask_logits.square().mean() + output.box.sum()
    if output.presence_logit is not None:
        loss = loss + output.presence_logit.sum()
    loss.backward()
    without = {name for name, p in network.named_parameters() if p.grad is None}
    unused = {"heads.box.project.", "heads.box.stage_weights"} if change == {"aggregation": False} else set()
    assert all(any(name.startswith(u) for u in unused) for name in without), without


def test_language_changes_the_answer():
    network, image = ProVG(TINY).eval(), torch.randn(1, 5, 64, 64)
    with torch.no_grad():
        answers = [network(image, *tokens((s,))).mask_logits for s in SENTENCES]
    assert not torch.allclose(answers[0], answers[1])


def test_checkpoint_round_trip(tmp_path: Path):
    network = ProVG(TINY).eval()
    save_checkpoint(network, tmp_path / "a.pt", vocabulary=TOKENIZER.vocabulary, step=7)
    stored = load_checkpoint(tmp_path / "a.pt")
    assert (stored["config"], stored["step"]) == (TINY, 7)
    assert tuple(stored["vocabulary"]) == TOKENIZER.vocabulary
    image = torch.randn(1, 5, 64, 64)
    with torch.no_grad():
        assert torch.equal(
            stored["network"](image, *tokens(("roof",))).mask_logits, network(image, *tokens(("roof",))).mask_logits
        )
    torch.save({"weights": 1}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="rsground train provg"):
        load_checkpoint(tmp_path / "other.pt")


def test_full_size_of_tiny_parts_from_local_folders(tmp_path: Path):
    """Swin and BERT, saved as folders, loaded from them by name, and the whole saved and loaded as a checkpoint."""
    transformers = pytest.importorskip("transformers", reason="Swin and BERT come through transformers")
    from inference_server.models.provg.backbone import SwinBackbone
    from inference_server.models.provg.text import BertTextEncoder, BertTokenizer

    swin = transformers.SwinConfig(
        image_size=128, embed_dim=8, depths=[1, 1, 2, 1], num_heads=[1, 2, 4, 8], window_size=4
    )
    transformers.SwinModel(swin, add_pooling_layer=False).save_pretrained(tmp_path / "swin")
    bert = transformers.BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    transformers.BertModel(bert, add_pooling_layer=False).save_pretrained(tmp_path / "bert")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "white", "tank", "left", "of", "road", "near"]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "bert")
    config = replace(
        FULL, channels=(8, 16, 32, 64), text_width=16, text_heads=2, image_size=128, width=16,
        pretrained_backbone=str(tmp_path / "swin"), pretrained_text=str(tmp_path / "bert"),
    )  # fmt: skip
    network = ProVG(config).eval()
    tokenizer = BertTokenizer(config)
    parts = [tensors_of(t) for t in tokens_of([decouple("the white tank left of the road")], tokenizer, 50)]
    image = torch.from_numpy(planes_of(np.zeros((3, 90, 70), np.uint8), config, gsd_m=0.3))[None]
    with torch.no_grad():
        before = network(image, *parts)
        save_checkpoint(network, tmp_path / "full.pt")
        again = load_checkpoint(
            tmp_path / "full.pt",
            visual=SwinBackbone(config, swin_config=swin),
            text=BertTextEncoder(config, bert_config=bert),
        )["network"]
        after = again(image, *parts)
    assert before.mask_logits.shape == (1, 2, 128, 128)
    assert torch.equal(after.mask_logits, before.mask_logits)


def test_swin_stages_are_those_of_transformers():
    transformers = pytest.importorskip("transformers", reason="Swin comes through transformers")
    from inference_server.models.provg.backbone import SwinBackbone

    sizes = transformers.SwinConfig(
        image_size=128, embed_dim=8, depths=[1, 2, 2, 1], num_heads=[1, 2, 4, 8], window_size=4
    )
    backbone = SwinBackbone(replace(FULL, channels=(8, 16, 32, 64), image_size=128), swin_config=sizes).eval()
    image = torch.randn(2, 3, 128, 128)
    swin = backbone.swin
    swin.layernorm = torch.nn.Identity()
    with torch.no_grad():
        x = image
        for index in range(4):
            x = backbone.stage(index, x)
            assert x.shape == (2, backbone.channels[index], 32 >> index, 32 >> index)
        expected = swin(image).last_hidden_state
    torch.testing.assert_close(x.flatten(2).transpose(1, 2), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("side", [64, 96])
def test_onnx_agrees_with_torch(tmp_path: Path, side: int):
    onnxruntime = pytest.importorskip("onnxruntime", reason="exported networks run in onnxruntime")
    pytest.importorskip("onnx", reason="exporting needs onnx")
    network = ProVG(TINY)
    with torch.no_grad():
        network.train()(torch.randn(3, 5, 64, 64), *tokens())
    network.eval()
    image = torch.randn(1, 5, side, side)
    sentence = "the second red car from the left, near the lake"
    with torch.no_grad():
        expected = network(image, *tokens((sentence,)))
    revision = export(network, tmp_path / "n.onnx", vocabulary=TOKENIZER.vocabulary, more={"metrics": {"miou": 0.5}})
    session = onnxruntime.InferenceSession(str(tmp_path / "n.onnx"))
    mask, box, presence = session.run(None, {"image": image.numpy(), **feed_of([sentence], TOKENIZER, 32)})
    probability = torch.softmax(expected.mask_logits, 1)[:, 1]
    np.testing.assert_allclose(mask, probability.numpy(), atol=1e-3)
    np.testing.assert_allclose(box, expected.box.numpy(), atol=1e-3)
    np.testing.assert_allclose(presence, torch.sigmoid(expected.presence_logit).numpy(), atol=1e-3)
    metadata = json.loads(session.get_modelmeta().custom_metadata_map["provg"])
    assert ProVGConfig.from_dict(metadata["config"]) == TINY
    assert (metadata["revision"], metadata["metrics"]) == (revision, {"miou": 0.5})


def test_unpackable_cues_are_cut_not_refused():
    cues = Cues("a " * 500, tuple("tank" for _ in range(99)), ("",))
    context, spatial, attributes = tokens_of([cues], TOKENIZER, 32)
    assert context.ids.shape == (1, 32)
    assert spatial.ids.shape[1] <= 32
    assert attributes.segments.tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"order": "SS"}, "order"),
        ({"order": ""}, "order"),
        ({"image_size": 100}, "image_size"),
        ({"modulation": "both"}, "modulation"),
        ({"text_width": 15}, "text_width"),
        ({"backbone": "swin"}, "knows_gsd"),
        ({"max_tokens": 2}, "max_tokens"),
    ],
)
def test_settings_that_no_network_can_have(change, expected):
    with pytest.raises(ValueError, match=expected):
        replace(TINY, **change)
    with pytest.raises(ValueError, match="layers"):
        ProVGConfig.from_dict({"layers": 3})
