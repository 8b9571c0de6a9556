"""Volume and area of a Labels layer, kept true while the user edits it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_microus.widgets._shared.layers import volume_from_layer
from napari_microus.widgets.segment.layers import current_frame

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels

_EVENTS = ("paint", "labels_update", "set_data", "data", "scale", "units", "affine")
_PIXELS_PER_STEP = 20_000_000  # a few milliseconds of counting


class Readout(QObject):
    """Counts a layer's labelled pixels, the frame in view first.

    The frame in view is counted at once after an edit, the others in short steps
    between the window's events: undo may have changed any of them.

    ``changed`` is emitted with two lines of text (area, volume).
    """

    changed = Signal(str, str)

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Labels | None = None
        self._counts = np.zeros(0, dtype=np.int64)
        self._next = 0
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(30)
        self._soon.timeout.connect(self._begin)
        self._sweep = QTimer(self)
        self._sweep.setInterval(0)
        self._sweep.timeout.connect(self._step)

    @property
    def layer(self) -> Labels | None:
        """The layer being measured."""
        return self._layer

    def watch(self, layer: Labels | None) -> None:
        """Measure ``layer`` from now on; None shows nothing."""
        if layer is self._layer:
            return
        if self._layer is not None:
            for name in _EVENTS:
                getattr(self._layer.events, name).disconnect(self._on_edit)
        else:
            self._viewer.dims.events.current_step.connect(self._on_edit)
        self._layer = layer
        self._counts = np.zeros(0, dtype=np.int64)
        if layer is None:
            self._viewer.dims.events.current_step.disconnect(self._on_edit)
            self._soon.stop()
            self._sweep.stop()
            self.changed.emit("–", "–")
            return
        for name in _EVENTS:
            getattr(layer.events, name).connect(self._on_edit)
        self._begin()

    def _on_edit(self) -> None:
        if not self._soon.isActive():
            self._soon.start()

    def _frames(self) -> np.ndarray:
        assert self._layer is not None
        data = self._layer.data
        return data.reshape((-1, *data.shape[-2:]))

    def _begin(self) -> None:
        if self._layer is None:
            return
        frames = self._frames()
        if len(self._counts) != len(frames):
            self._counts = np.full(len(frames), -1, dtype=np.int64)
        shown = current_frame(self._viewer, self._layer)
        self._counts[shown] = np.count_nonzero(frames[shown])
        self._next = 0
        self._show()
        self._sweep.start()

    def _step(self) -> None:
        if self._layer is None:
            return
        frames = self._frames()
        per_step = max(1, _PIXELS_PER_STEP // frames[0].size)
        for index in range(self._next, min(self._next + per_step, len(frames))):
            self._counts[index] = np.count_nonzero(frames[index])
        self._next += per_step
        if self._next >= len(frames):
            self._sweep.stop()
            self._show()

    def _show(self) -> None:
        assert self._layer is not None
        shown = current_frame(self._viewer, self._layer)
        area = int(self._counts[shown])
        total = int(self._counts.sum()) if (self._counts >= 0).all() else None
        self.changed.emit(*describe_size(self._layer, area, total))


def describe_size(layer: Labels, area: int, total: int | None) -> tuple[str, str]:
    """Return area and volume in words: physical where the layer knows its size.

    Parameters
    ----------
    layer : Labels
        Gives the size of a pixel and the distance of frames.
    area, total : int
        Labelled pixels in the frame and in the scan; None while being counted.
    """
    grid = volume_from_layer(layer)
    column, row = grid.affine[:3, 0], grid.affine[:3, 1]
    pixel_mm2 = float(np.linalg.norm(np.cross(column, row)))
    voxel_mm3 = abs(float(np.linalg.det(grid.affine[:3, :3])))
    if grid.has_geometry:
        frame = f"{area * pixel_mm2:,.1f} mm²"
        scan = "" if total is None else f"{total * voxel_mm3 / 1000:.2f} mL"
    else:
        frame = f"{area:,} pixels"
        scan = "" if total is None else f"{total:,} pixels"
    if len(grid.array) == 1:
        return frame, "– (one frame)"
    if grid.has_geometry and not grid.knows_frame_distance:
        return frame, "– (distance of frames unknown)"
    return frame, scan or "counting …"
