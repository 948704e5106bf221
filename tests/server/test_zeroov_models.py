"""RSVG-ZeroOV on tiny models saved as checkpoints: what is captured equals the libraries' own eager path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("diffusers", reason="diffusers is not installed")

from PIL import Image  # noqa: E402

from inference_server import __main__ as command_line  # noqa: E402
from inference_server.errors import EngineUnavailable  # noqa: E402
from inference_server.evaluation.scenes import generate, write_geotiff  # noqa: E402
from inference_server.evaluation.tables import TABLES  # noqa: E402
from inference_server.models.registry import EngineSource, Registry  # noqa: E402
from inference_server.models.zeroov import weights  # noqa: E402
from inference_server.models.zeroov.config import ZeroOVConfig  # noqa: E402
from inference_server.models.zeroov.diffusion import Ddim, inverted, null_texts, structure_of  # noqa: E402
from inference_server.models.zeroov.engine import ZeroOVEngine  # noqa: E402
from inference_server.models.zeroov.interaction import min_max  # noqa: E402
from inference_server.models.zeroov.overview import IMAGE_PAD, VisionLanguageModel  # noqa: E402
from inference_server.models.zeroov.rows import capturing, prepare  # noqa: E402
from inference_server.models.zeroov.structure import fused, recording, to_side  # noqa: E402
from inference_server.models.zeroov.weights import DIFFUSION, SAM, VLM, Parts  # noqa: E402
from inference_server.pipeline import GroundingPipeline  # noqa: E402
from rsground_plugin.protocol import GroundingRequest  # noqa: E402
from tests.server import tiny_models  # noqa: E402

FAMILIES = ("qwen25", "qwen3")
CONFIG = ZeroOVConfig(max_new_tokens=4)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Any:
    """Tiny products are slower in several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    made = {name: getattr(tiny_models, name)(folder / name) for name in FAMILIES}
    made["brief"] = tiny_models.qwen25(folder / "brief", is_brief=True)
    made["sam"] = tiny_models.sam(folder / "sam")
    return made | {"diffusion": tiny_models.stable_diffusion(folder / "diffusion")}


@pytest.fixture(scope="module")
def loaded(checkpoints: dict[str, Path]) -> dict[str, Parts]:
    others = (str(checkpoints["diffusion"]), str(checkpoints["sam"]))
    return {name: Parts(str(checkpoints[name]), *others) for name in FAMILIES}


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    return generate(4, size_px=(200, 260), gsd_m=0.3, expressions=0).rgb


def eager(folder: Path) -> Any:
    from transformers import AutoModelForImageTextToText

    return AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager")


