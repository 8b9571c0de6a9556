"""Make one mask of several annotators', and say how well they agree."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
)

from napari_microus.core.compare.agreement import fleiss_kappa
from napari_microus.core.compare.consensus import Consensus, consensus, why_not
from napari_microus.core.errors import InputError, MicroUSError, plain_words
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import number, push_button
from napari_microus.widgets._shared.layers import (
    array_for_layer,
    derived_metadata,
    geometry,
    volume_from_layer,
)
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.compare.pair import candidate_masks, layer_grid_problem
from napari_microus.widgets.compare.toolbox import ToolBox, mask_of

if TYPE_CHECKING:
    from collections.abc import Generator

    import numpy as np
    from napari.components import ViewerModel
    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.widgets.compare.live import LiveComparison

_METHODS = {
    "Union": Consensus.union,
    "Intersection": Consensus.intersection,
    "Majority": Consensus.majority,
    "Mean distance (shape)": Consensus.mean_distance,
    "STAPLE": Consensus.staple,
}


class ConsensusBox(ToolBox):
    """Annotators to tick, a method, and the layer they make."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(tr("Consensus of annotators"), viewer)
        self._source: tuple[Labels, str] | None = None
        self.masks = QListWidget()
        self.masks.setToolTip(tr("Tick every annotator that takes part."))
        self.masks.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.masks.setMaximumHeight(110)
        self.method_box = combo(tr("How several annotations become one."))
        self.method_box.addItems(list(_METHODS))
        self.consensus_button = push_button(
            tr("Make consensus layer"),
            tr("Add a layer that stands for all annotators."),
        )
        self.kappa_button = push_button(
            tr("Fleiss' kappa"), tr("Agreement of all ticked annotators beyond chance.")
        )
        column = QVBoxLayout(self)
        for widget in (
            self.masks,
            self.method_box,
            self.consensus_button,
            self.kappa_button,
            self.message,
            self.cancel_button,
        ):
            column.addWidget(widget)
        self.masks.itemChanged.connect(self._offer_methods)
        self.method_box.currentIndexChanged.connect(self._offer_methods)
        self.consensus_button.clicked.connect(self.make_consensus)
        self.kappa_button.clicked.connect(self.show_kappa)

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Tick the two masks that are compared."""
        super().set_comparison(comparison)
        if comparison is not None:
            self._tick(comparison.pair.expert, comparison.pair.nonexpert)

    def refresh(self, event: Any = None) -> None:
        """List the viewer's masks again, keeping the ticks."""
        ticked = {id(layer) for layer in self.chosen_masks()}
        self.masks.blockSignals(True)
        self.masks.clear()
        for layer in candidate_masks(self._viewer):
            item = QListWidgetItem(layer.name)
            item.setData(Qt.ItemDataRole.UserRole, layer)
            item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
            on = id(layer) in ticked
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.masks.addItem(item)
        self.masks.blockSignals(False)
        self._offer_methods()

    def chosen_masks(self) -> list[Labels]:
        """Return the layers that are ticked."""
        items = (self.masks.item(row) for row in range(self.masks.count()))
        return [
            item.data(Qt.ItemDataRole.UserRole)
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        ]

    def make_consensus(self) -> None:
        """Add the consensus of the ticked masks as a new layer."""
        layers = self.chosen_masks()
        method = _METHODS[self.method_box.currentText()]
        try:
            masks = self._arrays(layers)
        except MicroUSError as error:
            self.message.setText(plain_words(error))
            return
        self._source = (layers[0], f"consensus ({method})")
        spacing = volume_from_layer(layers[0]).spacing_mm
        self._run(
            functools.partial(consensus, masks, method, spacing),
            self._add_consensus,
        )

    def _add_consensus(self, fused: NDArray[np.uint8]) -> None:
        assert self._source is not None  # set with the work
        source, name = self._source
        self._viewer.add_labels(
            array_for_layer(fused, source),
            name=name,
            metadata=derived_metadata(source),
            **geometry(source),
        )
        self.message.setText(f"Added '{name}'.")

    def show_kappa(self) -> None:
        """Compute Fleiss' kappa of the ticked masks."""
        try:
            masks = self._arrays(self.chosen_masks())
        except MicroUSError as error:
            self.message.setText(plain_words(error))
            return

        def work() -> Generator[Event, None, float]:
            yield from ()
            return fleiss_kappa(masks)

        self._run(work, self._show_kappa)

    def _show_kappa(self, kappa: float) -> None:
        count = len(self.chosen_masks())
        self.message.setText(f"Fleiss' kappa of {count} annotators: {number(kappa, 3)}")

    def _arrays(self, layers: list[Labels]) -> list[NDArray[np.uint8]]:
        if len(layers) < 2:
            raise InputError(
                f"Two or more masks must be ticked; got {len(layers)}. Tick another.",
                plain="Tick two or more masks, then press the button again.",
            )
        for layer in layers[1:]:
            problem = layer_grid_problem(layer, layers[0])
            if problem is not None:
                raise InputError(f"'{layer.name}': {problem}")
        return [mask_of(layer, self._value_of(layer)) for layer in layers]

    def _value_of(self, layer: Labels) -> int | None:
        """Return the label that is compared, where this layer is compared."""
        if self._comparison is None:
            return None
        pair = self._comparison.pair
        values = {id(pair.expert): pair.expert_value}
        values[id(pair.nonexpert)] = pair.nonexpert_value
        return values.get(id(layer))

    def _offer_methods(self, _: Any = None) -> None:
        count = len(self.chosen_masks())
        for row, (name, method) in enumerate(_METHODS.items()):
            reason = why_not(method, count)
            item = self.method_box.model().item(row)
            item.setEnabled(reason is None)
            item.setToolTip(reason or "")
            item.setText(name if reason is None or count < 2 else f"{name} (3 or more)")
        method = _METHODS[list(_METHODS)[self.method_box.currentIndex()]]
        reason = why_not(method, count)
        self.consensus_button.setEnabled(reason is None)
        self.kappa_button.setEnabled(count >= 2)
        few = why_not(Consensus.staple, count) if count == 2 else None
        self.message.setText(reason or few or "")

    def _tick(self, *layers: Labels) -> None:
        for row in range(self.masks.count()):
            item = self.masks.item(row)
            if item.data(Qt.ItemDataRole.UserRole) in layers:
                item.setCheckState(Qt.CheckState.Checked)
