"""Result tables into Processing's vector sinks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterator

from osgeo import ogr
from qgis.core import (
    QgsFeature,
    QgsFeatureRequest,
    QgsFeatureSink,
    QgsField,
    QgsFields,
    QgsProcessingException,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QVariant

from ..core.result_file import FIELDS
from ..protocol import RESULT_TABLES
from .algorithm import tr

_QT_TYPES = {ogr.OFTString: QVariant.String, ogr.OFTReal: QVariant.Double, ogr.OFTDateTime: QVariant.DateTime}


def result_fields() -> QgsFields:
    """The attributes of every result, as the GeoPackages have them, without their key."""
    fields = QgsFields()
    for name, ogr_type in FIELDS:
        fields.append(QgsField(name, _QT_TYPES[ogr_type]))
    return fields


def features_of(geopackage: Path, kind: str, where: str = "") -> Iterator[QgsFeature]:
    """The features of one kind ("hbb", "obb", "mask") in a result's GeoPackage, with :func:`result_fields`.

    Raises:
        QgsProcessingException: the file cannot be opened.
    """
    layer = QgsVectorLayer(f"{geopackage}|layername={RESULT_TABLES[kind]}", kind, "ogr")
    if not layer.isValid():
        raise QgsProcessingException(tr("{path} cannot be opened as a result.").format(path=geopackage))
    fields = result_fields()
    places = [layer.fields().lookupField(field.name()) for field in fields]
    request = QgsFeatureRequest()
    if where:
        request.setFilterExpression(where)
    for found in layer.getFeatures(request):
        feature = QgsFeature(fields)
        feature.setGeometry(found.geometry())
        feature.setAttributes([found.attribute(place) if place >= 0 else None for place in places])
        yield feature


def fill(
    sinks: Dict[str, Any], features: Callable[[str], Iterator[QgsFeature]], is_cancelled: Callable[[], bool]
) -> Dict[str, int]:
    """Writes each kind's features to its sink and returns how many of each.

    Raises:
        QgsProcessingException: a sink could not take a feature.
    """
    counts = {}
    for kind, sink in sinks.items():
        counts[kind] = 0
        for feature in features(kind):
            if is_cancelled():
                return counts
            if not sink.addFeature(feature, QgsFeatureSink.Flag.FastInsert):
                raise QgsProcessingException(tr("An object could not be written: {why}").format(why=sink.lastError()))
            counts[kind] += 1
        sink.flushBuffer()
    return counts
