"""Which image layer is which channel of a model of volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QWidget

from napari_microus.core.multichannel.naming import guess_channels, require_own
from napari_microus.widgets._shared.boxes import combo
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Image


class ChannelBoxes(QWidget):
    """A choice of image layers for each channel; ``changed`` when one is made.

    A layer whose name holds the channel's is offered first. Hidden for a model of
    frames.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = QFormLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._boxes: dict[str, QComboBox] = {}
        self._images: list[Image] = []
        self.setVisible(False)

    def box(self, name: str) -> QComboBox:
        """Return the choice for a channel."""
        return self._boxes[name]

    def show_names(self, names: Sequence[str]) -> None:
        """Ask for these channels; none hides the choice."""
        if tuple(names) == tuple(self._boxes):
            return
        while self._rows.rowCount():
            self._rows.removeRow(0)
        self._boxes = {}
        for name in names:
            box = combo(tr("The image layer that holds this channel."))
            self._boxes[name] = box
            self._rows.addRow(name, box)
            box.currentIndexChanged.connect(self._on_choice)
        self._fill()
        self.setVisible(bool(self._boxes))

    def show_images(self, images: Sequence[Image]) -> None:
        """Offer these layers, and keep what was chosen."""
        self._images = list(images)
        self._fill()

    def chosen(self) -> dict[str, Image]:
        """Return the layer of each channel.

        Raises
        ------
        InputError
            If one has none, or two have the same.
        """
        return require_own(
            {name: box.currentData() for name, box in self._boxes.items()},
            lambda layer: str(layer.name),
        )

    def _fill(self) -> None:
        before = {name: box.currentData() for name, box in self._boxes.items()}
        kept = {
            name: self._images.index(layer)
            for name, layer in before.items()
            if layer in self._images
        }
        titles = [layer.name for layer in self._images]
        places = guess_channels(tuple(self._boxes), titles, kept)
        for name, box in self._boxes.items():
            box.blockSignals(True)
            box.clear()
            for layer in self._images:
                box.addItem(layer.name, layer)
            box.setCurrentIndex(places.get(name, -1))
            box.blockSignals(False)

    def _on_choice(self) -> None:
        self.changed.emit()
