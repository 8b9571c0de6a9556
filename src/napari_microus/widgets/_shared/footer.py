"""The last line of every dock: what it is not for, and where help is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QShortcut,
    QVBoxLayout,
    QWidget,
)

from napari_microus.widgets._shared import key_table
from napari_microus.widgets._shared.controls import push_button
from napari_microus.widgets._shared.diagnostics import copy_diagnostics, listen
from napari_microus.widgets._shared.key_sheet import show_sheet
from napari_microus.widgets._shared.opening import WELCOME, open_dock
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from qtpy.QtWidgets import QDialog


class Footer(QWidget):
    """*Keys*, *Copy diagnostics* and *Welcome*, under the note on the use.

    Parameters
    ----------
    viewer : Viewer or ViewerModel
        Where the welcome panel is opened.
    has_welcome : bool
        Whether there is a button to the welcome panel; it has none itself.
    """

    def __init__(
        self, viewer: Any, *, has_welcome: bool = True, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.sheet: QDialog | None = None
        self.note = QLabel(tr("For research and teaching. Not for clinical use."))
        self.note.setWordWrap(True)
        self.note.setStyleSheet("font-size: 11px; font-style: italic")
        self.keys_button = _link(
            tr("Keys…"), tr("Show all keys on one sheet ({key}).").format(key="?")
        )
        self.copy_button = _link(
            tr("Copy diagnostics"),
            tr(
                "Copy versions, devices and the last log lines, to paste into a report "
                "of a problem. No names, paths or pictures."
            ),
        )
        self.welcome_button = _link(tr("Welcome"), tr("Where to begin."))
        self.welcome_button.setVisible(has_welcome)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        for button in (self.welcome_button, self.keys_button, self.copy_button):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.note)
        column.addLayout(row)
        self.keys_button.clicked.connect(self.show_keys)
        self.copy_button.clicked.connect(self.copy)
        self.welcome_button.clicked.connect(self._show_welcome)
        listen()

    def serve(self, dock: QWidget) -> None:
        """Open the sheet by its key anywhere in this dock."""
        shortcut = QShortcut(QKeySequence(key_table.SHEET), dock)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.show_keys)

    def show_keys(self) -> None:
        """Show every key on one sheet."""
        self.sheet = show_sheet(self)

    def copy(self) -> None:
        """Put the diagnostics on the clipboard."""
        copy_diagnostics()
        self.note.setText(tr("The diagnostics are on the clipboard."))

    def _show_welcome(self) -> None:
        open_dock(self._viewer, WELCOME)


def _link(words: str, tip: str) -> QPushButton:
    button = push_button(words, tip)
    return button
