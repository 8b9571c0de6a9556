"""Ask which lines of a list are meant: one, or several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QListWidget,
    QVBoxLayout,
    QWidget,
)

from napari_microus.widgets._shared.controls import text

if TYPE_CHECKING:
    from collections.abc import Sequence


class ListPicker(QDialog):
    """A question over a list of which one or several lines can be chosen.

    Parameters
    ----------
    title, question : str
        Of the window, and over the list.
    lines : sequence of str
        What can be chosen.
    ok : QDialogButtonBox.StandardButton
        The button that takes the choice; disabled while nothing is chosen.

    Attributes
    ----------
    rows : QListWidget
        No line is chosen at first.
    buttons : QDialogButtonBox
        ``ok`` and *Cancel*.
    """

    def __init__(
        self,
        title: str,
        question: str,
        lines: Sequence[str],
        ok: QDialogButtonBox.StandardButton,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.rows = QListWidget()
        self.rows.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.rows.addItems(list(lines))
        self.rows.itemDoubleClicked.connect(self.accept)
        self.buttons = QDialogButtonBox(ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        take = self.buttons.button(ok)
        take.setEnabled(False)
        self.rows.itemSelectionChanged.connect(
            lambda: take.setEnabled(bool(self.rows.selectedItems()))
        )
        column = QVBoxLayout(self)
        column.addWidget(text(question))
        column.addWidget(self.rows)
        column.addWidget(self.buttons)
        self.resize(480, 300)

    def chosen_rows(self) -> list[int]:
        """Return the places of the chosen lines, in the order of the list."""
        return sorted(index.row() for index in self.rows.selectedIndexes())

    def ask(self) -> list[int]:
        """Show the window, and return what was chosen; nothing where cancelled."""
        is_accepted = self.exec() == QDialog.DialogCode.Accepted
        return self.chosen_rows() if is_accepted else []
