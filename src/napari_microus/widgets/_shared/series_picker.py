"""Ask which of several DICOM series of a folder are opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDialogButtonBox

from napari_microus.widgets._shared.list_picker import ListPicker
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.io import DicomSeries


def series_picker(series: Sequence[DicomSeries]) -> ListPicker:
    """Return a list of series by number, kind and size; no name or date of anybody.

    The largest one is chosen at first.
    """
    picker = ListPicker(
        tr("Open DICOM series"),
        tr(
            "There are {count} series here. Choose one, or several with Ctrl or "
            "Shift; each becomes a layer."
        ).format(count=len(series)),
        [f"{one.number}: {one.description}" for one in series],
        QDialogButtonBox.StandardButton.Open,
    )
    sizes = [one.frames * one.rows * one.columns for one in series]
    picker.rows.setCurrentRow(sizes.index(max(sizes)))
    return picker


def ask_series(series: Sequence[DicomSeries]) -> list[DicomSeries]:
    """Show the list, and return what was chosen; nothing where it was cancelled."""
    return [series[row] for row in series_picker(series).ask()]
