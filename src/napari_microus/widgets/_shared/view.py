"""Bring a scan back into view when a dock takes room from the canvas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtWidgets import QMainWindow

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from qtpy.QtWidgets import QWidget

_FRAME_PX = 40  # a dock is wider than its widget


def refit(widget: QWidget, viewer: ViewerModel) -> None:
    """Show all of the scan again if all of it was seen before the dock came.

    napari keeps its zoom when the canvas becomes narrower. A view that the user has
    moved, or zoomed into, stays.
    """
    window = widget.window()
    canvas = window.centralWidget() if isinstance(window, QMainWindow) else None
    if canvas is None or not viewer.layers or viewer.dims.ndisplay != 2:
        return
    camera = viewer.scene.camera
    axes = list(viewer.dims.displayed)
    low, high = np.asarray(viewer.layers.extent.world)[:, axes]
    middle = np.asarray(camera.center)[-2:]
    is_moved = np.abs(middle - (low + high) / 2) > 0.02 * (high - low)
    shown = (high - low) * camera.zoom
    now = np.array([canvas.height(), canvas.width()])
    taken = np.array([widget.height(), widget.width()]) + _FRAME_PX
    was_seen = (shown <= now + taken).all()
    if not is_moved.any() and was_seen and (shown > now).any():
        viewer.reset_view()
