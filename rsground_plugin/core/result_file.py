"""A result as a GeoPackage of its own: written whole, styled, under a name that nobody has.

    Provenance      where the question came from
    WrittenLayer    one table of the file
    WrittenResult   the file
    write_result    writes it, in any thread

One file for each result: none can overwrite or lock another, and a file is complete before it gets its name.
"""

from __future__ import annotations

import os
import re
import struct
import tempfile
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from osgeo import gdal, ogr, osr
from qgis.core import QgsApplication, QgsCoordinateReferenceSystem, QgsVectorLayer

from ..protocol import RESULT_FIELDS, RESULT_TABLES, Detection, GroundingResult, MultiPolygonCoords
from .errors import ResultsError
from .geotiff_bytes import spatial_reference
from .result_style import apply_style, style_as_qml

_OGR_TYPES = {"text": ogr.OFTString, "real": ogr.OFTReal, "time": ogr.OFTDateTime}
#: Name and OGR type of each attribute; "fid" is the table's own key.
FIELDS: Tuple[Tuple[str, int], ...] = tuple((name, _OGR_TYPES[kind]) for name, kind in RESULT_FIELDS)

#: Columns of the table in which QGIS keeps styles, as QGIS itself makes it in a GeoPackage: name, type, width.
STYLE_FIELDS: Tuple[Tuple[str, int, int], ...] = (
    ("f_table_catalog", ogr.OFTString, 256),
    ("f_table_schema", ogr.OFTString, 256),
    ("f_table_name", ogr.OFTString, 256),
    ("f_geometry_column", ogr.OFTString, 256),
    ("styleName", ogr.OFTString, 30),
    ("styleQML", ogr.OFTString, 0),
    ("styleSLD", ogr.OFTString, 0),
    ("useAsDefault", ogr.OFTInteger, 0),
    ("description", ogr.OFTString, 0),
    ("owner", ogr.OFTString, 30),
    ("ui", ogr.OFTString, 30),
    ("update_time", ogr.OFTDateTime, 0),
)


@dataclass(frozen=True)
class Provenance:
    """Where a question came from; it goes onto every feature.

    Attributes:
        source: the layer's name and source.
        extent: outline of the tile, WKT in the result's CRS.
        asked_at: seconds since 1970.
    """

    source: str
    extent: str
    asked_at: float


@dataclass(frozen=True)
class WrittenLayer:
    """One table: its kind ("mask", "obb", "hbb", "anchor"), its name, how many features, whether labelled."""

    kind: str
    table: str
    count: int
    is_labelled: bool


@dataclass(frozen=True)
class WrittenResult:
    """A GeoPackage with a result.

    Attributes:
        path: the file.
        layers: its tables, from the bottom of the map to its top.
        crs: of all of them; invalid when the tile had none.
        expression: as asked.
        notes: sentences the user should see (written elsewhere than wanted).
    """

    path: Path
    layers: Tuple[WrittenLayer, ...]
    crs: QgsCoordinateReferenceSystem
    expression: str
    notes: Tuple[str, ...] = ()


def results_folder(project_file: str = "", chosen: str = "") -> Path:
    """Where results go: the folder chosen in the settings, or beside the saved project, or in the profile."""
    if chosen:
        return Path(chosen)
    if project_file:
        project = Path(project_file)
        return project.parent / f"{project.stem}_rsground"
    return Path(QgsApplication.qgisSettingsDirPath()) / "rsground" / "results"


def geopackage_name(expression: str, asked_at: float) -> str:
    """A file name that says when and what: "20260131_174502_white_storage_tank.gpkg" (UTC)."""
    words = re.sub(r"[^\w]+", "_", expression, flags=re.UNICODE).strip("_")[:40].strip("_").lower()
    stamp = datetime.fromtimestamp(asked_at, timezone.utc).strftime("%Y%m%d_%H%M%S")
    return f"{stamp}_{words or 'result'}.gpkg"


