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
#: Sides of the grid that regions are grown on; 32 is the paper's and its code's.
GRIDS = (32, 64)
#: Share of the grid that grows: a search takes longer where more does.
SHARES = (0.03, 0.07, 0.25, 0.55, 0.99)
#: Maps of the mix; what grows in them takes 1 to 60 % of the grid, each order of magnitude as often.
MIXED = 40
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


def resident_mib(line: str) -> float | None:
    """A line of Linux's account of this process, "VmRSS" or "VmHWM" (the most there was); None elsewhere."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    return next(float(each.split()[1]) for each in status.read_text().splitlines() if each.startswith(line)) / 2**10


def stage(run: Callable[[], Any], times: int = 3) -> tuple[float, float | None]:
    """Seconds, and the most memory in MiB beyond what there was before: the GPU's, or the process's on Linux."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() / 2**20
        return seconds(run, times), torch.cuda.max_memory_allocated() / 2**20 - before
    if resident_mib("VmRSS") is None:
        return seconds(run, times), None
    Path("/proc/self/clear_refs").write_text("5")  # the most there was begins anew
    before = resident_mib("VmRSS") or 0.0
    taken = seconds(run, times)
    return taken, (resident_mib("VmHWM") or 0.0) - before


def searched(seeds: list[tuple[int, int]], response: Any, above: float = 0.3) -> Any:
    """Eq. 6 cell by cell: over a NumPy array, or over a tensor as the released code does it."""
    rows, cols = response.shape
    stack = list(seeds)
    out = response * 0 > 1
    for i, j in seeds:
        out[i, j] = True
    while stack:
        i, j = stack.pop()
        for u in range(max(0, i - 1), min(rows, i + 2)):
            for v in range(max(0, j - 1), min(cols, j + 2)):
                if not out[u, v] and response[u, v] > above:
                    out[u, v] = True
                    stack.append((u, v))
    return out


