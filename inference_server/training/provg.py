"""The recipe for ProVG: ``rsground train provg --output FOLDER``.

The paper trains for 70 epochs with AdamW (weight decay 0.01), the rate cut to a tenth after 5/7 and 6/7 of them; here
the same shares of the steps, after a short warm-up that networks from scratch need.
"""

from __future__ import annotations

import importlib.util
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from inference_server.models.provg.config import ProVGConfig
from inference_server.models.provg.export import export
from inference_server.models.provg.model import ProVG, save_checkpoint
from inference_server.models.provg.tokenizer import SubwordTokenizer, Tokenizer, build_vocabulary
from inference_server.training.provg_data import Samples, Source, collate
from inference_server.training.provg_losses import LossWeights, Target, objective
from inference_server.training.provg_pictures import real_pictures, write
from inference_server.training.provg_validation import Score, score_of
from inference_server.training.provg_words import corpus

#: After these shares of the steps the rate falls to a tenth, and to a tenth of that.
MILESTONES = (5 / 7, 6 / 7)
#: Pictures that the share of expressions that something fits is taken from.
PRIOR_FROM = 200
STATE, BEST, MODEL = "state.pt", "best.pt", "provg.onnx"


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        config: the network.
        steps, batch, rate, warm_up: optimiser steps, pictures a step, peak learning rate, steps to reach it.
        weight_decay, clip: of AdamW; largest norm of the gradient.
        weights: of the losses.
        scenes, places: generated scenes to draw from, and more of the places that only the trainings draw.
        validation: samples of held-out scenes for early stopping.
        every, patience: steps between validations; validations without a better score before it stops.
        keep: steps between states written, beside those after validations: what a lost machine costs at most.
        workers: processes that draw and augment.
        seed: of weights and samples.
        device: "cpu", "cuda", "mps"; "" for the best there is.
        amp: mixed precision on CUDA, in float16.
        bfloat16: mixed precision elsewhere, in bfloat16: faster on processors with AVX512-BF16, slower without.
        side: of the pictures that it is trained on, a multiple of 32; 0 for the network's own. Smaller ones cost less:
            a run may begin with them and go on with the network's own.
        queries: expressions a picture; ``batch`` counts pictures. A backbone that language does not enter runs once for
            all of them.
        backbone_rate: the backbone's learning rate as a share of the others'; less than 1 where it starts trained, 0 to
            leave it as it is.
    """

    config: ProVGConfig = field(default_factory=ProVGConfig)
    steps: int = 20_000
    batch: int = 8
    rate: float = 1e-3
    warm_up: int = 300
    weight_decay: float = 0.01
    clip: float = 1.0
    weights: LossWeights = field(default_factory=LossWeights)
    scenes: int = 2000
    places: int = 1000
    validation: int = 200
    every: int = 500
    patience: int = 8
    keep: int = 100
    workers: int = 1
    seed: int = 0
    device: str = ""
    amp: bool = True
    bfloat16: bool = False
    side: int = 0
    queries: int = 4
    backbone_rate: float = 1.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "queries", "scenes", "validation", "every", "patience", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"Recipe: expected {name} to be at least 1, got {getattr(self, name)}")
        if self.places < 0:
            raise ValueError(f"Recipe: expected places to be at least 0, got {self.places}")
        if not self.rate > 0:
            raise ValueError(f"Recipe: expected rate > 0, got {self.rate}")
        if self.side % 32 or self.side < 0:
            raise ValueError(f"Recipe: expected side to be 0 or a multiple of 32, got {self.side}")

    @property
    def seen(self) -> ProVGConfig:
        """The settings by which pictures are made for training."""
        return replace(self.config, image_size=self.side) if self.side else self.config

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, from 0."""
        cuts = sum(step >= share * self.steps for share in MILESTONES)
        return self.rate * min(1.0, (step + 1) / max(1, self.warm_up)) * 0.1**cuts


Report = Callable[[str], None]


