"""Volume and area of a Labels layer, kept true while the user edits it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_microus.core.errors import InputError, plain_words
from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.core.sweep import sweep_of
from napari_microus.core.volumetry import axis_moments, volume_of_frames
from napari_microus.widgets._shared.layers import grid_of_layer
from napari_microus.widgets._shared.words import tr
from napari_microus.widgets.segment.layers import current_frame

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels
    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume


@dataclass(frozen=True)
class Size:
    """The size of what is drawn, in words, and the volume where there is one.

    Parameters
    ----------
    area, volume : str
        Of the frame in view and of the scan.
    method : str
        How the volume was worked out, or why there is none in mL.
    ml : float or None
        The volume.
    """

    area: str = "–"
    volume: str = "–"
    method: str = ""
    ml: float | None = None


_EVENTS = ("paint", "labels_update", "set_data", "data", "scale", "units", "affine")
_PIXELS_PER_STEP = 20_000_000  # a few milliseconds of counting


class Readout(QObject):
    """Counts a layer's labelled pixels, the frame in view first.

    The frame in view is counted at once after an edit, the others in short steps
    between the window's events: undo may have changed any of them.

    ``changed`` is emitted with a `Size`.
    """

    changed = Signal(object)

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Labels | None = None
        # Of each frame, apart: labels, and pixels of 255.
        self._counts = np.zeros((2, 0), dtype=np.int64)
        self._moments = np.zeros((2, 0, 2))
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
        self._counts = np.zeros((2, 0), dtype=np.int64)
        if layer is None:
            self._viewer.dims.events.current_step.disconnect(self._on_edit)
            self._soon.stop()
            self._sweep.stop()
            self.changed.emit(Size())
            return
        for name in _EVENTS:
            getattr(layer.events, name).connect(self._on_edit)
        self._begin()

    def _on_edit(self) -> None:
        if not self._soon.isActive():
            self._soon.start()

    def _frames(self) -> NDArray[Any]:
        assert self._layer is not None
        data = self._layer.data
        return data.reshape((-1, *data.shape[-2:]))

    def _begin(self) -> None:
        if self._layer is None:
            return
        frames = self._frames()
        if self._counts.shape[1] != len(frames):
            self._counts = np.full((2, len(frames)), -1, dtype=np.int64)
            self._moments = np.zeros((2, len(frames), 2))
        self._count(current_frame(self._viewer, self._layer))
        self._next = 0
        self._show()
        self._sweep.start()

    def _count(self, first: int, last: int | None = None) -> None:
        """Count frames, from the first up to the last, excluded."""
        assert self._layer is not None
        chosen = slice(first, first + 1 if last is None else last)
        frames = np.asarray(self._frames()[chosen])
        grid = grid_of_layer(self._layer)
        sweep, pixel_mm = sweep_of(grid.metadata), grid.spacing_mm[1:]
        is_undecided = frames == IGNORE_VALUE
        for kind, inside in enumerate(((frames != 0) & ~is_undecided, is_undecided)):
            self._counts[kind, chosen] = inside.sum(axis=(1, 2))
            if self._counts[kind, chosen].any():
                self._moments[kind, chosen] = axis_moments(inside, sweep, pixel_mm)
            else:
                self._moments[kind, chosen] = 0

    def _step(self) -> None:
        if self._layer is None:
            return
        frames = self._frames()
        per_step = max(1, _PIXELS_PER_STEP // frames[0].size)
        self._count(self._next, min(self._next + per_step, len(frames)))
        self._next += per_step
        if self._next >= len(frames):
            self._sweep.stop()
            self._show()

    def _show(self) -> None:
        assert self._layer is not None
        shown = current_frame(self._viewer, self._layer)
        grid = grid_of_layer(self._layer)
        is_whole = bool((self._counts >= 0).all())
        # Beside no other label 255 is a mask's 1; else nobody has decided there.
        kind = int(is_whole and not self._counts[0].any())
        counts = self._counts[kind] if is_whole else None
        area = int(self._counts[kind, shown])
        self.changed.emit(describe_size(grid, area, counts, self._moments[kind]))


def describe_size(
    grid: Volume,
    area: int,
    counts: NDArray[np.int64] | None,
    moments: NDArray[np.float64],
) -> Size:
    """Return area and volume in words: physical where the grid has a size.

    Parameters
    ----------
    grid : Volume
        Gives the size of a pixel and how the frames lie to each other.
    area : int
        Labelled pixels in the frame.
    counts : ndarray of int, shape (frames,)
        Labelled pixels in each frame; None while they are being counted.
    moments : ndarray, shape (frames, 2)
        Of `axis_moments`.
    """
    if not grid.has_geometry:
        frame = tr("{count} pixels").format(count=f"{area:,}")
    else:
        height_mm, width_mm = grid.spacing_mm[1:]
        frame = f"{area * height_mm * width_mm:,.1f} mm²"
    if len(grid.array) == 1:
        return Size(frame, tr("– (one frame)"))
    if counts is None:
        return Size(frame, tr("counting …"))
    try:
        estimate = volume_of_frames(grid, counts, moments)
    except InputError as error:  # such as a sweep that sees parts twice
        return Size(frame, "–", plain_words(error))
    if estimate.ml is not None:
        return Size(frame, f"{estimate.ml:.2f} mL", estimate.method, estimate.ml)
    if not grid.has_geometry:
        counted = tr("{count} voxels – set the pixel size for mL")
        counted = counted.format(count=f"{int(counts.sum()):,}")
        return Size(frame, counted, estimate.method)
    return Size(frame, "–", estimate.method)
