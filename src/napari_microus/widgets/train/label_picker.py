"""Ask which labels of a data set are to be learnt."""

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
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Sequence


class LabelPicker(QDialog):
    """A list of labels, of which one or several together are the target.

    Parameters
    ----------
    labels : sequence of str
        Their names.

    Attributes
    ----------
    rows : QListWidget
        Several lines can be chosen; none is, at first.
    """

    def __init__(self, labels: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Choose what to learn"))
        self.rows = QListWidget()
        self.rows.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.rows.addItems(list(labels))
        self.rows.itemDoubleClicked.connect(self.accept)
        self.rows.itemSelectionChanged.connect(self._check_button)
        kinds = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(kinds.Ok | kinds.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(
            text(
                tr(
                    "The masks hold several labels. Choose the one to be learnt, or "
                    "several with Ctrl or Shift, which then count as one."
                )
            )
        )
        column.addWidget(self.rows)
        column.addWidget(self.buttons)
        self.resize(420, 280)
        self._check_button()

    def _check_button(self) -> None:
        ok = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        ok.setEnabled(bool(self.rows.selectedItems()))

    def chosen(self) -> list[str]:
        """Return the chosen labels in the order of the list."""
        rows = sorted(index.row() for index in self.rows.selectedIndexes())
        return [self.rows.item(row).text() for row in rows]


def ask_labels(labels: Sequence[str], parent: QWidget | None = None) -> list[str]:
    """Show the list, and return what was chosen; nothing where it was cancelled."""
    picker = LabelPicker(labels, parent)
    is_accepted = picker.exec() == QDialog.DialogCode.Accepted
    return picker.chosen() if is_accepted else []
