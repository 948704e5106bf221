"""How results look on the map: readable over any imagery, dark or bright.

Every outline is a bright line on a dark casing, so that one of the two contrasts with whatever lies below;
fills are thin enough to see the object through them; labels are bright on a dark buffer.
"""

from __future__ import annotations

from typing import Optional

from qgis.core import (
    QgsExpressionContextUtils,
    QgsFillSymbol,
    QgsPalLayerSettings,
    QgsRuleBasedLabeling,
    QgsRuleBasedRenderer,
    QgsSimpleFillSymbolLayer,
    QgsSimpleLineSymbolLayer,
    QgsTextBufferSettings,
    QgsTextFormat,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor, QFont
from qgis.PyQt.QtXml import QDomDocument

#: Line colours of the three geometries and of anchors; far apart for every kind of colour vision.
COLOURS = {"mask": "#ffd84d", "obb": "#35e0ff", "hbb": "#ff7ad9", "anchor": "#ffffff"}
CASING = QColor(10, 14, 20, 190)

#: Layer variable that the score filter reads.
MIN_SCORE_VARIABLE = "rsground_min_score"
#: What is drawn and labelled; a layer without the variable (opened elsewhere) shows everything.
SCORE_FILTER = f'"score" >= coalesce(@{MIN_SCORE_VARIABLE}, 0)'

_LINE_MM = {"mask": 0.46, "obb": 0.56, "hbb": 0.36, "anchor": 0.3}
_FILL_ALPHA = {"mask": 40, "obb": 0, "hbb": 0, "anchor": 25}
_DASHED = ("hbb", "anchor")


def apply_style(layer: QgsVectorLayer, kind: str, *, is_labelled: bool) -> None:
    """Styles a layer.

    Args:
        layer: polygons with the attributes score and label.
        kind: "mask", "obb", "hbb" or "anchor".
        is_labelled: labels are drawn; otherwise they are prepared and switched off.
    """
    renderer = QgsRuleBasedRenderer(_symbol(kind))
    rule = renderer.rootRule().children()[0]
    labels = QgsRuleBasedLabeling.Rule(None)
    labels_filter = ""
    if kind != "anchor":
        rule.setFilterExpression(SCORE_FILTER)
        labels_filter = SCORE_FILTER
    labels.appendChild(QgsRuleBasedLabeling.Rule(_labels(kind), 0, 0, labels_filter))
    layer.setRenderer(renderer)
    layer.setLabeling(QgsRuleBasedLabeling(labels))
    layer.setLabelsEnabled(is_labelled)
    layer.setDisplayExpression('concat("label", \' \', format_number("score", 2))')
    if kind == "anchor":
        layer.setOpacity(0.7)


def filter_by_score(layer: QgsVectorLayer, min_score: float) -> None:
    """Hides objects that score less, labels included; the table keeps them.

    A filter of the drawing, not of the data source: it works while the layer is edited, costs nothing, and
    spares GeoPackages the change of journal that QGIS 3.22 answers with "unable to open database file".
    """
    # A hair below, so that a score that is shown as the slider's value passes.
    QgsExpressionContextUtils.setLayerVariable(layer, MIN_SCORE_VARIABLE, max(0.0, min_score - 1e-9))
    layer.triggerRepaint()


def _symbol(kind: str) -> QgsFillSymbol:
    colour = QColor(COLOURS[kind])
    fill_colour = QColor(colour)
    fill_colour.setAlpha(_FILL_ALPHA[kind])
    fill = QgsSimpleFillSymbolLayer(fill_colour, Qt.BrushStyle.SolidPattern, CASING, Qt.PenStyle.NoPen)
    width = _LINE_MM[kind]
    casing = _line(CASING, width + 0.5)
    bright = _line(colour, width)
    if kind in _DASHED:
        bright.setUseCustomDashPattern(True)
        bright.setCustomDashVector([2.2, 1.2])
    symbol = QgsFillSymbol.createSimple({})
    symbol.deleteSymbolLayer(0)
    # Appended one by one: a list given to the constructor stays Python's, and QGIS 3.22 then crashes.
    for part in (fill, casing, bright):
        symbol.appendSymbolLayer(part)
    return symbol


def _line(colour: QColor, width_mm: float) -> QgsSimpleLineSymbolLayer:
    line = QgsSimpleLineSymbolLayer(colour, width_mm)
    line.setPenJoinStyle(Qt.PenJoinStyle.RoundJoin)
    return line


def _labels(kind: str) -> QgsPalLayerSettings:
    text = QgsTextFormat()
    font = QFont("Open Sans")
    font.setBold(True)
    text.setFont(font)
    text.setSize(9)
    text.setColor(QColor(COLOURS[kind]))
    buffer = QgsTextBufferSettings()
    buffer.setEnabled(True)
    buffer.setSize(0.8)
    buffer.setColor(QColor(10, 14, 20, 220))
    text.setBuffer(buffer)
    settings = QgsPalLayerSettings()
    settings.setFormat(text)
    settings.isExpression = True
    settings.fieldName = '"label"' if kind == "anchor" else 'format_number("score", 2)'
    settings.placement = QgsPalLayerSettings.Placement.OverPoint
    settings.centroidInside = True
    # The best score wins where labels would overlap.
    settings.priority = 8
    settings.enabled = True
    return settings


def style_as_qml(layer: QgsVectorLayer) -> Optional[str]:
    """The layer's style as QGIS stores it in a GeoPackage; None when it cannot be had."""
    document = QDomDocument("qgis")
    layer.exportNamedStyle(document)
    text = document.toString(0)
    return text or None
