"""``rsground batch``: expressions over whole rasters, resumable, for people and scripts."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inference_server.errors import Cancelled, InvalidRequest
from rsground_plugin.protocol import (
    OUTPUT_KINDS,
    BatchEndEvent,
    BatchEvent,
    BatchPlan,
    BatchRequest,
    BatchResult,
    ErrorEvent,
    PlanEvent,
    ProgressEvent,
    TileEvent,
    WireError,
    event_to_line,
)

FOUND, NOTHING, STOPPED = 0, 3, 130
#: Stages that belong to a tile: the count of tiles says as much.
_OF_THE_WHOLE = ("coarse", "merging", "resolving", "writing")


def add_parser(commands: Any) -> None:
    """Adds "batch" to the command line's subparsers."""
    batch = commands.add_parser("batch", help="find expressions in whole rasters; a stopped run goes on when repeated")
    batch.add_argument("rasters", nargs="+", metavar="RASTER", help="file, folder, pattern, address, or STAC JSON file")
    batch.add_argument("-e", "--expression", action="append", default=[], help="what to find; may be repeated")
    batch.add_argument("--expressions", type=Path, metavar="FILE", help="a text file with one expression a line")
    batch.add_argument("-o", "--output", type=Path, required=True, help="GeoPackage: results, and what is done so far")
    batch.add_argument("--engine", default="default", help="one of `rsground engines`")
    batch.add_argument("--outputs", default=",".join(OUTPUT_KINDS), help="of hbb, obb, mask, joined by commas")
    batch.add_argument("--min-score", type=float, default=0.0, help="from 0 to 1")
    batch.add_argument("--area", metavar="XMIN,YMIN,XMAX,YMAX|FILE", help="extent, or polygons of a vector file")
    batch.add_argument("--area-crs", help="CRS of --area's extent, such as EPSG:4326; the first raster's otherwise")
    batch.add_argument("--gsd", type=float, metavar="METRES", help="ground a pixel to search at, if coarser than it is")
    batch.add_argument("--pixel-size", type=float, metavar="METRES", help="of rasters that have no CRS to tell it")
    batch.add_argument("--workers", type=int, default=1, help="processes, each with an engine of its own")
    batch.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="spread tiles over a Ray cluster, an engine a GPU or CPU slot; without ADDRESS the one at hand",
    )
    batch.add_argument("--restart", action="store_true", help="empty an output that holds another search")
    batch.add_argument("--dry-run", action="store_true", help="say what would be done, and write nothing")
    batch.add_argument("--json", action="store_true", help="print events as JSON lines")
    batch.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs a batch; returns the exit status: 0 found, 3 nothing found, 130 stopped.

    Raises:
        InvalidRequest: of what was given on the command line.
        ServerError: what the run raises; with --json it is also the last line.
    """
    from inference_server.batch.run import Batch
    from inference_server.batch.sources import rasters_of
    from inference_server.errors import ServerError

    if options.workers < 1:
        raise InvalidRequest(f"--workers: expected at least 1, got {options.workers}")
    if options.ray is not None and options.workers > 1:
        raise InvalidRequest("--workers: expected none beside --ray, whose cluster says how many there are.")
    area, area_crs = _area(options)
    request = BatchRequest.from_dict(
        {
            "rasters": rasters_of(options.rasters),
            "expressions": _expressions(options),
            "output": str(options.output.absolute()),
            "engine": options.engine,
            "outputs": [kind.strip() for kind in options.outputs.split(",") if kind.strip()],
            "min_score": options.min_score,
            "area": area,
            "area_crs": area_crs,
            "gsd_m": options.gsd,
            "pixel_size_m": options.pixel_size,
            "restart": options.restart,
            "plan_only": options.dry_run,
        }
    )
    show: Callable[[BatchEvent], None] = _print_line if options.json else _Terminal()
    # Asked to end, as by a job scheduler: as with Ctrl-C, what is done stays.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        result = Batch.prepare(request, workers=options.workers, ray=options.ray).run(show)
    except (KeyboardInterrupt, Cancelled):
        message = f"Stopped. What is done is kept in {options.output}; run the same command to go on."
        if options.json:
            _print_line(ErrorEvent(WireError("cancelled", message)))
        print(f"\nrsground: {message}", file=sys.stderr)
        return STOPPED
    except ServerError as error:
        if options.json:
            _print_line(ErrorEvent(WireError(error.code, str(error), error.field)))
        raise
    if options.json:
        _print_line(BatchEndEvent(result))
    elif not options.dry_run:
        print(_report(result))
    return FOUND if options.dry_run or any(finding.count for finding in result.findings) else NOTHING


def _terminated(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _print_line(event: BatchEvent) -> None:
    if isinstance(event, ProgressEvent) and event.stage not in _OF_THE_WHOLE:
        return
    sys.stdout.write(event_to_line(event).decode())
    sys.stdout.flush()


def _expressions(options: argparse.Namespace) -> list[str]:
    expressions = list(options.expression)
    if options.expressions is not None:
        try:
            lines = options.expressions.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequest(f"--expressions: {options.expressions} cannot be read: {error}") from error
        expressions += [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not expressions:
        raise InvalidRequest("Expected at least one -e EXPRESSION or --expressions FILE.")
    return expressions


def _area(options: argparse.Namespace) -> tuple[Any, str | None]:
    """The area's multipolygon coordinates and its CRS."""
    if options.area is None:
        return None, None
    parts = options.area.split(",")
    try:
        x_0, y_0, x_1, y_1 = (float(part) for part in parts)
    except ValueError:
        return _area_of_file(Path(options.area))
    if not (x_0 < x_1 and y_0 < y_1):
        raise InvalidRequest(f"--area: expected XMIN < XMAX and YMIN < YMAX, got {options.area}")
    return [[[(x_0, y_0), (x_1, y_0), (x_1, y_1), (x_0, y_1), (x_0, y_0)]]], options.area_crs


