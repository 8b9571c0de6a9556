"""The controls with which disputed regions are walked through and decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core import colors
from napari_microus.core.colors import AGREED_COLOR, MORE_COLORS
from napari_microus.core.compare.adjudication.selection import Which
from napari_microus.core.compare.adjudication.votes import ANNOTATORS, Decision
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import fold, push_button, swatch, text
from napari_microus.widgets._shared.key_table import ADJUDICATE as KEYS
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.part_panel import (
    NotePanel,
    PartPanel,
    SeveralPanel,
)
from napari_microus.widgets.compare.region_table import RegionTable

if TYPE_CHECKING:
    from napari_microus.core.compare.naming import Naming

_PLACES = {
    "previous": (0, 0),
    "next": (0, 1),
    "expert": (1, 0),
    "nonexpert": (1, 1),
    "undecided": (2, 0),
    "reopen": (2, 1),
    "undo": (3, 0),
    "redo": (3, 1),
}
_SHOWN = {
    "all regions": Which.all,
    "open": Which.open,
    "decided": Which.decided,
    "for a second reader": Which.flagged,
    "decided by others": Which.of_others,
}


class WorkPanel(QWidget):
    """Progress, one button an act, the table of regions, drawing and saving."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.progress = QProgressBar()
        self.progress.setFormat("%v of %m")
        self.place = text()
        self.buttons = {act: QPushButton() for act in _PLACES}
        self.more_buttons: list[tuple[QPushButton, Decision]] = []
        self.more_row = QHBoxLayout()
        self.note = NotePanel()
        self.which = combo(tr("Which regions are listed, and walked through."))
        self.which.addItems(list(_SHOWN))
        self.table = RegionTable()
        self.part = PartPanel()
        self.part_section = fold(tr("A part of a region"), self.part)
        self.several = SeveralPanel()
        self.several_section = fold(tr("Several regions at once"), self.several)
        self.provenance_check = QCheckBox(tr("Show who decided each pixel"))
        self.provenance_check.setToolTip(
            tr("Show a layer that is coloured by who decided.")
        )
        self.limit = QCheckBox()
        self.limit.setToolTip(tr("What is drawn further away is undone."))
        self.margin = QSpinBox()
        self.margin.setToolTip(tr("How far from the region strokes are kept."))
        self.margin.setRange(0, 500)
        self.margin.setValue(8)
        self.margin.setSuffix(" px")
        self.draw_button = push_button(
            tr("Draw by hand"),
            tr("Take the brush on the adjudicated layer: 1 paints prostate, 0 erases."),
        )
        self.save_button = push_button(
            tr("Save…"),
            tr(
                "Write the mask (255 is undecided), the provenance map and the "
                "decisions."
            ),
        )
        self.stop_button = push_button(
            tr("Stop adjudicating"), tr("The layers and the decisions stay.")
        )
        self._lay_out()
        self._on_margin(self.margin.value())
        self.margin.valueChanged.connect(self._on_margin)
        self.which.currentTextChanged.connect(self._on_which)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        for act, place in _PLACES.items():
            grid.addWidget(self.buttons[act], *place)
        self.buttons["undo"].setToolTip(
            tr("Decisions and strokes alike; also Ctrl+Z, and Ctrl+Shift+Z for Redo.")
        )
        for act, tip in (
            ("previous", tr("Show the region before.")),
            ("next", tr("Show the next region.")),
            ("expert", tr("Take the first annotator's outline in this region.")),
            ("nonexpert", tr("Take the second annotator's outline in this region.")),
            ("undecided", tr("Leave the region open; its pixels are 255 in the mask.")),
            ("redo", tr("Do again what was undone (Ctrl+Shift+Z).")),
        ):
            self.buttons[act].setToolTip(tip)
        self.buttons["reopen"].setToolTip(tr("Take the decision on this region back."))
        shown_row = QHBoxLayout()
        shown_row.addWidget(QLabel(tr("List")))
        shown_row.addWidget(self.which, 1)
        limit_row = QHBoxLayout()
        limit_row.addWidget(QLabel(tr("Limit")))
        limit_row.addWidget(self.margin, 1)
        last_row = QHBoxLayout()
        last_row.addWidget(self.draw_button)
        last_row.addWidget(self.save_button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.progress)
        rows.addWidget(self.place)
        rows.addLayout(grid)
        rows.addLayout(self.more_row)
        rows.addWidget(self.note)
        rows.addLayout(shown_row)
        rows.addWidget(self.table, 1)
        rows.addWidget(self.part_section)
        rows.addWidget(self.several_section)
        rows.addWidget(self.provenance_check)
        rows.addWidget(self.limit)
        rows.addLayout(limit_row)
        rows.addLayout(last_row)
        rows.addWidget(self.stop_button)

    @property
    def margin_px(self) -> int | None:
        """How far from disputed pixels may be drawn; None for anywhere."""
        return self.margin.value() if self.limit.isChecked() else None

    def show_naming(
        self, naming: Naming, more: tuple[str, ...] = (), unit: str = "mm"
    ) -> None:
        """Name and colour the buttons after the annotators."""
        labels = {
            "previous": tr("◀ Previous"),
            "next": tr("Next ▶"),
            "expert": naming.first[:1].upper() + naming.first[1:],
            "nonexpert": naming.second[:1].upper() + naming.second[1:],
            "undecided": tr("Undecided"),
            "reopen": tr("Reopen"),
            "undo": tr("Undo"),
            "redo": tr("Redo"),
        }
        for act, label in labels.items():
            key = f"  [{KEYS[act]}]" if act in KEYS else ""
            self.buttons[act].setText(f"{label}{key}")
        self.buttons["expert"].setIcon(swatch(naming.color_of(naming.first)))
        self.buttons["nonexpert"].setIcon(swatch(naming.color_of(naming.second)))
        self.buttons["undecided"].setIcon(swatch(colors.IGNORED))
        self.part.show_naming(naming, more)
        self.several.show_naming(naming, more, unit)
        self._show_more(more)

    def _show_more(self, more: tuple[str, ...]) -> None:
        if len(self.more_buttons) == (len(more) + 1 if more else 0):
            return
        for button, _ in self.more_buttons:
            self.more_row.removeWidget(button)
            button.deleteLater()
        self.more_buttons = []
        chosen = list(zip(more, ANNOTATORS[2:], MORE_COLORS, strict=False))
        if chosen:
            chosen.append((tr("Majority"), Decision.majority, AGREED_COLOR))
        for name, decision, color in chosen:
            button = push_button(name, f"Take this outline in this region: {name}.")
            button.setIcon(swatch(color))
            self.more_row.addWidget(button)
            self.more_buttons.append((button, decision))

    def show_progress(self, decided: int, total: int) -> None:
        """Show how many regions have a decision."""
        self.progress.setRange(0, max(1, total))
        self.progress.setValue(decided)
        self.progress.setFormat(f"{decided} of {total} decided")

    def _on_margin(self, margin_px: int) -> None:
        self.limit.setText(f"Limit drawing to {margin_px} px\naround disputed pixels")

    def _on_which(self, words: str) -> None:
        self.table.show_only(_SHOWN[words])
