"""How long parsing takes: every expression of the tests' table, and texts made to be slow.

Run it with ``.venv/bin/python benchmarks/parse.py``.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from inference_server.expression import parse  # noqa: E402

LIMIT_S = 0.005
HARD = {
    "2000 characters of a relation": "the red car next to the bus " * 71,
    "2000 characters of 'and'": "the car and " * 166,
    "2000 characters of 'between'": "between the road and " * 95,
    "10,000 characters of a relation": "the red car next to the bus " * 357,
    "10,000 characters without a space": "x" * 10_000,
}


def best_of(text: str, times: int) -> float:
    """Seconds that parsing took when the machine was least busy."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        parse(text)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> int:
    """Prints the times; 1 when an expression of the table takes longer than the limit."""
    lines = (ROOT / "tests" / "server" / "expressions.txt").read_text(encoding="utf-8").splitlines()
    texts = [line.partition(" => ")[0] for line in lines if line and not line.startswith("#")]
    seconds = [best_of(text, 5) for text in texts]
    slowest = max(range(len(texts)), key=lambda i: seconds[i])
    print(f"{len(texts)} expressions: median {1000 * statistics.median(seconds):.3f} ms, ", end="")
    print(f"slowest {1000 * seconds[slowest]:.3f} ms ({texts[slowest]!r}); limit {1000 * LIMIT_S:g} ms")
    for name, text in HARD.items():
        print(f"{name}: {1000 * best_of(text, 5):.2f} ms")
    return int(seconds[slowest] > LIMIT_S)


if __name__ == "__main__":
    raise SystemExit(main())
