"""*Export to COCO*: objects of a polygon layer, in the pixels of a raster, as COCO JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeatureRequest,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
)

from ..core import coco
from .algorithm import RSGroundAlgorithm, tr


class CocoAlgorithm(RSGroundAlgorithm):
    """Any polygon layer will do; the attributes of RSGround's results are the defaults."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self._frame: Optional[coco.RasterFrame] = None
        self._raster_crs = QgsCoordinateReferenceSystem()

    def name(self) -> str:
        return "coco"

    def displayName(self) -> str:  # QGIS's name
        return tr("Export to COCO")

    def shortDescription(self) -> str:  # QGIS's name
        return tr("Writes objects of a polygon layer as COCO JSON, in a raster's pixels.")

    def tags(self) -> list:
        return tr("coco,json,training,annotation,mask,box,rle").split(",")

    def shortHelpString(self) -> str:  # QGIS's name
        return tr(
            "Writes the polygons of a layer as COCO JSON, for people who train models: one image (the raster), and for "
            "each object its box, its mask as run lengths, and its category.\n\n"
            "Categories are the values of a field: “label” (what the engine takes the object for) or “expression” "
            "(what was asked) of RSGround's results, or any field of another layer. The score is written where there "
            "is one.\n\n"
            "Objects outside of the raster, or smaller than a pixel, are left out and counted."
        )

    def initAlgorithm(self, configuration: Optional[Dict[str, Any]] = None) -> None:  # QGIS's name
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "INPUT", tr("Objects (masks or boxes)"), [QgsProcessing.SourceType.TypeVectorPolygon]
            )
        )
        self.addParameter(QgsProcessingParameterRasterLayer("RASTER", tr("Image that the objects lie on")))
        self.addParameter(
            QgsProcessingParameterField("CATEGORY", tr("Field of the category"), "label", "INPUT", optional=True)
        )
        self.addParameter(QgsProcessingParameterField("SCORE", tr("Field of the score"), None, "INPUT", optional=True))
        self.addParameter(QgsProcessingParameterFileDestination("OUTPUT", tr("COCO file"), tr("COCO files (*.json)")))
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Number of objects")))

    def prepared(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        raster = self.parameterAsRasterLayer(parameters, "RASTER", context)
        if raster is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, "RASTER"))
        self._frame = coco.RasterFrame.of(raster)
        self._raster_crs = raster.crs()

    def work(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Dict[str, Any]:
        source = self.parameterAsSource(parameters, "INPUT", context)
        if source is None or self._frame is None:
            raise QgsProcessingException(self.invalidSourceError(parameters, "INPUT"))
        output = Path(self.parameterAsFileOutput(parameters, "OUTPUT", context))
        category_field = self.parameterAsString(parameters, "CATEGORY", context)
        score_field = self.parameterAsString(parameters, "SCORE", context)
        if not score_field and source.fields().lookupField("score") >= 0:
            score_field = "score"
        for name in (category_field, score_field):
            if name and source.fields().lookupField(name) < 0:
                raise QgsProcessingException(
                    tr("The layer has no field “{name}”; it has {names}.").format(
                        name=name, names=", ".join(f.name() for f in source.fields())
                    )
                )
        categories: List[str] = []
        annotations = self._annotations(source, context, feedback, category_field, score_field, categories)
        if feedback.isCanceled():
            return {}
        document = coco.document(self._frame, categories, annotations)
        try:
            output.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        except OSError as error:
            raise QgsProcessingException(
                tr("{path} could not be written: {why}").format(path=output, why=error.strerror)
            ) from error
        return {"OUTPUT": str(output), "COUNT": len(annotations)}

    def _annotations(
        self,
        source: QgsProcessingFeatureSource,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
        category_field: str,
        score_field: str,
        categories: List[str],
    ) -> List[Dict[str, Any]]:
        """The annotations; ``categories`` grows by the names met."""
        request = QgsFeatureRequest()
        if source.sourceCrs().isValid() and self._raster_crs.isValid():
            request.setDestinationCrs(self._raster_crs, context.transformContext())
        numbers: Dict[str, int] = {}
        annotations: List[Dict[str, Any]] = []
        left_out, total = 0, max(1, source.featureCount())
        for done, feature in enumerate(source.getFeatures(request)):
            if feedback.isCanceled():
                return []
            feedback.setProgress(100.0 * done / total)
            name = str(feature[category_field]) if category_field else "object"
            score = feature[score_field] if score_field else None
            found = coco.annotation(
                feature.geometry(),
                self._frame,
                number=len(annotations) + 1,
                category=numbers.get(name, len(numbers) + 1),
                score=float(score) if isinstance(score, (int, float)) else None,
            )
            if found is None:
                left_out += 1
                continue
            if name not in numbers:
                numbers[name] = len(numbers) + 1
                categories.append(name)
            annotations.append(found)
        if left_out:
            feedback.pushInfo(
                tr("{n} objects lie outside of the raster or cover no pixel: left out.").format(n=left_out)
            )
        return annotations
