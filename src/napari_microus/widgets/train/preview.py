"""The current prediction on a validation frame: a small picture, or layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap

from napari_microus.core import colors

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_microus.core.events import Preview

# Where both agree, what the network drew too much, and what it missed.
AGREED, TOO_MUCH, MISSED = 1, 2, 3
COLORS = {AGREED: colors.CAPSULE, TOO_MUCH: colors.TOO_MUCH, MISSED: colors.EXPERT}
IMAGE_LAYER, ERROR_LAYER = "validation frame", "prediction and its error"
LEGEND = (
    f'<span style="color:{COLORS[AGREED]}">■</span> right '
    f'<span style="color:{COLORS[TOO_MUCH]}">■</span> too much '
    f'<span style="color:{COLORS[MISSED]}">■</span> missed'
)


@dataclass(frozen=True)
class Shown:
    """One validation frame with the network's error on it.

    ``image`` (Y, X) holds intensities, ``error`` (Y, X) 0 or one of `COLORS`.
    """

    case: str
    frame: int
    image: NDArray[Any]
    error: NDArray[np.uint8]
    spacing_mm: tuple[float, float]

    @property
    def title(self) -> str:
        """Name of the case and number of the frame."""
        return f"{self.case}, frame {self.frame}"


def read_preview(path: Path, preview: Preview) -> Shown | None:
    """Return what a run wrote for looking at, None where it is gone."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            image, expert = stored["image"], stored["expert"] > 0
            drawn = stored["probability"] >= 128  # of 255: a half and more
            spacing = stored["spacing_mm"].tolist()
    except (OSError, ValueError, KeyError):
        return None
    error = np.zeros(expert.shape, np.uint8)
    error[drawn & expert] = AGREED
    error[drawn & ~expert] = TOO_MUCH
    error[~drawn & expert] = MISSED
    return Shown(preview.case, preview.frame, image, error, tuple(spacing))


def picture(shown: Shown, width: int) -> QPixmap:
    """Return a small picture of the frame with the error in colour."""
    step = max(1, shown.image.shape[1] // max(width, 1))
    image = np.asarray(shown.image[::step, ::step], np.float32)
    error = shown.error[::step, ::step]
    low, high = np.percentile(image, (0.5, 99.5))
    grey = np.clip((image - low) / max(high - low, 1e-6), 0, 1) * 255
    rgb = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    for value, color in COLORS.items():
        ink = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], np.float32)
        weight = 0.35 if value == AGREED else 0.6
        where = error == value
        rgb[where] = (1 - weight) * rgb[where] + weight * ink
    values = np.ascontiguousarray(rgb.astype(np.uint8))
    height, columns = values.shape[:2]
    drawn = QImage(
        values.data, columns, height, 3 * columns, QImage.Format.Format_RGB888
    )
    pixmap = QPixmap.fromImage(drawn.copy())  # the array's memory is not kept
    return pixmap.scaledToWidth(width, Qt.TransformationMode.SmoothTransformation)


def show_layers(viewer: ViewerModel, shown: Shown) -> None:
    """Show the frame and its error as two layers, again or in those that are there."""
    title = {"training_preview": shown.title}
    image = _find(viewer, IMAGE_LAYER, shown)
    error = _find(viewer, ERROR_LAYER, shown)
    place = {"scale": shown.spacing_mm, "units": _units(viewer)}
    if image is None:
        active = viewer.layers.selection.active
        image = viewer.add_image(
            shown.image, name=IMAGE_LAYER, metadata=dict(title), **place
        )
        if active is not None:
            viewer.layers.selection.active = active
    else:
        image.data = shown.image
        image.reset_contrast_limits()
    if error is None:
        active = viewer.layers.selection.active
        colors: dict[int | None, str] = {0: "transparent", None: "transparent"}
        error = viewer.add_labels(
            shown.error,
            name=ERROR_LAYER,
            colormap=colors | COLORS,
            opacity=0.5,
            metadata=dict(title),
            **place,
        )
        error.editable = False
        if active is not None:
            viewer.layers.selection.active = active
    else:
        error.data = shown.error
    for layer in (image, error):
        layer.metadata.update(title)


def remove_layers(viewer: ViewerModel) -> None:
    """Take our two layers out of the viewer."""
    ours = [layer for layer in viewer.layers if "training_preview" in layer.metadata]
    for layer in ours:
        viewer.layers.remove(layer)


def _find(viewer: ViewerModel, name: str, shown: Shown) -> Any:
    """Return our layer of that name; one of another size is taken away."""
    for layer in viewer.layers:
        ours = "training_preview" in layer.metadata and layer.name.startswith(name)
        if ours and np.allclose(layer.scale, shown.spacing_mm):
            if layer.data.shape == shown.image.shape:
                return layer
        if ours:
            viewer.layers.remove(layer)
            return None
    return None


def _units(viewer: ViewerModel) -> tuple[str, str]:
    """Return mm, unless the other layers are in pixels: napari shows one kind."""
    known = {str(layer.units[-1]) for layer in viewer.layers}
    unit = "pixel" if known == {"pixel"} else "mm"
    return unit, unit
