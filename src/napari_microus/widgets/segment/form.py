"""The choices of the *Segment capsule* dock."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_microus.widgets._shared.belonging import was_drawn_on
from napari_microus.widgets._shared.boxes import (
    AVERAGE,
    DeviceBox,
    ModelBox,
    check,
    combo,
    spin,
)
from napari_microus.widgets._shared.controls import fold
from napari_microus.widgets._shared.layers import is_derived
from napari_microus.widgets._shared.preferences import preferred
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.segment.channels import ChannelBoxes
from napari_microus.widgets.segment.layers import (
    current_frame,
    frame_count,
    provenance,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_microus.core.library import ModelInfo


ALL, CURRENT, RANGE = tr("All frames"), tr("Current frame"), tr("Range of frames")


class SegmentForm(QWidget):
    """Image, model, device, frames and options; ``changed`` when any of them does.

    Parameters
    ----------
    viewer : ViewerModel
        Its list of layers fills the choice of images.
    list_models : callable
        Gives what the choice of models holds.
    """

    changed = Signal()

    def __init__(
        self,
        viewer: ViewerModel,
        list_models: Callable[[], list[ModelInfo]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._list_models = list_models
        self._ranged: Image | None = None
        self._make_boxes()
        self._lay_out()
        self.refresh_images()
        self.refresh_models()
        self._on_frames()
        self.image_box.currentIndexChanged.connect(self._on_image)
        self.model_box.currentIndexChanged.connect(self._on_model)
        self.model_box.opening.connect(self._read_library_again)
        self.frames_box.currentIndexChanged.connect(self._on_frames)
        layers = viewer.layers.events
        for event in (layers.inserted, layers.removed, layers.reordered):
            event.connect(self.refresh_images)
        viewer.layers.selection.events.active.connect(self._follow_selection)

    def _make_boxes(self) -> None:
        self.image_box = combo(
            tr("The scan or frame to segment. Follows your selection.")
        )
        self.model_box = ModelBox()
        self.device_box = DeviceBox()
        self.frames_box = combo(
            tr(
                "All frames makes a new layer. The current frame or a range corrects "
                "the capsule layer of this image; Ctrl+Z undoes it."
            )
        )
        self.frames_box.addItems([ALL, CURRENT, RANGE])
        self.first_frame = spin(tr("First frame of the range, counted from 0."))
        self.last_frame = spin(tr("Last frame of the range, included."))
        self.model_note = QLabel()
        self.model_note.setWordWrap(True)
        self.model_note.setStyleSheet("font-size: 11px")
        self.channels = ChannelBoxes()
        self.channels.changed.connect(self.changed)
        self.probability = check(
            tr("Probability layer"),
            tr("Also show, for each pixel, the probability that it is prostate."),
        )
        self.uncertainty = check(
            tr("Uncertainty layer"),
            tr("Also show a layer that is bright where the model is uncertain."),
        )
        self.flip = check(
            AVERAGE,
            tr(
                "Average with the answer to the mirrored frame: steadier, half as fast."
            ),
            is_on=preferred("flip", False),
        )
        self.largest = check(
            tr("Keep largest region"),
            tr("Drop smaller regions in each frame."),
            is_on=True,
        )
        self.holes = check(
            tr("Fill holes"),
            tr("Fill what the capsule encloses in each frame."),
            is_on=True,
        )
        self.smooth = check(
            tr("Smooth outline"),
            tr(
                "One closed, smooth outline, where the model recommends it; without "
                "the tick, every pixel above the threshold."
            ),
            is_on=True,
        )

        self.only_sure = check(
            tr("Leave unsure frames empty"),
            tr(
                "Frames in which the model is not sure that there is a gland, where it "
                "recommends it; a notice names them. Without the tick, a contour in "
                "every frame."
            ),
            is_on=True,
        )
        self.along_sweep = check(
            tr("Use neighbouring frames"),
            tr(
                "Average the answer for each frame with those for the frames beside "
                "it, where the model recommends it: truer and steadier along a sweep. "
                "Without the tick, each frame by itself."
            ),
            is_on=True,
        )
        self.probe_box = combo(
            tr(
                "Where the frames show the probe. automatic: the way the model is "
                "surer of, and a notice where that is the bottom."
            )
        )
        self.probe_box.addItems(["top", "bottom", "automatic"])

    def _lay_out(self) -> None:
        self.range_row = QWidget()
        ends = QFormLayout(self.range_row)
        ends.setContentsMargins(0, 0, 0, 0)
        ends.addRow(tr("from"), self.first_frame)
        ends.addRow(tr("to"), self.last_frame)
        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.image_label = QLabel(tr("Image"))
        rows.addRow(self.image_label, self.image_box)
        rows.addRow(tr("Model"), self.model_box)
        rows.addRow("", self.model_note)
        rows.addRow(self.channels)
        rows.addRow(tr("Where the model runs"), self.device_box)
        self.frames_label = QLabel(tr("Frames"))
        rows.addRow(self.frames_label, self.frames_box)
        rows.addRow("", self.range_row)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(12, 0, 0, 0)
        for box in (
            self.probability,
            self.uncertainty,
            self.flip,
            self.largest,
            self.holes,
            self.smooth,
            self.only_sure,
            self.along_sweep,
        ):
            column.addWidget(box)
        probe_row = QFormLayout()
        probe_row.setContentsMargins(0, 0, 0, 0)
        probe_row.addRow(tr("Probe"), self.probe_box)
        column.addLayout(probe_row)
        self.options = fold(tr("More options"), inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(rows)
        layout.addWidget(self.options)

    @property
    def image(self) -> Image | None:
        """The chosen image layer."""
        layer = self.image_box.currentData()
        return layer if layer in self._viewer.layers else None

    @property
    def model(self) -> ModelInfo | None:
        """The chosen model."""
        return self.model_box.chosen

    @property
    def device(self) -> str:
        """The chosen device's name."""
        return self.device_box.chosen

    @property
    def takes_volumes(self) -> bool:
        """Whether the chosen model sees a volume of channels, and not frames."""
        return self.model is not None and bool(self.model.channels)

    def frames(self) -> tuple[int, ...] | None:
        """Return the chosen frames, None for all."""
        image = self.image
        choice = self.frames_box.currentText()
        if image is None or choice == ALL or self.takes_volumes:
            return None
        if choice == CURRENT:
            return (current_frame(self._viewer, image),)
        ends = sorted((self.first_frame.value(), self.last_frame.value()))
        return tuple(range(ends[0], ends[1] + 1))

    def settings(self) -> dict[str, Any]:
        """Return the options as arguments of ``predict``, or ``predict_volume``."""
        if self.takes_volumes:
            return {"flip": self.flip.isChecked()}
        return {
            "largest_component": self.largest.isChecked(),
            "fill_holes": self.holes.isChecked(),
            "outline": None if self.smooth.isChecked() else "raw",
            "min_confidence": None if self.only_sure.isChecked() else 0.0,
            "along_sweep": None if self.along_sweep.isChecked() else False,
            "flip": self.flip.isChecked(),
            "probe": self.probe_box.currentText(),
        }

    def maps(self) -> tuple[str, ...]:
        """Return the maps that are wanted beside the mask."""
        wanted = {"probability": self.probability, "uncertainty": self.uncertainty}
        if self.takes_volumes:
            del wanted["uncertainty"]
        return tuple(name for name, box in wanted.items() if box.isChecked())

    def refresh_images(self) -> None:
        """Bring the choice of images in line with the viewer's layers."""
        chosen = self.image_box.currentData()
        images = [
            layer
            for layer in self._viewer.layers
            if isinstance(layer, Image) and not is_derived(layer)
        ]
        active = self._viewer.layers.selection.active
        if chosen not in images:
            chosen = active if active in images else (images[-1] if images else None)
        self.image_box.blockSignals(True)
        self.image_box.clear()
        for layer in images:
            self.image_box.addItem(layer.name, layer)
            layer.events.name.disconnect(self._rename)
            layer.events.name.connect(self._rename)
        self.image_box.setCurrentIndex(images.index(chosen) if chosen else -1)
        self.image_box.blockSignals(False)
        self.channels.show_images(images)
        self._on_image()

    def refresh_models(self, select: str | None = None) -> None:
        """Read the library again, keep the choice or choose ``select``."""
        self.model_box.fill(self._list_models(), select)
        self._on_model()

    def _read_library_again(self) -> None:
        self.refresh_models()

    def _rename(self) -> None:
        for index in range(self.image_box.count()):
            self.image_box.setItemText(index, self.image_box.itemData(index).name)

    def _follow_selection(self) -> None:
        """Choose the selected image, or the one that a selected capsule belongs to."""
        active = self._viewer.layers.selection.active
        is_ours = active is not None and provenance(active) is not None
        places = range(self.image_box.count())
        images = [self.image_box.itemData(place) for place in places]
        for place, image in enumerate(images):
            is_owner = is_ours and was_drawn_on(active, image, self._viewer.layers)
            if (image is active or is_owner) and self.isEnabled():
                self.image_box.setCurrentIndex(place)

    def _on_image(self) -> None:
        image = self.image
        count = frame_count(image) if image is not None and image.ndim > 1 else 1
        for box in (self.first_frame, self.last_frame):
            box.setMaximum(count - 1)
        if image is not self._ranged:  # the range was one of another scan
            self._ranged = image
            self.first_frame.setValue(0)
            self.last_frame.setValue(count - 1)
        self.changed.emit()

    def _on_model(self) -> None:
        model = self.model
        self.model_note.setText("" if model is None else model.origin(tr))
        # As rich text, which wraps; plain tooltips are as wide as their longest line.
        card = "" if model is None else escape(model.card)
        self.model_note.setToolTip(f"<div style='white-space: pre-wrap'>{card}</div>")
        self.model_note.setVisible(bool(self.model_note.text()))
        self.channels.show_names(() if model is None else model.channels)
        of_frames = (
            self.image_label,
            self.image_box,
            self.uncertainty,
            self.largest,
            self.holes,
            self.smooth,
            self.only_sure,
            self.probe_box,
            self.frames_box,
            self.frames_label,
        )
        for box in of_frames:
            box.setVisible(not self.takes_volumes)
        self._on_frames()

    def _on_frames(self) -> None:
        is_range = self.frames_box.currentText() == RANGE and not self.takes_volumes
        self.range_row.setVisible(is_range)
        self.changed.emit()
