"""The engine chooser: each engine with what it gives, needs and cannot do."""

from __future__ import annotations

from typing import Optional, Sequence

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QResizeEvent
from qgis.PyQt.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from ..protocol import EngineInfo
from .messages import secondary_text

_DEFAULT = "default"


class EngineChooser(QWidget):
    """A combo box and a line of explanation below it.

    Signals:
        changed: the user has chosen another engine.
        shown: what is known of the chosen engine has changed.
    """

    changed = pyqtSignal()
    shown = pyqtSignal()

    def __init__(self, chosen: str = _DEFAULT, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._wanted = chosen
        self._engines: Sequence[EngineInfo] = ()
        self.combo = QComboBox()
        self.combo.setAccessibleName(self.tr("Engine"))
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setMinimumContentsLength(16)
        self.combo.addItem(self.tr("Built-in engine"), _DEFAULT)
        self._about = QLabel()
        self._about.setWordWrap(True)
        self._about.setTextFormat(Qt.TextFormat.PlainText)
        secondary_text(self._about)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.combo)
        layout.addWidget(self._about)
        self.setFocusProxy(self.combo)
        self.combo.currentIndexChanged.connect(self._explain)
        self.combo.activated.connect(self._picked)
        self._explain()

    def set_engines(self, engines: Sequence[EngineInfo]) -> None:
        """Shows what the server has; the wanted engine stays chosen where it exists."""
        self._engines = engines
        self.combo.blockSignals(True)
        self.combo.clear()
        for engine in engines:
            title = (
                engine.title if engine.is_available else self.tr("{title} (not available)").format(title=engine.title)
            )
            self.combo.addItem(title, engine.name)
            self.combo.setItemData(self.combo.count() - 1, self._plain(engine), Qt.ItemDataRole.ToolTipRole)
        wanted = [i for i, e in enumerate(engines) if e.name == self._wanted]
        default = [i for i, e in enumerate(engines) if e.is_default]
        self.combo.setCurrentIndex((wanted or default or [0])[0])
        self.combo.blockSignals(False)
        self._explain()

    @property
    def engine(self) -> str:
        """The chosen engine's name."""
        return str(self.combo.currentData() or _DEFAULT)

    def choose(self, name: str) -> None:
        """Chooses by name; an unknown one leaves the choice as it is."""
        place = self.combo.findData(name)
        if place >= 0:
            self.combo.setCurrentIndex(place)
            self._wanted = name

    @property
    def wanted(self) -> str:
        """What the user chose last, whether the server has it now or not."""
        return self._wanted

    @property
    def is_known(self) -> bool:
        """The server has told its engines."""
        return bool(self._engines)

    def info(self) -> Optional[EngineInfo]:
        """What is known of the chosen engine, None until the server has told."""
        return next((e for e in self._engines if e.name == self.engine), None)

    def about(self) -> str:
        """The line of explanation."""
        return self._about.text()

    def _picked(self) -> None:
        self._wanted = self.engine
        self.changed.emit()

    def _explain(self) -> None:
        info = self.info()
        if info is None:
            self._about.setText(self.tr("No download, no GPU, no account."))
        else:
            self._about.setText(self._plain(info))
        self._fit()
        self.shown.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Room for all lines: a QFormLayout gives wrapped words the height that they had at another width."""
        self._about.setMinimumHeight(self._about.heightForWidth(self.width()))

    def _plain(self, info: EngineInfo) -> str:
        names = {"hbb": self.tr("boxes"), "obb": self.tr("oriented boxes"), "mask": self.tr("masks")}
        lines = []
        if not info.is_available:
            lines.append(info.why_unavailable)
        lines.append(
            self.tr("Gives {what}. {needs}").format(
                what=", ".join(names.get(g, g) for g in info.gives), needs=info.needs
            )
        )
        if info.limits:
            lines.append(info.limits)
        return "\n".join(line.strip() for line in lines if line.strip())
