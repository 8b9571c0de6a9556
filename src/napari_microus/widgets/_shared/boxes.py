"""Choices, numbers and ticks as the docks show them, and the choices several share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QSizePolicy, QSpinBox

from napari_microus.core.device import device_statuses
from napari_microus.widgets._shared.controls import WHEEL_GUARD
from napari_microus.widgets._shared.fresh_combo import FreshComboBox
from napari_microus.widgets._shared.preferences import preferred
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.library import ModelInfo


#: What test-time augmentation by a mirrored frame is called.
AVERAGE = tr("Average with mirrored image\n(slower, steadier)")


def combo(tip: str, box: QComboBox | None = None, *, least: int = 8) -> QComboBox:
    """Return a combo box that long names do not widen, nor the wheel changes.

    It is at least as wide as ``least`` letters.
    """
    box = QComboBox() if box is None else box
    box.setToolTip(tip)
    box.installEventFilter(WHEEL_GUARD)
    box.setSizeAdjustPolicy(
        QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    )
    box.setMinimumContentsLength(least)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


def spin(tip: str) -> QSpinBox:
    """Return a box for a whole number that the wheel does not change."""
    box = QSpinBox()
    box.setToolTip(tip)
    box.installEventFilter(WHEEL_GUARD)
    return box


def check(text: str, tip: str, *, is_on: bool = False) -> QCheckBox:
    """Return a tick with its tooltip."""
    box = QCheckBox(text)
    box.setToolTip(tip)
    box.setChecked(is_on)
    return box


def disable_item(box: QComboBox, index: int, reason: str) -> None:
    """Show an item of a combo box that cannot be chosen, and why."""
    item = box.model().item(index)
    item.setEnabled(False)
    box.setItemData(index, reason, Qt.ItemDataRole.ToolTipRole)


class ModelBox(FreshComboBox):
    """A choice of models; one that cannot be used is shown with the reason."""

    def __init__(self) -> None:
        super().__init__()
        self._models: list[ModelInfo] = []
        combo(
            tr(
                "The trained network that draws the capsule. "
                "Your own models appear here after training."
            ),
            self,
        )

    @property
    def chosen(self) -> ModelInfo | None:
        """The chosen model."""
        index = self.currentIndex()
        return self._models[index] if 0 <= index < len(self._models) else None

    def fill(self, models: Sequence[ModelInfo], select: str | None = None) -> None:
        """Offer these models, keep the choice or choose ``select``; emits nothing."""
        wanted = select or self.currentText() or preferred("model", "")
        self._models = list(models)
        self.blockSignals(True)
        self.clear()
        for index, model in enumerate(self._models):
            self.addItem(model.name)
            if model.problem:
                disable_item(self, index, model.problem)
        usable = [i for i, model in enumerate(self._models) if not model.problem]
        named = [i for i in usable if self._models[i].name == wanted]
        self.setCurrentIndex((named or usable or [-1])[0])
        self.blockSignals(False)


class DeviceBox(QComboBox):
    """A choice of what computes; what is not here is shown with the reason."""

    def __init__(self) -> None:
        super().__init__()
        combo(
            tr(
                "Where the model runs: Automatic takes a graphics card if there is one."
            ),
            self,
        )
        for index, device in enumerate(device_statuses()):
            self.addItem(device.label, device.name)
            if not device.is_available:
                reason = device.reason[:1].upper() + device.reason[1:]
                disable_item(self, index, f"{reason}.")
            elif device.name == preferred("device", "auto"):
                self.setCurrentIndex(index)

    @property
    def chosen(self) -> str:
        """The chosen device's name."""
        return str(self.currentData())
