"""A result in a file of the user's choice, through QGIS's own writer.

    GeoPackage   one file, one table for each kind of geometry, styled, in the result's CRS
    Shapefile    one file for each kind (the format holds one), names of at most 10 characters, .prj and .cpg
    GeoJSON      one file for each kind, RFC 7946: WGS 84, longitude first, no "crs" member

``planned_paths`` says what would be written, so that the caller can ask before it is; ``prepare`` takes what is
needed from the layers on the main thread; ``PreparedExport.write`` writes, in any thread; ``export`` does both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsFeatureRequest,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from ..protocol import RESULT_TABLES
from .errors import ResultsError
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
_SHAPEFILE_PARTS = ("shp", "shx", "dbf", "prj", "cpg", "qmd", "qpj", "qix", "sbn", "sbx")


@dataclass(frozen=True)
class _Part:
    """One table to write: the features in memory, its path and table name, and the style to keep."""

    features: QgsVectorLayer
    path: Path
    table: str
    style: Tuple[Any, Any, bool]


@dataclass(frozen=True)
class PreparedExport:
    """Everything an export needs, detached from the project.

    Attributes:
        format: to write.
        parts: tables, in the order of writing.
        transform_context: for the way to WGS 84.
    """

    format: ExportFormat
    parts: Tuple[_Part, ...]
    transform_context: QgsCoordinateTransformContext

    @property
    def paths(self) -> List[Path]:
        """The files, side files of Shapefiles left out."""
        return list(dict.fromkeys(part.path for part in self.parts))

    def write(self) -> List[Path]:
        """Writes the files, over those that exist; any thread.

        Returns:
            The files written, side files of Shapefiles left out.

        Raises:
            ResultsError: a file in the way, or the writer's own reason.
        """
        for path in self.paths:
            _remove(path)
        for part in self.parts:
            _write(part, self.format, self.transform_context)
        return self.paths


def planned_paths(layers: Sequence[QgsVectorLayer], path: Path, format_name: str) -> List[Path]:
    """The files that an export would write, so that the caller can ask before any is overwritten.

    Raises:
        ResultsError: an unknown format.
    """
    export_format = _format(format_name)
    suffix = "." + export_format.suffix
    if path.suffix.lower() != suffix:
        path = path.with_name(path.name + suffix)
    if export_format.holds_many:
        return [path for _ in layers]
    if len(layers) == 1:
        return [path]
    return [path.with_name(f"{path.stem}_{_table(layer)}{path.suffix}") for layer in layers]


def prepare(
    layers: Sequence[QgsVectorLayer],
    path: Path,
    format_name: str,
    *,
    transform_context: QgsCoordinateTransformContext,
    min_score: float = 0.0,
) -> PreparedExport:
    """Takes the features to export out of the layers. Main thread.

    Args:
        layers: of one result, as :func:`result_layers.add_to_project` made them.
        path: the file chosen; its name is the stem where several files are needed.
        format_name: a key of FORMATS.
        transform_context: the project's.
        min_score: objects that score less are left out; anchors are not.

    Raises:
        ResultsError: nothing to export, no such folder, or no CRS where the format needs one.
    """
    export_format = _format(format_name)
    layers = [layer for layer in layers if layer is not None and layer.isValid()]
    if not layers:
        raise ResultsError("There is nothing to export: the result's layers were removed. Run the query again.")
    if not path.parent.is_dir():
        raise ResultsError(f"The folder {path.parent} does not exist. Choose another one.")
    if format_name == "GeoJSON" and not all(layer.crs().isValid() for layer in layers):
        raise ResultsError(
            "GeoJSON needs longitudes and latitudes, and this result has no CRS. "
            "Give the raster its CRS and run again, or export a GeoPackage."
        )
    paths = planned_paths(layers, path, format_name)
    for layer in layers:
        source = Path(layer.source().split("|")[0])
        if source.exists() and any(p.exists() and source.samefile(p) for p in paths):
            raise ResultsError(f"{source} is the file that the result itself lives in. Choose another name.")
    parts = []
    for layer, one in zip(layers, paths):
        labeling = layer.labeling()
        style = (layer.renderer().clone(), labeling.clone() if labeling is not None else None, layer.labelsEnabled())
        table = _table(layer) if export_format.holds_many else one.stem
        parts.append(_Part(_features(layer, export_format, min_score), one, table, style))
    return PreparedExport(export_format, tuple(parts), QgsCoordinateTransformContext(transform_context))


def export(
    layers: Sequence[QgsVectorLayer],
    path: Path,
    format_name: str,
    *,
    transform_context: QgsCoordinateTransformContext,
    min_score: float = 0.0,
) -> List[Path]:
    """:func:`prepare` and :meth:`PreparedExport.write` in one. Main thread."""
    return prepare(layers, path, format_name, transform_context=transform_context, min_score=min_score).write()


def _format(name: str) -> ExportFormat:
    if name not in FORMATS:
        raise ResultsError(f"Unknown format “{name}”. Choose one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def _table(layer: QgsVectorLayer) -> str:
    return RESULT_TABLES.get(str(layer.customProperty(KIND_PROPERTY) or ""), "results")


def _features(layer: QgsVectorLayer, export_format: ExportFormat, min_score: float) -> QgsVectorLayer:
    """The features that score enough, in memory, with the names that the format can hold."""
    request = QgsFeatureRequest()
    if min_score > 0.0 and layer.customProperty(KIND_PROPERTY) != "anchor":
        request.setFilterExpression(f'"score" >= {max(0.0, min_score - 1e-9):.10f}')
    copy = layer.materialize(request)
    provider = copy.dataProvider()
    provider.deleteAttributes([i for i, f in enumerate(copy.fields()) if f.name() == "fid"])
    copy.updateFields()
    if export_format.driver == "ESRI Shapefile":
        names = {i: _SHORT_NAMES.get(f.name(), f.name())[:10] for i, f in enumerate(copy.fields())}
        provider.renameAttributes(names)
        copy.updateFields()
    return copy


def _remove(path: Path) -> None:
    files = [path.with_suffix("." + s) for s in _SHAPEFILE_PARTS] if path.suffix.lower() == ".shp" else [path]
    for file in files:
        try:
            file.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ResultsError(f"{file} cannot be replaced: {error.strerror}. Close what has it open.") from error


def _write(part: _Part, export_format: ExportFormat, transform_context: QgsCoordinateTransformContext) -> None:
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = export_format.driver
    options.fileEncoding = "UTF-8"
    options.layerName = part.table
    if part.path.exists():
        options.actionOnExistingFile = QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteLayer
    if export_format.driver == "GeoJSON":
        wgs84 = QgsCoordinateReferenceSystem("EPSG:4326")
        options.ct = QgsCoordinateTransform(part.features.crs(), wgs84, transform_context)
        # 9 decimals of a degree are 0.1 mm; RFC 7946's customary 7 would move outlines by a centimetre.
        options.layerOptions = ["RFC7946=YES", "COORDINATE_PRECISION=9"]
    elif export_format.driver == "ESRI Shapefile":
        options.layerOptions = ["ENCODING=UTF-8"]
    code, message, *_ = QgsVectorFileWriter.writeAsVectorFormatV3(
        part.features, str(part.path), transform_context, options
    )
    if code != QgsVectorFileWriter.WriterError.NoError:
        raise ResultsError(f"{part.path} could not be written: {message or 'the writer gave no reason'}")
    if export_format.holds_many:
        _save_style(part)


def _save_style(part: _Part) -> None:
    written = QgsVectorLayer(f"{part.path}|layername={part.table}", part.table, "ogr")
    if not written.isValid():
        raise ResultsError(f"{part.path} was written, but QGIS cannot open it again.")
    renderer, labeling, is_labelled = part.style
    written.setRenderer(renderer.clone())
    if labeling is not None:
        written.setLabeling(labeling.clone())
    written.setLabelsEnabled(is_labelled)
    reason = written.saveStyleToDatabase("rsground", "RSGround", True, "")
    if reason:
        raise ResultsError(f"{part.path} was written, but its style was not: {reason}")
