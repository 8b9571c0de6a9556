"""The controls with which disputed regions are walked through and decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core import colors
from napari_microus.widgets._shared.controls import swatch, text
from napari_microus.widgets.compare.region_table import RegionTable

if TYPE_CHECKING:
    from napari_microus.core.compare.naming import Naming

#: Keys by act; they work while the picture has the focus.
KEYS = {
    "next": "W",
    "previous": "Q",
    "expert": "A",
    "nonexpert": "S",
    "undecided": "D",
    "undo": "R",
}
_PLACES = {
    "previous": (0, 0),
    "next": (0, 1),
    "expert": (1, 0),
    "nonexpert": (1, 1),
    "undecided": (2, 0),
    "undo": (2, 1),
}


class WorkPanel(QWidget):
    """Progress, one button an act, the table of regions, drawing and saving."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.progress = QProgressBar()
        self.progress.setFormat("%v of %m")
        self.place = text()
        self.buttons = {act: QPushButton() for act in KEYS}
        self.table = RegionTable()
        self.provenance_check = QCheckBox("Show who decided each pixel")
        self.limit = QCheckBox("Limit drawing around disputed pixels to")
        self.limit.setToolTip("What is drawn further away is undone.")
        self.margin = QSpinBox()
        self.margin.setRange(0, 500)
        self.margin.setValue(8)
        self.margin.setSuffix(" px")
        self.draw_button = QPushButton("Draw by hand")
        self.draw_button.setToolTip(
            "Take the brush on the adjudicated layer: 1 paints gland, 0 erases."
        )
        self.save_button = QPushButton("Save…")
        self.save_button.setToolTip(
            "Write the mask (255 is undecided), the provenance map and the decisions."
        )
        self.stop_button = QPushButton("Finish")
        self.stop_button.setToolTip("Stop adjudicating. The layers stay.")
        self._lay_out()

    def _lay_out(self) -> None:
        grid = QGridLayout()
        for act, (row, column) in _PLACES.items():
            button = self.buttons[act]
            button.setToolTip(f"Key {KEYS[act]}, while the picture has the focus.")
            grid.addWidget(button, row, column)
        limit_row = QHBoxLayout()
        limit_row.addWidget(self.limit)
        limit_row.addWidget(self.margin)
        limit_row.addStretch()
        last_row = QHBoxLayout()
        for button in (self.draw_button, self.save_button, self.stop_button):
            last_row.addWidget(button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.progress)
        rows.addWidget(self.place)
        rows.addLayout(grid)
        rows.addWidget(self.table, 1)
        rows.addWidget(self.provenance_check)
        rows.addLayout(limit_row)
        rows.addLayout(last_row)

    @property
    def margin_px(self) -> int | None:
        """How far from disputed pixels may be drawn; None for anywhere."""
        return self.margin.value() if self.limit.isChecked() else None

    def show_naming(self, naming: Naming) -> None:
        """Name and colour the buttons after the annotators."""
        labels = {
            "previous": "◀ Previous",
            "next": "Next ▶",
            "expert": naming.first.capitalize(),
            "nonexpert": naming.second.capitalize(),
            "undecided": "Undecided",
            "undo": "Undo",
        }
        for act, label in labels.items():
            self.buttons[act].setText(f"{label}  [{KEYS[act]}]")
        self.buttons["expert"].setIcon(swatch(naming.color_of(naming.first)))
        self.buttons["nonexpert"].setIcon(swatch(naming.color_of(naming.second)))
        self.buttons["undecided"].setIcon(swatch(colors.IGNORED))

    def show_progress(self, settled: int, total: int) -> None:
        """Tell how many regions have a decision."""
        self.progress.setRange(0, max(1, total))
        self.progress.setValue(settled)
        self.progress.setFormat(f"{settled} of {total} decided")
