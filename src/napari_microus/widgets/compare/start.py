"""How disputed regions are to be found, and by whom they are adjudicated."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from napari_microus.core.compare.regions import RankBy
from napari_microus.widgets.compare.adjudicating import RegionChoice

_RANKS = {
    "distance of the contours": RankBy.contour_distance,
    "area": RankBy.area,
    "extent (frames, then length)": RankBy.extent,
}


class StartPanel(QWidget):
    """The form above *Start adjudicating*."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.who = QLineEdit()
        self.who.setPlaceholderText("goes with every decision")
        self.rank_box = QComboBox()
        self.rank_box.addItems(list(_RANKS))
        self.rank_box.setToolTip("What comes first in the list.")
        self.through_frames = QCheckBox("Join parts that touch in neighbouring frames")
        self.smallest = QSpinBox()
        self.smallest.setRange(1, 100000)
        self.smallest.setSuffix(" px")
        self.smallest.setToolTip(
            "Smaller parts are not listed; they stay undecided in the mask."
        )
        self.start_button = QPushButton("Start adjudicating")
        self.start_button.setToolTip(
            "List the places where the two differ, and make the adjudicated layer. "
            "The two masks are kept as they are."
        )
        self.load_button = QPushButton("Load…")
        self.load_button.setToolTip("Continue with an adjudication that was saved.")
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Your initials", self.who)
        form.addRow("Order by", self.rank_box)
        form.addRow("Smallest", self.smallest)
        form.addRow(self.through_frames)
        row = QHBoxLayout()
        row.addWidget(self.start_button, 1)
        row.addWidget(self.load_button)
        form.addRow(row)

    def choice(self) -> RegionChoice:
        """Return how the regions are to be found."""
        return RegionChoice(
            _RANKS[self.rank_box.currentText()],
            self.through_frames.isChecked(),
            self.smallest.value(),
            self.who.text().strip(),
        )
