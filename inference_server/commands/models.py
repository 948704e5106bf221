"""``rsground models``: lists, pulls, checks and removes published weights."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from inference_server.errors import WeightsDamaged

_TELL_EVERY_S = 0.2
_FAULT, _DONE = 1, 0


def add_parser(commands: Any) -> None:
    """Adds "models" to the command line's subparsers."""
    models = commands.add_parser("models", help="list, pull, verify and remove published weights")
    actions = models.add_subparsers(required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="which weights there are, their size, licence and state")
    listed.add_argument("--json", action="store_true", help="print the list as JSON")
    listed.set_defaults(run=_list)
    pull = actions.add_parser("pull", help="download weights, or go on with a download")
    pull.add_argument("names", nargs="+", metavar="NAME", help="an id of the list, another owner/name, or an engine")
    pull.add_argument("--yes", action="store_true", help="do not ask after telling licence and size")
    pull.add_argument("--update", action="store_true", help="take what a branch is now, where it has moved")
    pull.set_defaults(run=_pull)
    verify = actions.add_parser("verify", help="read every byte of pulled weights and compare the hashes")
    verify.add_argument("names", nargs="+", metavar="NAME")
    verify.set_defaults(run=_verify)
    remove = actions.add_parser("remove", help="delete pulled weights")
    remove.add_argument("names", nargs="+", metavar="NAME")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    remove.set_defaults(run=_remove)


def _list(options: argparse.Namespace) -> int:
    from inference_server.models.catalogue import CATALOGUE
    from inference_server.models.hub import size_text
    from inference_server.models.pulling import state_of
    from inference_server.models.store import store_folder

    rows = [
        {
            "id": w.repo, "role": w.role, "engines": list(w.engines), "revision": w.revision or w.sha256,
            "n_bytes": w.n_bytes, "licence": w.licence, "is_default": w.is_default, "state": state_of(w),
        }
        for w in CATALOGUE
    ]  # fmt: skip
    if options.json:
        print(json.dumps({"folder": str(store_folder()), "weights": rows}, ensure_ascii=False))
        return _DONE
    width = max(len(w.repo) for w in CATALOGUE)
    for row, weights in zip(rows, CATALOGUE, strict=True):
        default = " (default)" if weights.is_default else ""
        print(
            f"{weights.repo:<{width}}  {size_text(weights.n_bytes):>8}  {row['state']:<13}  {weights.role}{default};"
            f" {', '.join(weights.engines)}; {str(row['revision'])[:12]}; {weights.licence}"
        )
    print(f"Pulled weights are kept in {store_folder()} (RSGROUND_MODELS).")
    return _DONE


def _pull(options: argparse.Namespace) -> int:
    from inference_server.models.catalogue import chosen
    from inference_server.models.hub import Hub, size_text
    from inference_server.models.pulling import plan_of, pull

    hub = Hub()
    wanted = [weights for name in options.names for weights in chosen(name)]
    plans = [plan_of(weights, hub, may_change=options.update) for weights in wanted]
    for plan in plans:
        commit = plan.repo.commit[:12] if plan.repo else plan.weights.sha256[:12]
        size = size_text(plan.n_bytes or plan.weights.n_bytes)
        print(f"{plan.weights.repo} ({plan.weights.role}), {commit}: {size}, licence {plan.licence or 'not stated'}")
        gate = (
            " Its licence must be accepted on its page first." if plan.repo is not None and plan.repo.is_gated else ""
        )
        print(f"  {len(plan.missing)} of {len(plan.files)} files to bring, into {plan.folder}.{gate}")
    if any(plan.missing for plan in plans) and not _agreed(options, "Pull?"):
        return _FAULT
    for plan in plans:
        line = _ProgressLine(plan.weights.n_bytes)
        try:
            where = pull(plan, hub, line.tell)
        finally:
            line.end()
        print(f"Ready: {where}")
    return _DONE


def _verify(options: argparse.Namespace) -> int:
    from inference_server.models.catalogue import chosen
    from inference_server.models.pulling import damaged_files, drop_damaged

    for weights in (w for name in options.names for w in chosen(name)):
        damaged = damaged_files(weights, lambda name: print(f"  {name}", file=sys.stderr))
        if damaged:
            drop_damaged(weights, damaged)
            raise WeightsDamaged(
                f"{weights.repo}: {', '.join(damaged)} are not what was published, and were removed. Bring them anew:"
                f" rsground models pull {weights.repo}"
            )
        print(f"{weights.repo}: every file is what was published.")
    return _DONE


def _remove(options: argparse.Namespace) -> int:
    from inference_server.models.catalogue import chosen
    from inference_server.models.pulling import remove

    wanted = [weights for name in options.names for weights in chosen(name)]
    if not _agreed(options, f"Remove {', '.join(w.repo for w in wanted)}?"):
        return _FAULT
    for weights in wanted:
        for path in remove(weights):
            print(f"Removed: {path}")
    return _DONE


def _agreed(options: argparse.Namespace, question: str) -> bool:
    """Whether the user agrees; without a terminal only ``--yes`` does."""
    if options.yes:
        return True
    if not sys.stdin.isatty():
        print("rsground: nobody can be asked here; add --yes to agree.", file=sys.stderr)
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


class _ProgressLine:
    """How far a download is: one line that changes on a terminal, a line every hundredth elsewhere; on stderr."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._is_terminal = sys.stderr.isatty()
        self._told_at = 0.0
        self._hundredth = -1
        self._has_told = False

    def tell(self, name: str, done: int, total: int) -> None:
        from inference_server.models.hub import size_text

        total = total or self._expected
        share = done / total if total else 0.0
        text = f"{min(share, 1.0):4.0%}  {size_text(done)} of {size_text(total)}  {name}"
        if self._is_terminal:
            if time.monotonic() - self._told_at >= _TELL_EVERY_S:
                self._told_at, self._has_told = time.monotonic(), True
                print(f"\r{text:<100.100}", end="", file=sys.stderr, flush=True)
        elif int(100 * share) > self._hundredth:
            self._hundredth = int(100 * share)
            print(text, file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._has_told:
            print(file=sys.stderr)
