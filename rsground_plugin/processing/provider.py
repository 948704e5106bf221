"""The Processing provider: RSGround's algorithms in the toolbox, the model designer and ``qgis_process``."""

from __future__ import annotations

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from ..core.launch import PLUGIN_FOLDER, plugin_version
from ..core.shared_server import SharedServer
from .batch import BatchAlgorithm
from .coco import CocoAlgorithm
from .ground import GroundAlgorithm


class RSGroundProvider(QgsProcessingProvider):
    """Made by the plugin, which stops the server.

    Args:
        server: the one that the panel uses too.
    """

    def __init__(self, server: SharedServer) -> None:
        super().__init__()
        self._server = server

    def loadAlgorithms(self) -> None:  # QGIS's name
        for algorithm in (GroundAlgorithm, BatchAlgorithm, CocoAlgorithm):
            self.addAlgorithm(algorithm(self._server))

    def id(self) -> str:
        return "rsground"

    def name(self) -> str:
        return "RSGround"

    def longName(self) -> str:  # QGIS's name
        return self.tr("RSGround: things in imagery from a sentence")

    def versionInfo(self) -> str:  # QGIS's name
        return plugin_version()

    def icon(self) -> QIcon:
        return QIcon(str(PLUGIN_FOLDER / "icon.svg"))

    def svgIconPath(self) -> str:  # QGIS's name
        return str(PLUGIN_FOLDER / "icon.svg")