def write_result(
    result: GroundingResult,
    geopackage: Path,
    provenance: Provenance,
    *,
    outputs: Sequence[str],
    crs: Optional[QgsCoordinateReferenceSystem] = None,
) -> WrittenResult:
    """Writes a result to a GeoPackage that did not exist. Any thread.

    Args:
        result: what the server found.
        geopackage: the wanted file; another name beside it is taken when it exists, and the profile's
            folder, or the temporary one, when its folder cannot be written.
        provenance: for the attributes.
        outputs: which of "hbb", "obb", "mask" to write.
        crs: the tile's; taken from the result when None.

    Raises:
        ResultsError: no folder could be written.
    """
    if crs is None:
        crs = crs_of(result)
    notes: List[str] = []
    reasons = []
    for folder in _folders(geopackage.parent):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".rsground_", dir=folder) as scratch:
                # Complete and closed before it gets its name: a crash never leaves half a result.
                unfinished = Path(scratch) / f"{uuid.uuid4().hex}.gpkg"
                layers = _write(unfinished, result, provenance, outputs=outputs, crs=crs)
                path = _claim(unfinished, folder / geopackage.name)
        except (OSError, RuntimeError) as error:
            reasons.append(f"{folder}: {error}")
            continue
        if reasons:
            notes.append(f"The result could not be written to {geopackage.parent} and is kept in {path} instead.")
        return WrittenResult(path, layers, crs, result.expression, tuple(notes))
    raise ResultsError(
        "The result could not be written to any folder. Choose a folder that can be written in RSGround's options.",
        details="\n".join(reasons),
    )


def crs_of(result: GroundingResult) -> QgsCoordinateReferenceSystem:
    """The result's CRS from the wire; an invalid one when it has none."""
    return crs_from_text(result.crs)


def crs_from_text(text: Optional[str]) -> QgsCoordinateReferenceSystem:
    """The CRS of an authority's code or of WKT; an invalid one for None."""
    if not text:
        return QgsCoordinateReferenceSystem()
    if re.fullmatch(r"[A-Za-z]+:\w+", text):
        return QgsCoordinateReferenceSystem(text)
    return QgsCoordinateReferenceSystem.fromWkt(text)


def _folders(wanted: Path) -> List[Path]:
    folders = [wanted, results_folder(), Path(tempfile.gettempdir()) / "rsground_results"]
    return list(dict.fromkeys(folders))


def _claim(unfinished: Path, wanted: Path) -> Path:
    """Gives the finished file its name, or the next free one beside it; never over another file."""
    for number in range(1, 10_000):
        path = wanted if number == 1 else wanted.with_name(f"{wanted.stem}_{number}{wanted.suffix}")
        try:
            # Opening exclusively claims the name against other threads and other QGIS windows.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            continue
        try:
            os.replace(unfinished, path)
        except OSError:
            path.unlink()
            raise
        return path
    raise OSError(f"no free name beside {wanted}")


# -- the file -------------------------------------------------------------------------------------


def _write(
    path: Path,
    result: GroundingResult,
    provenance: Provenance,
    *,
    outputs: Sequence[str],
    crs: QgsCoordinateReferenceSystem,
) -> Tuple[WrittenLayer, ...]:
    kinds = [kind for kind in RESULT_TABLES if kind in outputs]
    labelled = next((kind for kind in ("mask", "obb", "hbb") if kind in kinds), "")
    dataset = gdal.GetDriverByName("GPKG").Create(str(path), 0, 0, 0, gdal.GDT_Unknown)
    if dataset is None:
        raise OSError(gdal.GetLastErrorMsg() or "GDAL cannot create a GeoPackage here")
    common = {
        "expression": result.expression,
        "engine": result.engine,
        "revision": result.revision,
        "gsd_m": result.gsd_m,
        "source": provenance.source,
        "extent": provenance.extent,
        "time": datetime.fromtimestamp(provenance.asked_at, timezone.utc).strftime("%Y/%m/%d %H:%M:%S+00"),
    }
    reference = spatial_reference(crs)
    written = []
    _ok(dataset.StartTransaction(), "start a transaction")
    if result.anchors:
        shapes = [(d, d.mask or _ring_as_multi(d.obb) or _ring_as_multi(d.hbb)) for d in result.anchors]
        written.append(_write_layer(dataset, "anchor", shapes, common, reference, is_labelled=True))
    for kind in kinds:
        shapes = [(d, d.mask if kind == "mask" else _ring_as_multi(getattr(d, kind))) for d in result.detections]
        written.append(_write_layer(dataset, kind, shapes, common, reference, is_labelled=kind == labelled))
    _write_styles(dataset, written, str(common["time"]))
    _ok(dataset.CommitTransaction(), "commit")
    dataset.FlushCache()
    dataset = None  # closes the file
    return tuple(written)


