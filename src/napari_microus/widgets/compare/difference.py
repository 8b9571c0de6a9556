"""The tab that explains the disagreement layer and what it does to training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_microus.core.compare.naming import OPEN
from napari_microus.widgets._shared.layers import ROLE
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.hard_box import HardBox
from napari_microus.widgets.compare.legend import Legend
from napari_microus.widgets.compare.outlined import Outlined
from napari_microus.widgets.compare.pair import candidate_masks
from napari_microus.widgets.compare.weight_box import WeightBox

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

    from napari_microus.widgets.compare.live import LiveComparison


class DifferenceTab(QWidget):
    """Legend with counts, the hard region, and the loss weights.

    Parameters
    ----------
    viewer : ViewerModel
        Where the weight layer goes.
    """

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._comparison: LiveComparison | None = None
        self._outlined: list[Outlined] = []
        self._hidden: list[Labels] = []
        # Texts are laid out again when they change: not with every dab of the brush.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(60)
        self._soon.timeout.connect(self.refresh_counts)
        self.legend = Legend()
        self.weight_box = WeightBox(viewer)
        self.hard_box = HardBox(self.weight_box.network_size)
        self.outlines = QCheckBox(tr("Show the two masks as outlines"))
        self.outlines.setChecked(True)
        self.outlines.setToolTip(tr("In the colours above, so that the picture shows."))
        self.hide_others = QCheckBox(tr("Hide the other masks"))
        self.hide_others.setChecked(True)
        self.hide_others.setToolTip(tr("They come back when the comparison ends."))
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.legend)
        column.addWidget(self.outlines)
        column.addWidget(self.hide_others)
        column.addWidget(self.hard_box)
        column.addWidget(self.weight_box)
        column.addStretch()
        self.outlines.toggled.connect(self._show_outlines)
        self.hide_others.toggled.connect(self._hide_others)
        viewer.dims.events.current_step.connect(self.refresh_counts)
        viewer.layers.events.removed.connect(self._on_removed)
        self.setEnabled(False)

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Explain another comparison, or none."""
        self._restore_outlines()
        self.weight_box.set_comparison(comparison)
        self._comparison = comparison
        self.setEnabled(comparison is not None)
        self._hide_others()
        self.hard_box.set_comparison(comparison)
        if comparison is None:
            return
        comparison.changed.connect(self._on_changed)
        self.show_naming()
        self.hard_box.show_region()
        self.refresh_counts()

    def show_naming(self) -> None:
        """Use the comparison's names and colours."""
        self.legend.show_naming(self._comparison.naming if self._comparison else OPEN)
        self._restore_outlines()
        self._show_outlines()

    def refresh_counts(self, event: Any = None) -> None:
        """Write the counts of the frame in view and of all frames."""
        comparison = self._comparison
        if comparison is None or not comparison.is_open:
            return
        self.legend.show_counts(comparison)
        self.hard_box.show_count()

    # --- outlines

    def _show_outlines(self, _: bool = True) -> None:
        comparison = self._comparison
        if comparison is None or not self.outlines.isChecked():
            self._restore_outlines()
            return
        if self._outlined:
            return
        pair, naming = comparison.pair, comparison.naming
        for layer, value, color in (
            (pair.expert, pair.expert_value, naming.expert_color),
            (pair.nonexpert, pair.nonexpert_value, naming.nonexpert_color),
        ):
            self._outlined.append(Outlined(layer, value, color))

    def _restore_outlines(self) -> None:
        for outlined in self._outlined:
            outlined.restore()
        self._outlined = []

    # --- other masks

    def _hide_others(self, _: bool = True) -> None:
        for layer in self._hidden:
            layer.visible = True
        self._hidden = []
        if self._comparison is None or not self.hide_others.isChecked():
            return
        pair = self._comparison.pair
        for layer in candidate_masks(self._viewer):
            if layer.visible and layer not in (pair.expert, pair.nonexpert):
                layer.visible = False
                self._hidden.append(layer)

    # --- events

    def _on_changed(self, frames: set[int]) -> None:
        self.weight_box.forget_frames(frames)
        if not self._soon.isActive():
            self._soon.start()

    def _on_removed(self, event: Any) -> None:
        gone = event.value
        self._outlined = [o for o in self._outlined if o.layer is not gone]
        self.weight_box.forget_layer(gone)
        if _is_hard(gone):
            self.hard_box.hard_check.setChecked(False)


def _is_hard(layer: Any) -> bool:
    return layer.metadata.get("napari_microus", {}).get(ROLE) == "hard region"
