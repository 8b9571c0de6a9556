"""The weight of each pixel in the loss, as a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QGroupBox,
    QSpinBox,
)

from napari_microus.core.errors import plain_words
from napari_microus.core.hard_region import KERNEL_SIZES
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.controls import text
from napari_microus.widgets._shared.layers import ROLE, derived_metadata, geometry
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker
from napari_microus.widgets.compare.weights import WeightFrames, load_network_code

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_microus.widgets._shared.worker import Worker
    from napari_microus.widgets.compare.live import LiveComparison

_SCALES = ("full size", "1/2", "1/4", "1/8")


class WeightBox(QGroupBox):
    """Shows what a pixel weighs in the loss at one of the network's scales.

    Parameters
    ----------
    viewer : ViewerModel
        Where the weight layer goes.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(tr("Loss weight"))
        self._viewer = viewer
        self._comparison: LiveComparison | None = None
        self._worker: Worker | None = None
        self.weight_layer: Image | None = None
        self._make_controls()
        for changed in (
            self.scale_box.currentIndexChanged,
            self.network_size.valueChanged,
            self.hard_weight.valueChanged,
        ):
            changed.connect(self._on_weights)

    def _make_controls(self) -> None:
        self.scale_box = combo(
            tr(
                "The network learns at four sizes; the hard region is made again "
                "at each."
            )
        )
        self.scale_box.addItems(["off", *_SCALES])
        self.network_size = QSpinBox()
        self.network_size.setRange(32, 1024)
        self.network_size.setValue(224)
        self.network_size.setSuffix(" px")
        self.network_size.setToolTip(tr("Edge of the square picture the network sees."))
        self.hard_weight = QDoubleSpinBox()
        self.hard_weight.setRange(1, 100)
        self.hard_weight.setValue(4)
        self.hard_weight.setToolTip(tr("How many easy pixels a hard pixel costs."))
        self.weight_text = text()
        form = QFormLayout(self)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow(tr("Scale"), self.scale_box)
        form.addRow(tr("Network size"), self.network_size)
        form.addRow(tr("Hard weight"), self.hard_weight)
        form.addRow(self.weight_text)

    def set_comparison(self, comparison: LiveComparison | None) -> None:
        """Show the weights of another comparison, or of none, from now on."""
        self.scale_box.setCurrentIndex(0)
        self._comparison = comparison

    def forget_frames(self, frames: set[int]) -> None:
        """Work the weights of changed frames out again."""
        if self.weight_layer is not None:
            self.weight_layer.data.forget(frames)
            self.weight_layer.refresh(extent=False, thumbnail=False)

    def forget_layer(self, layer: Any) -> None:
        """Show no weights any more where their layer was removed."""
        if layer is self.weight_layer:
            self.weight_layer = None
            self.scale_box.setCurrentIndex(0)

    def _on_weights(self, _: Any = None) -> None:
        index = self.scale_box.currentIndex()
        if index == 0 or self._comparison is None:
            self._remove_weights()
            self.weight_text.clear()
            return
        if self._worker is None:
            self.weight_text.setText(tr("Preparing …"))
            self._worker = start_worker(
                load_network_code,
                returned=self._add_weights,
                errored=self._on_error,
                finished=self._on_finished,
            )

    def _add_weights(self, _: Any) -> None:
        comparison, index = self._comparison, self.scale_box.currentIndex()
        if comparison is None or index == 0:
            return
        frames = WeightFrames(
            comparison.pair,
            scale=index - 1,
            network_size=self.network_size.value(),
            hard_weight=self.hard_weight.value(),
        )
        limits = (0.0, self.hard_weight.value())
        if self.weight_layer is None:
            expert = comparison.pair.expert
            active = self._viewer.layers.selection.active
            self.weight_layer = self._viewer.add_image(
                frames,
                name="loss weight",
                colormap="magma",
                opacity=0.6,
                contrast_limits=limits,
                rgb=False,
                metadata=derived_metadata(expert, **{ROLE: "loss weight"}),
                **geometry(expert),
            )
            if active is not None:
                self._viewer.layers.selection.active = active
        else:
            self.weight_layer.data = frames
            self.weight_layer.contrast_limits = limits
        kernel = KERNEL_SIZES[index - 1]
        self.weight_text.setText(
            f"Bright pixels cost ×{self.hard_weight.value():g}, the others ×1; "
            f"disputed pixels are widened by {kernel} × {kernel} px of this scale. "
            "The value under the mouse stands at the bottom left of the window."
        )

    def _remove_weights(self) -> None:
        layer, self.weight_layer = self.weight_layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _on_error(self, error: Exception) -> None:
        self.weight_text.setText(plain_words(error))

    def _on_finished(self) -> None:
        self._worker = None
