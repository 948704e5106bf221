"""ProVG's compact network: how fast it answers, which words it knows, whether it can learn a handful of samples.

python benchmarks/provg.py speed [provg.onnx]     the shipped network without a file
python benchmarks/provg.py words [--seeds A:B]    which of a class's words it sees best; three minutes for 20 scenes
python benchmarks/provg.py overfit [--minutes 2]  needs torch; figures before and after, on the same samples
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

#: Not imported from the engine: its import is measured.
SHIPPED = Path(__file__).parents[1] / "inference_server" / "models" / "provg" / "provg.onnx"
SENTENCE = "the white storage tank left of the road near the river"


def speed(path: Path, threads: int) -> None:
    """Load time, milliseconds a query at the network's own size, and memory of this process."""
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    from inference_server.models.provg.engine import Network, ProVGEngine

    imported_s = time.perf_counter() - start
    start = time.perf_counter()
    engine = ProVGEngine(network=Network(path, threads=threads))
    loaded_s = time.perf_counter() - start
    side = engine.network.config.image_size
    rgb = np.random.default_rng(0).integers(0, 255, (3, side, side)).astype(np.uint8)
    engine.answer(rgb, SENTENCE, gsd_m=0.3)
    times = []
    for _ in range(10):
        start = time.perf_counter()
        engine.answer(rgb, SENTENCE, gsd_m=0.3)
        times.append(time.perf_counter() - start)
    after_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"file {path.stat().st_size / 1e6:.1f} MB; load {loaded_s:.2f} s (limit 1), libraries {imported_s:.2f} s")
    print(
        f"a query at {side} x {side}, {threads} threads: median {1000 * np.median(times):.0f} ms, best"
        f" {1000 * min(times):.0f} ms (limit 300)"
    )
    print(f"memory at most {after_mb:.0f} MB, of which before loading {before_mb:.0f} MB (limit 500)")


def words(path: Path, seeds: range) -> None:
    """For every word of every class: the best IoU of its map with what is there, of all thresholds, as a mean."""
    from inference_server.evaluation.metrics import mask_overlap
    from inference_server.evaluation.scene_facts import Facts, Noun
    from inference_server.evaluation.scene_words import NOUNS
    from inference_server.evaluation.scenes import generate
    from inference_server.models.provg.engine import Network

    network, side = Network(path), 768
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in seeds:
        scene = generate(seed, size_px=(side, side), gsd_m=0.3, expressions=0)
        facts = Facts(scene)
        for category in (name for name in NOUNS if name not in scene.background):
            is_there = scene.covered_by(facts.members(Noun(category))[0])
            for word in sorted({single for single, _ in NOUNS[category]}) if is_there.any() else ():
                seen, _, _ = network.look(scene.rgb, network.feed(word), 0.3, side)
                overlaps = [mask_overlap(seen > limit, is_there).iou() for limit in np.arange(0.05, 1.0, 0.05)]
                found[category, word].append(max(overlaps))
    for (category, word), values in sorted(found.items()):
        print(f"{category:<18} {word:<20} {np.mean(values):.3f} of {len(values)} scenes")


def overfit(minutes: float, samples: int, side: int) -> None:
    """Trains on a few samples of generated scenes until the time is over; the score on them before and after."""
    from inference_server.models.provg.config import COMPACT
    from inference_server.models.provg.tokenizer import SubwordTokenizer, build_vocabulary
    from inference_server.training.provg import Recipe, Training
    from inference_server.training.provg_data import Samples, Source, collate
    from inference_server.training.provg_losses import LossWeights

    config = replace(COMPACT, image_size=side)
    folder = Path(tempfile.mkdtemp())
    source = Source(3, folder, is_held_out=True)
    drawn = [Samples(source, config, seed=2, first=0, count=4 * samples)[i] for i in range(4 * samples)]
    area = [int(s.queries[0].on.sum()) for s in drawn]
    chosen = [i for i, n in enumerate(area) if n > 200][: samples - 1] + [i for i, n in enumerate(area) if not n][:1]
    drawn = [drawn[i] for i in chosen]
    asked = [s.queries[0] for s in drawn]
    tokenizer = SubwordTokenizer(build_vocabulary([q.text for q in asked], config.vocabulary_size))
    recipe = Recipe(
        config, steps=100_000, batch=len(drawn), queries=1, rate=2e-3, warm_up=20, validation=samples, workers=0,
        weights=LossWeights(box=0.2, mask=5.0, dice=0.5),
    )  # fmt: skip
    training = Training(recipe, folder, tokenizer, source, source)
    training._loader = lambda _: [collate(drawn, tokenizer, config.max_tokens)]  # type: ignore[method-assign]
    inputs, target, _ = collate(drawn, tokenizer, config.max_tokens)
    print(f"{len(drawn)} samples of {side} x {side}: " + "; ".join(f"{q.text} ({q.kind})" for q in asked))
    print(f"before: {training.validate()}", flush=True)
    start, first = time.perf_counter(), 0.0
    while time.perf_counter() - start < 60 * minutes:
        losses = training.learn(inputs, target)
        first = first or losses["total"]
    print(f"after {training.step} steps, {time.perf_counter() - start:.0f} s: {training.validate()}")
    print(f"loss {first:.3f} -> {losses['total']:.3f}")


def main() -> None:
    """Runs one of the three."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    one = commands.add_parser("speed")
    one.add_argument("path", type=Path, nargs="?", default=SHIPPED)
    one.add_argument("--threads", type=int, default=2)
    three = commands.add_parser("words")
    three.add_argument("path", type=Path, nargs="?", default=SHIPPED)
    three.add_argument("--seeds", default="30000:30020", help="A:B, B not included; none that it learnt from")
    two = commands.add_parser("overfit")
    two.add_argument("--minutes", type=float, default=2.0)
    two.add_argument("--samples", type=int, default=6)
    two.add_argument("--side", type=int, default=128)
    options = parser.parse_args()
    if options.command == "speed":
        speed(options.path, options.threads)
    elif options.command == "words":
        words(options.path, range(*(int(part) for part in options.seeds.split(":"))))
    else:
        overfit(options.minutes, options.samples, options.side)


if __name__ == "__main__":
    main()
