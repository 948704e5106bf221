"""RSVG-ZeroOV against the straightforward way: ratios in one run, time by stage, peak memory.

    python benchmarks/zeroov.py                 # reduced models with random weights, CPU
    python benchmarks/zeroov.py --full          # the published architectures with random weights; a GPU is used

Latency and memory do not depend on the values of weights; nothing here says how often an answer is right. Needs the
packages of the extra "models".
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

#: Side of the tile in pixels: 812 is the 29 x 29 cells of an 800-pixel picture.
TILE_PX = 812
#: Of blobs that grow over 7, 55 and 99 % of the grid: a search takes longer where more grows.
SPREADS = (20.0, 150.0, 400.0)
#: A written box has about so many tokens.
ANSWER_TOKENS = 24


def text_config(is_full: bool) -> dict[str, Any]:
    """Of Qwen2.5-VL-7B, or a tenth of it."""
    if is_full:
        return {
            "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
            "num_key_value_heads": 4, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
        }  # fmt: skip
    return {
        "hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 14, "num_attention_heads": 8,
        "num_key_value_heads": 2, "rope_scaling": {"type": "mrope", "mrope_section": [4, 6, 6]},
    }  # fmt: skip


def vlm(is_full: bool, attention: str | None = None) -> Any:
    """A Qwen2.5-VL with random weights; prepared for capture unless another attention is named."""
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from inference_server.models.zeroov.overview import VisionLanguageModel
    from tests.server.tiny_models import _ids, tokenizer

    tok = tokenizer()
    vision = {} if is_full else {
        "depth": 6, "hidden_size": 160, "intermediate_size": 640, "num_heads": 4, "fullatt_block_indexes": [2, 5],
    }  # fmt: skip
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": 152064 if is_full else 8192,
            "max_position_embeddings": 32768,
            **text_config(is_full),
        },
        vision_config={**vision, "out_hidden_size": text_config(is_full)["hidden_size"]},
        **_ids(tok),
    )
    if attention is not None:
        config._attn_implementation = attention
    device, dtype = target()
    torch.manual_seed(0)
    with torch.device(device):
        torch.set_default_dtype(dtype)
        model = Qwen2_5_VLForConditionalGeneration(config)
        torch.set_default_dtype(torch.float32)
    processor = Qwen2VLImageProcessorPil()
    if attention is not None:
        return model.eval(), tok, processor
    return VisionLanguageModel(model, tok, processor)


def diffusion(is_full: bool) -> Any:
    """Stable Diffusion 1.4's architecture with random weights, or a narrower one at the same resolutions."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from inference_server.models.zeroov.diffusion import DiffusionModel
    from tests.server.tiny_models import tokenizer

    widths = (320, 640, 1280, 1280) if is_full else (16, 32, 64, 64)
    across = 768 if is_full else 64
    side = 64 if is_full else 32
    unet = UNet2DConditionModel(
        sample_size=side, norm_num_groups=32 if is_full else 8, block_out_channels=widths,
        cross_attention_dim=across, attention_head_dim=8,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    )  # fmt: skip
    four = 4 if is_full else 2
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512) if is_full else (8, 16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4,
        layers_per_block=four // 2, norm_num_groups=32 if is_full else 4, scaling_factor=0.18215,
    )  # fmt: skip
    text = CLIPTextConfig(
        hidden_size=across, intermediate_size=4 * across, num_hidden_layers=12 if is_full else 2,
        num_attention_heads=across // 64, vocab_size=49408, eos_token_id=257, bos_token_id=256, pad_token_id=256,
    )  # fmt: skip
    tok = tokenizer()
    tok.model_max_length = 77
    device, dtype = target()
    parts = [part.to(device, dtype).eval().requires_grad_(False) for part in (unet, vae, CLIPTextModel(text))]
    return DiffusionModel(parts[0], parts[1], parts[2], tok)


def target() -> tuple[Any, Any]:
    """Where and in what precision."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda"), torch.bfloat16
    return torch.device("cpu"), torch.float32


def seconds(run: Callable[[], Any], times: int = 3) -> float:
    """Median over a few runs, the GPU's work included."""
    import torch

    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return median(taken)


def depth_first(seeds: np.ndarray, response: np.ndarray, above: float) -> np.ndarray:
    """Eq. 6 as the paper writes it."""
    out = seeds.copy()
    stack = list(zip(*np.nonzero(seeds), strict=True))
    while stack:
        i, j = stack.pop()
        for u in range(max(0, i - 1), min(len(response), i + 2)):
            for v in range(max(0, j - 1), min(len(response), j + 2)):
                if not out[u, v] and response[u, v] > above:
                    out[u, v] = True
                    stack.append((u, v))
    return out


def growth_times(spread: float) -> tuple[int, float, float]:
    """Cells that grow in a blob of attention, seconds of a depth-first search, and ours; the regions are the same."""
    from inference_server.models.zeroov.evolve import grown, seeds_of

    y, x = np.mgrid[:32, :32]
    response = np.exp(-((y - 15) ** 2 + (x - 14) ** 2) / spread)
    seeds = seeds_of(response, 7)
    region = grown(seeds, response, 0.3)
    np.testing.assert_array_equal(region, depth_first(seeds, response, 0.3))
    theirs = seconds(lambda: [depth_first(seeds, response, 0.3) for _ in range(20)]) / 20
    return int(region.sum()), theirs, seconds(lambda: [grown(seeds, response, 0.3) for _ in range(200)]) / 200


