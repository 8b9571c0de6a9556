"""Find where a Labels layer was edited, from napari's events alone.

napari reports an edit in four ways. ``labels_update`` comes with every dab of the
brush and carries a box of the shown frame; ``paint`` comes once a stroke, a fill or
a scripted edit enters the history, for a fill *before* the pixels change; an undo
or redo only asks for a redraw, ``set_data``, which changing the frame does too;
``data`` reports another array. So the boxes of the history are remembered, and a
redraw that does not come from moving about looks at them again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels
    from numpy.typing import NDArray

    Box = tuple[slice, ...]

# napari's history holds as many steps.
_HISTORY = 100


def set_pixels(layer: Labels, index: tuple[Any, ...], values: NDArray[Any]) -> None:
    """Change pixels of a layer as one step that Ctrl+Z undoes, shown or hidden.

    A hidden layer does not follow the slider, and one that is shorter than the scan
    shows nothing beyond its end. There napari's `data_setitem` changes the data and
    the history, and then fails on its picture of another frame, or of none.
    """
    try:
        layer.data_setitem(index, values)
    except (IndexError, ValueError):
        if not np.array_equal(layer.data[index], values):
            raise
        layer.refresh()


class EditWatcher(QObject):
    """Emits ``edited(box)`` for every place where pixels of a layer may have changed.

    Parameters
    ----------
    viewer : ViewerModel
        Gives which frame is in view.
    layer : Labels
        Layer of two or three dimensions.
    with_dabs : bool
        Also report each dab while the brush is down, not only of whole strokes.
    """

    edited = Signal(object)
    replaced = Signal()

    def __init__(
        self, viewer: ViewerModel, layer: Labels, *, with_dabs: bool = True
    ) -> None:
        super().__init__()
        self.layer = layer
        self._viewer = viewer
        self._view = self._current_view()
        self._edits: deque[Box] = deque(maxlen=_HISTORY)
        self._point: tuple[float, ...] = ()
        self._frame = 0
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.look_again)
        events = layer.events
        self._connections = [
            (events.paint, self._on_paint),
            (events.set_data, self._on_redraw),
            (events.visible, self._on_shown),
            (events.data, self._on_new_array),
        ]
        if with_dabs:
            self._connections.append((events.labels_update, self._on_dab))
        for emitter, slot in self._connections:
            emitter.connect(slot)

    def close(self) -> None:
        """Watch no longer."""
        self._soon.stop()
        for emitter, slot in self._connections:
            emitter.disconnect(slot)
        self._connections = []

    def look_again(self) -> None:
        """Report the shown frame and every place that an undo could reach."""
        shown = self.shown_box()
        for box in self._boxes():
            if box[:-2] != shown[:-2]:
                self.edited.emit(box)
        self.edited.emit(shown)

    def shown_box(self) -> Box:
        """Return the box of the frame in view."""
        if self.layer.ndim == 2:
            return (slice(None), slice(None))
        frame = self.shown_frame()
        return (slice(frame, frame + 1), slice(None), slice(None))

    def shown_frame(self) -> int:
        """Return the index of the layer's frame in view."""
        point = self._viewer.dims.point
        if point != self._point:  # napari takes a millisecond to work it out
            self._point = point
            self._frame = shown_frame(self._viewer, self.layer)
        return self._frame

    def _on_paint(self, event: Any) -> None:
        for atom in event.value:
            box = _box_of(atom)
            self._edits.append(box)
            self.edited.emit(box)
        # A fill is reported before its pixels change.
        self._soon.start()

    def _on_dab(self, event: Any) -> None:
        first = self._viewer.dims.ndim - self.layer.ndim
        displayed = self._viewer.dims.displayed[-self.layer.ndim :]
        box = list(self.shown_box())
        sizes = event.data.shape
        for axis, start, size in zip(displayed, event.offset, sizes, strict=False):
            box[axis - first] = slice(int(start), int(start) + size)
        self.edited.emit(tuple(box))

    def _on_redraw(self, event: Any) -> None:
        view = self._current_view()
        has_moved = view != self._view
        self._view = view
        if not has_moved:
            self._soon.start()

    def _on_shown(self, event: Any) -> None:
        # A hidden layer reports no undo.
        self._soon.start()

    def _on_new_array(self, event: Any) -> None:
        self._edits.clear()
        self.replaced.emit()

    def _current_view(self) -> Any:
        dims = self._viewer.dims
        return dims.point, dims.displayed

    def _boxes(self) -> list[Box]:
        """Return the remembered boxes, those of one frame joined."""
        by_frames: dict[Any, list[Box]] = {}
        for box in self._edits:
            key = (box[0].start, box[0].stop) if len(box) == 3 else ()
            by_frames.setdefault(key, []).append(box)
        return [_around(boxes) for boxes in by_frames.values()]


def shown_frame(viewer: ViewerModel, layer: Labels) -> int:
    """Return the index of the layer's frame in view."""
    if layer.ndim == 2:
        return 0
    point = layer.world_to_data(viewer.dims.point)
    return int(np.clip(np.round(point[0]), 0, layer.data.shape[0] - 1))


def _around(boxes: list[Box]) -> Box:
    return tuple(
        slice(min(part.start for part in parts), max(part.stop for part in parts))
        for parts in zip(*boxes, strict=True)
    )


def _box_of(atom: Any) -> Box:
    """Return where a step of napari's history changed pixels."""
    key = getattr(atom, "slice_key", None)
    if key is not None:
        return tuple(key)
    return tuple(slice(int(np.min(i)), int(np.max(i)) + 1) for i in atom[0])
