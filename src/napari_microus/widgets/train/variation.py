"""See how a run would vary its frames, before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_microus.core import colors
from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.widgets._shared.controls import beside, push_button, text
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets._shared.worker import start_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.core.train import TrainConfig
    from napari_microus.core.train.variations import Variations
    from napari_microus.widgets._shared.worker import Worker

_COLUMNS, _GAP = 3, 4
_WIDTH = 300
IMAGE_LAYER, MASK_LAYER = "variations", "capsule of the variations"
_OURS = "variations_preview"


class VariationPreview(QWidget):
    """A button, and nine small pictures: a training frame, and eight ways it varies.

    Parameters
    ----------
    viewer : ViewerModel
        Takes the pictures as layers, when asked for.
    make_config : callable
        Gives the settings of the run as they are chosen now; raises `MicroUSError`
        where they make no sense.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        make_config: Callable[[], TrainConfig],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._make_config = make_config
        self._worker: Worker | None = None
        self._seed = -1
        self.shown: Variations | None = None
        self.button = push_button(
            tr("Preview"),
            tr(
                "Show a training frame and eight variations of it, as the "
                "settings above make them; every click draws again."
            ),
        )
        self.as_layers = QCheckBox(tr("Show as layers"))
        self.as_layers.setToolTip(tr("Also show the pictures, large, in the viewer."))
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message = text()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(beside(self.button, self.as_layers, stretch=(1,)))
        column.addWidget(self.message)
        column.addWidget(self.picture)
        for item in (self.picture, self.message):
            item.setVisible(False)
        self.button.clicked.connect(self.draw)
        self.as_layers.toggled.connect(self._on_as_layers)

    def draw(self) -> None:
        """Vary a frame again."""
        if self._worker is not None:
            return
        try:
            config = self._make_config()
        except MicroUSError as error:
            self.say(plain_words(error))
            return
        self._seed += 1
        self.button.setEnabled(False)
        self.say(tr("Drawing …"))
        self._worker = start_worker(
            _vary,
            config,
            self._seed,
            returned=self._on_drawn,
            errored=self._on_error,
            finished=self._on_finished,
        )
        self.destroyed.connect(self._worker.forget)

    def _on_drawn(self, found: Variations) -> None:
        self.shown = found
        pixmap = _pixmap(montage(found))
        self.picture.setPixmap(pixmap)
        self.picture.setMinimumHeight(pixmap.height())  # the fold gives no more
        self.picture.setVisible(True)
        self.say(
            f"'{found.case}', frame {found.frame}: first as it is, then as a run would "
            "see it."
        )
        if self.as_layers.isChecked():
            show_layers(self._viewer, found)

    def _on_error(self, error: Exception) -> None:
        is_known = isinstance(error, (MicroUSError, OSError))
        self.say(
            plain_words(error)
            if is_known
            else tr("This failed: {error}").format(error=error)
        )

    def _on_finished(self) -> None:
        self._worker = None
        self.button.setEnabled(True)

    def _on_as_layers(self, is_on: bool) -> None:
        if not is_on:
            remove_layers(self._viewer)
        elif self.shown is not None:
            show_layers(self._viewer, self.shown)

    def say(self, words: str) -> None:
        """Show a sentence."""
        self.message.setText(words)
        self.message.setVisible(bool(words))


def _vary(config: TrainConfig, seed: int) -> Generator[Event, None, Variations]:
    from napari_microus.core.preload import import_torch
    from napari_microus.core.train.variations import vary_a_frame

    import_torch()
    return (yield from vary_a_frame(config, seed=seed))


def tiles(stack: NDArray[Any]) -> NDArray[Any]:
    """Return frames (N, S, S) side by side, row by row, with gaps of zeros."""
    count, size, _ = stack.shape
    rows = -(-count // _COLUMNS)
    shape = [n * (size + _GAP) - _GAP for n in (rows, _COLUMNS)]
    sheet = np.zeros(shape, stack.dtype)
    for index, frame in enumerate(stack):
        row, column = (n * (size + _GAP) for n in divmod(index, _COLUMNS))
        sheet[row : row + size, column : column + size] = frame
    return sheet


def contours(masks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the boundary of each capsule in masks (N, S, S), two pixels wide."""
    from scipy.ndimage import binary_erosion

    inside = masks == 1
    eroded = [binary_erosion(mask, iterations=2, border_value=1) for mask in inside]
    return inside & ~np.stack(eroded)


def montage(found: Variations) -> NDArray[np.uint8]:
    """Return the variations with their contours as one picture (Y, X, 3)."""
    picture = np.repeat(tiles(found.frames)[..., np.newaxis], 3, axis=-1)
    ink = [int(colors.CAPSULE[i : i + 2], 16) for i in (1, 3, 5)]
    picture[tiles(contours(found.masks))] = ink
    return picture


def _pixmap(picture: NDArray[np.uint8]) -> QPixmap:
    values = np.ascontiguousarray(picture)
    height, width = values.shape[:2]
    drawn = QImage(values.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    pixmap = QPixmap.fromImage(drawn.copy())  # the array's memory is not kept
    return pixmap.scaledToWidth(_WIDTH, Qt.TransformationMode.SmoothTransformation)


def show_layers(viewer: ViewerModel, found: Variations) -> None:
    """Show the variations and their capsules as two layers over the others."""
    remove_layers(viewer)
    sheet = tiles(found.frames)
    own = {"metadata": {_OURS: found.case}, **_place(viewer, sheet.shape)}
    image = viewer.add_image(sheet, name=IMAGE_LAYER, **own)
    masks = viewer.add_labels(
        tiles(found.masks),
        name=MASK_LAYER,
        colormap={
            0: "transparent",
            1: colors.CAPSULE,
            255: colors.IGNORED,
            None: colors.IGNORED,
        },
        **own,
    )
    masks.contour = 2
    masks.editable = False
    viewer.layers.selection.active = image


def _place(viewer: ViewerModel, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the arguments that lay a sheet over what the viewer shows."""
    if not viewer.layers:
        return {}
    low, high = (corner[-2:] for corner in viewer.layers.extent.world)
    scale = float(max(high - low)) / max(shape)
    units = tuple(viewer.layers[0].units[-2:])
    return {"scale": (scale, scale), "translate": tuple(low), "units": units}


def remove_layers(viewer: ViewerModel) -> None:
    """Take our two layers out of the viewer."""
    for layer in [layer for layer in viewer.layers if _OURS in layer.metadata]:
        viewer.layers.remove(layer)
