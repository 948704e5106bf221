"""A map window with the panel in it, in a real QGIS application, and ways to wait for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

from osgeo import gdal, osr
from qgis.core import QgsApplication, QgsCoordinateReferenceSystem, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QSettings, Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QMainWindow

from rsground_plugin.core.server_process import ServerSource
from rsground_plugin.core.settings import Settings
from rsground_plugin.core.shared_server import SharedServer
from rsground_plugin.gui.dock import RSGroundDock

_application: Any = None

#: The test raster: 200 x 200 pixels of 1 m, its upper left corner at this place in EPSG:32633.
ORIGIN = (500000.0, 5000000.0)


def application() -> QgsApplication:
    """The one QGIS application of this process."""
    global _application
    running = QgsApplication.instance()
    if running is not None:
        return running
    _application = QgsApplication([], True)
    _application.initQgis()
    return _application


def use_settings_in(folder: Path) -> None:
    """Settings of this test only: nothing of the user's is read or written."""
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(folder))
    QgsApplication.setOrganizationName("rsground-tests")
    QgsApplication.setApplicationName(folder.name)


def spin_until(condition: Callable[[], Any], timeout_s: float = 10.0) -> bool:
    """Runs the event loop until the condition holds; False when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        QgsApplication.processEvents()
        if condition():
            return True
        time.sleep(0.002)
    return bool(condition())


def write_raster(path: Path, *, is_placed: bool = True) -> Path:
    """A grey raster with a gradient; one that is not placed says nothing of where it lies."""
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), 200, 200, 3)
    if is_placed:
        dataset.SetGeoTransform((ORIGIN[0], 1, 0, ORIGIN[1], 0, -1))
        reference = osr.SpatialReference()
        reference.ImportFromEPSG(32633)
        dataset.SetProjection(reference.ExportToWkt())
    for band in (1, 2, 3):
        dataset.GetRasterBand(band).WriteRaster(0, 0, 200, 200, bytes(60 + (i % 150) for i in range(40000)))
    dataset = None
    return path


class PanelWindow:
    """A main window with a canvas, a raster and the panel."""

    def __init__(self, source: ServerSource, raster: Path) -> None:
        self.project = QgsProject.instance()
        self.window = QMainWindow()
        self.canvas = QgsMapCanvas()
        self.window.setCentralWidget(self.canvas)
        self.layer = QgsRasterLayer(str(raster), "ortho")
        assert self.layer.isValid()
        self.project.addMapLayer(self.layer)
        self.attributes_opened: list[Any] = []
        self.dock = RSGroundDock(
            self.canvas,
            server=SharedServer(source),
            open_options=lambda: None,
            open_attributes=lambda layer, name: self.attributes_opened.append((layer, name)),
            parent=self.window,
        )
        self.window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)
        self.window.resize(1200, 900)
        self.window.show()
        self.canvas.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:32633"))
        self.canvas.setLayers([self.layer])
        self.canvas.setExtent(QgsRectangle(ORIGIN[0], ORIGIN[1] - 200, ORIGIN[0] + 200, ORIGIN[1]))
        self.ends: list[Any] = []
        self.dock.query_finished.connect(self.ends.append)
        assert spin_until(lambda: self.window.isVisible() and self.canvas.width() > 100)
        QgsApplication.processEvents()

    def ask(self, expression: str) -> None:
        """Types an expression and presses Enter."""
        line = self.dock.form.expression
        line.clear()
        QTest.keyClicks(line, expression)
        QTest.keyClick(line, Qt.Key.Key_Return)

    def answer(self, timeout_s: float = 20.0) -> Any:
        """The next end of a query: an Outcome, an RSGroundError, or None when cancelled."""
        assert spin_until(lambda: self.ends, timeout_s), f"no end; the panel says: {self.dock.progress.text()}"
        return self.ends.pop(0)

    def close(self) -> None:
        self.dock.dispose()
        self.window.close()
        self.project.clear()
        spin_until(lambda: QgsApplication.taskManager().countActiveTasks() == 0, 5)
        self.window.deleteLater()
        QgsApplication.processEvents()


@contextmanager
def window_on(
    source: ServerSource, raster: Path, folder: Path, *, canvas_px: int | None = None
) -> Iterator[PanelWindow]:
    """A window that shows the whole raster, with settings of its own in the folder; the server's engines are known."""
    application()
    use_settings_in(folder)
    Settings.load().save(results_folder=str(folder / "results"))
    window = PanelWindow(source, raster)
    try:
        window.canvas.setDestinationCrs(window.layer.crs())
        if canvas_px is not None:
            window.canvas.setFixedSize(canvas_px, canvas_px)
        window.canvas.setExtent(QgsRectangle(window.layer.extent()))
        assert spin_until(lambda: window.dock.form.engine.is_known, 30), window.dock.message.text()
        yield window
    finally:
        window.close()


class LagProbe:
    """Measures how long the interface's thread is busy: a timer of 10 ms, and the longest gap in it."""

    def __init__(self) -> None:
        self.worst_ms = 0.0
        self.gaps_ms: list[float] = []
        self._last = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(10)
        self._timer.timeout.connect(self._tick)

    def __enter__(self) -> LagProbe:
        self._last = time.perf_counter()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._tick()
        self._timer.stop()

    def _tick(self) -> None:
        now = time.perf_counter()
        gap = 1000 * (now - self._last) - 10
        self._last = now
        self.gaps_ms.append(gap)
        self.worst_ms = max(self.worst_ms, gap)
