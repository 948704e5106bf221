"""The panel's message area: one sentence, an icon, and details that can be copied."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QSize, Qt
from qgis.PyQt.QtGui import QColor, QPalette
from qgis.PyQt.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

INFO, WARNING, ERROR = "info", "warning", "error"

_ICONS = {
    INFO: "mIconInfo.svg",
    WARNING: "mIconWarning.svg",
    ERROR: "mIconCritical.svg",
}
_TINTS = {INFO: QColor(62, 128, 204), WARNING: QColor(222, 160, 32), ERROR: QColor(208, 60, 60)}


def mixed(base: QColor, tint: QColor, part: float) -> QColor:
    """``base`` with ``part`` of ``tint``: readable on light and dark themes alike."""
    return QColor(*(round(b * (1 - part) + t * part) for b, t in zip(base.getRgb()[:3], tint.getRgb()[:3])))


def secondary_text(label: QLabel, *, smaller: bool = True) -> None:
    """Makes a label step back: smaller, and halfway between text and background."""
    palette = label.palette()
    colour = mixed(palette.color(QPalette.ColorRole.WindowText), palette.color(QPalette.ColorRole.Window), 0.35)
    palette.setColor(QPalette.ColorRole.WindowText, colour)
    label.setPalette(palette)
    if smaller:
        font = label.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() * 0.92))
        label.setFont(font)


class MessageArea(QFrame):
    """Shows one message at a time; hidden when there is nothing to say."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setObjectName("rsgroundMessage")
        self._level = INFO
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._text.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self._details = QPlainTextEdit()
        self._details.setReadOnly(True)
        self._details.setMaximumHeight(120)
        self._details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._details.setAccessibleName(self.tr("Details of the message"))
        self._toggle = self._button(self.tr("Details"), checkable=True)
        self._toggle.toggled.connect(self._details.setVisible)
        self._copy = self._button(self.tr("Copy"))
        self._copy.setToolTip(self.tr("Copy the message and its details"))
        self._copy.clicked.connect(self._copy_all)
        self._close = QToolButton()
        self._close.setIcon(QgsApplication.getThemeIcon("/mIconClose.svg"))
        self._close.setAutoRaise(True)
        self._close.setIconSize(QSize(12, 12))
        self._close.setToolTip(self.tr("Close the message"))
        self._close.setAccessibleName(self.tr("Close the message"))
        self._close.clicked.connect(self.clear)

        buttons = QHBoxLayout()
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.addWidget(self._toggle)
        buttons.addWidget(self._copy)
        buttons.addStretch(1)
        self._buttons = QWidget()
        self._buttons.setLayout(buttons)
        middle = QVBoxLayout()
        middle.setSpacing(2)
        middle.addWidget(self._text)
        middle.addWidget(self._buttons)
        middle.addWidget(self._details)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 6, 4, 6)
        layout.setSpacing(6)
        layout.addWidget(self._icon)
        layout.addLayout(middle, 1)
        layout.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def show_message(self, level: str, text: str, details: str = "") -> None:
        """Replaces what is shown."""
        self._level = level
        size = self.fontMetrics().height() + 2
        self._icon.setPixmap(QgsApplication.getThemeIcon("/" + _ICONS[level]).pixmap(QSize(size, size)))
        self._text.setText(text)
        self._text.setAccessibleName(text)
        self._details.setPlainText(details)
        self._toggle.setChecked(False)
        self._details.hide()
        self._buttons.setVisible(bool(details))
        window = self.palette().color(QPalette.ColorRole.Window)
        fill, edge = mixed(window, _TINTS[level], 0.14), mixed(window, _TINTS[level], 0.45)
        self.setStyleSheet(
            f"#rsgroundMessage {{ background: {fill.name()}; border: 1px solid {edge.name()}; border-radius: 4px; }}"
        )
        self.show()

    def clear(self) -> None:
        self._text.clear()
        self._details.clear()
        self.hide()

    @property
    def level(self) -> str:
        return self._level

    def text(self) -> str:
        """The sentence shown, "" when hidden."""
        return self._text.text()

    def details(self) -> str:
        return self._details.toPlainText()

    def _copy_all(self) -> None:
        text = self._text.text() + "\n\n" + self._details.toPlainText()
        QApplication.clipboard().setText(text.strip())

    def _button(self, text: str, *, checkable: bool = False) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setAutoRaise(True)
        button.setCheckable(checkable)
        return button
