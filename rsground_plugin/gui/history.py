"""The expression line and its history: most recent first, kept in the profile, one click runs again."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from typing import List, Optional, Tuple

from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtCore import QStringListModel, Qt, pyqtSignal
from qgis.PyQt.QtGui import QKeyEvent
from qgis.PyQt.QtWidgets import QAction, QCompleter, QLineEdit, QMenu, QWidget

_KEY = "rsground/history"
_MAX_ENTRIES = 100
_MAX_MENU_ENTRIES = 20

EXAMPLES = (
    "the largest building",
    "all red roofs",
    "the white storage tank left of the road",
    "the trees north of the swimming pool",
    "cars next to the building with a blue roof",
)


@dataclass(frozen=True)
class Entry:
    """One query of the past.

    Attributes:
        expression: as typed.
        engine: name of the engine that was asked.
        outputs: of OUTPUT_KINDS.
        n_found: how many objects were found then.
        asked_at: seconds since the epoch.
    """

    expression: str
    engine: str = "default"
    outputs: Tuple[str, ...] = ()
    n_found: int = 0
    asked_at: float = 0.0


class History:
    """The profile's queries, most recent first, each expression once."""

    def __init__(self) -> None:
        self.entries: List[Entry] = []
        try:
            for item in json.loads(str(QgsSettings().value(_KEY, "[]"))):
                entry = Entry(**item)
                self.entries.append(replace(entry, outputs=tuple(entry.outputs)))
        except (ValueError, TypeError):
            # Written by another version: the history starts anew rather than stopping the panel.
            self.entries = []

    def add(self, entry: Entry) -> None:
        entry = replace(entry, asked_at=entry.asked_at or time.time())
        others = [e for e in self.entries if e.expression != entry.expression]
        self.entries = [entry, *others][:_MAX_ENTRIES]
        QgsSettings().setValue(_KEY, json.dumps([asdict(e) for e in self.entries], ensure_ascii=False))

    def clear(self) -> None:
        self.entries = []
        QgsSettings().remove(_KEY)

    def expressions(self) -> List[str]:
        return [e.expression for e in self.entries]


class ExpressionLine(QLineEdit):
    """A line that completes from the history; the arrow keys walk through it.

    Signals:
        run_requested: Enter was pressed.
        rerun_requested: an Entry of the history was chosen.
    """

    run_requested = pyqtSignal()
    rerun_requested = pyqtSignal(object)

    def __init__(self, history: History, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._history = history
        self._place = -1  # in the history; -1 is the line being typed
        self._typed = ""
        self.setPlaceholderText(self.tr("What to find, e.g. {example}").format(example=EXAMPLES[2]))
        self.setAccessibleName(self.tr("Expression: what to find"))
        self.setClearButtonEnabled(True)
        self._model = QStringListModel(self)
        completer = QCompleter(self._model, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.setCompleter(completer)
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self._menu.aboutToShow.connect(self._fill_menu)
        self._history_action = QAction(QgsApplication.getThemeIcon("/mIconHistory.svg"), self.tr("History"), self)
        self._history_action.setToolTip(self.tr("Earlier queries: click one to run it again"))
        self._history_action.triggered.connect(self._open_menu)
        self.addAction(self._history_action, QLineEdit.ActionPosition.TrailingPosition)
        self.returnPressed.connect(self._run)
        self.textEdited.connect(self._edited)
        self.refresh()

    def refresh(self) -> None:
        """Takes up new entries of the history."""
        known = self._history.expressions()
        self._model.setStringList(known + [e for e in EXAMPLES if e not in known])
        self._place = -1

    def history_menu(self) -> QMenu:
        """The menu of earlier queries, filled."""
        self._fill_menu()
        return self._menu

    def keyPressEvent(self, event: QKeyEvent) -> None:  # Qt's name
        popup_is_open = self.completer() is not None and self.completer().popup().isVisible()
        step = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(event.key(), 0)
        if (
            step
            and not popup_is_open
            and event.modifiers()
            in (
                Qt.KeyboardModifier.NoModifier,
                Qt.KeyboardModifier.KeypadModifier,
            )
        ):
            self._walk(step)
            return
        super().keyPressEvent(event)

    def _walk(self, step: int) -> None:
        expressions = self._history.expressions()
        place = min(max(self._place + step, -1), len(expressions) - 1)
        if place == self._place:
            return
        if self._place == -1:
            self._typed = self.text()
        self._place = place
        self.setText(self._typed if place == -1 else expressions[place])

    def _edited(self) -> None:
        self._place = -1

    def _run(self) -> None:
        self.completer().popup().hide()
        self.run_requested.emit()

    def _open_menu(self) -> None:
        self._menu.exec(self.mapToGlobal(self.rect().bottomLeft()))

    def _fill_menu(self) -> None:
        self._menu.clear()
        for entry in self._history.entries[:_MAX_MENU_ENTRIES]:
            shown = entry.expression if len(entry.expression) <= 70 else entry.expression[:69] + "…"
            # & would become a mnemonic; a tab sets the count apart, as a shortcut is.
            action = self._menu.addAction(shown.replace("&", "&&") + "\t" + str(entry.n_found))
            action.setToolTip(
                self.tr("Run again. {n} found on {when} with engine {engine}").format(
                    n=entry.n_found,
                    when=time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.asked_at)),
                    engine=entry.engine,
                )
            )
            action.triggered.connect(lambda _=False, e=entry: self.rerun_requested.emit(e))
        if not self._history.entries:
            self._menu.addAction(self.tr("No queries yet")).setEnabled(False)
            return
        self._menu.addSeparator()
        self._menu.addAction(self.tr("Clear the history"), self._clear)

    def _clear(self) -> None:
        self._history.clear()
        self.refresh()
