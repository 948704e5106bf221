"""Tables of a result in vector formats, one file a table where a format holds one."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyogrio.raw
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError

from inference_server.errors import CannotWrite, InvalidRequest
from inference_server.exports.coco import coco_document, write_json
from rsground_plugin.protocol import RESULT_TABLES

Column = NDArray[Any]

#: Tables of results, from the bottom of the map to its top.
TABLES = tuple(RESULT_TABLES.values())
#: What the parts of a Shapefile, and attributes in it, can hold.
SHAPEFILE_BYTES = 2**31 - 1
SHAPEFILE_TEXT = 254
_SHORT_NAMES = {"azimuth_deg": "azimuth"}
#: KML's features have an "id" of their own, which hides ours.
_KML_NAMES = {"id": "object_id"}


@dataclass(frozen=True)
class Format:
    """A format: GDAL's driver, suffix, whether one file holds several tables, options of a layer."""

    driver: str
    suffix: str
    holds_many: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


FORMATS: Mapping[str, Format] = {
    "gpkg": Format("GPKG", ".gpkg", True),
    "shp": Format("ESRI Shapefile", ".shp"),
    "geojson": Format("GeoJSON", ".geojson", options={"RFC7946": "YES"}),
    "geojson-native": Format("GeoJSON", ".geojson", options={"COORDINATE_PRECISION": "10"}),
    "fgb": Format("FlatGeobuf", ".fgb"),
    "kml": Format("KML", ".kml"),
    "csv": Format("CSV", ".csv", options={"GEOMETRY": "AS_WKT"}),
    "parquet": Format("Parquet", ".parquet"),
}
COCO = "coco"
#: GeoJSON's other suffix, and COCO's.
_JSON = ".json"


@dataclass(frozen=True)
class Table:
    """A table of a result: geometries, columns by name, CRS ("EPSG:n" or WKT, None without)."""

    name: str
    shapes: NDArray[Any]
    columns: dict[str, Column]
    crs: str | None


def export(result: Path, output: Path, file_format: str | None = None, *, raster: Path | None = None) -> list[Path]:
    """A result's GeoPackage in another format.

    Args:
        result: GeoPackage of a batch, of ``rsground ground`` or of the plugin.
        output: the file; one that does not end as its format does gets the suffix.
        file_format: of ``FORMATS``, or "coco"; by the suffix otherwise.
        raster: for COCO, whose pixels count; the field ``source`` tells otherwise.

    Returns:
        As :func:`write_tables`.

    Raises:
        InvalidRequest, CannotWrite: as :func:`target_of`, :func:`read_tables` and :func:`write_tables`.
    """
    output, name = target_of(output, file_format)
    return write_tables(read_tables(result), output, name, raster=raster)


def target_of(path: Path, given: str | None) -> tuple[Path, str]:
    """The file to write and its format: the one given, or the one of the file's suffix.

    A name that does not end as its format does gets the suffix. Raises InvalidRequest when neither tells the format.
    """
    by_suffix = {_JSON: "geojson"}
    for each, chosen in FORMATS.items():
        by_suffix.setdefault(chosen.suffix, each)
    suffix = path.suffix.lower()
    name = given or by_suffix.get(suffix)
    if name is None or name not in (*FORMATS, COCO):
        raise InvalidRequest(
            f"{path}: expected a suffix of {', '.join(by_suffix)}, or --format of {', '.join((*FORMATS, COCO))}."
        )
    own = _JSON if name == COCO else FORMATS[name].suffix
    is_json = suffix == _JSON and own == FORMATS["geojson"].suffix
    return (path if suffix == own or is_json else path.with_name(f"{path.name}{own}")), name


