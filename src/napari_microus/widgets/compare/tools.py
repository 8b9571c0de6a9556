"""The tab of what can be made from several masks: consensus, checks, a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGroupBox, QVBoxLayout, QWidget

from napari_microus.widgets._shared.controls import push_button
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.consensus import ConsensusBox
from napari_microus.widgets.compare.ensemble import ModelBox
from napari_microus.widgets.compare.report import ReportBox

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_microus.widgets.compare.live import LiveComparison
    from napari_microus.widgets.compare.toolbox import ToolBox


class ToolsTab(QWidget):
    """Consensus, three-way check, predicted difficulty, blind work, trainee report.

    ``blind_asked(hide)`` asks for blind work, ``submitted()`` shows the hidden mask
    and ``unblinded()`` ends it.

    Parameters
    ----------
    viewer : ViewerModel
        Where masks come from and layers go.
    """

    blind_asked = Signal(bool)
    submitted = Signal()
    unblinded = Signal()

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._comparison: LiveComparison | None = None
        self.consensus = ConsensusBox(viewer)
        self.model = ModelBox(viewer)
        self.report = ReportBox(viewer)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.consensus)
        column.addWidget(self.model)
        column.addWidget(self._make_blind())
        column.addWidget(self.report)
        column.addStretch()
        layers = viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self.refresh)
        layers.inserted.connect(self._watch_name)
        for layer in viewer.layers:
            layer.events.name.connect(self.refresh)
        self.refresh()

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Use another comparison, or none."""
        self._comparison = comparison
        self.blind_button.setEnabled(comparison is not None)
        for box in self._boxes():
            box.set_comparison(comparison)

    def refresh(self, event: Any = None) -> None:
        """List the viewer's layers again."""
        for box in self._boxes():
            box.refresh()

    def close_down(self) -> None:
        """Let go of work in progress: the dock is going away."""
        for box in self._boxes():
            box.close_down()

    def _boxes(self) -> tuple[ToolBox, ...]:
        return self.consensus, self.model, self.report

    def _watch_name(self, event: Any) -> None:
        event.value.events.name.connect(self.refresh)

    def show_blind(self, is_blind: bool, is_hidden: bool) -> None:
        """Offer what can be done now."""
        self.blind_button.setEnabled(not is_blind and self._comparison is not None)
        self.hide_other.setVisible(not is_blind)
        # What these say and make is named after the masks.
        for box in self._boxes():
            box.setEnabled(not is_blind)
        self.submit_button.setEnabled(is_hidden)
        self.unblind_button.setEnabled(is_blind and not is_hidden)

    def _make_blind(self) -> QGroupBox:
        box = QGroupBox(tr("Blind review"))
        self.hide_other = QCheckBox(tr("Hide the expert's mask\nuntil I submit mine"))
        self.hide_other.setToolTip(tr("Draw first, and see the other mask afterwards."))
        self.blind_button = push_button(
            tr("Start blind review"),
            tr("Names, colours and order are shuffled, and shown again when you save."),
        )
        self.submit_button = push_button(
            tr("Submit my mask"),
            tr("End the drawing and show the mask that was hidden."),
        )
        self.unblind_button = push_button(
            tr("Reveal annotators"), tr("Show who drew which mask; blind review ends.")
        )
        self.submit_button.setEnabled(False)
        self.unblind_button.setEnabled(False)
        column = QVBoxLayout(box)
        for widget in (
            self.hide_other,
            self.blind_button,
            self.submit_button,
            self.unblind_button,
        ):
            column.addWidget(widget)
        self.blind_button.clicked.connect(self._ask_for_blind)
        self.submit_button.clicked.connect(self.submitted)
        self.unblind_button.clicked.connect(self.unblinded)
        return box

    def _ask_for_blind(self) -> None:
        self.blind_asked.emit(self.hide_other.isChecked())
