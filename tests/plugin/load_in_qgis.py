"""Run by QGIS itself (``qgis --code``): loads the panel, opens the options page, unloads the plugin, reports."""

import os
import traceback
from pathlib import Path

from qgis.PyQt.QtCore import QEventLoop, QTimer
from qgis.PyQt.QtWidgets import QDockWidget
from qgis.utils import iface, plugins, unloadPlugin


def wait(milliseconds):
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def look():
    lines = []
    try:
        plugin = plugins["rsground_plugin"]
        plugin.action.trigger()
        for _ in range(100):
            wait(50)
            if plugin.dock.setup.isVisible():
                break
        lines.append("environment: " + plugin.dock.setup.title())
        page = plugin._factory.createWidget(None)
        page.show()
        page.apply()
        lines.append("options page: " + ("shown" if page.isVisible() else "hidden"))
        page.close()
        page.deleteLater()
        plugin.dock.close()
        assert not plugin.action.isChecked()
        plugin.action.trigger()
        wait(100)
        assert unloadPlugin("rsground_plugin")
        # Deleted widgets go when control is back in QGIS's own event loop, so the rest comes from there.
        QTimer.singleShot(300, lambda: end(lines))
    except Exception:
        lines.append(traceback.format_exc())
        end(lines)


def end(lines):
    window = iface.mainWindow()
    left = [d.objectName() for d in window.findChildren(QDockWidget) if "RSGround" in d.objectName()]
    left += [a.text() for a in iface.rasterToolBar().actions() if "RSGround" in a.text()]
    left += [a.text() for a in iface.pluginMenu().actions() if "RSGround" in a.text()]
    lines.append(f"left behind: {left}")
    lines.append("done" if len(lines) == 3 else "failed")
    Path(os.environ["RSGROUND_TEST_REPORT"]).write_text("\n".join(lines))
    iface.actionExit().trigger()


QTimer.singleShot(1500, look)
