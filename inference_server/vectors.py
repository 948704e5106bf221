"""A result as vector files: boxes, oriented boxes and masks, linked by id, with their provenance."""

from __future__ import annotations

import glob
import os
import warnings
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pyogrio.raw
import shapely
from pyogrio.errors import DataSourceError
from shapely.geometry import MultiPolygon, Polygon

from inference_server.errors import CannotWrite
from rsground_plugin.protocol import Detection, GroundingResult

#: Layer names by output kind, in drawing order.
LAYERS = {"mask": "masks", "hbb": "boxes", "obb": "oriented_boxes"}
_DRIVERS = {"gpkg": "GPKG", "geojson": "GeoJSON", "shp": "ESRI Shapefile"}
_SUFFIXES = {".gpkg": "gpkg", ".geojson": "geojson", ".json": "geojson", ".shp": "shp"}
FORMATS = tuple(_DRIVERS)
#: Shapefile field names have at most 10 characters.
_SHORT_NAMES = {"azimuth_deg": "azimuth"}


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from: the raster's path or name, and the extent searched in its CRS."""

    source: str
    extent: tuple[float, float, float, float]


def target_of(path: Path, given: str | None) -> tuple[Path, str]:
    """The file to write and its format: the one given, or the one of the file's suffix.

    A name without a suffix of its format gets one. Raises CannotWrite when neither tells the format.
    """
    by_suffix = _SUFFIXES.get(path.suffix.lower())
    file_format = given or by_suffix
    if file_format is None:
        raise CannotWrite(f"{path}: expected a name that ends in {', '.join(_SUFFIXES)}, or --format.")
    if by_suffix != file_format:
        path = path.with_name(f"{path.name}.{file_format}")
    return path, file_format


def write_result(result: GroundingResult, path: Path, provenance: Provenance, *, file_format: str) -> list[Path]:
    """Writes one layer for each geometry that the detections have.

    A GeoPackage holds all layers. The other formats hold one layer a file: with several geometries the files are
    named after the layers (``out_boxes.shp``). GeoJSON is WGS 84, as RFC 7946 has it.

    Returns:
        The files written.

    Raises:
        CannotWrite: the folder is missing, or the driver refuses.
    """
    kinds = [kind for kind in LAYERS if any(getattr(d, kind) is not None for d in result.detections)]
    targets = {
        kind: path
        if file_format == "gpkg" or len(kinds) == 1
        else path.with_name(f"{path.stem}_{LAYERS[kind]}{path.suffix}")
        for kind in kinds
    }
    fields = _fields(result, provenance)
    try:
        for target in dict.fromkeys(targets.values()):
            # Beside the target first: a fault in the middle leaves the old file as it was.
            unfinished = target.with_name(f".unfinished-{target.name}")
            for part in _parts(unfinished):
                part.unlink()
            for kind in (kind for kind in kinds if targets[kind] == target):
                _write_layer(
                    result, kind, unfinished, fields, file_format=file_format, layer=_layer(kind, target, file_format)
                )
            for part in _parts(unfinished):
                os.replace(part, target.with_suffix(part.suffix))
    except (DataSourceError, RuntimeError, OSError) as error:
        raise CannotWrite(f"{path} cannot be written: {error}") from error
    return list(dict.fromkeys(targets.values()))


def _layer(kind: str, target: Path, file_format: str) -> str:
    return LAYERS[kind] if file_format != "shp" else target.stem


def _parts(path: Path) -> list[Path]:
    """The files of a data set: a Shapefile has several, which differ in their suffix."""
    return list(path.parent.glob(f"{glob.escape(path.stem)}.*"))


def _write_layer(
    result: GroundingResult, kind: str, path: Path, fields: dict[str, np.ndarray], *, file_format: str, layer: str
) -> None:
    rows = [i for i, d in enumerate(result.detections) if getattr(d, kind) is not None]
    data = {name: values[rows] for name, values in fields.items()}
    if file_format == "shp":
        data = {_SHORT_NAMES.get(name, name): values for name, values in data.items()}
    with warnings.catch_warnings():
        # Results of an image without a place are in its pixels, and that is known.
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
        pyogrio.raw.write(
            str(path),
            geometry=np.array([shapely.to_wkb(_geometry(result.detections[i], kind)) for i in rows], dtype=object),
            field_data=list(data.values()),
            fields=np.array(list(data), dtype=object),
            layer=layer,
            driver=_DRIVERS[file_format],
            geometry_type="MultiPolygon" if kind == "mask" else "Polygon",
            crs=result.crs,
            encoding="UTF-8",
            append=path.exists(),
            layer_options={"RFC7946": "YES"} if file_format == "geojson" and result.crs is not None else {},
        )


def _geometry(detection: Detection, kind: str) -> Polygon | MultiPolygon:
    if kind == "mask":
        return MultiPolygon([(part[0], part[1:]) for part in detection.mask or ()])
    return Polygon(detection.hbb if kind == "hbb" else detection.obb)


def _fields(result: GroundingResult, provenance: Provenance) -> dict[str, np.ndarray]:
    """The attribute columns; missing measures are NaN, which the drivers write as NULL."""
    found = result.detections
    count = len(found)

    def text(value: str) -> np.ndarray:
        return np.full(count, value, dtype=object)

    def numbers(name: str) -> np.ndarray:
        return np.array([getattr(d, name) for d in found], dtype=np.float64)

    return {
        "id": np.array([d.id for d in found], dtype=object),
        "expression": text(result.expression),
        "score": numbers("score"),
        "label": np.array([d.label for d in found], dtype=object),
        "area_m2": numbers("area_m2"),
        "length_m": numbers("length_m"),
        "width_m": numbers("width_m"),
        "azimuth_deg": numbers("azimuth_deg"),
        "engine": text(result.engine),
        "revision": text(result.revision),
        "gsd_m": np.full(count, np.nan if result.gsd_m is None else result.gsd_m),
        "source": text(provenance.source),
        "extent": text(",".join(f"{value:.10g}" for value in provenance.extent)),
        "time": text(datetime.now(timezone.utc).isoformat(timespec="seconds")),
    }
