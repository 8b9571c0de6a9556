"""The frame table and the totals of a comparison, as the panel shows them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import qt

if TYPE_CHECKING:
    from napari_microus.core.compare import FrameAgreement

    from .comparing import Comparison

_COLUMNS = {
    "frame": "Frame",
    "dice": "Dice",
    "hd95_mm": "HD95 mm",
    "assd_mm": "ASSD mm",
    "expert_mm2": "Expert mm²",
    "nonexpert_mm2": "Non-expert mm²",
    "disagreement_mm2": "Disputed mm²",
    "signed_mean_mm": "Larger (+) mm",
}


def fill(table: qt.QTableWidget, rows: list[FrameAgreement]) -> None:
    """Show one row per frame; a click on a heading sorts by its numbers."""
    table.sortingEnabled = False  # rows would move while they are filled
    table.columnCount = len(_COLUMNS)
    table.setHorizontalHeaderLabels(list(_COLUMNS.values()))
    table.rowCount = len(rows)
    for line, row in enumerate(rows):
        for column, key in enumerate(_COLUMNS):
            table.setItem(line, column, _cell(getattr(row, key)))
    table.sortingEnabled = True


def frame_at(table: qt.QTableWidget, line: int) -> int:
    """Return the frame that a line shows."""
    return int(table.item(line, 0).data(qt.Qt.DisplayRole))


def totals(found: Comparison) -> str:
    """Return the totals of a comparison in words."""
    case = found.totals
    return (
        f"Dice {_number(case.dice, 3)}, HD95 {_number(case.mean_hd95_mm)} mm, "
        f"kappa {_number(case.cohen_kappa, 3)}, non-expert less expert "
        f"{_number(case.volume_difference_ml)} mL. "
        f"{len(found.regions)} disputed regions in {case.frames} frames."
    )


def _cell(value: float) -> qt.QTableWidgetItem:
    item = qt.QTableWidgetItem()
    is_number = isinstance(value, int) or math.isfinite(value)
    item.setData(qt.Qt.DisplayRole, round(value, 3) if is_number else "–")
    item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
    return item


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"
