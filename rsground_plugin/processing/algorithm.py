"""What RSGround's algorithms share: icon, translation, and the border where our errors become Processing's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

from qgis.core import (
    QgsFeedback,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
    QgsProcessingUtils,
)
from qgis.PyQt.QtCore import QCoreApplication, Qt
from qgis.PyQt.QtGui import QIcon

from ..core.background_tasks import as_rsground_error
from ..core.errors import EnvironmentMissing, QueryCancelled, TileCancelled
from ..core.launch import PLUGIN_FOLDER
from ..core.settings import INTERPRETER_VARIABLE
from ..core.shared_server import SharedServer


def tr(text: str) -> str:
    return QCoreApplication.translate("RSGroundProcessing", text)


def least_score_parameter() -> QgsProcessingParameterDefinition:
    """MIN_SCORE, 0 to 1."""
    return QgsProcessingParameterNumber(
        "MIN_SCORE", tr("Least score"), QgsProcessingParameterNumber.Type.Double, 0.0, minValue=0.0, maxValue=1.0
    )


def engine_parameters() -> List[QgsProcessingParameterDefinition]:
    """ENGINE, GSD and PIXEL_SIZE, which are advanced ones."""
    return [
        QgsProcessingParameterString("ENGINE", tr("Engine"), "default"),
        QgsProcessingParameterNumber(
            "GSD",
            tr("Ground sample distance in metres (0: the layer's own)"),
            QgsProcessingParameterNumber.Type.Double,
            0.0,
            minValue=0.0,
        ),
        QgsProcessingParameterNumber(
            "PIXEL_SIZE",
            tr("Pixel size in metres of a layer without a CRS (0: guessed)"),
            QgsProcessingParameterNumber.Type.Double,
            0.0,
            minValue=0.0,
        ),
    ]


class RSGroundAlgorithm(QgsProcessingAlgorithm):
    """Leaves write ``prepared`` (what needs the layers' thread) and ``work``.

    Args:
        server: where queries get their server from.
    """

    def __init__(self, server: SharedServer) -> None:
        super().__init__()
        self._server = server

    def createInstance(self) -> RSGroundAlgorithm:  # QGIS's name
        return type(self)(self._server)

    def icon(self) -> QIcon:
        return QIcon(str(PLUGIN_FOLDER / "icon.svg"))

    def svgIconPath(self) -> str:  # QGIS's name
        return str(PLUGIN_FOLDER / "icon.svg")

    def helpUrl(self) -> str:  # QGIS's name
        return "https://github.com/rsground/rsground/blob/main/docs/processing.md"

    def prepared(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Takes what is needed of layers and settings, in the thread that they live in."""

    def work(
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Dict[str, Any]:
        """Runs in any thread; returns the outputs."""
        raise NotImplementedError

    def prepareAlgorithm(  # QGIS's name
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        try:
            self.prepared(parameters, context, feedback)
        except Exception as error:  # the border to QGIS, which cannot take any other
            raise _as_processing_error(error, feedback) from error
        return True

    def processAlgorithm(  # QGIS's name
        self, parameters: Dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Dict[str, Any]:
        try:
            return self.work(parameters, context, feedback)
        except (QueryCancelled, TileCancelled):
            return {}
        except Exception as error:  # the border to QGIS, which cannot take any other
            raise _as_processing_error(error, feedback) from error


def part_of(feedback: QgsFeedback, first: float, last: float) -> QgsFeedback:
    """A feedback whose 0 to 100 per cent are ``first`` to ``last`` of the whole, cancelled with it."""
    part = QgsFeedback()
    if feedback.isCanceled():
        part.cancel()
    # Direct: the thread that works runs no event loop.
    feedback.canceled.connect(part.cancel, Qt.ConnectionType.DirectConnection)
    part.progressChanged.connect(
        lambda done: feedback.setProgress(first + (last - first) * done / 100.0), Qt.ConnectionType.DirectConnection
    )
    return part


def scratch_folder() -> Path:
    """A fresh folder among Processing's temporary ones, which QGIS removes at its end."""
    folder = Path(QgsProcessingUtils.generateTempFilename("rsground"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def expressions_of(text: str) -> List[str]:
    """One expression a line, blank lines left out, each one once."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _as_processing_error(error: Exception, feedback: QgsProcessingFeedback) -> QgsProcessingException:
    if isinstance(error, QgsProcessingException):
        return error
    ours = as_rsground_error(error)
    if ours.details:
        feedback.pushDebugInfo(ours.details)
    message = str(ours)
    if isinstance(ours, EnvironmentMissing):
        message += " " + tr(
            "Set it up in RSGround's panel, or name an interpreter that has its packages in the variable {name}."
        ).format(name=INTERPRETER_VARIABLE)
    return QgsProcessingException(message)