def whole_prompt(vlm: VisionLanguageModel, rgb: np.ndarray, expression: str) -> dict[str, Any]:
    """The prompt in one piece, as the library wants it."""
    picture = Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0)))
    features = dict(vlm._processor(images=[picture], return_tensors="pt"))
    before, after = vlm._prompt(expression)
    cells = int(features["image_grid_thw"].prod()) // vlm._merge**2
    ids = vlm._tokens(before.replace(IMAGE_PAD, IMAGE_PAD * cells) + after)
    kinds = (ids == vlm._tokenizer.convert_tokens_to_ids(IMAGE_PAD)).int()
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "mm_token_type_ids": kinds, **features}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("padded", [False, True])
def test_captured_rows_equal_eager_attention(
    family: str, padded: bool, checkpoints: dict[str, Path], loaded: dict[str, Parts], rgb: np.ndarray
) -> None:
    """Two tiles in one batch, left-padded where the second is smaller; every layer's last row."""
    vlm = loaded[family].vlm()
    tiles = [rgb, rgb[:, :100, :150] if padded else rgb[:, ::-1]]
    prompts = [whole_prompt(vlm, tile, "the red roof") for tile in tiles]
    length = max(p["input_ids"].shape[1] for p in prompts)
    pad = {"input_ids": vlm._tokenizer.pad_token_id, "attention_mask": 0, "mm_token_type_ids": 0}
    batch = {
        key: torch.cat([torch.nn.functional.pad(p[key], (length - p[key].shape[1], 0), value=fill) for p in prompts])
        for key, fill in pad.items()
    } | {key: torch.cat([p[key] for p in prompts]) for key in ("pixel_values", "image_grid_thw")}
    assert (0 in batch["attention_mask"]) == padded
    with torch.no_grad():
        wanted = eager(checkpoints[family])(**batch, output_attentions=True).attentions
        with capturing(frozenset(range(4))) as capture:
            vlm.model(**batch)
    assert len(capture.rows) == 1
    for layer, row in capture.rows[0].items():
        torch.testing.assert_close(row, wanted[layer][:, :, -1].mean(1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_overview_from_a_seen_tile_equals_generation_from_the_whole_prompt(
    family: str, checkpoints: dict[str, Path], loaded: dict[str, Parts], rgb: np.ndarray
) -> None:
    vlm = loaded[family].vlm()
    seen = vlm.see(rgb)
    found = vlm.overlook(seen, "the red roof", CONFIG)
    inputs = whole_prompt(vlm, rgb, "the red roof")
    out = eager(checkpoints[family]).generate(
        **inputs, max_new_tokens=4, do_sample=False, output_attentions=True, return_dict_in_generate=True
    )
    first, last = seen.span
    total = np.zeros(seen.grid)
    for layer, weight in CONFIG.weight_by_layer(vlm.n_layers).items():
        mean = torch.stack([step[layer][0, :, -1, first:last].mean(0) for step in out.attentions]).mean(0)
        total += weight * min_max(mean.double().numpy().reshape(seen.grid))
    # Maps are stretched to [0, 1]: what is 1e-7 in attention is 1e-4 here.
    np.testing.assert_allclose(found.attention, min_max(total), atol=1e-3)
    written = out.sequences[0, inputs["input_ids"].shape[1] :]
    assert found.text == vlm._tokenizer.decode(written, skip_special_tokens=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_expressions_on_one_tile_do_not_disturb_one_another(
    family: str, loaded: dict[str, Parts], rgb: np.ndarray
) -> None:
    vlm = loaded[family].vlm()
    seen = vlm.see(rgb)
    first = vlm.overlook(seen, "the red roof", CONFIG)
    other = vlm.overlook(seen, "a car left of <|image_pad|> the road <|im_end|>", CONFIG)
    again = vlm.overlook(seen, "the red roof", CONFIG)
    np.testing.assert_array_equal(first.attention, again.attention)
    assert first.text == again.text
    assert not np.allclose(first.attention, other.attention)


def test_nothing_is_caught_outside_the_capture(loaded: dict[str, Parts], rgb: np.ndarray) -> None:
    vlm = loaded["qwen25"].vlm()
    with capturing(frozenset({0})) as capture:
        pass
    vlm.see(rgb)
    assert capture.rows == []


def test_a_prepared_model_answers_as_before(
    checkpoints: dict[str, Path], loaded: dict[str, Parts], rgb: np.ndarray
) -> None:
    from transformers import AutoModelForImageTextToText

    inputs = whole_prompt(loaded["qwen25"].vlm(), rgb, "x")
    plain = AutoModelForImageTextToText.from_pretrained(checkpoints["qwen25"], attn_implementation="sdpa")
    with torch.no_grad():
        wanted = plain(**inputs).logits
        prepare(plain)
        torch.testing.assert_close(plain(**inputs).logits, wanted)


# -- Focus ------------------------------------------------------------------------------------------


def eager_maps(model: Any, latent: Any, timestep: int, context: Any) -> dict[int, np.ndarray]:
    """Self-attention of every layer from its own q and k projections, by side; averaged over layers and heads."""
    caught: dict[int, list[Any]] = {}

    def hook(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        q, k = (p(hidden).unflatten(-1, (module.heads, -1)).transpose(1, 2) for p in (module.to_q, module.to_k))
        rows = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)[-1]
        caught.setdefault(round(hidden.shape[1] ** 0.5), []).append(rows.mean(0))

    blocks = [*model.unet.down_blocks, *model.unet.up_blocks]
    layers = [m for b in blocks for name, m in b.named_modules() if name.endswith("attn1")]
    handles = [layer.register_forward_hook(hook, with_kwargs=True) for layer in layers]
    with torch.no_grad():
        model.noise(latent, timestep, context)
    for handle in handles:
        handle.remove()
    return {side: torch.stack(rows).mean(0).numpy() for side, rows in caught.items()}


def test_recorded_self_attention_equals_its_own_projections(loaded: dict[str, Parts], rgb: np.ndarray) -> None:
    model = loaded["qwen25"].diffusion()
    latent, context = model.latent_of(rgb), model.embedded("roof")
    before = dict(model.unet.attn_processors)
    with torch.no_grad():
        plain = model.noise(latent, 100, context)
        with recording(model.unet, model.latent_side, (16, 32, 64)) as recorder:
            same = model.noise(latent, 100, context)
    torch.testing.assert_close(same, plain, atol=1e-5, rtol=1e-5)
    assert model.unet.attn_processors == before
    wanted = eager_maps(model, latent, 100, context)
    assert set(recorder.maps()) == {16, 8, 4}
    for side, found in recorder.maps().items():
        np.testing.assert_allclose(found, wanted[side], atol=1e-5)
        np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)


def test_under_guidance_the_conditional_half_is_recorded(loaded: dict[str, Parts], rgb: np.ndarray) -> None:
    model = loaded["qwen25"].diffusion()
    latent, context, empty = model.latent_of(rgb), model.embedded("roof"), model.embedded("")
    with recording(model.unet, 16, (32,)) as alone, torch.no_grad():
        model.noise(latent, 100, context)
    with recording(model.unet, 16, (32,)) as both, torch.no_grad():
        model.noise(torch.cat([latent, latent]), 100, torch.cat([empty, context]))
    np.testing.assert_allclose(both.maps()[8], alone.maps()[8], atol=1e-6)


def test_reduction_pools_queries_and_sums_keys() -> None:
    rng = np.random.default_rng(0)
    a = rng.random((16, 16)).astype(np.float32)
    a /= a.sum(axis=1, keepdims=True)
    small = to_side(a, 2)
    whole = a.reshape(4, 4, 4, 4)
    for i, j, u, v in np.ndindex(2, 2, 2, 2):
        block = whole[2 * i : 2 * i + 2, 2 * j : 2 * j + 2, 2 * u : 2 * u + 2, 2 * v : 2 * v + 2]
        assert small[i * 2 + j, u * 2 + v] == pytest.approx(block.sum() / 4)
    np.testing.assert_allclose(small.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(to_side(a, 8).sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(to_side(to_side(a, 8), 4), a, atol=1e-7)
    np.testing.assert_allclose(fused({4: a, 2: small}, 2), small, atol=1e-7)


def test_ddim_steps_are_those_of_diffusers() -> None:
    from diffusers import DDIMInverseScheduler, DDIMScheduler

    from inference_server.models.zeroov.diffusion import SCHEDULE

    ours, generator = Ddim(20), torch.Generator().manual_seed(0)
    latent, noise = (torch.randn((1, 4, 8, 8), generator=generator) for _ in range(2))
    there, back = DDIMInverseScheduler(**SCHEDULE), DDIMScheduler(**SCHEDULE)
    there.set_timesteps(20)
    back.set_timesteps(20)
    for timestep in ours.timesteps:
        torch.testing.assert_close(
            ours.back(latent, noise, timestep), back.step(noise, timestep, latent).prev_sample, atol=1e-5, rtol=1e-5
        )
    for timestep in there.timesteps.tolist():
        torch.testing.assert_close(
            ours.forth(latent, noise, timestep), there.step(noise, timestep, latent).prev_sample, atol=1e-5, rtol=1e-5
        )


@pytest.fixture
def calm(checkpoints: dict[str, Path]) -> Any:
    """A diffusion model whose prediction hardly changes from step to step, as a trained one's."""
    model = Parts("", str(checkpoints["diffusion"])).diffusion()
    with torch.no_grad():
        model.unet.conv_out.weight.mul_(0.002)
        model.unet.conv_out.bias.mul_(0.002)
    return model


def test_inversion_and_back_returns_the_latent(calm: Any, rgb: np.ndarray) -> None:
    """Within 3 % of its norm in 20 steps: DDIM inverts up to its step."""
    latent, context, ddim = calm.latent_of(rgb), calm.embedded("roof"), Ddim(20)
    trajectory = inverted(calm, latent, context, ddim)
    current = trajectory[-1]
    with torch.no_grad():
        for timestep in ddim.timesteps:
            current = ddim.back(current, calm.noise(current, timestep, context), timestep)
    assert len(trajectory) == 21
    assert float((current - latent).norm() / latent.norm()) < 0.03


class Gaussian:
    """The perfect prediction for images that are normally distributed, whose way to noise and back is known."""

    def __init__(self, mean: Any, spread: float) -> None:
        from diffusers import DDIMScheduler

        from inference_server.models.zeroov.diffusion import SCHEDULE

        self._alphas = DDIMScheduler(**SCHEDULE).alphas_cumprod.double()
        self._mean, self._spread = mean, spread

    def _variance(self, alpha: Any) -> Any:
        return alpha * self._spread**2 + 1 - alpha

    def noise(self, latent: Any, timestep: int, context: Any) -> Any:
        a = self._alphas[timestep]
        return (1 - a) ** 0.5 * (latent - a**0.5 * self._mean) / self._variance(a)

    def at(self, latent: Any, timestep: int) -> Any:
        """Where the probability flow takes what is ``latent`` at timestep 0 (Song et al. 2021)."""
        start, a = self._alphas[0], self._alphas[timestep]
        away = (self._variance(a) / self._variance(start)) ** 0.5
        return a**0.5 * self._mean + away * (latent - start**0.5 * self._mean)


def test_inversion_follows_the_exact_flow_to_the_order_of_ddim() -> None:
    """Twice the steps, half the error: of the noise that an image becomes, and of the image that comes back."""
    generator = torch.Generator().manual_seed(0)
    mean, away = (torch.randn((1, 4, 8, 8), generator=generator, dtype=torch.float64) for _ in range(2))
    model, image = Gaussian(mean, 0.5), mean + 0.5 * away
    errors = []
    for steps in (20, 100, 200):
        ddim = Ddim(steps)
        current = noise = inverted(model, image, None, ddim)[-1]
        for timestep in ddim.timesteps:
            current = ddim.back(current, model.noise(current, timestep, None), timestep)
        exact = model.at(image, ddim.timesteps[0])
        errors.append(
            [float((found - true).norm() / true.norm()) for found, true in ((noise, exact), (current, image))]
        )
    assert errors[0][1] < 0.08
    assert errors[2][1] < 0.01
    assert errors[2][0] < 0.02
    for many, twice in zip(*errors[1:], strict=True):
        assert twice / many == pytest.approx(0.5, abs=0.05)


def test_null_text_losses_fall(loaded: dict[str, Parts], rgb: np.ndarray) -> None:
    model = loaded["qwen25"].diffusion()
    latent, context, ddim = model.latent_of(rgb), model.embedded("roof"), Ddim(10)
    config = ZeroOVConfig(steps=10)
    empties, losses = null_texts(model, inverted(model, latent, context, ddim), context, ddim, config)
    assert len(empties) == len(losses) == 10
    # The last step, from timestep 0, leaves the latent where it is whatever the noise.
    assert [len(each) for each in losses[:-1]] == [config.null_text_steps] * 9
    assert all(each[-1] < each[0] for each in losses[:-1])
    assert all(not e.requires_grad for e in empties)


@pytest.mark.parametrize("mode", ["fast", "ddim", "paper"])
def test_each_speed_gives_rows_that_sum_to_one(mode: str, loaded: dict[str, Parts], rgb: np.ndarray) -> None:
    model = loaded["qwen25"].diffusion()
    told: list[tuple[int, int]] = []
    config = ZeroOVConfig(focus=mode, steps=3, null_text_steps=2)
    s = structure_of(model, model.latent_of(rgb), "roof", config, lambda done, total: told.append((done, total)))
    assert s.shape == (64, 64)
    np.testing.assert_allclose(s.sum(axis=1), 1.0, atol=1e-5)
    assert [done for done, _ in told] == list(range(told[0][1]))


@pytest.mark.parametrize("family", FAMILIES)
def test_structure_of_the_vision_tower_equals_eager_attention(
    family: str, loaded: dict[str, Parts], rgb: np.ndarray
) -> None:
    """From the tower's own q and k of one cell's patches to another's, by their places in the picture."""
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_rotary_pos_emb_vision

    vlm = loaded[family].vlm()
    caught: list[Any] = []

    def hook(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        hidden, n = (args[0] if args else kwargs["hidden_states"]), module.num_heads
        q, k, _ = module.qkv(hidden).reshape(len(hidden), 3, n, -1).unbind(1)
        q, k = apply_rotary_pos_emb_vision(q, k, *kwargs["position_embeddings"])
        caught.append(torch.einsum("qhc,khc->hqk", q, k).mul(q.shape[-1] ** -0.5).softmax(-1).mean(0))
        order.append(kwargs["position_embeddings"][0])

    order: list[Any] = []
    handle = vlm._global_layer().register_forward_hook(hook, with_kwargs=True)
    seen = vlm.see(rgb, with_structure=True)
    handle.remove()
    cells = seen.grid[0] * seen.grid[1]
    assert seen.structure.shape == (cells, cells)
    np.testing.assert_allclose(seen.structure.sum(axis=1), 1.0, atol=1e-5)
    # Patches are known by their rotary phase, which their place in the picture alone decides.
    from transformers.vision_utils import get_vision_position_ids

    rows, cols = (2 * side for side in seen.grid)
    places = get_vision_position_ids(torch.tensor([[1, rows, cols]]), 2)
    cell_of = (places[:, 0] // 2 * seen.grid[1] + places[:, 1] // 2).numpy()
    plain = vlm.model.model.visual.rotary_pos_emb(torch.zeros(len(places), 1), places)[0].numpy()
    at = [int(np.abs(plain - phase).sum(axis=1).argmin()) for phase in order[0].numpy()]
    wanted = np.zeros((cells, cells))
    patch_cells = cell_of[at]
    full = caught[0].numpy()
    for key in range(len(full)):
        wanted[:, patch_cells[key]] += np.bincount(patch_cells, full[:, key], cells) / 4
    np.testing.assert_allclose(seen.structure, wanted, atol=1e-5)


def test_structure_of_sam_is_its_last_global_attention(loaded: dict[str, Parts], rgb: np.ndarray) -> None:
    from inference_server.models.zeroov.sam import sam_structure

    s = sam_structure(loaded["qwen25"].sam(), rgb, 8)
    assert s.shape == (64, 64)
    np.testing.assert_allclose(s.sum(axis=1), 1.0, atol=1e-5)
    assert sam_structure(loaded["qwen25"].sam(), rgb).shape == (1024, 1024)


def test_words_are_averaged_over_the_expression_alone(loaded: dict[str, Parts], rgb: np.ndarray) -> None:
    from inference_server.models.zeroov.diffusion import words_of

    model = loaded["qwen25"].diffusion()
    latent = model.latent_of(rgb)
    short = words_of(model, latent, "roof", ZeroOVConfig())
    assert short.shape == (4, 4)
    assert not np.allclose(short, words_of(model, latent, "a white tank", ZeroOVConfig()))


# -- the engine -------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_the_engine_answers_through_the_pipeline(family: str, loaded: dict[str, Parts]) -> None:
    scene = generate(4, size_px=(200, 260), gsd_m=0.3, expressions=0)
    engine = ZeroOVEngine(loaded[family], CONFIG)
    pipeline = GroundingPipeline(Registry({"zeroov": EngineSource(lambda: engine, "z")}, default="zeroov"))
    first = pipeline.ground(GroundingRequest("the red roof"), scene.tile)
    second = pipeline.ground(GroundingRequest("the trees"), scene.tile)
    assert first.detections
    assert first.detections[0].mask
    assert not first.cached
    assert second.cached
    assert family in first.revision


@pytest.mark.parametrize(
    "config",
    [
        ZeroOVConfig(max_new_tokens=2, focus="ddim", steps=2),
        ZeroOVConfig(max_new_tokens=2, focus="paper", steps=2, null_text_steps=1),
        ZeroOVConfig(max_new_tokens=2, structure="none", refine="none"),
        ZeroOVConfig(max_new_tokens=2, interaction="cosine", refine="points", order="evolve-focus"),
        ZeroOVConfig(max_new_tokens=2, structure="vlm"),
        ZeroOVConfig(max_new_tokens=2, structure="sam"),
        ZeroOVConfig(max_new_tokens=2, overview="diffusion"),
    ],
    ids=["ddim", "paper", "no structure", "other choices", "ViT in VLM", "ViT in SAM", "w/o VLM"],
)
def test_whole_expressions_are_answered_with_one_mask(
    config: ZeroOVConfig, loaded: dict[str, Parts], rgb: np.ndarray
) -> None:
    answer = ZeroOVEngine(loaded["qwen25"], config).answer(rgb, "the red roof left of the road")
    assert answer.grounded.mask.area > 0
    assert 0 <= answer.grounded.score <= 1
    assert answer.attention.cross.min() == 0
    assert answer.attention.cross.max() == 1


def test_short_memory_makes_the_tile_smaller_and_says_so(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = Parts(str(checkpoints["qwen25"]), str(checkpoints["diffusion"]))
    engine = ZeroOVEngine(parts, CONFIG)
    vlm, see, asked = parts.vlm(), VisionLanguageModel.see, []

    def short(self: Any, rgb: np.ndarray, **settings: Any) -> Any:
        asked.append(settings["shrink"])
        if settings["shrink"] == 1:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return see(vlm, rgb, **settings)

    monkeypatch.setattr(VisionLanguageModel, "see", short)
    pipeline = GroundingPipeline(Registry({"zeroov": EngineSource(lambda: engine, "z")}, default="zeroov"))
    tile = generate(4, size_px=(900, 900), gsd_m=0.3, expressions=0).tile
    result = pipeline.ground(GroundingRequest("the red roof"), tile)
    assert asked == [1, 2]
    assert result.detections
    assert any("Memory was short" in note and "1/2 of its resolution" in note for note in result.notes)


def test_maps_are_given_for_those_who_ask_why(loaded: dict[str, Parts]) -> None:
    engine = ZeroOVEngine(loaded["qwen25"], CONFIG)
    pipeline = GroundingPipeline(Registry({"zeroov": EngineSource(lambda: engine, "z")}, default="zeroov"))
    tile = generate(4, size_px=(200, 260), gsd_m=0.3, expressions=0).tile
    result = pipeline.ground(GroundingRequest("the red roof", explain=True), tile)
    assert [m.name for m in result.maps] == ["A_C", "A_CS", "A_E"]
    assert pipeline.ground(GroundingRequest("the red roof"), tile).maps == ()


def test_cancelling_ends_the_query(loaded: dict[str, Parts], rgb: np.ndarray) -> None:
    class Stop(Exception):
        pass

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "focus" and done == 2:
            raise Stop

    engine = ZeroOVEngine(loaded["qwen25"], ZeroOVConfig(max_new_tokens=1, focus="ddim", steps=4))
    with pytest.raises(Stop):
        engine.answer(rgb, "the roof", progress)


def test_from_the_command_line(
    checkpoints: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VLM, str(checkpoints["brief"]))
    monkeypatch.setenv(DIFFUSION, str(checkpoints["diffusion"]))
    scene, out, maps = tmp_path / "scene.tif", tmp_path / "out.gpkg", tmp_path / "maps"
    write_geotiff(generate(4, size_px=(128, 128), gsd_m=0.3, expressions=0), scene)
    command = ["ground", str(scene), "the roof", "--engine", "zeroov", "-o", str(out), "--explain", str(maps)]
    assert command_line.main(command) == 0, capsys.readouterr().err
    assert out.exists()
    files = sorted(maps.glob("*.tif"))
    assert len(files) == 3
    with rasterio.open(scene) as picture:
        for file in files:
            with rasterio.open(file) as shown:
                assert shown.crs == picture.crs
                assert tuple(shown.bounds) == pytest.approx(tuple(picture.bounds))


@pytest.mark.parametrize("table", ["zeroov.2", "zeroov.3", "zeroov.7", "zeroov.8"])
def test_a_table_of_the_paper_is_one_command(
    table: str, checkpoints: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name, kind in ((VLM, "brief"), (DIFFUSION, "diffusion"), (SAM, "sam")):
        monkeypatch.setenv(name, str(checkpoints[kind]))
    data = tmp_path / "data"
    for folder in ("img_rgb", "mask"):
        (data / folder).mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    mask[10:30, 20:50] = 255
    for name in ("1.png", "2.png"):
        Image.fromarray(pixels).save(data / "img_rgb" / name)
        Image.fromarray(mask).save(data / "mask" / name)
    (data / "output_phrase_test.txt").write_text("1.png the white tank\n2.png a road\n", encoding="utf-8")
    command = ["eval", "--table", table, "--focus", "fast", "--data", f"risbench:{data}", "-o", str(tmp_path)]
    assert command_line.main(command) == 0, capsys.readouterr().err
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and line.endswith("| 2 |")]
    assert len(rows) == len(TABLES[table])
    assert "30.15" in text
    assert "Error" not in text


def test_a_table_that_is_not_known_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["eval", "--table", "zeroov.4", "--data", "scenes", "-o", str(tmp_path)]) == 2
    assert "expected one of zeroov.2, zeroov.3, zeroov.7, zeroov.8" in capsys.readouterr().err


def test_what_is_missing_is_named(
    tmp_path: Path, checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = str(checkpoints["qwen25"])
    with pytest.raises(EngineUnavailable, match=f"holds no model: expected config.json in it. Set {VLM}"):
        ZeroOVEngine(Parts(str(tmp_path), good))
    with pytest.raises(EngineUnavailable, match=f"nobody/nothing are not on this machine.*{DIFFUSION}"):
        ZeroOVEngine(Parts(good, "nobody/nothing"))
    ZeroOVEngine(Parts(good, "nobody/nothing"), ZeroOVConfig(structure="none"))
    monkeypatch.setattr(weights, "PACKAGES", ("torch", "no_such_package"))
    with pytest.raises(EngineUnavailable, match=r"not installed here: no_such_package.*install \"no_such_package\""):
        ZeroOVEngine(Parts(good, good))


def test_a_corrupt_checkpoint_is_named(tmp_path: Path, checkpoints: dict[str, Path]) -> None:
    import shutil

    folder = tmp_path / "broken"
    shutil.copytree(checkpoints["qwen25"], folder)
    (folder / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00not json")
    parts = Parts(str(folder), str(checkpoints["diffusion"]))
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        parts.vlm()


def test_the_hub_is_never_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VLM, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("RSGROUND_MODELS", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="not on this machine"):
        ZeroOVEngine()
