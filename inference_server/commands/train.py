"""``rsground train provg``: arguments to a recipe, and what to say when it cannot begin."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from inference_server.errors import EngineUnavailable, InvalidRequest

#: Arguments that are the recipe's own fields.
_RECIPE = (
    "steps", "batch", "rate", "warm_up", "scenes", "places", "validation", "every", "patience", "workers", "seed",
    "device", "side", "backbone_rate",
)  # fmt: skip


def add_parser(commands: Any) -> None:
    """Adds "train" to the command line's subparsers."""
    train = commands.add_parser("train", help="train a network of ours (needs the extra 'provg')")
    networks = train.add_subparsers(required=True, metavar="NETWORK")
    provg = networks.add_parser("provg", help="survey, locate, verify: boxes and masks from expressions")
    provg.add_argument("-o", "--output", type=Path, required=True, help="folder for state, best network and ONNX file")
    provg.add_argument("--config", default="compact", help="compact, full, or a JSON file of settings")
    provg.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one setting")
    provg.add_argument("--data", type=Path, help="folder with the real sets towns/, cars/, planes/, trees/")
    provg.add_argument("--cache", type=Path, help="folder that keeps pictures between runs; in --output otherwise")
    provg.add_argument("--resume", action="store_true", help="go on from the state in --output")
    provg.add_argument("--no-amp", action="store_true", help="no mixed precision on CUDA")
    provg.add_argument("--bfloat16", action="store_true", help="faster on processors with AVX512-BF16")
    provg.add_argument("--lambda-box", type=float, help="lambda 1 of Eq. 15; 1 otherwise")
    provg.add_argument("--lambda-mask", type=float, help="lambda 2 of Eq. 15; 0.5 otherwise")
    provg.add_argument("--lambda-consistency", type=float, help="lambda 3 of Eq. 15; 0.1 otherwise")
    provg.add_argument("--dice", type=float, help="share of Dice in the mask loss; 0.1 otherwise")
    for name, kind, text in (
        ("steps", int, "optimiser steps"),
        ("batch", int, "pictures a step"),
        ("queries", int, "expressions a picture"),
        ("rate", float, "peak learning rate"),
        ("warm-up", int, "steps to reach it"),
        ("scenes", int, "generated scenes to draw from"),
        ("places", int, "generated scenes of further, crowded places to draw from"),
        ("validation", int, "held-out samples for early stopping"),
        ("every", int, "steps between validations"),
        ("patience", int, "validations without a better score before it stops"),
        ("workers", int, "processes that draw samples"),
        ("seed", int, "of weights and samples"),
        ("device", str, "cpu, cuda or mps; the best there is otherwise"),
        ("side", int, "of training pictures in pixels, a multiple of 32; the network's own otherwise"),
        ("backbone-rate", float, "the backbone's learning rate as a share of the others'; 0 leaves it as it is"),
    ):
        provg.add_argument(f"--{name}", type=kind, help=text)
    provg.add_argument("--encoder", type=Path, help="state of a trained evidence network, to start the backbone from")
    provg.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Trains; returns the exit status.

    Raises:
        EngineUnavailable: torch is not installed.
        InvalidRequest: a setting that a network or a recipe cannot have.
    """
    try:
        from inference_server.training.provg import Recipe, train
    except ImportError as error:
        raise EngineUnavailable(
            f"Training needs a package that is not installed: {error}. Install it with: pip install 'rsground[provg]'"
        ) from error
    from inference_server.models.provg.config import COMPACT, FULL, ProVGConfig

    try:
        config = {"compact": COMPACT, "full": FULL}.get(options.config)
        if config is None:
            config = ProVGConfig.from_dict(json.loads(Path(options.config).read_text(encoding="utf-8")))
        config = replace(config, **dict(_setting(text, ProVGConfig) for text in options.set))
        recipe = Recipe(config=config, amp=not options.no_amp, bfloat16=options.bfloat16)
        given = {name: getattr(options, name) for name in _RECIPE if getattr(options, name) is not None}
        weights = {
            "box": options.lambda_box, "mask": options.lambda_mask, "consistency": options.lambda_consistency,
            "dice": options.dice,
        }  # fmt: skip
        weights = {name: value for name, value in weights.items() if value is not None}
        recipe = replace(recipe, **given, weights=replace(recipe.weights, **weights))
        path = train(
            recipe, options.output, data=options.data, cache=options.cache, resume=options.resume, report=_report,
            encoder=options.encoder,
        )  # fmt: skip
    except (ValueError, FileNotFoundError) as error:
        raise InvalidRequest(str(error)) from error
    print(f"Written: {path}")
    return 0


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _setting(text: str, config: Any) -> tuple[str, Any]:
    """ "order=LVS" as a name and a value of the setting's type."""
    name, equals, value = text.partition("=")
    known = {field.name: field.default for field in fields(config)}
    if not equals or name not in known:
        raise ValueError(f"--set: expected NAME=VALUE with a name among {', '.join(known)}, got {text!r}")
    if isinstance(known[name], str):
        return name, value
    try:
        read = json.loads(value.lower())
    except json.JSONDecodeError:
        read = None
    wanted = list if isinstance(known[name], tuple) else type(known[name])
    if type(read) is not wanted:
        raise ValueError(f"--set {name}: expected a value such as {json.dumps(known[name])}, got {value!r}")
    return name, tuple(read) if isinstance(read, list) else read