def evolved_in_arrays(cross: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Evolve of NumPy arrays with a search in Python."""
    i, j = np.nonzero(cross >= np.unique(cross)[-7])
    return searched(list(zip(i.tolist(), j.tolist(), strict=True)), response)


def evolved_in_tensors(cross: Any, response: Any) -> Any:
    """Evolve as the released code has it: tensors on the CPU, searched in Python."""
    import torch

    seeds = [tuple(at) for value in torch.unique(cross)[-7:] for at in (cross == value).nonzero().tolist()]
    return searched(seeds, response)


def planted(side: int, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A_C and A_CS of a long thing that takes a share of the grid: A_C is strong at a few places in it."""
    y, x = np.mgrid[:side, :side] - rng.uniform(0.35, 0.65, (2, 1, 1)) * side
    turn, longer = rng.uniform(0, np.pi), rng.uniform(1, 2)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    far = (along / longer) ** 2 + (across * longer) ** 2
    response = 0.3 ** (far / np.quantile(far, share))
    return response * rng.uniform(0, 1, response.shape) ** 4, response


def growth_row(name: str, maps: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """A line of the table of Evolve: seeds and growth of all maps by each way; the regions are the same."""
    import torch

    from inference_server.models.zeroov.evolve import grown, seeds_of

    tensors = [tuple(map(torch.from_numpy, pair)) for pair in maps]
    ours = [grown(seeds_of(cross, 7), response, 0.3) for cross, response in maps]
    for found, pair, tensor in zip(ours, maps, tensors, strict=True):
        np.testing.assert_array_equal(found, evolved_in_arrays(*pair))
        np.testing.assert_array_equal(found, evolved_in_tensors(*tensor).numpy())
    by_tensors = seconds(lambda: [evolved_in_tensors(*tensor) for tensor in tensors])
    by_arrays = seconds(lambda: [evolved_in_arrays(*pair) for pair in maps])
    again = 50
    taken = seconds(lambda: [grown(seeds_of(c, 7), r, 0.3) for _ in range(again) for c, r in maps]) / again
    cells = np.mean([region.sum() for region in ours])
    to_ms = 1e3 / len(maps)
    return (
        f"| {name} | {cells:.0f} | {by_tensors * to_ms:.2f} | {by_arrays * to_ms:.2f} | {taken * to_ms:.4f} |"
        f" {by_tensors / taken:.0f} x | {by_arrays / taken:.0f} x |"
    )


def growth_table() -> list[str]:
    """Evolve by the share of the grid that grows, and over a mix of shares."""
    rng = np.random.default_rng(0)
    out = [
        "| Evolve, a map | cells grown | over torch, ms | over NumPy, ms | ours, ms | ratio | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for side in GRIDS:
        where = f"{side} x {side}"
        out += [growth_row(f"{where}, {share:.0%}", [planted(side, share, rng) for _ in range(5)]) for share in SHARES]
        mix = [planted(side, 0.01 * 60 ** rng.uniform(), rng) for _ in range(MIXED)]
        out.append(growth_row(f"{where}, mix of {MIXED}", mix))
    return out


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
    growth = growth_table()

    language, picture = vlm(args.full), diffusion(args.full)
    config = ZeroOVConfig(max_new_tokens=ANSWER_TOKENS)
    stages = {"Overview: see the tile": stage(lambda: language.see(rgb))}
    seen = language.see(rgb)
    stages["Overview: an expression"] = stage(
        lambda: language.overlook(seen, "the white tank left of the road", config)
    )
    latent = picture.latent_of(rgb)
    stages["Focus: latent"] = stage(lambda: picture.latent_of(rgb), 1)
    for mode, times in (("fast", 3), ("ddim", 1), ("paper", 1)):
        by_mode = ZeroOVConfig(focus=mode)
        stages[f"Focus: {mode}"] = stage(lambda by=by_mode: structure_of(picture, latent, "roof", by), times)  # type: ignore[misc]
    structure = structure_of(picture, latent, "", config)
    cross = language.overlook(seen, "roof", config).attention
    stages["Focus: interaction, Evolve"] = stage(lambda: attend(cross, structure, config))
    attention = attend(cross, structure, config)
    trees: list[Any] = []
    stages["Refine: region tree"] = stage(lambda: trees.append(build_region_tree(rgb, np.ones(rgb.shape[1:], bool))), 1)
    segmenter = RegionSegmenter(trees[0])
    stages["Refine: a box"] = stage(
        lambda: ground(attention, (tile_px, tile_px), config, segmenter=segmenter, box=None, whole=True)
    )
    taken = {name: each[0] for name, each in stages.items()}
    second = sum(taken[k] for k in ("Overview: an expression", "Focus: interaction, Evolve", "Refine: a box"))
    first = second + sum(
        taken[k] for k in ("Overview: see the tile", "Focus: latent", "Focus: fast", "Refine: region tree")
    )
    print("| stage | s | memory at its peak, MiB more |\n|---|---|---|")
    for name, (value, more) in stages.items():
        print(f"| {name} | {value:.4f} | {'-' if more is None else f'{more:.0f}'} |")
    print("\nFirst expression on a tile: all stages, with the fast Focus, added up; the second: those it repeats.\n")
    held, kept = memory["eager"], memory["captured"]
    slow, fast = taken["Focus: paper"], taken["Focus: fast"]
    for line in (
        "| what | straightforward | ours | ratio | bar |\n|---|---|---|---|---|",
        f"| Overview, peak memory beyond the model, MiB | {held:.0f} | {kept:.0f} | {kept / held:.2f} | 0.5 |",
        f"| Focus, paper against fast, s | {slow:.1f} | {fast:.2f} | {slow / fast:.0f} x | 20 x |",
        f"| First expression on a tile, the second, s | {first:.2f} | {second:.2f} | {first / second:.1f} x | 4 x |",
    ):
        print(line)
    print("\nEvolve, bar 50 x: seeds and growth; the released code searches torch's tensors.\n")
    print("\n".join(growth))
    print(f"\nPeak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
