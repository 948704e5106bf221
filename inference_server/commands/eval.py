"""``rsground eval``: asks an engine a data set, writes answers and report; compares two runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_server.errors import InvalidRequest

if TYPE_CHECKING:
    from inference_server.evaluation.readers.base import DataSet
    from inference_server.evaluation.readers.ovss import Ovss
    from inference_server.evaluation.runner import Asker, ItemT, RecordT

_ANSWERS = "answers.jsonl"


def add_parser(commands: Any) -> None:
    """Adds "eval" to the command line's subparsers."""
    parser = commands.add_parser("eval", help="measure an engine on a data set, as the papers do")
    parser.add_argument("compare", nargs="*", metavar="compare A B", help="compare the answers in two folders")
    parser.add_argument("--engine", default="default", help="one of `rsground engines`")
    parser.add_argument(
        "--data", metavar="NAME[:PATH]", help="scenes:A:B, benchmark, towns:PATH, rrsis-d:PATH, loveda:PATH ..."
    )
    parser.add_argument("--split", default="test")
    parser.add_argument("-o", "--output", type=Path, help="folder for answers and report; a run there goes on")
    parser.add_argument("--restart", action="store_true", help="drop the answers in --output")
    parser.add_argument("--limit", type=int, help="the first so many expressions or pictures")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--convention", default="default", help="default, rmsin, zeroov or vrsbench")
    parser.add_argument(
        "--table", metavar="zeroov.N", help="an ablation table of RSVG-ZeroOV's paper (2, 3, 7, 8), with ours beside it"
    )
    parser.add_argument(
        "--focus", default="paper", help="of --table: paper (as published, slow), ddim or fast self-attention"
    )
    parser.set_defaults(run=_eval)


def _eval(options: argparse.Namespace) -> int:
    if options.compare:
        return _compare(options.compare)
    if options.data is None or options.output is None:
        raise InvalidRequest("eval: expected --data and --output", field="data")
    if options.table is not None:
        return _table(options)
    from inference_server.evaluation import runner
    from inference_server.evaluation.metrics import CONVENTIONS
    from inference_server.evaluation.readers.named import open_data
    from inference_server.evaluation.readers.ovss import Ovss
    from inference_server.models.registry import Registry

    if options.convention not in CONVENTIONS:
        raise InvalidRequest(f"--convention: expected one of {', '.join(CONVENTIONS)}", field="convention")
    data = open_data(options.data, options.split)
    info = Registry().get(options.engine).info
    header = {
        "engine": info.name, "revision": info.revision, "data": options.data, "split": options.split,
        "fingerprint": runner.fingerprint(options.data, options.split),
    }  # fmt: skip
    if options.restart:
        (options.output / _ANSWERS).unlink(missing_ok=True)
    if isinstance(data, Ovss):
        text, page = _of_classes(options, data, header)
    else:
        text, page = _of_samples(options, data, header)
    (options.output / "report.md").write_text(text, encoding="utf-8")
    (options.output / "report.html").write_text(page, encoding="utf-8")
    print(text)
    print(f"Written: {options.output / 'report.html'}")
    return 0


