"""The upper half of the panel: what to find, where, with which engine, drawn how."""

from __future__ import annotations

from typing import Optional, Tuple

from qgis.core import QgsMapLayerProxyModel, QgsRasterLayer
from qgis.gui import QgsDoubleSpinBox, QgsMapCanvas, QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..core.errors import RSGroundError
from ..core.settings import Settings
from ..protocol import MAX_EXPRESSION_CHARS, OUTPUT_KINDS
from .area_tools import AreaChooser
from .engine_chooser import EngineChooser
from .history import ExpressionLine, History

#: The layer's own property that keeps what the user said.
PIXEL_SIZE_PROPERTY = "rsground/pixel_size_m"


class QueryForm(QWidget):
    """The widgets of a query; the dock decides what happens with them, and places ``run_button``.

    Signals:
        run_requested: Enter in the expression line, or the button.
        cancel_requested: the button while a query runs.
        changed: anything that decides whether the query can run.
    """

    run_requested = pyqtSignal()
    cancel_requested = pyqtSignal()
    changed = pyqtSignal()

    def __init__(
        self, canvas: QgsMapCanvas, history: History, settings: Settings, parent: Optional[QWidget] = None
    ) -> None:
        super().__init__(parent)
        self._is_running = False
        self.layers = QgsMapLayerComboBox()
        self.layers.setFilters(
            getattr(QgsMapLayerProxyModel, "RasterLayer", None) or QgsMapLayerProxyModel.Filter.RasterLayer
        )
        self.layers.setAccessibleName(self.tr("Raster layer to search"))
        # A long layer name must not widen the panel.
        self.layers.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.pixel_size = QgsDoubleSpinBox()
        self.pixel_size.setDecimals(3)
        self.pixel_size.setRange(0.0, 1000.0)
        self.pixel_size.setSingleStep(0.05)
        self.pixel_size.setSuffix(self.tr(" m"))
        self.pixel_size.setSpecialValueText(self.tr("guessed from the image"))
        self.pixel_size.setClearValueMode(QgsDoubleSpinBox.ClearValueMode.MinimumValue)
        self.pixel_size.setToolTip(
            self.tr("The layer has no CRS that says how large its pixels are on the ground. Say it if you know.")
        )
        self.expression = ExpressionLine(history)
        self.run_button = QPushButton()
        self.run_button.setAutoDefault(False)
        self.area = AreaChooser(canvas)
        self.engine = EngineChooser(settings.engine)
        titles = {"hbb": self.tr("&Boxes"), "obb": self.tr("&Oriented"), "mask": self.tr("&Masks")}
        tips = {
            "hbb": self.tr("Boxes along the screen"),
            "obb": self.tr("Boxes along the object"),
            "mask": self.tr("The object's outline, with its holes"),
        }
        self.outputs = {}
        outputs = QHBoxLayout()
        outputs.setContentsMargins(0, 0, 0, 0)
        for kind in OUTPUT_KINDS:
            box = QCheckBox(titles[kind])
            box.setToolTip(tips[kind])
            box.setChecked(kind in settings.output_kinds)
            box.toggled.connect(self.changed)
            self.outputs[kind] = box
            outputs.addWidget(box)
        outputs.addStretch(1)
        self.why = QCheckBox(self.tr("Show wh&y"))
        self.why.setToolTip(self.tr("Adds maps of where the engine looked, for one area; not for a whole layer"))
        self.why.setChecked(bool(settings.show_why))
        self.why.toggled.connect(self.changed)
        outputs.addWidget(self.why)

        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setHorizontalSpacing(8)
        form.setVerticalSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._add(form, self.tr("&Layer"), self.layers)
        self._pixel_size_label = self._add(form, self.tr("&Pixel size"), self.pixel_size)
        self._add(form, self.tr("&Area"), self.area)
        form.addRow(self.tr("Draw"), outputs)
        self._add(form, self.tr("En&gine"), self.engine)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.expression)
        layout.addLayout(form)

        self.expression.run_requested.connect(self._enter)
        self.expression.textChanged.connect(self.changed)
        self.run_button.clicked.connect(self._button)
        self.layers.layerChanged.connect(self._layer_chosen)
        self.layers.layerChanged.connect(self.changed)
        self.pixel_size.valueChanged.connect(self._pixel_size_told)
        self.pixel_size.valueChanged.connect(self.changed)
        self.area.changed.connect(self.changed)
        self.engine.changed.connect(self.changed)
        self.engine.shown.connect(self._offer_why)
        self._offer_why()
        self._layer_chosen()
        self.set_running(False)

    @property
    def layer(self) -> Optional[QgsRasterLayer]:
        """The raster chosen, None when the project has none."""
        layer = self.layers.currentLayer()
        return layer if isinstance(layer, QgsRasterLayer) else None

    @property
    def pixel_size_m(self) -> float:
        """Metres a pixel of the layer, as the user says; 0 where nobody says it or the layer's CRS does."""
        return 0.0 if self.pixel_size.isHidden() else self.pixel_size.value()

    @property
    def output_kinds(self) -> Tuple[str, ...]:
        """The kinds ticked, in the wire's order."""
        return tuple(kind for kind, box in self.outputs.items() if box.isChecked())

    @property
    def wants_why(self) -> bool:
        """Maps of where the engine looked are wanted, and the engine has them."""
        return self.why.isChecked() and self.why.isEnabled()

    def _layer_chosen(self) -> None:
        """The pixel size is asked for only where the layer does not say it; what was said stays with the layer."""
        layer = self.layer
        is_asked = layer is not None and layer.isValid() and not layer.crs().isValid()
        for widget in (self._pixel_size_label, self.pixel_size):
            widget.setVisible(is_asked)
        if is_asked:
            self.pixel_size.setValue(float(layer.customProperty(PIXEL_SIZE_PROPERTY, 0.0)))

    def _pixel_size_told(self, value: float) -> None:
        if self.layer is not None and not self.pixel_size.isHidden():
            self.layer.setCustomProperty(PIXEL_SIZE_PROPERTY, value)

    def _offer_why(self) -> None:
        """Only engines that have maps are asked for them; before the server has told, any may have."""
        info = self.engine.info()
        self.why.setEnabled(info is None or info.explains)

    def checked_expression(self) -> str:
        """What is typed. Raises RSGroundError when it is too long for the wire."""
        expression = self.expression.text().strip()
        if len(expression) > MAX_EXPRESSION_CHARS:
            raise RSGroundError(
                self.tr("The expression has {n} characters, and may have {most}. Say it in fewer words.").format(
                    n=len(expression), most=MAX_EXPRESSION_CHARS
                )
            )
        return expression

    def why_not(self) -> str:
        """Why the query cannot run yet, "" when it can."""
        if self.layer is None:
            return self.tr("Add a raster layer to the project first: an image file, or a web map.")
        if not self.layer.isValid():
            return self.tr("The layer “{name}” cannot be read: its source is broken.").format(name=self.layer.name())
        if not self.expression.text().strip():
            return self.tr("Type what to find first.")
        if not self.output_kinds:
            return self.tr("Tick at least one of boxes, oriented boxes and masks.")
        return self.area.hint()

    def set_running(self, is_running: bool) -> None:
        """The button runs or cancels; the line can be typed in meanwhile."""
        self._is_running = is_running
        self.run_button.setText(self.tr("&Cancel") if is_running else self.tr("&Find"))
        self.run_button.setToolTip(self.tr("Stop the query (Esc)") if is_running else self.tr("Run the query (Enter)"))
        width = self.run_button.fontMetrics().horizontalAdvance(self.tr("&Cancel")) + 24
        self.run_button.setMinimumWidth(width)

    def set_blocked(self, is_blocked: bool) -> None:
        """Nothing can be asked while a whole layer is searched; that search has buttons of its own."""
        self._is_running = is_blocked
        self.run_button.setEnabled(not is_blocked)

    def set_cancelling(self) -> None:
        self.run_button.setEnabled(False)
        self.run_button.setText(self.tr("Stopping"))

    def _enter(self) -> None:
        if not self._is_running:
            self.run_requested.emit()

    def _button(self) -> None:
        (self.cancel_requested if self._is_running else self.run_requested).emit()

    @staticmethod
    def _add(form: QFormLayout, title: str, field: QWidget) -> QLabel:
        label = QLabel(title)
        label.setBuddy(field)
        # The form centres labels on the whole field; the engine's is two lines high.
        label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        label.setContentsMargins(0, 4, 0, 0)
        form.addRow(label, field)
        return label

    def order_tabs(self) -> None:
        """Tab goes down the panel; to be called when all widgets are in one window."""
        order = [self.expression, self.layers, self.pixel_size]
        order += [self.area.button(kind) for kind in ("visible", "rectangle", "selection", "whole")]
        order.append(self.area.within)
        order += [*self.outputs.values(), self.why, self.engine.combo, self.run_button]
        for first, second in zip(order, order[1:]):
            QWidget.setTabOrder(first, second)
