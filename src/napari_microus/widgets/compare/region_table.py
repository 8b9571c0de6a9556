"""The list of disputed regions, and what is known of the one in view."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_microus.core.compare.adjudication.selection import Which, is_selected
from napari_microus.core.compare.adjudication.votes import ANNOTATORS, Decision
from napari_microus.widgets._shared.controls import number
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from napari_microus.core.compare.adjudication.session import Adjudication
    from napari_microus.core.compare.naming import Naming
    from napari_microus.core.compare.regions import DisputedRegion

_NOWHERE = QModelIndex()
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
# Widths are taken from so many rows: a list may have tens of thousands.
_ROWS_MEASURED = 50


@dataclass(frozen=True)
class Annotators:
    """What the annotators are called, in the order of the masks.

    ``is_swapped`` is True where the second is shown first.
    """

    names: tuple[str, ...] = ()
    is_swapped: bool = False


class _Regions(QAbstractTableModel):
    """Reads rows from the adjudication when they are shown."""

    def __init__(self) -> None:
        super().__init__()
        self.work: Adjudication | None = None
        self.annotators = Annotators()
        self.headings = [""] * 7

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return how many regions there are; Qt's name."""
        return 0 if self.work is None or parent.isValid() else len(self.work.regions)

    def columnCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return how many columns there are; Qt's name."""
        return len(self.headings)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:
        """Return a heading; Qt's name."""
        is_column = orientation == Qt.Orientation.Horizontal
        if role == Qt.ItemDataRole.DisplayRole and is_column:
            return self.headings[section]
        return None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return what a cell shows; Qt's name."""
        if self.work is None or not index.isValid():
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() < 4:
            return _RIGHT
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.UserRole):
            return None
        region = self.work.regions[index.row()]
        shown = role == Qt.ItemDataRole.DisplayRole
        verdict = self.work.verdicts.get(region.number)
        note = self.work.notes.get(region.number)
        match index.column():
            case 0:
                return str(region.number) if shown else region.number
            case 1:
                return str(region.frame) if shown else region.frame
            case 2:
                return _apart(region) if shown else region.distance_mm
            case 3:
                return number(region.area_mm2) if shown else region.area_mm2
            case 4:
                return decision_text(self.work, region, self.annotators)
            case 5:
                return verdict.who if verdict else ""
        if note is None:
            return ""
        flag = "⚑ " if note.is_flagged else ""
        return flag + " · ".join(part for part in (note.reason, note.comment) if part)


class _Chosen(QSortFilterProxyModel):
    which = Which.all

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        """Return whether a region is shown; Qt's name."""
        work = self.sourceModel().work
        return work is not None and is_selected(work, work.regions[row], self.which)


