"""What the panel adds to the engine, in real QGIS: run with QGIS's own Python.

    xvfb-run -a .venv-qgis/bin/python benchmarks/panel.py [--repeat 5]

A generated town of 1024 x 1024 pixels is asked through the panel, its own server behind it. Prints seconds until a
server is ready (cold: as found; warm: started again), then for each query the seconds from Enter to layers in the
project, the engine's own, their difference and where it goes, and the gaps of the interface's thread. The view moves a
little before each query, so that the engine looks at each tile anew. The last line says whether the limits hold:
overhead at most 0.1 s or a tenth of the engine's time, gaps under 50 ms.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "plugin")]
os.environ.setdefault("RSGROUND_PYTHON", str(ROOT / ".venv" / "bin" / "python"))
os.environ["GDAL_PAM_ENABLED"] = "NO"

from panel_window import LagProbe, PanelWindow, application, spin_until, use_settings_in  # noqa: E402
from qgis.core import QgsRectangle  # noqa: E402
from qgis.PyQt.QtCore import Qt  # noqa: E402
from qgis.PyQt.QtTest import QTest  # noqa: E402
from test_panel_with_server import EXPRESSIONS, SIZE, write_town  # noqa: E402
from test_server_process import launch  # noqa: E402

from rsground_plugin.core.grounding_task import Outcome  # noqa: E402
from rsground_plugin.core.server_process import LocalServer  # noqa: E402
from rsground_plugin.core.settings import Settings  # noqa: E402

MAX_OVERHEAD_S, MAX_OVERHEAD_SHARE, MAX_GAP_MS = 0.1, 0.1, 50.0
_PIXEL_M = 0.3


def server_ready_s(repeat: int) -> list[float]:
    """Seconds from starting a server to its first answer, one for each start."""
    times = []
    for _ in range(repeat):
        server = LocalServer(launch)
        started = time.perf_counter()
        server.ensure()
        times.append(time.perf_counter() - started)
        server.stop(wait_s=10)
    return times


def ask(window: PanelWindow, expression: str) -> tuple[Outcome, float, LagProbe]:
    """Types nothing, presses Enter: the outcome, seconds until its layers are in the project, the gaps meanwhile."""
    window.dock.form.expression.setText(expression)
    with LagProbe() as probe:
        started = time.perf_counter()
        QTest.keyClick(window.dock.form.expression, Qt.Key.Key_Return)
        outcome = window.answer(120)
        seconds = time.perf_counter() - started
        # The map draws the new layers: the interface has to stay free here too.
        spin_until(lambda: not window.canvas.isDrawing(), 10)
    if not isinstance(outcome, Outcome):
        raise SystemExit(f"“{expression}” had no answer: {outcome}")
    return outcome, seconds, probe


def measure(folder: Path, repeat: int) -> bool:
    """Prints the table; whether the medians are within the limits."""
    starts = server_ready_s(3)
    print(f"server ready: {starts[0]:.2f} s as found, {statistics.median(starts[1:]):.2f} s when started again\n")
    use_settings_in(folder)
    Settings.load().save(results_folder=str(folder / "results"))
    server = LocalServer(launch)
    window = PanelWindow(server, write_town(folder / "town.tif"))
    try:
        window.canvas.setDestinationCrs(window.layer.crs())
        window.canvas.setFixedSize(SIZE, SIZE)
        window.canvas.setExtent(QgsRectangle(window.layer.extent()))
        if not spin_until(lambda: window.dock.form.engine.is_known, 60):
            raise SystemExit(f"the server did not tell its engines: {window.dock.message.text()}")
        ask(window, "the red roofs")  # imports, caches
        print(
            f"{'expression':<36} {'tile':>11} {'found':>5} {'Enter to layers s':>17} {'engine s':>8} {'added s':>7} "
            f"{'tile s':>6} {'send s':>6} {'write s':>7} {'draw s':>6} {'worst gap ms':>12} {'gaps > 16 ms':>12}"
        )
        rows = []
        for i in range(repeat):
            expression = EXPRESSIONS[i % len(EXPRESSIONS)]
            window.canvas.setExtent(QgsRectangle(window.layer.extent()).buffered(-_PIXEL_M * (i + 1)))
            spin_until(lambda: not window.canvas.isDrawing(), 10)
            outcome, seconds, probe = ask(window, expression)
            parts, engine_s = outcome.seconds_by_part, outcome.result.timings_s["total"]
            rows.append((seconds, engine_s, seconds - engine_s, probe.worst_ms))
            print(
                f"{expression:<36} {outcome.tile.width:>5} x {outcome.tile.height:<3} "
                f"{len(outcome.result.detections):>5} {seconds:>17.3f} {engine_s:>8.3f} {seconds - engine_s:>7.3f} "
                f"{parts['tile']:>6.3f} {parts['ground'] - engine_s:>6.3f} {parts['write']:>7.3f} "
                f"{seconds - parts['total']:>6.3f} {probe.worst_ms:>12.0f} "
                f"{sum(gap > 16 for gap in probe.gaps_ms):>12}"
            )
        seconds, engine_s, added_s, gap_ms = (statistics.median(column) for column in zip(*rows))
        worst_ms = max(row[3] for row in rows)
        limit_s = max(MAX_OVERHEAD_S, MAX_OVERHEAD_SHARE * engine_s)
        is_within = added_s <= limit_s and gap_ms < MAX_GAP_MS
        print(
            f"\nmedians: {seconds:.3f} s from Enter to layers, engine {engine_s:.3f} s, added {added_s:.3f} s "
            f"(limit {limit_s:.3f}); worst gap of a query {gap_ms:.0f} ms (limit {MAX_GAP_MS:.0f}), "
            f"of all {worst_ms:.0f} ms: {'within' if is_within else 'NOT within'} the limits"
        )
        return is_within
    finally:
        window.close()
        server.stop(wait_s=10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="queries to ask")
    arguments = parser.parse_args()
    application()
    with tempfile.TemporaryDirectory(prefix="rsground_panel_") as folder:
        is_within = measure(Path(folder), arguments.repeat)
    sys.stdout.flush()
    # QGIS crashes in its own clean-up while Python still holds its objects; everything of ours is closed.
    os._exit(0 if is_within else 1)


if __name__ == "__main__":
    main()
