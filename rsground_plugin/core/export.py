"""A result in a file of the user's choice, through QGIS's own writer.

GeoPackage   one file, one table for each kind of geometry, styled, in the result's CRS
Shapefile    one file for each kind (the format holds one), names of at most 10 characters, .prj and .cpg
GeoJSON      one file for each kind, RFC 7946: WGS 84, longitude first, no "crs" member
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsFeatureRequest,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from .errors import ResultsError
from .result_file import TABLES
from .result_layers import KIND_PROPERTY


@dataclass(frozen=True)
class ExportFormat:
    """A format: GDAL's driver name, title, suffix without dot, whether one file holds all geometries."""

    driver: str
    title: str
    suffix: str
    holds_many: bool


FORMATS: Dict[str, ExportFormat] = {
    "GPKG": ExportFormat("GPKG", "GeoPackage", "gpkg", True),
    "GeoJSON": ExportFormat("GeoJSON", "GeoJSON (WGS 84)", "geojson", False),
    "ESRI Shapefile": ExportFormat("ESRI Shapefile", "Shapefile", "shp", False),
}

#: Shapefile names where ours are longer than the 10 characters that it holds.
_SHORT_NAMES = {"azimuth_deg": "azimuth"}
_SIDE_FILES = ("shp", "shx", "dbf", "prj", "cpg", "qmd", "qpj", "sbn", "sbx")


def planned_paths(layers: Sequence[QgsVectorLayer], path: Path, format_name: str) -> List[Path]:
    """The files that :func:`export` would write, so that the caller can ask before any is overwritten.

    Raises:
        ResultsError: an unknown format.
    """
    export_format = _format(format_name)
    path = _with_suffix(path, export_format)
    if export_format.holds_many or len(layers) <= 1:
        return [path]
    return [path.with_name(f"{path.stem}_{_table(layer)}{path.suffix}") for layer in layers]


def export(
    layers: Sequence[QgsVectorLayer],
    path: Path,
    format_name: str,
    *,
    transform_context: QgsCoordinateTransformContext,
    min_score: float = 0.0,
) -> List[Path]:
    """Writes the layers to files, over those that exist (asking first is the caller's).

    Args:
        layers: of one result, as :func:`result_layers.add_to_project` made them.
        path: the file chosen; its name is the stem where several files are needed.
        format_name: a key of FORMATS.
        transform_context: the project's, for the way to WGS 84.
        min_score: objects that score less are left out; anchors are not.

    Returns:
        The files written, side files of Shapefiles left out.

    Raises:
        ResultsError: nothing to export, no CRS where the format needs one, or the writer's own reason.
    """
    export_format = _format(format_name)
    layers = [layer for layer in layers if layer is not None and layer.isValid()]
    if not layers:
        raise ResultsError("There is nothing to export: the result's layers were removed. Run the query again.")
    path = _with_suffix(path, export_format)
    if not path.parent.is_dir():
        raise ResultsError(f"The folder {path.parent} does not exist. Choose another one.")
    if format_name == "GeoJSON" and not all(layer.crs().isValid() for layer in layers):
        raise ResultsError(
            "GeoJSON needs longitudes and latitudes, and this result has no CRS. "
            "Give the raster its CRS and run again, or export a GeoPackage."
        )
    if any(_is_written_to(layer, path) for layer in layers):
        raise ResultsError(f"{path} is the file that the result itself lives in. Choose another name.")
    paths = planned_paths(layers, path, format_name)
    if export_format.holds_many:
        _remove(path)
        for number, layer in enumerate(layers):
            _write(layer, path, export_format, transform_context, min_score, is_first=number == 0)
            _save_style(layer, path)
    else:
        for layer, one in zip(layers, paths):
            _remove(one)
            _write(layer, one, export_format, transform_context, min_score, is_first=True)
    return paths


def _format(name: str) -> ExportFormat:
    if name not in FORMATS:
        raise ResultsError(f"Unknown format “{name}”. Choose one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def _with_suffix(path: Path, export_format: ExportFormat) -> Path:
    suffix = "." + export_format.suffix
    return path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)


def _table(layer: QgsVectorLayer) -> str:
    kind = str(layer.customProperty(KIND_PROPERTY) or "")
    return TABLES.get(kind, "results")


def _is_written_to(layer: QgsVectorLayer, path: Path) -> bool:
    source = Path(layer.source().split("|")[0])
    return source.exists() and path.exists() and source.samefile(path)


def _remove(path: Path) -> None:
    files = [path.with_suffix("." + s) for s in _SIDE_FILES] if path.suffix.lower() == ".shp" else [path]
    for file in files:
        try:
            file.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ResultsError(f"{file} cannot be replaced: {error.strerror}. Close what has it open.") from error


def _write(
    layer: QgsVectorLayer,
    path: Path,
    export_format: ExportFormat,
    transform_context: QgsCoordinateTransformContext,
    min_score: float,
    *,
    is_first: bool,
) -> None:
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = export_format.driver
    options.fileEncoding = "UTF-8"
    options.layerName = _table(layer) if export_format.holds_many else path.stem
    attributes = [i for i, f in enumerate(layer.fields()) if f.name() != "fid"]
    options.attributes = attributes
    if export_format.driver == "GeoJSON":
        wgs84 = QgsCoordinateReferenceSystem("EPSG:4326")
        options.ct = QgsCoordinateTransform(layer.crs(), wgs84, transform_context)
        options.layerOptions = ["RFC7946=YES", "COORDINATE_PRECISION=9", "WRITE_NAME=NO"]
    elif export_format.driver == "ESRI Shapefile":
        options.layerOptions = ["ENCODING=UTF-8"]
        names = {i: _SHORT_NAMES.get(layer.fields()[i].name(), layer.fields()[i].name())[:10] for i in attributes}
        options.attributesExportNames = [names[i] for i in attributes]
    if not is_first:
        options.actionOnExistingFile = QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteLayer
    code, message, *_ = QgsVectorFileWriter.writeAsVectorFormatV3(
        _copy(layer, min_score), str(path), transform_context, options
    )
    if code != QgsVectorFileWriter.WriterError.NoError:
        raise ResultsError(f"{path} could not be written: {message or 'the writer gave no reason'}")


def _copy(layer: QgsVectorLayer, min_score: float) -> QgsVectorLayer:
    """The layer's features that score enough, in memory, detached from the drawn layer and its style."""
    request = QgsFeatureRequest()
    if min_score > 0.0 and layer.customProperty(KIND_PROPERTY) != "anchor":
        request.setFilterExpression(f'"score" >= {max(0.0, min_score - 1e-9):.10f}')
    return layer.materialize(request)


def _save_style(layer: QgsVectorLayer, path: Path) -> None:
    """Keeps the drawn style in the GeoPackage; a file without it is still whole."""
    written = QgsVectorLayer(f"{path}|layername={_table(layer)}", layer.name(), "ogr")
    if not written.isValid():
        raise ResultsError(f"{path} was written, but QGIS cannot open it again: {written.error().summary()}")
    written.setRenderer(layer.renderer().clone())
    if layer.labeling() is not None:
        written.setLabeling(layer.labeling().clone())
    written.setLabelsEnabled(layer.labelsEnabled())
    reason = written.saveStyleToDatabase("rsground", "RSGround", True, "")
    if reason:
        raise ResultsError(f"{path} was written, but its style was not: {reason}")
