"""The plugin: what it adds to QGIS in ``initGui``, ``unload`` takes away.

``initProcessing`` alone is called where QGIS has no window (``qgis_process``): it imports nothing of ``gui``.
"""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtCore import QCoreApplication, QLocale, Qt, QTranslator

from .core.launch import PLUGIN_FOLDER
from .core.server_process import ServerSource
from .core.shared_server import SharedServer
from .processing.provider import RSGroundProvider

_MENU = "&RSGround"


class RSGroundPlugin:
    """Made once by QGIS; the dock is made when it is first shown.

    Args:
        iface: QGIS's window, None where it has none.
    """

    def __init__(self, iface: Any) -> None:
        self._iface = iface
        self.dock: Any = None
        self.action: Any = None
        self.provider: Optional[RSGroundProvider] = None
        self._server = SharedServer()
        self._options_action: Any = None
        self._factory: Any = None
        self._translator: Optional[QTranslator] = None

    def initProcessing(self) -> None:  # QGIS's name
        if self.provider is None:
            self._translate()
            self.provider = RSGroundProvider(self._server)
            QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:  # QGIS's name
        from qgis.PyQt.QtWidgets import QAction

        from .gui.settings_page import SettingsPageFactory, plugin_icon

        self.initProcessing()
        window = self._iface.mainWindow()
        self.action = QAction(plugin_icon(), "RSGround", window)
        self.action.setObjectName("mActionRSGround")
        self.action.setCheckable(True)
        self.action.setToolTip(QCoreApplication.translate("RSGroundPlugin", "Find things in imagery from a sentence"))
        self.action.setStatusTip(self.action.toolTip())
        self.action.toggled.connect(self._toggled)
        self._iface.addRasterToolBarIcon(self.action)
        self._iface.addPluginToMenu(_MENU, self.action)
        self._options_action = QAction(QCoreApplication.translate("RSGroundPlugin", "Options …"), window)
        self._options_action.triggered.connect(self.open_options)
        self._iface.addPluginToMenu(_MENU, self._options_action)
        self._factory = SettingsPageFactory(self._settings_changed, self._source)
        self._iface.registerOptionsWidgetFactory(self._factory)

    def unload(self) -> None:
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
        if self.dock is not None:
            self.dock.dispose()
            self._iface.removeDockWidget(self.dock)
            self.dock.deleteLater()
            self.dock = None
        self._server.stop()
        if self._factory is not None:
            from .gui.weights_box import stop_downloads

            stop_downloads()
            self._iface.unregisterOptionsWidgetFactory(self._factory)
            self._factory = None
        if self.action is not None:
            self._iface.removeRasterToolBarIcon(self.action)
        for action in (self.action, self._options_action):
            if action is not None:
                self._iface.removePluginMenu(_MENU, action)
                action.deleteLater()
        self.action = self._options_action = None
        if self._translator is not None:
            QCoreApplication.removeTranslator(self._translator)
            self._translator = None

    def open_options(self) -> None:
        """QGIS's options at our page."""
        from .gui.settings_page import PAGE_KEY

        self._iface.showOptionsDialog(self._iface.mainWindow(), PAGE_KEY)

    def _toggled(self, is_on: bool) -> None:
        if is_on and self.dock is None:
            from .gui.dock import RSGroundDock

            self.dock = RSGroundDock(
                self._iface.mapCanvas(),
                server=self._server,
                open_options=self.open_options,
                open_attributes=self._open_attributes,
                parent=self._iface.mainWindow(),
            )
            self.dock.setToggleVisibilityAction(self.action)
            self._iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)
        if self.dock is not None:
            self.dock.setUserVisible(is_on)

    def _open_attributes(self, layer: object, detection_id: str) -> None:
        quoted = detection_id.replace("'", "''")
        self._iface.showAttributeTable(layer, f"\"id\" = '{quoted}'")

    def _settings_changed(self) -> None:
        if self.dock is not None:
            self.dock.settings_changed()
        else:
            self._server.renew()

    def _source(self) -> Optional[ServerSource]:
        return self._server.current

    def _translate(self) -> None:
        name = str(QgsSettings().value("locale/userLocale", "") or QLocale.system().name())
        if QgsSettings().value("locale/overrideFlag", False, bool) is False:
            name = QLocale.system().name()
        translator = QTranslator()
        for locale in (name, name[:2]):
            if translator.load(str(PLUGIN_FOLDER / "i18n" / f"rsground_{locale}.qm")):
                QCoreApplication.installTranslator(translator)
                self._translator = translator
                return
