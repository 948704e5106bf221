"""ProVG's losses from their equations, its data, and its recipe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="ProVG's training needs torch: pip install 'rsground[provg]'")

from torch.nn import functional  # noqa: E402

from inference_server.__main__ import USAGE, main  # noqa: E402
from inference_server.evaluation.scene_facts import Facts  # noqa: E402
from inference_server.evaluation.scene_negatives import absent_colors  # noqa: E402
from inference_server.evaluation.scenes import generate  # noqa: E402
from inference_server.geometry import hbb_of_mask  # noqa: E402
from inference_server.models.evidence.classes import CORE, bits_of  # noqa: E402
from inference_server.models.evidence.network import EvidenceNetwork  # noqa: E402
from inference_server.models.provg.config import COMPACT, ProVGConfig  # noqa: E402
from inference_server.models.provg.decouple import decouple  # noqa: E402
from inference_server.models.provg.engine import Network  # noqa: E402
from inference_server.models.provg.heads import Output  # noqa: E402
from inference_server.models.provg.inputs import tokens_of  # noqa: E402
from inference_server.models.provg.model import ProVG, tensors_of  # noqa: E402
from inference_server.models.provg.tokenizer import SubwordTokenizer, build_vocabulary  # noqa: E402
from inference_server.training import provg_losses as losses  # noqa: E402
from inference_server.training import provg_pictures as pictures  # noqa: E402
from inference_server.training.evidence_data import ALL, LabelledMap  # noqa: E402
from inference_server.training.evidence_places import place_of  # noqa: E402
from inference_server.training.provg import MODEL, STATE, Recipe, Training, exported, start_from_evidence  # noqa: E402
from inference_server.training.provg_data import (  # noqa: E402
    Sample,
    Samples,
    Source,
    augmented,
    box_of,
    collate,
    pasted,
    sample_of,
)
from inference_server.training.provg_pictures import Picture, Query  # noqa: E402
from inference_server.training.provg_validation import score_of  # noqa: E402
from inference_server.training.provg_words import flipped, is_turnable  # noqa: E402

TINY = ProVGConfig(
    channels=(16, 24, 32, 48), depths=(1, 1, 1, 1), text_width=32, text_layers=1, text_heads=2, vocabulary_size=700,
    max_tokens=32, image_size=64, width=24,
)  # fmt: skip
#: ``COMPACT`` with fewer words.
SMALL = {"text_width": 32, "text_layers": 1, "text_heads": 2, "vocabulary_size": 700, "image_size": 64, "width": 24}
TOKENIZER = SubwordTokenizer(build_vocabulary(["the white tank left of the road"], TINY.vocabulary_size))


def answer(mask, box=(0.5, 0.5, 0.5, 0.5), presence=0.0):
    """An output whose foreground is ``mask`` (row, col), with certainty."""
    on = torch.as_tensor(mask, dtype=torch.float32)[None]
    return Output(torch.stack([-on * 40 + 20, on * 40 - 20], 1), torch.tensor([box]), torch.tensor([presence]))


def truth(mask, known=None, box=None):
    mask = np.asarray(mask, bool)
    known = np.ones_like(mask) if known is None else known
    there = torch.tensor([float(mask.any())])
    box = torch.from_numpy(box_of(mask)) if box is None else torch.tensor(box)
    as_float = [torch.from_numpy(m.astype(np.float32))[None] for m in (mask, known)]
    return losses.Target(*as_float, box[None], there, there, torch.ones(1))


def square(row, col, side, size=16):
    mask = np.zeros((size, size), bool)
    mask[row : row + side, col : col + side] = True
    return mask


class TestLosses:
    def test_generalized_iou_of_known_boxes(self):
        a = torch.tensor([[0.0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 1, 1]])
        b = torch.tensor([[1.0, 1, 3, 3], [2, 0, 3, 1], [0, 0, 1, 1]])
        # 1/7 - (9 - 7)/9; disjoint: 0 - (3 - 2)/3; the same: 1.
        torch.testing.assert_close(losses.generalized_iou(a, b), torch.tensor([1 / 7 - 2 / 9, -1 / 3, 1.0]))

    def test_box_loss_is_ten_smooth_l1_plus_giou(self):
        p, t = torch.tensor([[0.5, 0.5, 0.4, 0.2]]), torch.tensor([[0.4, 0.5, 0.4, 0.4]])
        l1 = 0.5 * (0.1**2 + 0.2**2) / 4
        giou = losses.generalized_iou(losses.corners(p), losses.corners(t))
        torch.testing.assert_close(losses.box_loss(p, t), 10 * l1 + 1 - giou)

    def test_mask_loss_is_weighted_cross_entropy_and_dice(self):
        torch.manual_seed(0)
        logits, mask = torch.randn(1, 2, 16, 16), square(2, 3, 5)
        entropy = functional.cross_entropy(logits, torch.from_numpy(mask).long()[None], weight=torch.tensor([0.9, 1.1]))
        p, t = logits.softmax(1)[0, 1], torch.from_numpy(mask).float()
        dice = 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
        torch.testing.assert_close(losses.mask_loss(logits, truth(mask)), 0.9 * entropy + 0.1 * dice)

    def test_unknown_pixels_teach_nothing(self):
        mask, known = square(2, 3, 5), ~square(8, 8, 4)
        right, wrong = answer(mask), answer(mask | ~known)
        assert losses.mask_loss(wrong.mask_logits, truth(mask, known)) == losses.mask_loss(
            right.mask_logits, truth(mask, known)
        )
        assert losses.mask_loss(wrong.mask_logits, truth(mask)) > losses.mask_loss(right.mask_logits, truth(mask))

    def test_rectangle_of_a_mask_is_the_geometry_modules(self):
        mask = square(2, 3, 5) | square(6, 9, 2)
        box, is_found = losses.mask_rectangle(answer(mask).mask_logits)
        np.testing.assert_allclose(box[0], box_of(mask))
        from inference_server.geometry import Mask

        expected = hbb_of_mask(Mask(mask, 0, 0))
        x0, y0, x1, y1 = (losses.corners(box)[0] * 16).tolist()
        assert (x0, y0, x1, y1) == (expected.x_min, expected.y_min, expected.x_max, expected.y_max)
        assert is_found.tolist() == [1.0]
        assert losses.mask_rectangle(answer(square(0, 0, 0)).mask_logits)[1].tolist() == [0.0]

    def test_consistency_teaches_the_box_only_and_skips_empty_masks(self):
        output = answer(square(4, 4, 8), box=(0.3, 0.5, 0.5, 0.5))
        box, logits = output.box.requires_grad_(), output.mask_logits.requires_grad_()
        loss = losses.consistency_loss(box, logits, torch.ones(1))
        loss.backward()
        assert box.grad.abs().sum() > 0
        assert logits.grad is None
        torch.testing.assert_close(loss, losses.box_loss(box, torch.tensor([[0.5, 0.5, 0.5, 0.5]]))[0])
        assert losses.consistency_loss(output.box, answer(square(0, 0, 0)).mask_logits, torch.ones(1)) == 0

    def test_objective_is_the_weighted_sum(self):
        weights = losses.LossWeights(box=1.0, mask=0.5, consistency=0.1, presence=0.5)
        found = losses.objective(answer(square(4, 4, 6)), truth(square(2, 2, 7)), weights)
        expected = found["box"] + 0.5 * found["mask"] + 0.1 * found["consistency"] + 0.5 * found["presence"]
        torch.testing.assert_close(found["total"], expected)

    def test_what_is_not_there_has_no_box(self):
        found = losses.objective(answer(square(4, 4, 6)), truth(square(0, 0, 0)), losses.LossWeights())
        assert found["box"] == found["consistency"] == 0
        assert found["presence"] > 0


def test_scores_of_known_answers():
    mask = square(4, 4, 8)
    half = square(4, 4, 8)
    half[8:] = False
    batches = [
        (answer(mask, presence=3.0), truth(mask), ["color"]),
        (answer(half, box=(0.5, 0.5, 0.1, 0.1), presence=-3.0), truth(mask), ["position"]),
        (answer(mask, presence=3.0), truth(mask), ["class"]),
        (answer(square(0, 0, 0), presence=-3.0), truth(square(0, 0, 0)), ["negative"]),
    ]
    score = score_of(batches)
    assert score.rec_pr50 == 0.5
    assert (score.res_pr50, score.res_miou, score.res_oiou) == (1.0, 0.75, 0.75)
    assert (score.class_iou, score.presence) == (1.0, 0.75)


@pytest.mark.parametrize(
    ("text", "axis", "expected"),
    [
        ("the tank left of the road", "across", "the tank right of the road"),
        ("The Leftmost ship in the upper right corner", "across", "The Rightmost ship in the upper left corner"),
        ("the house northwest of the lake", "across", "the house northeast of the lake"),
        ("the house northwest of the lake", "down", "the house southwest of the lake"),
        ("the northernmost flower tower", "down", "the southernmost flower tower"),
        ("the car below the truck", "down", "the car above the truck"),
        ("the building in the topleft", "across", "the building in the topright"),
        ("the tank on top of the roof", "down", None),
        ("the car right next to the bus", "across", None),
        ("the hall over 20 m", "down", None),
        ("house NW of the lake", "across", None),
        ("the topped column", "down", "the topped column"),
        ("red cars", "across", "red cars"),
    ],
)
def test_flips_keep_words_true(text, axis, expected):
    assert flipped(text, axis) == expected
    if expected is not None:
        assert flipped(expected, axis) == text


def test_turns_only_without_directions():
    assert is_turnable("the largest red building next to the road")
    assert not any(map(is_turnable, ["the left tank", "north of it", "the uppermost car", "the vertical road"]))


def test_a_mirrored_sample_is_still_true():
    """A thing on the left, called so, is on the side it is called after any augmentation."""
    rgb = np.zeros((3, 96, 96), np.uint8)
    on = np.zeros((96, 96), bool)
    on[40:50, 10:20] = True
    rgb[:, on] = 255
    texts = set()
    for seed in range(12):
        asked = Query("the tank on the left", "position", on, ~on & False)
        picture = augmented(Picture(rgb, 0.3, (asked,)), np.random.default_rng(seed))
        (query,) = picture.queries
        center = np.argwhere(query.on).mean(0)[1] / query.on.shape[1]
        assert (center < 0.5) == ("left" in query.text)
        assert picture.rgb[:, query.on].mean() > 3 * picture.rgb[:, ~query.on].mean()
        texts.add(query.text)
    assert len(texts) == 2


def test_parts_and_turns_leave_out_what_would_be_false():
    rgb, on = np.zeros((3, 200, 200), np.uint8), np.zeros((200, 200), bool)
    on[20:60, 20:50] = True
    rgb[:, on] = 255
    nothing = on & False
    asked = (
        Query("tanks", "class", on, nothing),
        Query("the tank on the left", "position", on, nothing),
        Query("the tank", "category", on, nothing),
    )
    shapes, kept = set(), set()
    for seed in range(30):
        picture = augmented(Picture(rgb, 0.3, asked), np.random.default_rng(seed))
        shapes.add(picture.rgb.shape)
        kinds = {q.kind for q in picture.queries}
        kept.add(frozenset(kinds))
        assert ("position" not in kinds) or picture.rgb.shape == rgb.shape, "of a part, left may be another"
        for query in picture.queries:
            assert query.on.shape == picture.rgb.shape[1:]
            assert abs(int(query.on.sum()) - np.count_nonzero(picture.rgb[0] > 120)) < 40, "blur moves rims"
    assert len(shapes) > 10
    assert {frozenset({"class", "category"}), frozenset({"class", "category", "position"})} <= kept


@pytest.fixture(scope="module")
def scene():
    return generate(12, size_px=(256, 256), gsd_m=0.3, expressions=12)


@pytest.fixture(scope="module")
def picture(scene):
    return pictures.picture_of(scene, np.random.default_rng(0))


class TestPictures:
    def test_expressions_become_masks_of_their_targets(self, scene, picture):
        expression = next(e for e in scene.expressions if e.target_ids)
        query = next(q for q in picture.queries if q.text == expression.text)
        area = {i: scene.object(i).mask.area for i in expression.target_ids}
        assert max(area.values()) <= query.on.sum() <= sum(area.values())

    def test_class_queries_name_all_of_a_kind(self, scene, picture):
        queries = [q for q in picture.queries if q.kind == "class"]
        assert any(q.on.any() for q in queries)
        assert not any((q.on & q.unknown).any() for q in queries)

    def test_colors_that_nothing_has_are_asked_for_too(self, scene, picture):
        empty = [
            q.noun.split("/") for q in picture.queries if q.kind == "class" and q.noun[-1] != "/" and not q.on.any()
        ]
        assert empty
        colors = {(o.category, o.color) for o in scene.objects}
        categories = {o.category for o in scene.objects}
        absent = [(category, color) for category, color in empty if (category, color) not in colors]
        assert any(category in categories for category, _ in absent), "the class is there, the colour is not"

    def test_what_has_mixed_colors_may_have_any(self, scene):
        before = {noun.category for noun in absent_colors(Facts(scene))}
        category = sorted(before)[0]
        first = next(i for i, o in enumerate(scene.objects) if o.category == category)
        items = [replace(o, color="mixed") if i == first else o for i, o in enumerate(scene.objects)]
        after = {noun.category for noun in absent_colors(Facts(replace(scene, objects=tuple(items))))}
        assert category not in after <= before

    def test_stored_pictures_come_back(self, picture, tmp_path):
        pictures.write(picture, tmp_path / "a.npz")
        again = pictures.read(tmp_path / "a.npz")
        assert np.array_equal(again.rgb, picture.rgb)
        assert [(q.text, q.kind) for q in again.queries] == [(q.text, q.kind) for q in picture.queries]
        assert all(np.array_equal(a.on, b.on) for a, b in zip(again.queries, picture.queries, strict=True))

    def test_classes_of_a_real_picture_are_asked_for_and_what_it_surely_lacks(self):
        on, unknown = np.zeros((60, 60), np.uint32), np.zeros((60, 60), np.uint32)
        on[10:20, 10:30] = bits_of(["car", CORE])
        on[30:, :] = bits_of(["road"])
        unknown[18:24, 8:32] = bits_of(["car", "bus"])
        unknown[:, 58:] = ALL
        labelled = LabelledMap("cars", "a", 0.12, np.zeros((3, 60, 60), np.uint8), on, unknown)
        found = pictures.labelled_picture(labelled, np.random.default_rng(0))
        asked = {q.noun: q for q in found.queries if q.kind == "class"}
        assert set(asked) == {"car/", "road/"}
        car = asked["car/"]
        assert car.on.sum() == 200
        assert car.unknown[22, 20]
        assert not (car.unknown & car.on).any()
        assert not car.unknown[5, 5]
        assert not car.is_boxed
        negatives = [q for q in found.queries if q.kind == "negative"]
        assert len(negatives) == pictures.ABSENT_QUERIES
        lacked = {word for q in negatives for word in q.text.split()}
        assert not lacked & {"bus", "car", "automobile", "road", "street"}, "of a bus nobody knows"
        assert negatives[0].unknown[0, 59]

    def test_whether_something_is_there_is_learnt_only_where_it_is_known(self):
        nothing, corner = np.zeros((8, 8), bool), square(0, 0, 2, 8)
        asked = (
            Query("cars", "class", corner, ~corner), Query("buses", "class", nothing, corner),
            Query("ships", "negative", nothing, nothing),
        )  # fmt: skip
        _, target, _ = collate([Sample(np.zeros((5, 8, 8), np.float32), asked)], TOKENIZER, 32)
        assert target.told.tolist() == [1, 0, 1]
        output = Output(torch.zeros(3, 2, 8, 8), torch.full((3, 4), 0.5), torch.tensor([9.0, 9.0, -9.0]))
        assert losses.objective(output, target, losses.LossWeights())["presence"] < 1e-3
        assert score_of([(output, target, ["class", "class", "negative"])]).presence == 1.0

    def test_further_places_come_after_the_scenes(self, monkeypatch):
        asked = []
        monkeypatch.setattr(pictures, "generate", lambda seed, **how: asked.append(how["theme"]) or "scene")
        monkeypatch.setattr(pictures, "picture_of", lambda scene, rng: scene)
        source = Source(2, 3)
        for number in range(5):
            source.scene(number)
        Source(2, is_held_out=True).scene(1)
        first = pictures.FIRST_PLACE
        assert asked == [None, None, *(place_of(first + k) for k in range(3)), None]

    def test_pasting_adds_a_thing_that_the_words_name(self):
        ground, thing = np.full((3, 64, 64), 60, np.uint8), np.zeros((64, 64), bool)
        thing[20:30, 20:34] = True
        donor_rgb = ground.copy()
        donor_rgb[0, thing] = 250
        nothing = np.zeros((64, 64), bool)
        asked = Query("red cars", "class", nothing, nothing, noun="car/red")
        donor = Picture(donor_rgb, 0.3, (Query("all red autos", "class", thing, nothing, noun="car/red"),))
        whole = np.ones((64, 64), bool)
        others = (
            Query("cars", "class", nothing, nothing, noun="car/"),
            Query("fields", "class", whole, nothing, noun="field/"),
            Query("the car", "category", nothing, nothing),
        )
        picture = pasted(Picture(ground, 0.3, (asked, *others)), donor, np.random.default_rng(0))
        query, field = picture.queries
        assert 100 <= query.on.sum() <= 180
        assert picture.rgb[0][query.on].mean() > 200
        assert ground.max() == 60
        assert (field.text, field.on.sum()) == ("fields", 64 * 64 - query.on.sum())
        other = Picture(donor_rgb, 0.3, (Query("cars", "class", thing, nothing, noun="car/"),))
        alone = Picture(ground, 0.3, (asked,))
        assert pasted(alone, other, np.random.default_rng(0)) is alone

    def test_slivers_are_neither_there_nor_absent(self):
        on = np.zeros((640, 640), bool)
        on[5:9, 5:9] = True
        asked = Query("car", "class", on, on & False)
        sample = sample_of(Picture(np.zeros((3, 640, 640), np.uint8), 0.3, ()), [asked], TINY, gsd_m=None)
        assert not sample.queries[0].on.any()
        assert sample.queries[0].unknown[0, 0]


class Fixed(Source):
    """A source of a few given pictures."""

    given: tuple[Picture, ...] = ()

    def scene(self, number):
        return self.given[number]


def made(items, *, is_held_out=False):
    source = Fixed(len(items), is_held_out=is_held_out)
    object.__setattr__(source, "given", tuple(items))
    return source


def painted():
    """Four pictures of a red and a blue square on gray, with what tells them apart."""
    out = []
    rng = np.random.default_rng(3)
    for left_is_red in (True, False, True, False):
        rgb = rng.integers(90, 110, (3, 64, 64)).astype(np.uint8)
        left, right = square(20, 6, 18, 64), square(30, 38, 18, 64)
        red, blue = (left, right) if left_is_red else (right, left)
        rgb[:, red], rgb[:, blue] = np.array([[220], [30], [30]]), np.array([[30], [30], [220]])
        empty = np.zeros((64, 64), bool)
        queries = (
            Query("the red square", "color", red, empty),
            Query("the blue square", "color", blue, empty),
            Query("the square on the left", "position", left, empty),
            Query("airplane", "negative", empty, empty),
        )
        out.append(Picture(rgb, 0.3, queries))
    return out


def training_of(folder, **change):
    change.setdefault("queries", 1)
    recipe = Recipe(
        TINY, steps=400, batch=8, rate=4e-3, warm_up=5, validation=48, workers=0, device="cpu", every=1000, **change
    )
    items = painted()
    return Training(recipe, folder, TOKENIZER, made(items, is_held_out=True), made(items, is_held_out=True))


def advance(training, steps):
    history = []
    for inputs, target, _ in training.batches():
        history.append(training.learn(inputs, target)["total"])
        if len(history) == steps:
            break
    return history


def test_samples_depend_on_their_number_alone(picture):
    source = made([picture, picture])
    first = Samples(source, TINY, seed=4, first=0, count=9, queries=2)
    later = Samples(source, TINY, seed=4, first=6, count=3, queries=2)
    for index in range(3):
        a, b = first[6 + index], later[index]
        assert [q.text for q in a.queries] == [q.text for q in b.queries]
        assert np.array_equal(a.image, b.image)
    assert len({q.text for i in range(9) for q in first[i].queries}) > 3


def test_resumed_training_is_identical(tmp_path):
    straight, begun, resumed = (training_of(tmp_path) for _ in range(3))
    whole = advance(straight, 6)
    first = advance(begun, 3)
    begun.save()
    resumed.resume(tmp_path / STATE)
    assert resumed.step == 3
    assert first + advance(resumed, 3) == whole
    for a, b in zip(straight.network.state_dict().values(), resumed.network.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_in_bfloat16_it_learns_nearly_the_same(tmp_path):
    exact, halved = training_of(tmp_path), training_of(tmp_path, bfloat16=True)
    seen = []
    first = next(module for module in halved.network.visual.modules() if isinstance(module, torch.nn.Conv2d))
    first.register_forward_hook(lambda module, inputs, made: seen.append(made.dtype))
    assert advance(halved, 4) == pytest.approx(advance(exact, 4), rel=0.03)
    assert set(seen) == {torch.bfloat16}
    assert {p.dtype for p in halved.network.parameters()} == {torch.float32}


def test_it_stops_early_and_keeps_the_best(tmp_path):
    training = training_of(tmp_path, patience=1)
    training.recipe = replace(training.recipe, every=2, rate=1e-12)
    lines = []
    training.run(lines.append)
    assert training.step == 4
    assert lines[-1] == "no better score in 1 validations: stopped"
    assert torch.load(tmp_path / "best.pt", weights_only=True)["step"] == 2
    assert torch.load(tmp_path / STATE, weights_only=True)["step"] == 4


def test_a_stop_leaves_a_state_between_two_steps(tmp_path):
    training = training_of(tmp_path)
    training.is_stopping = True
    with pytest.raises(KeyboardInterrupt):
        training.run(lambda line: None)
    assert torch.load(tmp_path / STATE, weights_only=True)["step"] == training.step == 1


def test_the_backbone_starts_as_the_evidence_networks_encoder(tmp_path):
    torch.manual_seed(0)
    evidence = EvidenceNetwork()
    advance_norms(evidence)
    torch.save({"averaged": evidence.state_dict()}, tmp_path / "evidence.pt")
    network = ProVG(ProVGConfig())
    start_from_evidence(network, tmp_path / "evidence.pt")
    pyramid = ProVG(COMPACT).eval()
    start_from_evidence(pyramid, tmp_path / "evidence.pt")
    image = torch.randn(1, 5, 64, 64)
    with torch.no_grad():
        top, *_ = pyramid.visual.maps(image)
        _, f4, f8, f16, f32 = evidence.eval().features(image)
        assert torch.equal(top[:, :48], evidence.up4(evidence.up8(evidence.up16(f32, f16), f8), f4))
        assert torch.equal(top[:, 48:96], f4)
        torch.testing.assert_close(top[0, 96:, 2, 3], image[0, :3, 8:12, 12:16].mean((1, 2)))
        x, maps = image, []
        for stage in network.visual.eval().stages:
            x = stage(x)
            maps.append(x)
        assert all(map(torch.equal, maps, evidence.eval().features(image)[1:]))
    with pytest.raises(ValueError, match="other sizes"):
        start_from_evidence(ProVG(TINY), tmp_path / "evidence.pt")
    torch.save({"network": {}}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="expected a state"):
        start_from_evidence(network, tmp_path / "other.pt")


def advance_norms(network):
    """Running means and variances that are none of the defaults."""
    network.train()
    with torch.no_grad():
        network(torch.randn(2, 5, 64, 64) * 2 + 1)


def test_training_pictures_may_be_smaller_than_the_networks_own(tmp_path):
    training = training_of(tmp_path, side=32, backbone_rate=0.25)
    inputs, target, _ = next(training.batches())
    assert inputs[0].shape[-2:] == target.mask.shape[-2:] == (32, 32)
    training.learn(inputs, target)
    rates = {tuple(p.shape): g["lr"] for g in training.optimizer.param_groups for p in g["params"]}
    backbone = [rates[tuple(p.shape)] for p in training.network.visual.parameters()]
    assert max(backbone) == pytest.approx(0.25 * max(rates.values()))
    assert training.validate().presence >= 0


def test_a_rate_of_zero_leaves_the_backbone_as_it_is(tmp_path):
    training = training_of(tmp_path, backbone_rate=0.0, queries=3)
    before = {n: t.clone() for n, t in training.network.state_dict().items()}
    advance(training, 2)
    changed = {n for n, t in training.network.state_dict().items() if not torch.equal(t, before[n])}
    assert changed
    assert not [n for n in changed if n.startswith("visual.")]


@pytest.mark.parametrize("config", [TINY, replace(COMPACT, **SMALL)], ids=["compact", "pyramid"])
def test_expressions_of_one_picture_share_it(config):
    """What a picture is asked at once is answered as if it were asked one by one."""
    torch.manual_seed(0)
    network = ProVG(config).eval()
    images = torch.randn(2, 5, 64, 64)
    texts = ["the red tank", "car", "tank left of the road", "all blue roofs"]
    parts = [tensors_of(p) for p in tokens_of([decouple(t) for t in texts], TOKENIZER, 32)]
    with torch.no_grad():
        together = network(images, *parts)
        alone = [network(images[i // 2][None], *(p[:, i : i + 1] for p in parts)) for i in range(4)]
    torch.testing.assert_close(together.mask_logits, torch.cat([a.mask_logits for a in alone]), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together.box, torch.cat([a.box for a in alone]), atol=1e-4, rtol=1e-4)


def test_large_pictures_are_cut_without_losing_anything():
    rgb = np.arange(3 * 90 * 50, dtype=np.uint16).reshape(3, 90, 50).astype(np.uint8)
    on = np.zeros((90, 50), bool)
    on[85:, 45:] = True
    parts = list(pictures.parts_of(Picture(rgb, 0.3, (Query("car", "class", on, ~on),)), 40))
    assert [p.rgb.shape for p in parts] == [(3, 40, 40)] * 6
    assert parts[-1].queries[0].on.sum() == 25
    assert np.array_equal(parts[-1].rgb, rgb[:, 50:, 10:])


def test_a_state_of_another_recipe_is_refused(tmp_path):
    training_of(tmp_path).save()
    with pytest.raises(ValueError, match="seed"):
        training_of(tmp_path, seed=5).resume(tmp_path / STATE)


def test_it_learns_a_handful_by_heart_and_is_exported(tmp_path):
    """Colour and side tell two squares apart: the loss falls, the masks rise over what a guess would give."""
    training = training_of(tmp_path)
    before = training.validate()
    history = advance(training, 100)
    score = training.validate()
    assert np.mean(history[-24:]) < 0.6 * np.mean(history[:8])
    assert score.res_miou > max(0.6, before.res_miou + 0.3), f"{before} -> {score}"
    assert score.presence > 0.9
    training._judge(score)
    pytest.importorskip("onnx", reason="exporting needs onnx")
    assert exported(tmp_path, lambda line: None) == tmp_path / MODEL
    assert (tmp_path / MODEL).stat().st_size > 10_000
    rgb = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)

    def presence():
        network = Network(tmp_path / MODEL)
        return network.look(rgb, network.feed("red"), 0.3)[2]

    even = presence()
    exported(tmp_path, lambda line: None, prior=0.8)
    assert presence() / (1 - presence()) == pytest.approx(even / (1 - even) / 4, rel=1e-3), "odds of 4 were expected"


def test_the_share_of_what_is_there_is_of_what_is_known(tmp_path, monkeypatch):
    training = training_of(tmp_path)
    known = [(1.0, 1.0), (0.0, 1.0), (0.0, 0.0), (1.0, 1.0)]
    targets = [replace(truth(square(0, 0, 2)), present=torch.tensor([p]), told=torch.tensor([t])) for p, t in known]
    monkeypatch.setattr(training, "_loader", lambda samples: [([], target, []) for target in targets])
    assert training.share_present() == pytest.approx((2 + 1) / (3 + 2))


def test_rate_follows_the_papers_steps():
    recipe = Recipe(steps=700, rate=1.0, warm_up=10)
    rates = [recipe.rate_at(s) for s in (0, 9, 499, 500, 599, 600)]
    assert rates == pytest.approx([0.1, 1.0, 1.0, 0.1, 0.1, 0.01])


def test_collate_pads_and_boxes(picture):
    samples = [Samples(made([picture]), TINY, seed=1, first=0, count=5)[i] for i in range(5)]
    inputs, target, kinds = collate(samples, TOKENIZER, 32)
    assert inputs[0].shape == (5, 5, 64, 64)
    assert [x.shape[:2] for x in inputs[1:]] == [(3, 5)] * 3
    assert len(kinds) == 5
    for mask, box, there in zip(target.mask, target.box, target.has_box, strict=True):
        if there:
            x0, y0, x1, y1 = (losses.corners(box[None])[0] * 64).round().int().tolist()
            assert mask[y0:y1, x0:x1].sum() == mask.sum() > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume"], "Leave --resume out"),
        (["--set", "order=LL"], "order"),
        (["--set", "depth=3"], "expected NAME=VALUE"),
        (["--set", "width=wide"], "such as 64"),
        (["--steps", "0"], "steps"),
        (["--side", "100"], "multiple of 32"),
        (["--data", "/nowhere"], "towns/"),
        (["--config", "/nowhere.json"], "nowhere.json"),
    ],
)
def test_command_says_what_is_wrong(arguments, said, tmp_path, capsys):
    assert main(["train", "provg", "--output", str(tmp_path / "run"), *arguments]) == USAGE
    assert said in capsys.readouterr().err


def test_ablations_on_the_command_line():
    from inference_server.commands.train import _setting

    pairs = ["order=LVS", "fusion=false", "width=64", "channels=[8, 16, 24, 32]", "modulation=global"]
    changed = replace(TINY, **dict(_setting(p, ProVGConfig) for p in pairs))
    assert (changed.order, changed.fusion, changed.width, changed.channels) == ("LVS", False, 64, (8, 16, 24, 32))
