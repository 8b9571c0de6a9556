"""Which image layer is which channel of a model of volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QWidget

from napari_microus.core.errors import InputError
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
        found: dict[str, Image] = {}
        for name, box in self._boxes.items():
            layer = box.currentData()
            if layer is None:
                raise InputError(
                    f"Each channel must have an image layer; got none for '{name}'. "
                    "Open its scan.",
                    plain=f"No image is chosen for {name}. Open its scan, and choose "
                    "it.",
                )
            twice = [other for other, taken in found.items() if taken is layer]
            if twice:
                raise InputError(
                    f"Each channel must have a layer of its own; got '{layer.name}' "
                    f"for '{twice[0]}' and '{name}'. Choose another.",
                    plain=f"'{layer.name}' is chosen for both {twice[0]} and {name}. "
                    "Choose another image for one of them.",
                )
            found[name] = layer
        return found

    def _fill(self) -> None:
        taken: list[Image] = []
        for name, box in self._boxes.items():
            before = box.currentData()
            box.blockSignals(True)
            box.clear()
            for layer in self._images:
                box.addItem(layer.name, layer)
            wanted = before if before in self._images else self._named(name, taken)
            place = self._images.index(wanted) if wanted in self._images else -1
            box.setCurrentIndex(place)
            box.blockSignals(False)
            taken += [] if wanted is None else [wanted]

    def _named(self, name: str, taken: Sequence[Image]) -> Image | None:
        """Return the layer whose name holds the channel's, the closest first."""
        fitting = [
            layer
            for layer in self._images
            if name in layer.name.lower() and layer not in taken
        ]
        ends = [layer for layer in fitting if layer.name.lower().endswith(name)]
        return next(iter([*ends, *fitting]), None)

    def _on_choice(self) -> None:
        self.changed.emit()
