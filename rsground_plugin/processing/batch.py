"""*Ground expressions in batch*: several expressions in several whole layers, into one resumable GeoPackage."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeatureRequest,
    QgsGeometry,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterString,
    QgsVectorLayer,
)

from ..core.batch_job import BatchJob
from ..core.errors import ServerRefused
from ..core.raster_tile import TileArea
from ..core.result_layers import layer_title
from ..core.server_process import ServerSource
from ..protocol import RESULT_TABLES
from . import batch_feedback
from .algorithm import RSGroundAlgorithm, engine_parameters, expressions_of, least_score_parameter, tr


class BatchAlgorithm(RSGroundAlgorithm):
    """The server keeps the journal; cancelled or killed, the same call continues it."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self._job: Optional[BatchJob] = None
        self._source: Optional[ServerSource] = None

    def name(self) -> str:
        return "batch"

    def displayName(self) -> str:  # QGIS's name
        return tr("Ground expressions in batch")

    def shortDescription(self) -> str:  # QGIS's name
        return tr("Finds what expressions name in whole raster layers, resumable.")

    def tags(self) -> list:
        return tr("detect,segment,find,object,imagery,mosaic,tiles,resume").split(",")

    def shortHelpString(self) -> str:  # QGIS's name
        return tr(
            "Finds what expressions name in whole raster layers, tile by tile: objects on the tiles' seams come back "
            "whole, and relations (“the largest tank”, “houses within 50 m of the river”) hold over all of a layer.\n\n"
            "Expressions: one a line, or separated by semicolons.\n"
            "Area: an extent, polygons, or both; all of each layer unless told. A web map needs one.\n\n"
            "The output is a GeoPackage with boxes, oriented boxes and masks of all expressions; the attribute "
            "“expression” tells them apart. It is the journal too: cancelled, or after a crash, the same call goes on "
            "where it stopped. Where it holds another search, the algorithm stops; tick “Start anew” to replace it.\n\n"
            "Layers that are no plain image files (web maps, stretched or coloured rasters) are first copied as "
            "displayed, beside the output; the log says how many pixels and web tiles that takes."
        )

    def initAlgorithm(self, configuration: Optional[Dict[str, Any]] = None) -> None:  # QGIS's name
        self.addParameter(
            QgsProcessingParameterMultipleLayers("INPUT", tr("Raster layers"), QgsProcessing.SourceType.TypeRaster)
        )
        self.addParameter(QgsProcessingParameterString("EXPRESSIONS", tr("Expressions, one a line"), multiLine=True))
        self.addParameter(QgsProcessingParameterExtent("EXTENT", tr("Extent to search"), optional=True))
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "AREA", tr("Polygons to search in"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
            )
        )
        self.addParameter(least_score_parameter())
        advanced = [
            *engine_parameters(),
            QgsProcessingParameterBoolean("RESTART", tr("Start anew where the output holds another search"), False),
        ]
        for parameter in advanced:
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
            self.addParameter(parameter)
        self.addParameter(
            QgsProcessingParameterFileDestination("OUTPUT", tr("Results (resumable)"), tr("GeoPackage files (*.gpkg)"))
        )
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Number of objects")))

    def checkParameterValues(self, parameters: Dict[str, Any], context: QgsProcessingContext) -> tuple:  # QGIS's name
        if not self._expressions(parameters, context):
            return False, tr("The expression is empty: say what to find, such as “the blue roofs”.")
        return super().checkParameterValues(parameters, context)

    def prepared(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        layers = self.parameterAsLayerList(parameters, "INPUT", context)
        output = Path(self.parameterAsFileOutput(parameters, "OUTPUT", context))
        if output.suffix.lower() != ".gpkg":
            output = output.with_name(output.name + ".gpkg")
        if not output.parent.is_dir():
            raise QgsProcessingException(tr("The folder {path} does not exist.").format(path=output.parent))
        self._source = self._server.source()
        self._job = BatchJob.of(
            layers,
            self._expressions(parameters, context),
            output,
            area=self._area(parameters, context),
            gsd_m=self.parameterAsDouble(parameters, "GSD", context),
            pixel_size_m=self.parameterAsDouble(parameters, "PIXEL_SIZE", context),
            engine=self.parameterAsString(parameters, "ENGINE", context).strip() or "default",
            min_score=self.parameterAsDouble(parameters, "MIN_SCORE", context),
            is_restart=self.parameterAsBool(parameters, "RESTART", context),
        )

    def work(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Dict[str, Any]:
        if self._job is None or self._source is None:
            raise QgsProcessingException("prepareAlgorithm was not run")
        try:
            result = batch_feedback.run(self._job, self._source, feedback)
        except ServerRefused as error:
            if error.code == "journal_mismatch":
                hint = tr("Tick “Start anew” (RESTART) to replace it, or choose another output.")
                raise QgsProcessingException(f"{error} {hint}") from error
            raise
        if parameters.get("OUTPUT") and context.project() is not None:
            _load_afterwards(Path(result.output), context)
        return {"OUTPUT": result.output, "COUNT": sum(finding.count for finding in result.findings)}

    def _expressions(self, parameters: Dict[str, Any], context: QgsProcessingContext) -> List[str]:
        text = self.parameterAsString(parameters, "EXPRESSIONS", context)
        return expressions_of(text.replace(";", "\n"))

    def _area(self, parameters: Dict[str, Any], context: QgsProcessingContext) -> Optional[TileArea]:
        """The extent, the polygons, or what they have in common."""
        polygons = None
        source = self.parameterAsSource(parameters, "AREA", context)
        if source is not None:
            shapes = [f.geometry() for f in source.getFeatures(QgsFeatureRequest()) if f.hasGeometry()]
            if not shapes:
                raise QgsProcessingException(tr("The layer of polygons to search in is empty."))
            polygons = TileArea.polygons(shapes, source.sourceCrs())
        if parameters.get("EXTENT") in (None, ""):
            return polygons
        crs = polygons.crs if polygons is not None else QgsCoordinateReferenceSystem()
        if not crs.isValid():
            crs = self.parameterAsExtentCrs(parameters, "EXTENT", context)
        extent: QgsGeometry = self.parameterAsExtentGeometry(parameters, "EXTENT", context, crs)
        if polygons is None:
            return TileArea.rectangle(extent, crs)
        shared = polygons.geometry.intersection(extent)
        if shared.isEmpty():
            raise QgsProcessingException(tr("The extent and the polygons to search in do not meet."))
        return TileArea.polygons([shared], crs)


def _load_afterwards(output: Path, context: QgsProcessingContext) -> None:
    """Lets QGIS add the result's layers to the project when the algorithm was run from its window."""
    for kind, table in _tables(output):
        source = f"{output}|layername={table}"
        details = QgsProcessingContext.LayerDetails(layer_title(kind), context.project(), layer_title(kind))
        context.addLayerToLoadOnCompletion(source, details)


def _tables(output: Path) -> Iterator[tuple]:
    for kind, table in RESULT_TABLES.items():
        layer = QgsVectorLayer(f"{output}|layername={table}", kind, "ogr")
        if layer.isValid() and layer.featureCount() > 0:
            yield kind, table