class RegionTable(QTableView):
    """A row per region; ``chosen(number)`` is emitted on a click."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._regions = _Regions()
        self._chosen = _Chosen(self)
        self._chosen.setSourceModel(self._regions)
        self._chosen.setSortRole(Qt.ItemDataRole.UserRole)
        self.setModel(self._chosen)
        self.setSortingEnabled(True)
        # As they are ranked: sorting tens of thousands of rows takes seconds.
        self.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setToolTip(
            tr(
                "Click a row to see its region. Several rows, chosen with Shift "
                "or Ctrl, can be decided at once below."
            )
        )
        self.verticalHeader().hide()
        self.setMinimumHeight(150)
        header = self.horizontalHeader()
        header.setResizeContentsPrecision(_ROWS_MEASURED)
        # Made to fit once: after every decision it takes as long as the decision.
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        header.moveSection(4, 2)  # the decision, in view in a narrow dock
        self.clicked.connect(self._on_click)

    def fill(
        self, work: Adjudication | None, annotators: Annotators, unit: str
    ) -> None:
        """List the regions of an adjudication."""
        model = self._regions
        model.beginResetModel()
        model.work, model.annotators = work, annotators
        model.headings = [
            *("#", tr("Frame"), f"Max gap ({unit})", f"Disputed ({unit}²)"),
            *(tr("Decision"), "By", tr("Note")),
        ]
        model.endResetModel()
        self.resizeColumnsToContents()

    def show_only(self, which: Which) -> None:
        """List only the regions of a choice."""
        self._chosen.which = which
        self._chosen.invalidate()

    def refresh(self) -> None:
        """Show decisions and notes as they are now."""
        count = self._regions.rowCount()
        if count:
            first = self._regions.index(0, 4)
            self._regions.dataChanged.emit(first, self._regions.index(count - 1, 6))
        if self._chosen.which is not Which.all:
            self._chosen.invalidate()

    def select(self, region: DisputedRegion) -> None:
        """Mark the row of a region, if it is listed."""
        index = self._chosen.mapFromSource(self._regions.index(region.number - 1, 0))
        if index.isValid():
            if self.selected() != [region.number]:
                self.selectRow(index.row())
        else:
            self.clearSelection()

    def selected(self) -> list[int]:
        """Return the numbers of the regions whose rows are marked."""
        rows = self.selectionModel().selectedRows()
        return sorted(self._number(index) for index in rows)

    def listed(self) -> list[int]:
        """Return the numbers of the listed regions, in the order of the list."""
        model = self._chosen
        return [self._number(model.index(row, 0)) for row in range(model.rowCount())]

    def text(self, row: int, column: int) -> str:
        """Return what a cell shows."""
        return str(self._chosen.index(row, column).data())

    def _number(self, index: QModelIndex) -> int:
        return int(self._chosen.mapToSource(index).row()) + 1

    def _on_click(self, index: QModelIndex) -> None:
        if len(self.selected()) == 1:
            self.chosen.emit(self._number(index))


def called(naming: Naming, more: tuple[str, ...] = ()) -> Annotators:
    """Return what the annotators are called now."""
    return Annotators((naming.expert, naming.nonexpert, *more), naming.is_swapped)


def described(
    work: Adjudication, region: DisputedRegion, annotators: Annotators, unit: str
) -> str:
    """Return what is known of a region, as rich text."""
    one_alone = math.isinf(region.distance_mm)
    apart = (
        "one contour only: the other annotator drew nothing in this frame"
        if one_alone
        else f"max gap {region.distance_mm:.2f} {unit}"
    )
    frames = f", {region.frames} frames" if region.frames > 1 else ""
    return (
        f"<b>Region {region.number} of {len(work.regions)}</b> · frame {region.frame}"
        f"{frames}<br>{_drawn_by(work, region, annotators.names)} · {apart} · "
        f"disputed {region.area_mm2:.2f} {unit}²{_state(work, region, annotators)}"
    )


def _drawn_by(
    work: Adjudication, region: DisputedRegion, names: tuple[str, ...]
) -> str:
    if len(names) == 2:
        return {
            "expert": f"{names[0]} only",
            "nonexpert": f"{names[1]} only",
            "both": " and ".join(f"partly {name}" for name in sorted(names)),
        }[region.drawn_by]
    shares = work.drawn_shares(region)
    for_it = [name for name, share in zip(names, shares, strict=True) if share >= 0.5]
    return f"{len(for_it)} of {len(names)} drew most of it ({', '.join(for_it) or '–'})"


def _state(work: Adjudication, region: DisputedRegion, annotators: Annotators) -> str:
    said = decision_text(work, region, annotators)
    return f"<br>Decision: {said}" if said else ""


def decision_text(
    work: Adjudication, region: DisputedRegion, annotators: Annotators
) -> str:
    """Return what was decided about a region, "" where nothing was."""
    verdict = work.verdicts.get(region.number)
    if verdict is None:
        open_share = work.open_share(region)
        return f"{100 - 100 * open_share:.0f} % decided" if open_share < 1 else ""
    if verdict.decision in ANNOTATORS:
        return annotators.names[ANNOTATORS.index(verdict.decision)]
    if verdict.decision is Decision.between and verdict.share is not None:
        # From the one who is shown first, which does not reveal who is who.
        swapped = annotators.is_swapped
        share = 1 - verdict.share if swapped else verdict.share
        name = annotators.names[0 if swapped else 1]
        return f"in between, {100 * share:.0f} % to {name}"
    if verdict.decision is Decision.parts:
        return "in parts"
    return str(verdict.decision)


def _apart(region: DisputedRegion) -> str:
    return "one only" if math.isinf(region.distance_mm) else number(region.distance_mm)
