"""``rsground export``: a result's GeoPackage into other formats."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Adds "export" to the command line's subparsers."""
    export = commands.add_parser("export", help="write a result's GeoPackage in another format")
    export.add_argument("result", type=Path, metavar="GPKG", help="a result of `rsground` or the plugin")
    export.add_argument(
        "output", type=Path, help=".gpkg, .shp, .geojson, .fgb, .kml, .csv, .parquet, or .json for COCO"
    )
    export.add_argument("--format", help="gpkg, shp, geojson, geojson-native, fgb, kml, csv, parquet or coco")
    export.add_argument("--raster", type=Path, help="for COCO: whose pixels count; else the field source tells")
    export.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Exports; returns the exit status. Raises CannotWrite, InvalidRequest."""
    from inference_server.exports import export

    for path in export(options.result, options.output, options.format, raster=options.raster):
        print(f"Written: {path}")
    return 0
