"""A whole-layer search on the map: what tiles found so far, and its result when it has ended.

FoundSoFar      a temporary layer that grows tile by tile
written_result  the search's GeoPackage as the panel's results are
best_objects    its best objects, for the list
"""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, List, Optional, Tuple

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsFeatureRequest,
    QgsFillSymbol,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
)

from ..protocol import (
    RESULT_TABLES,
    BatchFinding,
    BatchResult,
    Detection,
    EmptyReason,
    GroundingResult,
    Ring,
)
from .errors import ResultsError
from .result_file import WrittenLayer, WrittenResult
from .result_style import COLOURS

#: More rows than that nobody reads, and the list would take long to fill.
MOST_LISTED = 2000


class FoundSoFar:
    """A layer in memory on top of the map: gone when the search ends, when it is removed, or with QGIS."""

    def __init__(self, title: str, crs: QgsCoordinateReferenceSystem, project: QgsProject) -> None:
        self._project = project
        layer = QgsVectorLayer("Polygon", title, "memory")
        layer.setCrs(crs)
        symbol = QgsFillSymbol.createSimple(
            {"style": "no", "outline_color": COLOURS["obb"], "outline_width": "0.5", "outline_style": "dash"}
        )
        layer.setRenderer(QgsSingleSymbolRenderer(symbol))
        layer.setCustomProperty("skipMemoryLayersCheck", 1)  # QGIS need not ask whether to keep it
        project.addMapLayer(layer, False)
        project.layerTreeRoot().insertLayer(0, layer)
        self.layer_id = layer.id()

    def add(self, boxes: Iterable[Ring]) -> None:
        """Draws more; nothing happens when the user has removed the layer."""
        layer = self.layer()
        features = []
        for ring in boxes:
            feature = QgsFeature()
            feature.setGeometry(ring_geometry(ring))
            features.append(feature)
        if layer is not None and features:
            layer.dataProvider().addFeatures(features)
            layer.updateExtents()
            layer.triggerRepaint()

    def layer(self) -> Optional[QgsVectorLayer]:
        return self._project.mapLayer(self.layer_id)

    def remove(self) -> None:
        if self.layer() is not None:
            self._project.removeMapLayer(self.layer_id)


def ring_geometry(ring: Ring) -> QgsGeometry:
    """A closed ring of the wire as a polygon."""
    return QgsGeometry.fromPolygonXY([[QgsPointXY(x, y) for x, y in ring]])


def written_result(result: BatchResult) -> WrittenResult:
    """The tables that hold objects, from the bottom of the map to its top. Main thread.

    Raises:
        ResultsError: the file cannot be opened.
    """
    path = Path(result.output)
    opened = [(kind, _table(path, kind)) for kind in RESULT_TABLES]
    filled = [(kind, layer) for kind, layer in opened if layer is not None and layer.featureCount() > 0]
    if not filled and any(finding.count for finding in result.findings):
        raise ResultsError(f"The result was written to {path}, but QGIS cannot open it.")
    labelled = next((kind for kind in ("mask", "obb", "hbb") if kind in dict(filled)), "")
    layers = tuple(
        WrittenLayer(kind, RESULT_TABLES[kind], layer.featureCount(), kind in (labelled, "anchor"))
        for kind, layer in filled
    )
    crs = filled[0][1].crs() if filled else QgsCoordinateReferenceSystem()
    return WrittenResult(path, layers, crs, "; ".join(f.expression for f in result.findings), result.notes)


def best_objects(written: WrittenResult, result: BatchResult, engine: str) -> GroundingResult:
    """The search's best objects as one result; at most MOST_LISTED."""
    detections: Tuple[Detection, ...] = ()
    kind = next((k for k in ("obb", "hbb", "mask") if k in {layer.kind for layer in written.layers}), "")
    if kind:
        table = _table(written.path, kind)
        request = QgsFeatureRequest().addOrderBy("score", False).setLimit(MOST_LISTED)
        detections = tuple(_detections(table, request))
    count = sum(finding.count for finding in result.findings)
    notes = list(result.notes)
    if count > len(detections):
        notes.append(f"The list shows the best {len(detections)} of {count}; the map shows all.")
    return GroundingResult(
        expression=written.expression,
        engine=engine,
        revision="",
        detections=detections,
        understood="; ".join(finding.understood for finding in result.findings if finding.understood),
        empty_reason=None if count else _reason(result.findings),
        notes=tuple(notes),
        timings_s={"total": result.seconds},
    )


def _reason(findings: Tuple[BatchFinding, ...]) -> EmptyReason:
    words = " ".join(finding.reason for finding in findings if finding.reason)
    return EmptyReason("target", findings[0].expression if findings else "", words or "Nothing was found.")


def _detections(table: Optional[QgsVectorLayer], request: QgsFeatureRequest) -> Iterable[Detection]:
    if table is None:
        return
    measures = ("area_m2", "length_m", "width_m", "azimuth_deg")
    for feature in table.getFeatures(request):
        geometry = feature.geometry()
        polygon = geometry.asMultiPolygon()[0] if geometry.isMultipart() else geometry.asPolygon()
        ring = tuple((p.x(), p.y()) for p in polygon[0])
        values: List[Optional[float]] = [
            float(feature[name]) if isinstance(feature[name], (int, float)) else None for name in measures
        ]
        yield Detection(
            str(feature["id"]),
            float(feature["score"]),
            str(feature["label"] or ""),
            obb=ring,
            **dict(zip(measures, values)),
        )


def _table(path: Path, kind: str) -> Optional[QgsVectorLayer]:
    options = QgsVectorLayer.LayerOptions(loadDefaultStyle=False)
    layer = QgsVectorLayer(f"{path}|layername={RESULT_TABLES[kind]}", kind, "ogr", options)
    return layer if layer.isValid() else None