class Training:
    """One run in one folder: it can be stopped at any step and goes on from the last state as if it had not been."""

    def __init__(self, recipe: Recipe, folder: Path, tokenizer: Tokenizer, source: Source, held_out: Source) -> None:
        self.recipe, self.folder, self.tokenizer = recipe, folder, tokenizer
        self.source, self.held_out = source, held_out
        self.device = torch.device(recipe.device or best_device())
        torch.manual_seed(recipe.seed)
        # Pixels before channels: on a CPU, and in 16 bits on a GPU, convolutions are up to 1.6 times as fast so.
        self.network = ProVG(recipe.config).to(self.device, memory_format=torch.channels_last)
        self.network.visual.requires_grad_(recipe.backbone_rate > 0)
        self.optimizer = torch.optim.AdamW(_groups(self.network, recipe), lr=recipe.rate)
        is_cuda = self.device.type == "cuda"
        self.is_mixed = recipe.amp if is_cuda else recipe.bfloat16
        self.precision = torch.float16 if is_cuda else torch.bfloat16
        # Only float16 has too few exponents for small gradients.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.is_mixed and is_cuda)
        self.step, self.best, self.since_best = 0, -1.0, 0
        self.is_stopping = False

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return self.tokenizer.vocabulary if isinstance(self.tokenizer, SubwordTokenizer) else ()

    def save(self, name: str = STATE) -> Path:
        """Writes all that is needed to go on."""
        path = self.folder / name
        save_checkpoint(
            self.network, path, vocabulary=self.vocabulary, optimizer=self.optimizer.state_dict(),
            scaler=self.scaler.state_dict(), step=self.step, best=self.best, since_best=self.since_best,
            batch=self.recipe.batch, seed=self.recipe.seed,
        )  # fmt: skip
        return path

    def resume(self, path: Path) -> None:
        """Goes on from a state of the same recipe.

        Raises:
            ValueError: the state is of another network, batch or seed.
        """
        stored = torch.load(path, weights_only=True, map_location=self.device)
        mine = {"config": self.recipe.config.to_dict(), "batch": self.recipe.batch, "seed": self.recipe.seed}
        for name, value in mine.items():
            if stored.get(name) != value:
                raise ValueError(
                    f"{path}: expected a state with {name} {value}, got {stored.get(name)}. Use the settings that it"
                    " was begun with, or another --output."
                )
        self.network.load_state_dict(stored["network"])
        self.optimizer.load_state_dict(stored["optimizer"])
        self.scaler.load_state_dict(stored["scaler"])
        self.step, self.best, self.since_best = stored["step"], stored["best"], stored["since_best"]

    def learn(self, inputs: list[Tensor], target: Target) -> dict[str, float]:
        """One step; the losses, by name."""
        self.network.train()
        if self.recipe.backbone_rate == 0:
            # Its norms' statistics stay, too.
            self.network.visual.eval()
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate_at(self.step) * group["share"]
        with torch.autocast(self.device.type, self.precision, enabled=self.is_mixed):
            output = self.network(*self._there(inputs))
        losses = objective(output.float(), target.to(self.device), self.recipe.weights)
        self.optimizer.zero_grad(set_to_none=True)
        total: Any = self.scaler.scale(losses["total"])
        total.backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        return {name: float(value.detach()) for name, value in losses.items()}

    def _there(self, inputs: list[Tensor]) -> list[Tensor]:
        """Picture and words on the device."""
        image, *words = inputs
        image = image.to(self.device, memory_format=torch.channels_last)
        return [image, *(x.to(self.device) for x in words)]

    def batches(self) -> Iterator[tuple[list[Tensor], Target, list[str]]]:
        """The batches from the present step to the last."""
        recipe = self.recipe
        first, count = self.step * recipe.batch, (recipe.steps - self.step) * recipe.batch
        samples = Samples(self.source, recipe.seen, seed=recipe.seed, first=first, count=count, queries=recipe.queries)
        return iter(self._loader(samples))

    def _loader(self, samples: Samples) -> DataLoader[Any]:
        together = partial(collate, tokenizer=self.tokenizer, max_tokens=self.recipe.config.max_tokens)
        workers = self.recipe.workers
        return DataLoader(
            samples, batch_size=self.recipe.batch, collate_fn=together, num_workers=workers,
            prefetch_factor=4 if workers else None,
        )  # fmt: skip

    def share_present(self) -> float:
        """How many of the expressions something fits, of the first ``PRIOR_FROM`` pictures' where that is known."""
        recipe = self.recipe
        first = Samples(self.source, recipe.seen, seed=recipe.seed, first=0, count=PRIOR_FROM, queries=recipe.queries)
        targets = [target for _, target, _ in self._loader(first)]
        told, present = (torch.cat([getattr(t, name) for t in targets]) for name in ("told", "present"))
        # Never 0 or 1: nothing is that sure.
        return float((present.sum() + 1) / (told.sum() + 2))

    @torch.no_grad()
    def validate(self) -> Score:
        """Measures on the held-out scenes."""
        self.network.eval()
        held = Samples(self.held_out, self.recipe.config, seed=1, first=0, count=self.recipe.validation)
        outputs = []
        for inputs, target, kinds in self._loader(held):
            output = self.network(*self._there(inputs))
            outputs.append((output.cpu(), target, kinds))
        return score_of(outputs)

    def run(self, report: Report) -> Score:
        """Trains to the end or until it no longer gets better; the last score.

        Raises:
            KeyboardInterrupt: ``is_stopping`` was set; the state is written, between two steps.
        """
        board = _board(self.folder)
        started, first = time.monotonic(), self.step
        score = Score()
        for inputs, target, _ in self.batches():
            losses = self.learn(inputs, target)
            if board is not None:
                for name, value in losses.items():
                    board.add_scalar(f"loss/{name}", value, self.step)
            if self.step % 50 == 0 or self.step == self.recipe.steps:
                pace = (time.monotonic() - started) / (self.step - first)
                said = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
                report(f"step {self.step}/{self.recipe.steps}: {said}; {pace:.2f} s a step")
            if self.step % self.recipe.every == 0 or self.step == self.recipe.steps:
                score = self.validate()
                report(f"step {self.step}: {score}")
                if board is not None:
                    for name, value in asdict(score).items():
                        board.add_scalar(f"validation/{name}", value, self.step)
                self._judge(score)
                if self.since_best >= self.recipe.patience:
                    report(f"no better score in {self.since_best} validations: stopped")
                    break
            elif self.step % self.recipe.keep == 0:
                self.save()
            if self.is_stopping:
                self.save()
                report(f"stopped at step {self.step}; go on with --resume")
                raise KeyboardInterrupt
        return score

    def _judge(self, score: Score) -> None:
        is_better = score.overall > self.best
        self.best = max(self.best, score.overall)
        self.since_best = 0 if is_better else self.since_best + 1
        if is_better:
            self.save(BEST)
        self.save()


