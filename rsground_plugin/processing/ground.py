"""*Ground expression*: one expression in one raster layer, as boxes, oriented boxes and masks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsRasterLayer,
    QgsWkbTypes,
)

from ..core.batch_job import BatchJob
from ..core.client import GroundingClient
from ..core.layer_copy import native_request
from ..core.raster_tile import TileArea, TileRequest, render
from ..core.result_layers import Provenance, write_result
from ..core.server_process import ServerSource, ask_server
from ..core.settings import Settings
from ..core.tile_layout import told_gsd
from ..protocol import GroundingRequest, GroundingResult, ProgressEvent
from . import batch_feedback
from .algorithm import RSGroundAlgorithm, engine_parameters, least_score_parameter, part_of, scratch_folder, tr
from .sinks import features_of, fill, result_fields

#: Each kind's parameter and type of geometry.
SINKS = {
    "hbb": ("BOXES", QgsWkbTypes.Type.Polygon),
    "obb": ("ORIENTED_BOXES", QgsWkbTypes.Type.Polygon),
    "mask": ("MASKS", QgsWkbTypes.Type.MultiPolygon),
}
#: How far a query is when a stage begins, in per cent; measured on the embedded engine.
_PER_CENT_AT = {"encoding": 15, "features": 50, "candidates": 75, "finding": 80, "relating": 88, "measuring": 92}


class GroundAlgorithm(RSGroundAlgorithm):
    """Asks the server one tile where the area fits one, and in tiles where it does not."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self._tile: Optional[TileRequest] = None
        self._job: Optional[BatchJob] = None
        self._source: Optional[ServerSource] = None
        self._crs = QgsCoordinateReferenceSystem()
        self._told_gsd_m: Optional[float] = None

    def name(self) -> str:
        return "ground"

    def displayName(self) -> str:  # QGIS's name
        return tr("Ground expression")

    def shortDescription(self) -> str:  # QGIS's name
        return tr("Finds what an expression names in a raster layer.")

    def tags(self) -> list:
        return tr("detect,segment,find,object,imagery,referring expression,language,ai").split(",")

    def shortHelpString(self) -> str:  # QGIS's name
        return tr(
            "Finds what an expression names in a raster layer: “the white tanks left of the road”.\n\n"
            "The layer may be a file, a web map or a virtual raster; it is searched as it is displayed, with its "
            "bands, stretch and palette. Left and right are those of the north-up raster.\n\n"
            "Extent: all of the layer unless told. A web map needs one.\n"
            "Ground sample distance: metres a pixel; the layer's own unless told. Coarser is faster and loses small "
            "things.\n\n"
            "Areas larger than a tile of the options are searched in tiles, as “Ground expressions in batch” does. "
            "Name a journal to continue such a search after it was cancelled.\n\n"
            "The three outputs hold the same objects, linked by the attribute “id”. When nothing is found they are "
            "empty, and the log and the output REASON say which part of the expression found nothing.\n\n"
            "Everything is computed on this machine."
        )

    def initAlgorithm(self, configuration: Optional[Dict[str, Any]] = None) -> None:  # QGIS's name
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", tr("Raster layer")))
        self.addParameter(QgsProcessingParameterString("EXPRESSION", tr("Expression (what to find)")))
        self.addParameter(QgsProcessingParameterExtent("EXTENT", tr("Extent to search"), optional=True))
        self.addParameter(least_score_parameter())
        journal = QgsProcessingParameterFileDestination(
            "JOURNAL",
            tr("Journal, to continue a large search that was cancelled"),
            tr("GeoPackage files (*.gpkg)"),
            optional=True,
            createByDefault=False,
        )
        for parameter in (*engine_parameters(), journal):
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
            self.addParameter(parameter)
        titles = {"hbb": tr("Boxes"), "obb": tr("Oriented boxes"), "mask": tr("Masks")}
        for kind, (name, _) in SINKS.items():
            self.addParameter(
                QgsProcessingParameterFeatureSink(
                    name,
                    titles[kind],
                    QgsProcessing.SourceType.TypeVectorPolygon,
                    optional=True,
                    createByDefault=True,
                )
            )
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Number of objects")))
        self.addOutput(QgsProcessingOutputString("UNDERSTOOD", tr("How the expression was read")))
        self.addOutput(QgsProcessingOutputString("REASON", tr("Why nothing was found")))

    def checkParameterValues(self, parameters: Dict[str, Any], context: QgsProcessingContext) -> tuple:  # QGIS's name
        if not self.parameterAsString(parameters, "EXPRESSION", context).strip():
            return False, tr("The expression is empty: say what to find, such as “the blue roofs”.")
        if not self._kinds(parameters):
            return False, tr("Choose at least one output: boxes, oriented boxes or masks.")
        return super().checkParameterValues(parameters, context)

    def prepared(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        if layer is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, "INPUT"))
        self._source = self._server.source()
        area = self._area(parameters, context, layer)
        gsd_m = self.parameterAsDouble(parameters, "GSD", context)
        pixel_size_m = self.parameterAsDouble(parameters, "PIXEL_SIZE", context)
        tile = native_request(layer, area, gsd_m=gsd_m)
        self._told_gsd_m = told_gsd(tile.grid, layer, pixel_size_m)
        self._crs = tile.crs
        if tile.grid.width * tile.grid.height <= Settings.load().max_tile_px ** 2:
            self._tile = tile
            return
        request = self._request(parameters, context)
        journal = self.parameterAsFileOutput(parameters, "JOURNAL", context)
        self._job = BatchJob.of(
            [layer],
            [request.expression],
            Path(journal) if journal else scratch_folder() / "journal.gpkg",
            area=area,
            gsd_m=gsd_m,
            pixel_size_m=pixel_size_m,
            engine=request.engine,
            outputs=request.outputs,
            min_score=request.min_score,
        )

    def work(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Dict[str, Any]:
        if self._source is None or (self._tile is None and self._job is None):
            raise QgsProcessingException("prepareAlgorithm was not run")
        sinks, outputs = {}, {}
        for kind in self._kinds(parameters):
            name, geometry = SINKS[kind]
            sinks[kind], outputs[name] = self.parameterAsSink(
                parameters, name, context, result_fields(), geometry, self._crs
            )
            if sinks[kind] is None:
                raise QgsProcessingException(self.invalidSinkError(parameters, name))
        tile, job = self._tile, self._job
        self._tile = self._job = None  # their clones of the layer go with this thread
        if tile is not None:
            found = _one_tile(tile, self._request(parameters, context), self._source, sinks, feedback)
        else:
            found = _many_tiles(job, self._source, sinks, feedback)
        return {**outputs, **found}

    def _request(self, parameters: Dict[str, Any], context: QgsProcessingContext) -> GroundingRequest:
        return GroundingRequest(
            self.parameterAsString(parameters, "EXPRESSION", context).strip(),
            engine=self.parameterAsString(parameters, "ENGINE", context).strip() or "default",
            outputs=self._kinds(parameters),
            min_score=self.parameterAsDouble(parameters, "MIN_SCORE", context),
            max_detections=1_000_000,
            pixel_size_m=self._told_gsd_m,
        )

    @staticmethod
    def _kinds(parameters: Dict[str, Any]) -> Tuple[str, ...]:
        """The kinds of geometry that have an output."""
        return tuple(kind for kind, (name, _) in SINKS.items() if parameters.get(name) not in (None, ""))

    def _area(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, layer: QgsRasterLayer
    ) -> Optional[TileArea]:
        if parameters.get("EXTENT") in (None, ""):
            return None
        crs = self.parameterAsExtentCrs(parameters, "EXTENT", context)
        rectangle = self.parameterAsExtent(parameters, "EXTENT", context)
        return TileArea.rectangle(rectangle, crs if crs.isValid() else layer.crs())


def _one_tile(
    tile_request: TileRequest,
    request: GroundingRequest,
    source: ServerSource,
    sinks: Dict[str, Any],
    feedback: QgsProcessingFeedback,
) -> Dict[str, Any]:
    """Asks one tile, fills the sinks, and returns the outputs beside them."""
    asked_at = time.time()
    feedback.setProgressText(tr("Reading the layer"))
    tile = render(tile_request, part_of(feedback, 0, _PER_CENT_AT["encoding"]))
    result = ask_server(source, _asker(request, tile.geotiff, feedback), is_cancelled=feedback.isCanceled)
    for note in (*tile.notes, *result.notes):
        feedback.pushInfo(note)
    if result.understood:
        feedback.pushInfo(tr("Understood as: {words}").format(words=result.understood))
    reason = result.empty_reason.message if result.empty_reason is not None else ""
    if result.detections:
        provenance = Provenance(tile.source, tile.extent.asWkt(6), asked_at)
        file = scratch_folder() / "result.gpkg"
        written = write_result(result, file, provenance, outputs=request.outputs, crs=tile.crs)
        fill(sinks, lambda kind: features_of(written.path, kind), feedback.isCanceled)
        feedback.pushInfo(tr("{n} objects found").format(n=len(result.detections)))
    else:
        feedback.pushWarning(reason or tr("Nothing was found."))
    feedback.setProgress(100)
    return {"COUNT": len(result.detections), "UNDERSTOOD": result.understood, "REASON": reason}


def _many_tiles(
    job: BatchJob, source: ServerSource, sinks: Dict[str, Any], feedback: QgsProcessingFeedback
) -> Dict[str, Any]:
    """Searches in tiles, fills the sinks, and returns the outputs beside them."""
    result = batch_feedback.run(job, source, feedback)
    (finding,) = result.findings
    if finding.count:
        fill(sinks, lambda kind: features_of(Path(result.output), kind), feedback.isCanceled)
    return {"COUNT": finding.count, "UNDERSTOOD": finding.understood, "REASON": finding.reason}


def _asker(
    request: GroundingRequest, geotiff: bytes, feedback: QgsProcessingFeedback
) -> Callable[[GroundingClient, Callable[[], None]], GroundingResult]:
    stage_titles = {
        "features": tr("Measuring regions"),
        "candidates": tr("Looking for candidates"),
        "relating": tr("Checking relations"),
    }

    def ask(client: GroundingClient, has_begun: Callable[[], None]) -> GroundingResult:
        def progressed(event: ProgressEvent) -> None:
            has_begun()
            if event.stage in stage_titles:
                feedback.setProgressText(stage_titles[event.stage])
            feedback.setProgress(max(feedback.progress(), _PER_CENT_AT.get(event.stage, 0)))

        return client.ground(request, geotiff, on_progress=progressed, is_cancelled=feedback.isCanceled)

    return ask
