"""The tables and the totals of a comparison, as the panel shows them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

if TYPE_CHECKING:
    from napari_microus.core.compare import FrameAgreement
    from napari_microus.core.compare.naming import Naming
    from napari_microus.core.compare.place import PlaceShare

    from .comparison import Comparison

_FRAMES = {
    "frame": _("Frame"),
    "dice": _("Dice"),
    "hd95_mm": _("HD95 {0}"),
    "assd_mm": _("ASSD {0}"),
    "expert_mm2": _("Expert {0}²"),
    "nonexpert_mm2": _("Non-expert {0}²"),
    "disagreement_mm2": _("Disputed {0}²"),
    "signed_mean_mm": _("Mean offset ({0})"),
}
_PLACES = {
    "place": _("Where"),
    "share": _("Of all disputed"),
    "disputed_of_drawn": _("Disputed of drawn"),
    "expert_only_px": _("Expert only px"),
    "nonexpert_only_px": _("Non-expert only px"),
}


def fill_frames(table: qt.QTableWidget, found: Comparison) -> None:
    """Show one row per frame; a click on a heading sorts by its numbers.

    Predicted difficulty, where it is known, has the last column and is the order.
    """
    unit = unit_of(found)
    columns = {key: heading.format(unit) for key, heading in _FRAMES.items()}
    _fill(table, found.rows, _named(columns, found.naming, f"{unit}²"))
    if found.difficulty is None:
        return
    last = len(_FRAMES)
    table.sortingEnabled = False
    table.columnCount = last + 1
    table.setHorizontalHeaderItem(last, qt.QTableWidgetItem(_("Difficulty (bits)")))
    for line, row in enumerate(found.rows):
        bits = float(found.difficulty[row.frame])
        table.setItem(line, last, _cell(bits, digits=4))
    table.sortingEnabled = True
    table.sortItems(last, qt.Qt.DescendingOrder)


def unit_of(found: Comparison) -> str:
    """Return the unit of lengths: px where the size of a pixel is unknown."""
    return "mm" if found.grid.has_geometry else "px"


def fill_places(table: qt.QTableWidget, found: Comparison) -> None:
    """Show where in the patient and in the sweep the two differ."""
    _fill(table, found.places, _named(_PLACES, found.naming, "only px"))


def _named(columns: dict[str, str], naming: Naming, unit: str) -> dict[str, str]:
    """Return headings in which blind annotators have their made-up names."""
    if not naming.is_blind:
        return columns
    names = {"expert": naming.expert, "nonexpert": naming.nonexpert}
    return columns | {
        key: f"{names[key.partition('_')[0]]} {unit}"
        for key in columns
        if key.partition("_")[0] in names
    }


def _fill(
    table: qt.QTableWidget,
    rows: list[FrameAgreement] | list[PlaceShare],
    columns: dict[str, str],
) -> None:
    table.sortingEnabled = False  # rows would move while they are filled
    table.columnCount = len(columns)
    table.setHorizontalHeaderLabels(list(columns.values()))
    table.rowCount = len(rows)
    for line, row in enumerate(rows):
        for column, key in enumerate(columns):
            table.setItem(line, column, _cell(getattr(row, key)))
    table.sortingEnabled = True
    table.resizeColumnsToContents()


def frame_at(table: qt.QTableWidget, line: int) -> int:
    """Return the frame that a line shows."""
    return int(table.item(line, 0).data(qt.Qt.DisplayRole))


def totals(found: Comparison) -> str:
    """Return the totals of a comparison in words."""
    case, grid = found.totals, found.grid
    words = _(
        "Dice {0}, HD95 {1} {2}, kappa {3}. {4} disputed regions in {5} frames."
    ).format(
        _number(case.dice, 3),
        _number(case.mean_hd95_mm),
        unit_of(found),
        _number(case.cohen_kappa, 3),
        len(found.regions),
        case.frames,
    )
    if math.isfinite(case.volume_difference_ml) and len(grid.array) > 1:
        return _("{0} {1} less {2}: {3} mL.").format(
            words,
            _capital(found.naming.nonexpert),
            found.naming.expert,
            _number(case.volume_difference_ml),
        )
    if grid.has_geometry:
        return words
    return _("{0} Lengths are in pixels: the size of a pixel is unknown.").format(words)


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _cell(value: float | str, digits: int = 3) -> qt.QTableWidgetItem:
    item = qt.QTableWidgetItem()
    shown = value
    if isinstance(value, float):
        shown = round(value, digits) if math.isfinite(value) else "–"
    item.setData(qt.Qt.DisplayRole, shown)
    item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
    return item


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"
