"""Ask which of several DICOM series of a folder are opened."""

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

    from napari_microus.core.io import DicomSeries


class SeriesPicker(QDialog):
    """A list of series by number, kind and size; no name or date of anybody.

    Parameters
    ----------
    series : sequence of DicomSeries
        What the folder holds.

    Attributes
    ----------
    rows : QListWidget
        Several lines can be chosen; the largest series is, at first.
    """

    def __init__(
        self, series: Sequence[DicomSeries], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._series = list(series)
        self.setWindowTitle(tr("Open DICOM series"))
        self.rows = QListWidget()
        self.rows.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        for one in self._series:
            self.rows.addItem(f"{one.number}: {one.description}")
        sizes = [one.frames * one.rows * one.columns for one in self._series]
        self.rows.setCurrentRow(sizes.index(max(sizes)))
        self.rows.itemDoubleClicked.connect(self.accept)
        kinds = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(kinds.Open | kinds.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(
            text(
                f"There are {len(self._series)} series here. Choose one, or several "
                "with Ctrl or Shift; each becomes a layer."
            )
        )
        column.addWidget(self.rows)
        column.addWidget(self.buttons)
        self.resize(480, 300)

    def chosen(self) -> list[DicomSeries]:
        """Return the chosen series in the order of the list."""
        rows = sorted(index.row() for index in self.rows.selectedIndexes())
        return [self._series[row] for row in rows]


def ask_series(series: Sequence[DicomSeries]) -> list[DicomSeries]:
    """Show the list, and return what was chosen; nothing where it was cancelled."""
    picker = SeriesPicker(series)
    is_accepted = picker.exec() == QDialog.DialogCode.Accepted
    return picker.chosen() if is_accepted else []
