"""The command line: serve for the plugin, ground for people and scripts.

    rsground ground scene.tif "the white storage tank left of the road" -o tanks.gpkg
    rsground batch mosaic.tif scenes/ -e "blue roofs" -e "the largest tank" -o found.gpkg
    rsground export found.gpkg roofs.geojson
    rsground engines
    rsground parse "the largest blue roof north of the river"
    rsground serve --port 0 --parent-pid 1234
    rsground models pull zeroov
    rsground train provg --output runs/provg

Exit status: 0 found, 1 a fault, 2 wrong usage, 3 nothing fits the expression.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from inference_server.allocator import share_one_arena
from inference_server.commands import batch, export, models, train
from inference_server.commands import eval as evaluate
from inference_server.errors import (
    EmptyTile,
    InvalidExpression,
    InvalidRequest,
    InvalidTile,
    JournalMismatch,
    ServerError,
    UnknownEngine,
)
from inference_server.version import VERSION
from rsground_plugin.protocol import OUTPUT_KINDS, EngineInfo, GroundingRequest, GroundingResult, ProtocolError

FOUND, FAULT, USAGE, NOTHING = 0, 1, 2, 3
#: Faults that the caller can mend on the command line.
_USAGE_FAULTS = (ProtocolError, UnknownEngine, InvalidExpression, InvalidRequest, JournalMismatch)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status; faults are one line on stderr."""
    parser = _parser()
    options = parser.parse_args(_with_joined_extent(sys.argv[1:] if arguments is None else arguments))
    run: Callable[[argparse.Namespace], int] = options.run
    share_one_arena()
    try:
        return run(options)
    except _USAGE_FAULTS as error:
        return _complain(str(error), USAGE)
    except (ServerError, OSError) as error:
        return _complain(str(error), FAULT)
    except MemoryError:
        return _complain("There is too little memory. Choose a smaller --extent or --max-pixels.", FAULT)
    except KeyboardInterrupt:
        return _complain("Interrupted.", 130)