def _groups(network: ProVG, recipe: Recipe) -> list[dict[str, Any]]:
    """Norms and biases do not decay; the backbone has a rate of its own."""
    groups = []
    for is_backbone, share in ((False, 1.0), (True, recipe.backbone_rate)):
        named = [(n, p) for n, p in network.named_parameters() if n.startswith("visual.") == is_backbone]
        learnt = [p for _, p in named if p.requires_grad]
        groups += [
            {"params": [p for p in learnt if p.ndim > 1], "weight_decay": recipe.weight_decay, "share": share},
            {"params": [p for p in learnt if p.ndim <= 1], "weight_decay": 0.0, "share": share},
        ]
    return groups


def start_from_evidence(network: ProVG, path: Path) -> None:
    """Gives a backbone the layers of a trained evidence network that it shares with it: all, or the encoder's.

    Args:
        network: with a pyramid for a backbone, or a compact one of the default sizes.
        path: a state that ``python -m inference_server.training.evidence --state`` wrote.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no such state, or the backbone has other sizes.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a state of the evidence network; there is none")
    stored = torch.load(path, weights_only=True, map_location="cpu")
    if not isinstance(stored, dict) or "averaged" not in stored:
        raise ValueError(f"{path}: expected a state that inference_server.training.evidence wrote")
    averaged, mine = stored["averaged"], network.visual.state_dict()
    if network.visual.is_pyramid:
        there = [averaged.get(name.removeprefix("network.")) for name in mine]
    else:
        there = [v for k, v in averaged.items() if k.startswith(("stem.", "stage"))]
    if [None if v is None else v.shape for v in there] != [v.shape for v in mine.values()]:
        raise ValueError(
            f"{path}: its layers have other sizes than the backbone: expected channels (48, 96, 160, 224) and depths"
            f" (1, 2, 2, 2), got {network.config.channels} and {network.config.depths}"
        )
    network.visual.load_state_dict(dict(zip(mine, there, strict=True)))


def best_device() -> str:
    """The accelerator that is there, else the CPU."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _board(folder: Path) -> Any:
    """A TensorBoard writer where TensorBoard is installed."""
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "tensorboard"))