def write_tables(tables: Sequence[Table], output: Path, name: str, *, raster: Path | None = None) -> list[Path]:
    """Writes the tables that hold objects; where there is none, an empty one.

    Args:
        tables: of a result.
        output: the file; where a format holds one table, each table's name is added: ``out_masks.shp``.
        name: of ``FORMATS``, or "coco".
        raster: for COCO, whose pixels count; the field ``source`` tells otherwise.

    Returns:
        The files written. They are complete before they get their names.

    Raises:
        InvalidRequest: of what was asked.
        CannotWrite: the driver is missing or refuses, or the format cannot hold so much.
    """
    if name == COCO:
        return [write_json(coco_document(tables, raster), output)]
    chosen = FORMATS[name]
    if chosen.driver not in pyogrio.list_drivers(write=True):
        raise CannotWrite(f"The GDAL at hand ({pyogrio.__gdal_version_string__}) has no driver for {chosen.driver}.")
    full = [table for table in tables if len(table.shapes)] or list(tables[-1:])
    targets = {
        table.name: output
        if chosen.holds_many or len(full) == 1
        else output.with_name(f"{output.stem}_{table.name}{output.suffix}")
        for table in full
    }
    try:
        with tempfile.TemporaryDirectory(prefix=".rsground_", dir=output.absolute().parent) as scratch:
            for table in full:
                _write(table, Path(scratch) / targets[table.name].name, chosen)
            for part in sorted(Path(scratch).iterdir()):
                os.replace(part, output.absolute().parent / part.name)
    except (DataSourceError, DataLayerError, RuntimeError, OSError) as error:
        raise CannotWrite(f"{output} cannot be written: {error}") from error
    return list(dict.fromkeys(targets.values()))


def read_tables(result: Path) -> list[Table]:
    """The tables of a result, in the order of ``TABLES``. Raises InvalidRequest when it is none."""
    try:
        names = {name for name, _ in pyogrio.list_layers(result)}
    except DataSourceError as error:
        raise InvalidRequest(f"{result}: expected a GeoPackage, it cannot be read: {error}") from error
    tables = []
    for name in TABLES:
        if name in names:
            about, _, shapes, columns = pyogrio.raw.read(result, layer=name)
            fields = dict(zip(about["fields"], columns, strict=True))
            tables.append(Table(name, np.asarray(shapely.from_wkb(shapes)), fields, about["crs"]))
    if not tables:
        raise InvalidRequest(
            f"{result}: expected tables {', '.join(TABLES)}, found none. Has the batch ended? Run it again to go on."
        )
    return tables


def _write(table: Table, path: Path, chosen: Format) -> None:
    columns = table.columns
    if chosen.driver == "ESRI Shapefile":
        _refuse_too_large(table)
        columns = {_SHORT_NAMES.get(name, name)[:10]: _without_times(values) for name, values in columns.items()}
    elif chosen.driver == "KML":
        columns = {_KML_NAMES.get(name, name): values for name, values in columns.items()}
    # Without a CRS there is no way to WGS 84.
    options = {k: v for k, v in chosen.options.items() if table.crs is not None or k != "RFC7946"}
    with warnings.catch_warnings():
        # Results of an image without a place are in its pixels, and that is known.
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
        pyogrio.raw.write(
            str(path),
            geometry=np.array(shapely.to_wkb(table.shapes), dtype=object),
            field_data=list(columns.values()),
            fields=np.array(list(columns), dtype=object),
            layer=table.name if chosen.holds_many else path.stem,
            driver=chosen.driver,
            geometry_type="Polygon" if table.name.endswith("boxes") else "MultiPolygon",
            crs=table.crs,
            encoding="UTF-8",
            append=path.exists(),
            layer_options=options,
        )


def _without_times(values: NDArray[Any]) -> NDArray[Any]:
    """Times as text, to the second: dBASE has dates only."""
    if values.dtype.kind != "M":
        return values
    return np.datetime_as_string(values, unit="s").astype(object)


def _refuse_too_large(table: Table) -> None:
    """Before GDAL writes a file that others cannot read."""
    geometry = int(shapely.get_num_coordinates(table.shapes).sum()) * 16 + len(table.shapes) * 60
    width = sum(
        min(SHAPEFILE_TEXT, max((len(str(v).encode()) for v in values), default=1)) if values.dtype == object else 24
        for values in table.columns.values()
    )
    if max(geometry, width * len(table.shapes)) > SHAPEFILE_BYTES:
        raise CannotWrite(
            f"A Shapefile holds at most 2 GB, and the table {table.name} with {len(table.shapes)} objects is larger."
            " Export to FlatGeobuf or GeoPackage."
        )
