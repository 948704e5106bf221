"""The papers' tables, to be shown beside ours; the figures are in papers.json, in percent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).with_name("papers.json")


@dataclass(frozen=True)
class PaperTable:
    """Part of a table that is about one split of one data set.

    Attributes:
        source: paper and table; convention: key of ``metrics.CONVENTIONS`` by which the paper counts.
        columns: names as in ``report.measures``; rows: figures in percent by method, None where the paper has none.
    """

    source: str
    convention: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | None, ...]]


def paper_tables(data: str, split: str) -> list[PaperTable]:
    """The tables about that data set ("rrsis-d") and split."""
    records = json.loads(_FILE.read_text(encoding="utf-8"))
    return [
        PaperTable(
            r["source"], r["convention"], tuple(r["columns"]), {name: tuple(row) for name, row in r["rows"].items()}
        )
        for r in records
        if r["data"] == data and r["split"] in ("*", split)
    ]


def beside(data: str, split: str, ours: Mapping[str, Mapping[str, float]]) -> str:
    """The tables in Markdown with a row of ours at the end; "" where the papers have none.

    Args:
        ours: by convention, by column, in [0, 1].
    """
    parts = []
    for table in paper_tables(data, split):
        mine = ours[table.convention]
        rows = [*table.rows.items(), ("**this run**", tuple(_percent(mine.get(c)) for c in table.columns))]
        parts.append(
            "\n".join(
                [
                    f"### {table.source}, counted as {table.convention!r}, in percent\n",
                    f"| method | {' | '.join(table.columns)} |",
                    "|---" * (1 + len(table.columns)) + "|",
                    *(
                        f"| {name} | {' | '.join('-' if v is None else f'{v:.2f}' for v in row)} |"
                        for name, row in rows
                    ),
                ]
            )
        )
    return "## Beside the papers\n\n" + "\n\n".join(parts) if parts else ""


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
