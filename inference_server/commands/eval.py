"""``rsground eval``: asks an engine a data set, writes answers and report; compares two runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from inference_server.errors import InvalidRequest

_ANSWERS = "answers.jsonl"


def add_parser(commands: Any) -> None:
    """Adds "eval" to the command line's subparsers."""
    parser = commands.add_parser("eval", help="measure an engine on a data set, as the papers do")
    parser.add_argument("compare", nargs="*", metavar="compare A B", help="compare the answers in two folders")
    parser.add_argument("--engine", default="default", help="one of `rsground engines`")
    parser.add_argument("--data", metavar="NAME[:PATH]", help="scenes:A:B, benchmark, towns:PATH, rrsis-d:PATH ...")
    parser.add_argument("--split", default="test")
    parser.add_argument("-o", "--output", type=Path, help="folder for answers and report; a run there goes on")
    parser.add_argument("--restart", action="store_true", help="drop the answers in --output")
    parser.add_argument("--limit", type=int, help="the first so many samples")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--convention", default="default", help="default, rmsin, zeroov or vrsbench")
    parser.set_defaults(run=_eval)


def _eval(options: argparse.Namespace) -> int:
    if options.compare:
        return _compare(options.compare)
    from inference_server.evaluation import report, runner
    from inference_server.evaluation.metrics import CONVENTIONS
    from inference_server.evaluation.readers.named import open_data
    from inference_server.models.registry import Registry

    if options.data is None or options.output is None:
        raise InvalidRequest("eval: expected --data and --output", field="data")
    if options.convention not in CONVENTIONS:
        raise InvalidRequest(f"--convention: expected one of {', '.join(CONVENTIONS)}", field="convention")
    data = open_data(options.data, options.split)
    info = Registry().get(options.engine).info
    header = {
        "engine": info.name, "revision": info.revision, "data": options.data, "split": options.split,
        "convention": options.convention, "fingerprint": runner.fingerprint(options.data, options.split),
    }  # fmt: skip
    path = options.output / _ANSWERS
    if options.restart:
        path.unlink(missing_ok=True)
    convention = CONVENTIONS[options.convention]
    answers = runner.run(
        data, engine=options.engine, header=header, path=path, limit=options.limit, workers=options.workers,
        convention=convention, progress=lambda n: print(f"\r{n} asked", end="", file=sys.stderr, flush=True),
    )  # fmt: skip
    print(file=sys.stderr)
    if not answers:
        raise InvalidRequest(f"{options.data}: the split {options.split!r} gave no expressions", field="data")
    text = report.markdown(header, answers, convention)
    groups = report.picked(answers)
    shown = {a.id for group in groups.values() for a in group if not a.error}
    tiles = {}
    for sample in data.samples():
        if sample.id in shown:
            tiles[sample.id] = sample.image.tile()
            if len(tiles) == len(shown):
                break
    (options.output / "report.md").write_text(text, encoding="utf-8")
    (options.output / "report.html").write_text(report.page(text, groups, tiles), encoding="utf-8")
    print(text)
    print(f"Written: {options.output / 'report.html'}")
    return 0


def _compare(words: list[str]) -> int:
    from inference_server.evaluation.runner import read_answers

    if len(words) != 3 or words[0] != "compare":
        raise InvalidRequest(f"eval: expected 'compare A B' or only options, got {' '.join(words)!r}", field="compare")
    (was, before), (now, after) = (read_answers(Path(word) / _ANSWERS) for word in words[1:])
    if was.get("fingerprint") != now.get("fingerprint"):
        raise InvalidRequest("eval compare: expected two runs on the same data, their fingerprints differ")
    old = {a.id: a for a in before}
    both = [(old[a.id], a) for a in after if a.id in old]
    won = [b for a, b in both if b.is_right and not a.is_right]
    lost = [b for a, b in both if a.is_right and not b.is_right]
    print(f"{len(both)} in both: right {sum(a.is_right for a, _ in both)} -> {sum(b.is_right for _, b in both)}")
    for title, items in (("won", won), ("lost", lost)):
        print(f"{len(items)} {title}")
        print("\n".join(f"  {a.id} [{a.kind}] {a.expression}" for a in items))
    return 0
