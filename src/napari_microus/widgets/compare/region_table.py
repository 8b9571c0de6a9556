"""The list of disputed regions, and what is known of the one in view."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QStandardItem, QStandardItemModel
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_microus.core.compare.adjudication.session import Decision
from napari_microus.widgets._shared.controls import number

if TYPE_CHECKING:
    from napari_microus.core.compare.adjudication.session import Adjudication
    from napari_microus.core.compare.naming import Naming
    from napari_microus.core.compare.regions import DisputedRegion


class RegionTable(QTableView):
    """A row per region; ``chosen(row)`` tells of a click."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._model = QStandardItemModel(0, 5, self)
        self.setModel(self._model)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.verticalHeader().hide()
        self.setMinimumHeight(150)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        self.clicked.connect(self._on_click)

    def fill(self, work: Adjudication, naming: Naming, unit: str) -> None:
        """List the regions of an adjudication."""
        self._model.setHorizontalHeaderLabels(
            ["#", "Frame", f"Apart {unit}", f"Area {unit}²", "Decision"]
        )
        self._model.setRowCount(len(work.regions))
        for row, region in enumerate(work.regions):
            is_alone = math.isinf(region.distance_mm)
            cells = (
                str(region.number),
                str(region.frame),
                "alone" if is_alone else number(region.distance_mm),
                number(region.area_mm2),
                "",
            )
            for column, content in enumerate(cells):
                item = QStandardItem(content)
                if column < 4:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                self._model.setItem(row, column, item)
        self.show_decisions(work, naming)

    def show_decisions(self, work: Adjudication, naming: Naming) -> None:
        """Write what was decided about each region."""
        for row, region in enumerate(work.regions):
            item = self._model.item(row, 4)
            said = _decision(work, region, naming)
            if item is not None and item.text() != said:
                item.setText(said)

    def _on_click(self, index: QModelIndex) -> None:
        self.chosen.emit(index.row())


def described(region: DisputedRegion, total: int, naming: Naming, unit: str) -> str:
    """Return what is known of a region, as rich text."""
    who = {
        "expert": f"{naming.expert} only",
        "nonexpert": f"{naming.nonexpert} only",
        "both": "drawn by each in parts",
    }
    apart = (
        "nobody else drew in this frame"
        if math.isinf(region.distance_mm)
        else f"contours {region.distance_mm:.2f} {unit} apart"
    )
    frames = f", {region.frames} frames" if region.frames > 1 else ""
    return (
        f"<b>Region {region.number} of {total}</b> · frame {region.frame}{frames}"
        f"<br>{who[region.drawn_by]} · {apart} · {region.area_mm2:.2f} {unit}²"
    )


def _decision(work: Adjudication, region: DisputedRegion, naming: Naming) -> str:
    verdict = work.verdicts.get(region.number)
    if verdict is None:
        return ""
    if verdict.decision is Decision.undecided:
        return "undecided"
    is_expert = verdict.decision is Decision.expert
    return naming.expert if is_expert else naming.nonexpert
