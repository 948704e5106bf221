"""The result on the map: draws it, filters it by score, zooms to an object, exports it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, Optional

from qgis.core import QgsApplication, QgsCoordinateReferenceSystem, QgsProject, QgsSettings, QgsVectorLayer
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal
from qgis.PyQt.QtWidgets import QFileDialog, QMessageBox, QWidget

from ..core import explanation_layers, export, result_layers
from ..core.background_tasks import ExportTask
from ..core.errors import RSGroundError
from ..core.grounding_task import Outcome
from ..protocol import Detection
from .map_view import detection_geometry, show_on_map

_FOLDER_KEY = "rsground/export_folder"
#: A filter makes the map draw again: it waits until the slider has stayed for so long.
_FILTER_DELAY_MS = 60


class DrawnResults(QObject):
    """Knows the layers of the last result; layers the user removed are simply no longer touched.

    Signals:
        failed: an RSGroundError.
        exported: the path of a file.
    """

    failed = pyqtSignal(object)
    exported = pyqtSignal(str)

    def __init__(
        self,
        canvas: QgsMapCanvas,
        open_attribute_table: Optional[Callable[[object, str], None]] = None,
        parent: Optional[QObject] = None,
    ) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._open_attribute_table = open_attribute_table
        self._expression = ""
        self._crs = QgsCoordinateReferenceSystem()
        self._group: Optional[result_layers.ResultGroup] = None
        self._min_score = 0.0
        self._exporting: Optional[ExportTask] = None
        self._filter_timer = QTimer(self)
        self._filter_timer.setSingleShot(True)
        self._filter_timer.setInterval(_FILTER_DELAY_MS)
        self._filter_timer.timeout.connect(self._filter)

    def geopackage(self, expression: str, asked_at: float, chosen_folder: str) -> Path:
        """Where the next result goes: the folder in the options, or beside the project, or the profile."""
        folder = result_layers.results_folder(QgsProject.instance().absoluteFilePath(), chosen_folder)
        return folder / result_layers.geopackage_name(expression, asked_at)

    def draw(self, outcome: Outcome, min_score: float) -> None:
        """Adds the result's layers to the project, and hides the maps of earlier ones. Raises ResultsError."""
        self.look_at(outcome)
        explanation_layers.hide(QgsProject.instance())
        if outcome.written is not None:
            self.draw_written(outcome.written, min_score)
        if outcome.maps:
            explanation_layers.add_to_project(
                outcome.maps, outcome.result.expression, QgsProject.instance(), beside=self._group
            )

    def draw_written(self, written: result_layers.WrittenResult, min_score: float) -> None:
        """Adds the layers of a result's file to the project. Raises ResultsError."""
        self._expression, self._crs = written.expression, written.crs
        self._group = result_layers.add_to_project(written, QgsProject.instance(), min_score=min_score)
        # QGIS's tree shows a new group folded, whatever the group says, until it has taken it up.
        QTimer.singleShot(0, self._unfold)

    def _unfold(self) -> None:
        layers = self._drawn_layers()
        node = QgsProject.instance().layerTreeRoot().findLayer(layers[0].id()) if layers else None
        if node is not None:
            for is_unfolded in (False, True):
                node.parent().setExpanded(is_unfolded)

    def look_at(self, outcome: Outcome) -> None:
        """Makes an outcome the one that objects are shown of, without drawing it."""
        self._expression, self._crs = outcome.result.expression, outcome.tile.crs
        self._group = None

    def set_min_score(self, min_score: float) -> None:
        """Hides what scores less on the map, shortly after the slider has come to rest."""
        self._min_score = min_score
        self._filter_timer.start()

    def _filter(self) -> None:
        result_layers.set_min_score(self._drawn_layers(), self._min_score)

    def show_detection(self, detection: Detection) -> None:
        """Zooms to an object and flashes it."""
        geometry = detection_geometry(detection)
        if geometry is not None:
            show_on_map(self._canvas, geometry, self._crs)

    def open_attributes(self, detection: Detection) -> None:
        """Opens the attribute table at an object."""
        if self._open_attribute_table is None:
            return
        layers = self._drawn_layers()
        layer = layers[-1] if layers else None  # the topmost
        if layer is not None:
            self._open_attribute_table(layer, detection.id)

    def ask_and_export(self, format_name: str, min_score: float, parent: QWidget) -> None:
        """Asks for a file, and whether existing ones may go; then exports what the list shows."""
        store = QgsSettings()
        wanted = export.FORMATS[format_name]
        name = re.sub(r"[^\w]+", "_", self._expression).strip("_")[:40]
        start = Path(str(store.value(_FOLDER_KEY, str(Path.home())))) / f"{name or 'result'}.{wanted.suffix}"
        chosen, _ = QFileDialog.getSaveFileName(
            parent, self.tr("Export the result"), str(start), f"{wanted.title} (*.{wanted.suffix})"
        )
        if not chosen:
            return
        path = Path(chosen)
        store.setValue(_FOLDER_KEY, str(path.parent))
        # The dialog has asked about the chosen name; a format of several files writes others beside it.
        others = [p for p in export.planned_paths(self._drawn_layers(), path, format_name) if p != path and p.exists()]
        if others:
            names = "\n".join(dict.fromkeys(p.name for p in others))
            question = self.tr("These files exist. Replace them?") + "\n\n" + names
            if QMessageBox.question(parent, "RSGround", question) != QMessageBox.StandardButton.Yes:
                return
        self.export_to(path, format_name, min_score)

    def export_to(self, path: Path, format_name: str, min_score: float) -> None:
        """Exports what the list shows, in a thread; ``exported`` or ``failed`` comes at the end."""
        try:
            prepared = export.prepare(
                self._drawn_layers(),
                path,
                format_name,
                transform_context=QgsProject.instance().transformContext(),
                min_score=min_score,
            )
        except RSGroundError as error:
            self.failed.emit(error)
            return
        task = ExportTask(prepared, self.tr("RSGround: exporting to {name}").format(name=path.name))
        task.written.connect(self._exported)
        task.failed.connect(self.failed)
        self._exporting = task
        QgsApplication.taskManager().addTask(task)

    def _exported(self, paths: list[Path]) -> None:
        self.exported.emit("\n".join(str(path) for path in paths))

    def _drawn_layers(self) -> list[QgsVectorLayer]:
        return [] if self._group is None else self._group.layers(QgsProject.instance())

    def forget(self) -> None:
        """The project was closed: there is nothing of ours in it any more."""
        self._group = None

    def dispose(self) -> None:
        """Lets go of the layers; they stay in the project."""
        self._filter_timer.stop()
        self._group = None
