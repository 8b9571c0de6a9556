"""How disputed regions are to be found, and by whom they are adjudicated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QWidget,
)

from napari_microus.core.compare.adjudication.opening import RegionChoice
from napari_microus.core.compare.regions import RankBy
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import push_button
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.adjudicating import More
from napari_microus.widgets.compare.pair import candidate_masks, layer_grid_problem

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_microus.widgets.compare.live import LiveComparison

_RANKS = {
    tr("distance of contours"): RankBy.contour_distance,
    tr("area"): RankBy.area,
    tr("extent (frames, then length)"): RankBy.extent,
}
# What one region is: stretches, joined through frames.
_REGIONS = {
    tr("stretches of boundary"): (True, False),
    tr("connected parts of a frame"): (False, False),
    tr("parts joined through frames"): (False, True),
}


class StartPanel(QWidget):
    """The form above *Start adjudicating*.

    Parameters
    ----------
    viewer : ViewerModel
        Whose other masks may be adjudicated together with the two.
    """

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._comparison: LiveComparison | None = None
        self.who = QLineEdit()
        self.who.setToolTip(tr("Your initials, kept with every decision."))
        self.who.setPlaceholderText(tr("recorded with every decision"))
        self.regions = combo(
            tr(
                "A ring round the prostate is split where the contours cross or "
                "come within a pixel, and where it is long; or taken as it is "
                "connected."
            )
        )
        self.regions.addItems(list(_REGIONS))
        self.rank_box = combo(tr("What comes first in the list."))
        self.rank_box.addItems(list(_RANKS))
        self.smallest = QSpinBox()
        self.smallest.setRange(1, 100000)
        self.smallest.setSuffix(" px")
        self.smallest.setToolTip(
            tr("Smaller parts are not listed; they stay undecided in the mask.")
        )
        self.others = QListWidget()
        self.others.setMaximumHeight(72)
        self.others.setToolTip(
            tr("Masks of further annotators, to adjudicate all at once.")
        )
        self.start_button = push_button(
            tr("Start adjudicating"),
            tr(
                "List the places where they differ, and make the adjudicated "
                "layer. The masks are kept as they are and cannot be edited "
                "meanwhile."
            ),
        )
        self.load_button = push_button(
            tr("Load…"), tr("Continue with an adjudication that was saved.")
        )
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self.form.addRow(tr("Your initials"), self.who)
        self.form.addRow(tr("Regions"), self.regions)
        self.form.addRow(tr("Order by"), self.rank_box)
        self.form.addRow(tr("Smallest"), self.smallest)
        self.form.addRow(tr("Also by"), self.others)
        row = QHBoxLayout()
        row.addWidget(self.start_button, 1)
        row.addWidget(self.load_button)
        self.form.addRow(row)
        layers = viewer.layers.events
        for event in (layers.inserted, layers.removed):
            event.connect(self.refresh)

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Offer the masks on the grid of this comparison."""
        self._comparison = comparison
        self.setEnabled(comparison is not None)
        self.refresh()

    def refresh(self, event: Any = None) -> None:
        """List further masks again, keeping what was ticked."""
        ticked = self.more().layers
        self.others.clear()
        comparison = self._comparison
        if comparison is not None and not comparison.naming.is_blind:
            pair = comparison.pair
            for layer in candidate_masks(self._viewer):
                if layer in (pair.expert, pair.nonexpert):
                    continue
                if layer_grid_problem(layer, pair.expert) is None:
                    item = QListWidgetItem(layer.name)
                    item.setData(Qt.ItemDataRole.UserRole, layer)
                    state = Qt.CheckState
                    is_ticked = any(layer is other for other in ticked)
                    item.setCheckState(state.Checked if is_ticked else state.Unchecked)
                    self.others.addItem(item)
        self.form.setRowVisible(self.others, self.others.count() > 0)

    def more(self) -> More:
        """Return the ticked masks of further annotators."""
        items = [self.others.item(row) for row in range(self.others.count())]
        return More(
            tuple(
                item.data(Qt.ItemDataRole.UserRole)
                for item in items
                if item is not None and item.checkState() == Qt.CheckState.Checked
            )
        )

    def choice(self) -> RegionChoice:
        """Return how the regions are to be found."""
        stretches, through_frames = _REGIONS[self.regions.currentText()]
        return RegionChoice(
            rank_by=_RANKS[self.rank_box.currentText()],
            through_frames=through_frames,
            smallest_px=self.smallest.value(),
            who=self.who.text().strip(),
            stretches=stretches,
        )