def _complain(message: str, status: int) -> int:
    print(f"rsground: {message}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rsground", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--version", action="version", version=f"rsground {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    ground = commands.add_parser("ground", help="find what an expression names in a raster")
    ground.add_argument("raster", metavar="RASTER", help="any raster file that GDAL reads")
    ground.add_argument("expression", metavar="EXPRESSION", help='such as "the white tank left of the road"')
    ground.add_argument("-o", "--output", type=Path, help="file to write: .gpkg, .geojson, .shp, .fgb, .kml, .csv ...")
    ground.add_argument("--format", help="gpkg, shp, geojson, geojson-native, fgb, kml, csv, parquet or coco")
    ground.add_argument("--extent", type=_extent, metavar="XMIN,YMIN,XMAX,YMAX", help="search only there")
    ground.add_argument("--extent-crs", help="CRS of --extent, such as EPSG:4326; the raster's own otherwise")
    ground.add_argument("--engine", default="default", help="one of `rsground engines`")
    ground.add_argument("--outputs", default=",".join(OUTPUT_KINDS), help="of hbb, obb, mask, joined by commas")
    ground.add_argument("--min-score", type=float, default=0.0, help="from 0 to 1")
    ground.add_argument("--max-pixels", type=int, default=2048 * 2048, help="larger areas are read coarser")
    ground.add_argument("--pixel-size", type=float, metavar="METRES", help="of a raster that has no CRS to tell it")
    ground.add_argument("--explain", type=Path, metavar="FOLDER", help="write maps of where the engine looked there")
    ground.add_argument("--json", action="store_true", help="print the whole result as JSON")
    ground.set_defaults(run=_ground)

    engines = commands.add_parser("engines", help="list the engines, what they give and need")
    engines.add_argument("--json", action="store_true", help="print the list as JSON")
    engines.set_defaults(run=_engines)

    parse = commands.add_parser("parse", help="show how an expression is read")
    parse.add_argument("expression", metavar="EXPRESSION")
    parse.set_defaults(run=_parse)

    serve = commands.add_parser("serve", help="serve the QGIS plugin on loopback (the plugin starts this itself)")
    serve.add_argument("--port", type=int, default=0, help="0 for any free one, which the Hello line tells")
    serve.add_argument("--parent-pid", type=int, help="leave when this process ends")
    serve.add_argument("--parent-stdin", action="store_true", default=None, help="leave when stdin closes")
    serve.add_argument("--token-stdin", action="store_true", help="read the token from the first line of stdin")
    serve.add_argument("--log-file", type=Path, help="log there as well as to stderr; rotated at 1 MB")
    serve.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    serve.add_argument("--idle-unload", type=float, metavar="SECONDS", help="free models when idle for so long")
    serve.set_defaults(run=_serve)

    batch.add_parser(commands)
    export.add_parser(commands)
    models.add_parser(commands)
    train.add_parser(commands)
    evaluate.add_parser(commands)
    return parser


def _extent(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 4:
        raise argparse.ArgumentTypeError(f"expected four numbers XMIN,YMIN,XMAX,YMAX, got {text!r}")
    return numbers


def _with_joined_extent(arguments: Sequence[str]) -> list[str]:
    """``--extent -115.2,...`` as ``--extent=-115.2,...``: argparse takes a leading minus for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in ("--extent", "--area"):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _ground(options: argparse.Namespace) -> int:
    # Imported here: `rsground --help` need not wait for numpy and GDAL.
    from shapely import to_wkt
    from shapely.geometry import Polygon

    from inference_server.explanation import write_maps
    from inference_server.exports.grounding import Provenance, tables_of
    from inference_server.exports.vector import target_of, write_tables
    from inference_server.models.registry import Registry
    from inference_server.pipeline import GroundingPipeline
    from inference_server.raster import read_window

    request = GroundingRequest.from_dict(
        {
            "expression": options.expression,
            "engine": options.engine,
            "outputs": [kind.strip() for kind in options.outputs.split(",") if kind.strip()],
            "min_score": options.min_score,
            "explain": options.explain is not None,
            "pixel_size_m": options.pixel_size,
        }
    )
    if options.max_pixels < 1:
        return _complain(f"--max-pixels: expected at least 1, got {options.max_pixels}", USAGE)
    output, file_format = target_of(options.output, options.format) if options.output else (None, "")
    try:
        tile = read_window(
            options.raster, options.extent, extent_crs=options.extent_crs, max_pixels=options.max_pixels,
            pixel_size_m=request.pixel_size_m,
        )  # fmt: skip
    except EmptyTile as error:
        return _complain(str(error), NOTHING)
    except InvalidTile as error:
        return _complain(str(error), USAGE if error.field == "extent" else FAULT)
    # The raster's pixel size is on the tile, which may have been read coarser.
    result = GroundingPipeline(Registry()).ground(replace(request, pixel_size_m=None), tile)
    written = []
    if output is not None and result.detections:
        corners = ((0, 0), (tile.width, 0), (tile.width, tile.height), (0, tile.height))
        extent = to_wkt(Polygon([tile.affine * corner for corner in corners]), rounding_precision=-1)
        written = write_tables(tables_of(result, Provenance(str(options.raster), extent)), output, file_format)
    if options.explain is not None:
        written += write_maps(result, tile, options.explain)
    if options.json:
        print(json.dumps(result.to_dict(), ensure_ascii=False))
    else:
        print(_report(result))
        if options.explain is not None and not result.maps:
            print(f"Note: the engine {result.engine} has no maps of where it looked.")
        for path in written:
            print(f"Written: {path}")
    return FOUND if result.detections else NOTHING


def _report(result: GroundingResult) -> str:
    """What was found, for people: how the expression was read, a table, notes."""
    lines = [f"Understood: {result.understood}"] if result.understood else []
    if result.detections:
        lines.append(f"{'id':<14} {'score':>5} {'area m2':>10} {'length m':>9} {'width m':>8} {'azimuth':>8}  label")
        lines += [
            f"{d.id:<14} {d.score:5.2f} {_cell(d.area_m2, 10)} {_cell(d.length_m, 9)} {_cell(d.width_m, 8)} "
            f"{_cell(d.azimuth_deg, 8)}  {d.label}"
            for d in result.detections
        ]
        noun = "object" if len(result.detections) == 1 else "objects"
        lines.append(
            f"{len(result.detections)} {noun} by {result.engine} in {result.timings_s.get('total', 0.0):.2f} s"
        )
    elif result.empty_reason is not None:
        lines.append(f"Nothing found: {result.empty_reason.message}")
    lines += [f"Note: {note}" for note in result.notes]
    return "\n".join(lines)


def _cell(value: float | None, width: int) -> str:
    return f"{'-' if value is None else format(value, '.1f'):>{width}}"


def _engines(options: argparse.Namespace) -> int:
    from inference_server.models.registry import Registry

    infos = Registry().infos()
    if options.json:
        print(json.dumps([info.to_dict() for info in infos], ensure_ascii=False))
    else:
        print("\n\n".join(_engine_report(info) for info in infos))
    return FOUND


def _engine_report(info: EngineInfo) -> str:
    state = "available" if info.is_available else f"not available: {info.why_unavailable}"
    lines = [f"{info.name}{' (default)' if info.is_default else ''}: {info.title}", f"  {state}"]
    facts = {
        "gives": ", ".join(info.gives), "needs": info.needs, "limits": info.limits,
        "licence": info.licence, "revision": info.revision,
    }  # fmt: skip
    return "\n".join([*lines, *(f"  {name}: {text}" for name, text in facts.items() if text)])


def _parse(options: argparse.Namespace) -> int:
    from inference_server.expression import describe, parse

    expression = parse(options.expression)
    print(describe(expression))
    if expression.ignored:
        print("Ignored: " + ", ".join(expression.ignored))
    return FOUND if expression.targets else NOTHING


def _serve(options: argparse.Namespace) -> int:
    from inference_server.serving import NoToken, ServeOptions, serve

    try:
        serve(
            ServeOptions(
                port=options.port,
                parent_pid=options.parent_pid,
                parent_stdin=options.parent_stdin,
                token_stdin=options.token_stdin,
                log_file=options.log_file,
                log_level=options.log_level,
                idle_unload_s=options.idle_unload,
            )
        )
    except NoToken as error:
        return _complain(str(error), USAGE)
    return FOUND


if __name__ == "__main__":
    sys.exit(main())