def _table(options: argparse.Namespace) -> int:
    """Runs every row of an ablation table; each goes on where it stopped."""
    from inference_server.evaluation import runner, tables
    from inference_server.evaluation.judging import Answer
    from inference_server.evaluation.readers.named import open_data
    from inference_server.evaluation.readers.ovss import Ovss
    from inference_server.models.zeroov.config import ZeroOVConfig

    rows = tables.rows_named(options.table)
    data = open_data(options.data, options.split)
    if isinstance(data, Ovss):
        raise InvalidRequest(f"--table: expected a data set of expressions, got {options.data!r}", field="data")
    try:
        base = ZeroOVConfig(refine="none", focus=options.focus)
    except ValueError as error:
        raise InvalidRequest(f"--focus: {error}", field="focus") from error
    asked = []
    fingerprint = runner.fingerprint(options.data, options.split)
    for number, row in enumerate(rows):
        folder = options.output / f"row-{number + 1}"
        header = {
            "table": options.table, "row": row.name, "focus": options.focus, "data": options.data,
            "split": options.split, "fingerprint": fingerprint,
        }  # fmt: skip
        if options.restart:
            (folder / _ANSWERS).unlink(missing_ok=True)
        print(f"{number + 1} of {len(rows)}: {row.name}", file=sys.stderr)
        part = argparse.Namespace(**{**vars(options), "output": folder})
        answers = _run(part, data.samples(), tables.asker_of(row, base), Answer, header, "expressions")
        asked.append(answers)
    text = tables.markdown(options.table, options.data, asked)
    (options.output / "table.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _of_samples(options: argparse.Namespace, data: DataSet, header: dict[str, Any]) -> tuple[str, str]:
    """Asks expressions; the report in Markdown and HTML."""
    from inference_server.evaluation import report, report_page
    from inference_server.evaluation.judging import Answer
    from inference_server.evaluation.runner import SampleAsker

    asker = partial(SampleAsker, options.engine)
    answers = _run(options, data.samples(), asker, Answer, header, "expressions")
    groups = report_page.picked(answers)
    shown = {a.id for group in groups.values() for a in group if not a.error}
    tiles = {}
    for sample in data.samples():
        if sample.id in shown:
            tiles[sample.id] = sample.image.tile()
            print(f"\rreport: {len(tiles)} of {len(shown)} pictures", end="", file=sys.stderr, flush=True)
            if len(tiles) == len(shown):
                break
    print(file=sys.stderr)
    text = report.markdown(header, answers, options.convention)
    cards = {title: [report_page.card(a, tiles.get(a.id)) for a in items] for title, items in groups.items()}
    return text, report_page.page(text, cards, report_page.LEGEND)


def _of_classes(options: argparse.Namespace, data: Ovss, header: dict[str, Any]) -> tuple[str, str]:
    """Asks the classes of a segmentation set; the report in Markdown and HTML."""
    from inference_server.evaluation import report_page, segmentation_report
    from inference_server.evaluation.segmentation import ClassAsker, Segmented

    folder = options.output / "answers"
    asker = partial(ClassAsker, options.engine, data.classes, folder)
    answers = _run(options, data.pictures(), asker, Segmented, header, "pictures")
    pictures = {p.id: p for p in data.pictures()}
    text = segmentation_report.markdown(header, answers, data.classes)
    cards = segmentation_report.cards(answers, pictures, folder)
    return text, report_page.page(text, cards, segmentation_report.LEGEND)


def _run(
    options: argparse.Namespace,
    items: Iterator[ItemT],
    make_asker: Callable[[], Asker[ItemT, RecordT]],
    kind: type[RecordT],
    header: dict[str, Any],
    what: str,
) -> list[RecordT]:
    from inference_server.evaluation import runner

    answers = runner.run(
        items, make_asker, kind, header=header, path=options.output / _ANSWERS, limit=options.limit,
        workers=options.workers, progress=lambda n: print(f"\r{n} asked", end="", file=sys.stderr, flush=True),
    )  # fmt: skip
    print(file=sys.stderr)
    if not answers:
        raise InvalidRequest(f"{options.data}: the split {options.split!r} gave no {what}", field="data")
    return answers


def _compare(words: list[str]) -> int:
    from inference_server.evaluation.readers.ovss import CLASSES
    from inference_server.evaluation.runner import read_header

    if len(words) != 3 or words[0] != "compare":
        raise InvalidRequest(f"eval: expected 'compare A B' or only options, got {' '.join(words)!r}", field="compare")
    paths = [Path(word) / _ANSWERS for word in words[1:]]
    was, now = (read_header(path) for path in paths)
    if was.get("fingerprint") != now.get("fingerprint"):
        raise InvalidRequest("eval compare: expected two runs on the same data, their fingerprints differ")
    if str(was.get("data")).partition(":")[0] in CLASSES:
        _compare_classes(paths)
    else:
        _compare_samples(paths)
    return 0


def _compare_samples(paths: list[Path]) -> None:
    from inference_server.evaluation.judging import Answer
    from inference_server.evaluation.runner import read_answers

    before, after = (read_answers(path, Answer)[1] for path in paths)
    old = {a.id: a for a in before}
    both = [(old[a.id], a) for a in after if a.id in old]
    won = [b for a, b in both if b.is_right and not a.is_right]
    lost = [b for a, b in both if a.is_right and not b.is_right]
    print(f"{len(both)} in both: right {sum(a.is_right for a, _ in both)} -> {sum(b.is_right for _, b in both)}")
    for title, items in (("won", won), ("lost", lost)):
        print(f"{len(items)} {title}")
        print("\n".join(f"  {a.id} [{a.kind}] {a.expression}" for a in items))


def _compare_classes(paths: list[Path]) -> None:
    import numpy as np

    from inference_server.evaluation.runner import read_answers
    from inference_server.evaluation.segmentation import Segmented, class_ious, headline

    before, after = ({a.id: a for a in read_answers(path, Segmented)[1] if a.counts} for path in paths)
    both = sorted(before.keys() & after.keys())
    if not both:
        raise InvalidRequest("eval compare: expected pictures that both runs asked, there are none")
    old, new = (np.sum([np.array(run[name].counts) for name in both], axis=0) for run in (before, after))
    print(f"{len(both)} in both: {headline(old):.3f} -> {headline(new):.3f}")
    for index, (a, b) in enumerate(zip(class_ious(old), class_ious(new), strict=True)):
        print(f"  class {index}: {a:.3f} -> {b:.3f}")
