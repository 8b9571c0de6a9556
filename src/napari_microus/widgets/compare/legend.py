"""Which colour stands for whose pixels, and how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QGridLayout, QGroupBox, QLabel, QSizePolicy

from napari_microus.core import colors
from napari_microus.core.colors import AGREED_COLOR
from napari_microus.core.compare.naming import OPEN
from napari_microus.core.disagreement import (
    BOTH,
    EXPERT_ONLY,
    IGNORED,
    NONEXPERT_ONLY,
)
from napari_microus.widgets._shared.controls import swatch, text
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from napari_microus.core.compare.naming import Naming
    from napari_microus.widgets.compare.live import LiveComparison


class Legend(QGroupBox):
    """Colour, name and counts of each code of the disagreement layer."""

    def __init__(self) -> None:
        super().__init__(tr("Who drew what"))
        grid = QGridLayout(self)
        grid.setContentsMargins(4, 4, 4, 4)
        grid.setHorizontalSpacing(3)
        for column, title in enumerate(("", tr("this frame"), tr("all frames"))):
            if title:
                grid.addWidget(QLabel(title), 0, column + 1)
        self._rows = [_LegendRow() for _ in range(4)]
        for row, labels in enumerate(self._rows, 1):
            for column, label in enumerate(labels.all()):
                grid.addWidget(label, row, column)
        grid.setColumnStretch(2, 1)
        grid.setColumnStretch(3, 1)
        self.show_naming(OPEN)

    def show_naming(self, naming: Naming) -> None:
        """Use other names and colours."""
        content = [
            (BOTH, tr("both"), AGREED_COLOR),
            (EXPERT_ONLY, f"{naming.expert} only", naming.expert_color),
            (NONEXPERT_ONLY, f"{naming.nonexpert} only", naming.nonexpert_color),
            (IGNORED, tr("undecided"), colors.IGNORED),
        ]
        if naming.is_swapped:  # the order must not reveal who is who
            content[1:3] = content[2:0:-1]
        for row, (code, name, color) in zip(self._rows, content, strict=True):
            row.code = code
            row.name.setText(name)
            row.swatch.setPixmap(swatch(color).pixmap(14, 14))

    def show_counts(self, comparison: LiveComparison) -> None:
        """Write the counts of the frame in view and of all frames."""
        per_frame = comparison.live.per_frame
        of_frame, of_all = per_frame[comparison.shown_frame()], per_frame.sum(axis=0)
        _, y, x = comparison.grid.spacing_mm
        for row in self._rows:
            for counted, label in ((of_frame, row.frame), (of_all, row.everything)):
                pixels = int(counted[row.code])
                area = f"\n{_area(pixels * y * x)} mm²"
                label.setText(
                    f"{pixels:,} px" + (area if comparison.grid.has_geometry else "")
                )
        for label in self._rows[3].all():
            label.setVisible(bool(of_all[IGNORED]))

    def count_text(self, code: int, *, all_frames: bool = False) -> str:
        """Return what the legend says about a code."""
        row = next(row for row in self._rows if row.code == code)
        return (row.everything if all_frames else row.frame).text()


class _LegendRow:
    """Colour, name and two counts of one code."""

    def __init__(self) -> None:
        self.code = BOTH
        self.swatch, self.name = QLabel(), QLabel()
        self.name.setWordWrap(True)  # "non-expert only" in a narrow dock
        self.frame, self.everything = text(), text()
        for count in (self.frame, self.everything):
            count.setWordWrap(False)  # a number and its unit stay in one line
            count.setStyleSheet("font-size: 11px")
            count.setSizePolicy(
                QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Preferred
            )

    def all(self) -> tuple[QLabel, QLabel, QLabel, QLabel]:
        """Return the labels from left to right."""
        return self.swatch, self.name, self.frame, self.everything


def _area(mm2: float) -> str:
    return f"{mm2:,.1f}" if mm2 < 1000 else f"{mm2:,.0f}"