def _area_of_file(path: Path) -> tuple[Any, str | None]:
    import pyogrio.raw
    import shapely
    from pyogrio.errors import DataSourceError

    if not path.is_file():
        raise InvalidRequest(f"--area: expected XMIN,YMIN,XMAX,YMAX or a vector file, got {path}")
    try:
        about, _, shapes, _ = pyogrio.raw.read(path, columns=[])
    except DataSourceError as error:
        raise InvalidRequest(f"--area: {path} cannot be read: {error}") from error
    union = shapely.union_all(shapely.force_2d(shapely.make_valid(shapely.from_wkb(shapes))))
    polygons = [part for part in shapely.get_parts(union) if part.geom_type == "Polygon"]
    if not polygons:
        raise InvalidRequest(f"--area: expected polygons in {path}, it has none.")
    rings = [[shapely.get_coordinates(ring).tolist() for ring in shapely.get_rings(p)] for p in polygons]
    return rings, about["crs"]


def _report(result: BatchResult) -> str:
    lines = []
    for finding in result.findings:
        what = f"{finding.count} found" if finding.count else f"nothing found: {finding.reason}"
        lines.append(f"{finding.expression}  ({finding.understood})  {what}")
    lines += [f"Note: {note}" for note in result.notes]
    return "\n".join([*lines, f"Written: {result.output} in {result.seconds:.1f} s"])


class _Terminal:
    """Events for people, on stderr: one line that is rewritten on a terminal, one line a percent elsewhere."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._first: tuple[float, int] | None = None
        self._last = ""

    def __call__(self, event: BatchEvent) -> None:
        if isinstance(event, PlanEvent):
            self._plan(event.plan)
        elif isinstance(event, TileEvent):
            now = time.monotonic()
            self._first = self._first or (now, event.done)
            done_here = event.done - self._first[1]
            left_s = (now - self._first[0]) / done_here * (event.total - event.done) if done_here else None
            left = "" if left_s is None else f", {_duration(left_s)} left"
            percent = 100 * event.done // max(event.total, 1)
            text = f"{percent:3d} %  {event.done} of {event.total} tiles, {event.found} candidates"
            self._show(text + (left if self._is_terminal else ""), key=str(percent))
        elif isinstance(event, ProgressEvent) and event.stage in _OF_THE_WHOLE:
            self._show(f"{event.stage} {event.done} of {event.total}", key=event.stage)

    def _plan(self, plan: BatchPlan) -> None:
        for scene in plan.scenes:
            done = f", {len(scene.done)} done" if scene.done else ""
            print(f"{scene.raster}: {len(scene.tiles)} tiles{done}", file=sys.stderr)
        if plan.tile_s:
            print(f"About {_duration(plan.tile_s * (plan.total - plan.done))} left", file=sys.stderr)

    def _show(self, text: str, *, key: str) -> None:
        if self._is_terminal:
            end = "\n" if key == "writing" else ""
            print(f"\r\x1b[K{text}", end=end, file=sys.stderr, flush=True)
        elif key != self._last:
            self._last = key
            print(text, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
