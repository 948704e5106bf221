"""The demo inside QGIS: opens the scene, types the question into the panel, presses Enter, takes a picture.

QGIS runs this file (``qgis --code``). RSGROUND_DEMO_FOLDER holds scene.tif and question.json; panel.png,
results.gpkg and finished.json are written there. With RSGROUND_DEMO_QUIT=1 QGIS is closed at the end.
"""

import json
import os
import shutil
import time
import traceback
from pathlib import Path

from qgis.core import QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QEventLoop, Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QDockWidget, QToolBar
from qgis.utils import iface, plugins

FOLDER = Path(os.environ["RSGROUND_DEMO_FOLDER"])
#: Toolbars that stay, so that the picture shows QGIS and not its buttons.
KEPT_TOOLBARS = ("mFileToolBar", "mMapNavToolBar", "mRasterToolBar", "mAttributesToolBar")


def wait(milliseconds):
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        wait(50)


def tidy(window):
    """The layers on the left, the map, room for the panel on the right."""
    for bar in window.findChildren(QToolBar):
        bar.setVisible(bar.objectName() in KEPT_TOOLBARS)
    for dock in window.findChildren(QDockWidget):
        if dock.objectName() in ("Browser", "Browser2", "theBrowser") or "rowser" in dock.objectName():
            dock.hide()
    window.resize(1600, 1000)
    window.showMaximized()


def run():
    question = json.loads((FOLDER / "question.json").read_text(encoding="utf-8"))
    window = iface.mainWindow()
    tidy(window)
    layer = QgsRasterLayer(str(FOLDER / "scene.tif"), "Orthophoto")
    QgsProject.instance().addMapLayer(layer)
    QgsProject.instance().layerTreeRoot().findLayer(layer.id()).setExpanded(False)  # its bands say nothing
    plugin = plugins["rsground_plugin"]
    plugin.action.trigger()  # the toolbar button
    dock = plugin.dock
    window.resizeDocks([dock], [400], Qt.Orientation.Horizontal)
    layers_dock = window.findChild(QDockWidget, "Layers")
    if layers_dock is not None:
        window.resizeDocks([layers_dock], [260], Qt.Orientation.Horizontal)
    wait(300)
    canvas = iface.mapCanvas()
    canvas.setExtent(layer.extent())
    canvas.refresh()
    wait_until(lambda: dock.form.engine.is_known, 90, "the server's engines")
    wait_until(lambda: not canvas.isDrawing(), 30, "the map")

    ends = []
    dock.query_finished.connect(ends.append)
    line = dock.form.expression
    line.setFocus()
    QTest.keyClicks(line, question["expression"])
    started = time.perf_counter()
    QTest.keyClick(line, Qt.Key.Key_Return)
    wait_until(lambda: ends, 180, "the answer")
    seconds = time.perf_counter() - started
    outcome = ends[0]
    if isinstance(outcome, Exception) or outcome is None:
        raise RuntimeError(f"no result: {outcome}\n{getattr(outcome, 'details', '')}")
    if outcome.written is not None:
        shutil.copyfile(outcome.written.path, FOLDER / "results.gpkg")
    wait(500)
    wait_until(lambda: not canvas.isDrawing(), 30, "the map with the result")
    wait(800)
    iface.messageBar().clearWidgets()  # QGIS's own "task complete", shown while its window is not in front
    wait(100)
    window.grab().save(str(FOLDER / "panel.png"))
    return {
        "seconds_from_enter_to_layers": round(seconds, 3),
        "seconds_by_part": {k: round(v, 3) for k, v in outcome.seconds_by_part.items()},
        "seconds_of_the_server": {k: round(v, 3) for k, v in outcome.result.timings_s.items()},
        "understood": outcome.result.understood,
        "found": len(outcome.result.detections),
    }


def main():
    try:
        report = run()
    except Exception:
        report = {"error": traceback.format_exc()}
        iface.mainWindow().grab().save(str(FOLDER / "panel.png"))
    (FOLDER / "finished.json").write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    if os.environ.get("RSGROUND_DEMO_QUIT"):
        # A dirty project, and layers in the temporary folder, would make QGIS ask before it ends, and wait for ever.
        QgsProject.instance().clear()
        QTimer.singleShot(0, iface.actionExit().trigger)


# QGIS runs this before its window is up: begin when its event loop does.
QTimer.singleShot(1500, main)