def overview_memory(way: str, is_full: bool) -> None:
    """Prints the MiB that one pass over the prompt takes beyond the model; run in a process of its own."""
    import torch

    from inference_server.models.zeroov.config import ZeroOVConfig

    tile_px = TILE_PX
    rgb = np.random.default_rng(0).integers(0, 255, (3, tile_px, tile_px), dtype=np.uint8)
    if way == "captured":
        model = vlm(is_full)
        work: Callable[[], Any] = lambda: model.overlook(model.see(rgb), "the red roof", ZeroOVConfig(max_new_tokens=1))  # noqa: E731
    else:
        raw, tok, processor = vlm(is_full, "eager")
        from inference_server.models.zeroov.overview import VisionLanguageModel
        from tests.server.test_zeroov_models import whole_prompt

        shell = VisionLanguageModel.__new__(VisionLanguageModel)
        shell._tokenizer, shell._processor, shell._merge = tok, processor, 2
        inputs = {k: v.to(raw.device) for k, v in whole_prompt(shell, rgb, "the red roof").items()}
        kept: list[Any] = []
        work = lambda: kept.append(raw(**inputs, output_attentions=True))  # noqa: E731
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        with torch.no_grad():
            work()
        print((torch.cuda.max_memory_allocated() - before) / 2**20)
        return
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.no_grad():
        work()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="published sizes")
    parser.add_argument("--memory", choices=("captured", "eager"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    tile_px = TILE_PX
    if args.memory:
        overview_memory(args.memory, args.full)
        return
    import torch

    from inference_server.models.zeroov.config import ZeroOVConfig
    from inference_server.models.zeroov.diffusion import structure_of
    from inference_server.models.zeroov.grounding import attend, ground
    from inference_server.regions import build_region_tree
    from inference_server.segmenter import RegionSegmenter

    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    print(f"# {where}; {'published' if args.full else 'reduced'} sizes, random weights, tile of {tile_px} px\n")
    own = [sys.executable, __file__, *(["--full"] if args.full else []), "--memory"]
    memory = {}
    for way in ("captured", "eager"):
        said = subprocess.run([*own, way], check=True, capture_output=True, text=True).stdout
        memory[way] = float(said.split()[-1])

    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 255, (3, tile_px, tile_px), dtype=np.uint8)
    growth = [growth_times(spread) for spread in SPREADS]

    language, picture = vlm(args.full), diffusion(args.full)
    config = ZeroOVConfig(max_new_tokens=ANSWER_TOKENS)
    stages: dict[str, float] = {"Overview: see the tile": seconds(lambda: language.see(rgb))}
    seen = language.see(rgb)
    stages["Overview: an expression"] = seconds(
        lambda: language.overlook(seen, "the white tank left of the road", config)
    )
    latent = picture.latent_of(rgb)
    stages["Focus: latent"] = seconds(lambda: picture.latent_of(rgb), 1)
    for mode in ("fast", "ddim"):
        stages[f"Focus: {mode}"] = seconds(
            lambda mode=mode: structure_of(picture, latent, "", ZeroOVConfig(focus=mode)), 1
        )  # type: ignore[misc]
    published = ZeroOVConfig(focus="paper")
    stages["Focus: paper"] = seconds(lambda: structure_of(picture, latent, "roof", published), 1)
    structure = structure_of(picture, latent, "", config)
    cross = language.overlook(seen, "roof", config).attention
    stages["Focus: interaction, Evolve"] = seconds(lambda: attend(cross, structure, config))
    stages["Refine: region tree"] = seconds(
        lambda: RegionSegmenter(build_region_tree(rgb, np.ones(rgb.shape[1:], bool))), 1
    )
    segmenter = RegionSegmenter(build_region_tree(rgb, np.ones(rgb.shape[1:], bool)))
    attention = attend(cross, structure, config)
    stages["Refine: a box"] = seconds(
        lambda: ground(attention, (tile_px, tile_px), config, segmenter=segmenter, box=None, whole=True)
    )
    second = sum(stages[k] for k in ("Overview: an expression", "Focus: interaction, Evolve", "Refine: a box"))
    first = second + sum(
        stages[k] for k in ("Overview: see the tile", "Focus: latent", "Focus: fast", "Refine: region tree")
    )
    print("| stage | s |\n|---|---|")
    for name, value in stages.items():
        print(f"| {name} | {value:.4f} |")
    print("\nFirst expression on a tile: all stages, with the fast Focus, added up; the second: those it repeats.\n")
    held, kept = memory["eager"], memory["captured"]
    slow, fast = stages["Focus: paper"], stages["Focus: fast"]
    for line in (
        "| what | straightforward | ours | ratio | bar |\n|---|---|---|---|---|",
        f"| Overview, peak memory beyond the model, MiB | {held:.0f} | {kept:.0f} | {kept / held:.2f} | 0.5 |",
        *(
            f"| Evolve on 32 x 32, {cells} cells grown, ms | {a * 1e3:.3f} | {b * 1e3:.3f} | {a / b:.0f} x | 50 x |"
            for cells, a, b in growth
        ),
        f"| Focus, paper against fast, s | {slow:.1f} | {fast:.2f} | {slow / fast:.0f} x | 20 x |",
        f"| First expression on a tile, the second, s | {first:.2f} | {second:.2f} | {first / second:.1f} x | 4 x |",
    ):
        print(line)
    print(f"\nPeak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