def _ring_as_multi(ring: Any) -> Optional[MultiPolygonCoords]:
    return None if ring is None else ((ring,),)


def _write_layer(
    dataset: Any,
    kind: str,
    shapes: Iterable[Tuple[Detection, Optional[MultiPolygonCoords]]],
    common: Dict[str, Any],
    reference: Optional[osr.SpatialReference],
    *,
    is_labelled: bool,
) -> WrittenLayer:
    is_box = kind in ("obb", "hbb")
    options = ["GEOMETRY_NAME=geom", "FID=fid"]
    layer = dataset.CreateLayer(
        RESULT_TABLES[kind], reference, ogr.wkbPolygon if is_box else ogr.wkbMultiPolygon, options=options
    )
    if layer is None:
        raise OSError(gdal.GetLastErrorMsg() or f"GDAL cannot create the table {RESULT_TABLES[kind]}")
    for name, field_type in FIELDS:
        _ok(layer.CreateField(ogr.FieldDefn(name, field_type)), f"create the field {name}")
    definition = layer.GetLayerDefn()
    count = 0
    for detection, shape in shapes:
        if shape is None:
            continue
        feature = ogr.Feature(definition)
        values = {**common, **{n: getattr(detection, n) for n, _ in FIELDS if hasattr(detection, n)}}
        for name, _ in FIELDS:
            if values[name] is not None:
                feature.SetField(name, values[name])
        wkb = _polygon_wkb(shape[0]) if is_box else _multipolygon_wkb(shape)
        feature.SetGeometryDirectly(ogr.CreateGeometryFromWkb(wkb))
        _ok(layer.CreateFeature(feature), f"write the object {detection.id}")
        count += 1
    return WrittenLayer(kind, RESULT_TABLES[kind], count, is_labelled)


def _ok(code: Optional[int], what: str) -> None:
    if code:
        raise OSError(f"GDAL could not {what}: {gdal.GetLastErrorMsg()}")


def _polygon_wkb(rings: Any) -> bytes:
    parts = [struct.pack("<BII", 1, 3, len(rings))]
    for ring in rings:
        flat = [value for position in ring for value in position]
        parts.append(struct.pack(f"<I{len(flat)}d", len(ring), *flat))
    return b"".join(parts)


def _multipolygon_wkb(polygons: MultiPolygonCoords) -> bytes:
    return struct.pack("<BII", 1, 6, len(polygons)) + b"".join(_polygon_wkb(p) for p in polygons)


def _write_styles(dataset: Any, layers: Sequence[WrittenLayer], time: str) -> None:
    """QGIS's own table of styles, so that the file looks the same wherever QGIS opens it."""
    styles = dataset.CreateLayer("layer_styles", None, ogr.wkbNone, options=["FID=id"])
    if styles is None:
        raise OSError(gdal.GetLastErrorMsg() or "GDAL cannot create the table of styles")
    for name, field_type, width in STYLE_FIELDS:
        definition = ogr.FieldDefn(name, field_type)
        definition.SetWidth(width)
        if name == "useAsDefault":
            definition.SetSubType(ogr.OFSTBoolean)
        _ok(styles.CreateField(definition), f"create the field {name}")
    for layer in layers:
        qml = _qml(layer.kind, layer.is_labelled)
        if qml is None:
            continue
        feature = ogr.Feature(styles.GetLayerDefn())
        values = {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": layer.table,
            "f_geometry_column": "geom",
            "styleName": "rsground",
            "styleQML": qml,
            "styleSLD": "",
            "useAsDefault": 1,
            "description": "RSGround",
            "owner": "",
            "update_time": time,
        }
        for name, value in values.items():
            feature.SetField(name, value)
        _ok(styles.CreateFeature(feature), f"write the style of {layer.table}")


_QML_BY_KIND: Dict[Tuple[str, bool], Optional[str]] = {}


def _qml(kind: str, is_labelled: bool) -> Optional[str]:
    """The style's text; made once for each kind, as it never changes while QGIS runs."""
    key = (kind, is_labelled)
    if key not in _QML_BY_KIND:
        fields = "&".join(f"field={n}:{'double' if t == ogr.OFTReal else 'string'}" for n, t in FIELDS)
        layer = QgsVectorLayer(f"MultiPolygon?{fields}", kind, "memory")
        apply_style(layer, kind, is_labelled=is_labelled)
        _QML_BY_KIND[key] = style_as_qml(layer)
    return _QML_BY_KIND[key]