def stored_real_pictures(data: Path, folder: Path, report: Report) -> tuple[Path, ...]:
    """The real pictures as files in ``folder``, made when first asked for."""
    done = folder / "complete"
    if not done.exists():
        for number, picture in enumerate(real_pictures(data)):
            write(picture, folder / f"real_{number:04d}.npz")
            if number % 50 == 49:
                report(f"{number + 1} real pictures read")
        folder.mkdir(parents=True, exist_ok=True)
        done.touch()
    return tuple(sorted(folder.glob("real_*.npz")))


def tokenizer_of(config: ProVGConfig, report: Report) -> Tokenizer:
    """BERT's own, or one built from the corpus."""
    if config.text == "bert":
        from inference_server.models.provg.text import BertTokenizer

        return BertTokenizer(config)
    report("building the vocabulary")
    return SubwordTokenizer(build_vocabulary(corpus(), config.vocabulary_size))


def train(
    recipe: Recipe,
    folder: Path,
    *,
    data: Path | None,
    cache: Path | None,
    resume: bool,
    report: Report,
    encoder: Path | None = None,
) -> Path:
    """Trains, keeps the best network, and exports it; returns the file to use.

    Args:
        recipe: how.
        folder: for the state, the best checkpoint, logs and the exported network.
        data: real sets; generated scenes alone without.
        cache: keeps pictures between runs; inside ``folder`` when None.
        resume: go on from the state in ``folder``.
        report: is given a line of progress now and then.
        encoder: state of a trained evidence network, whose encoder the backbone starts from.

    Raises:
        FileNotFoundError: nothing to resume from, or no such data folder or encoder.
        ValueError: the state is of another recipe, the encoder of another network.
    """
    state = folder / STATE
    if resume and not state.exists():
        raise FileNotFoundError(f"{state}: expected a state to go on from; there is none. Leave --resume out.")
    if data is not None and not data.is_dir():
        raise FileNotFoundError(f"{data}: expected a folder with towns/, cars/, planes/ and trees/")
    folder.mkdir(parents=True, exist_ok=True)
    cache = folder / "pictures" if cache is None else cache
    real = () if data is None else stored_real_pictures(data, cache / "real", report)
    if resume:
        words = torch.load(state, weights_only=True, map_location="cpu")["vocabulary"]
        tokenizer = SubwordTokenizer(words) if words else tokenizer_of(recipe.config, report)
    else:
        tokenizer = tokenizer_of(recipe.config, report)
    held_out = Source(min(100, recipe.validation), cache=cache, is_held_out=True)
    training = Training(recipe, folder, tokenizer, Source(recipe.scenes, recipe.places, cache, real), held_out)
    if resume:
        training.resume(state)
        report(f"going on from step {training.step}")
    elif encoder is not None:
        start_from_evidence(training.network, encoder)
        report(f"the backbone starts from {encoder}")
    with _stopped_between_steps(training):
        training.run(report)
    return exported(folder, report, prior=training.share_present())


@contextmanager
def _stopped_between_steps(training: Training) -> Iterator[None]:
    """Ctrl-C and SIGTERM let the step under way end, so that the state is whole; only in the main thread."""
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()

    def stop(*_: object) -> None:
        training.is_stopping = True

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exported(folder: Path, report: Report, *, prior: float = 0.5) -> Path:
    """The best checkpoint as ONNX beside it; the checkpoint itself where BERT's tokenizer would be needed.

    ``prior``: see ``export``.
    """
    from inference_server.models.provg.model import load_checkpoint

    stored = load_checkpoint(folder / BEST)
    if not stored["vocabulary"]:
        return folder / BEST
    more = {"metrics": {"validation": stored["best"]}, "steps": stored["step"]}
    vocabulary = tuple(stored["vocabulary"])
    revision = export(stored["network"], folder / MODEL, vocabulary=vocabulary, prior=prior, more=more)
    report(f"written: {folder / MODEL}, revision {revision}")
    return folder / MODEL
