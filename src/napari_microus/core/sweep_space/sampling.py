"""Values of voxels between two frames."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from napari_microus.core.sweep_space.cells import edge_of_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_microus.core.sweep_space.cells import Cells
    from napari_microus.core.sweep_space.placing import Axes

# Beyond its last frame an outline shrinks and ends before the next, which is empty:
# there the distance is this share of the outline's half width. A round one then has
# the volume that sectors and planimetry give it, half of area times distance.
_TIP = 0.245


class Method(StrEnum):
    """How values between pixels come about."""

    linear = "linear"
    nearest = "nearest"
    distance = "distance"


class Sampler:
    """Frames whose lines have been brought to the places of a grid.

    Parameters
    ----------
    array : ndarray, shape (frames, Y, X)
        Read two frames at a time.
    axes : Axes
        Which way lines run, and the pixel size.
    u_mm : ndarray, shape (n,)
        Places along the lines.
    size_mm : float
        Edge of a voxel; grey levels are smoothed where it is larger than a pixel.
    method : Method
        How values come about.
    """

    def __init__(
        self,
        array: NDArray[Any],
        axes: Axes,
        u_mm: NDArray[np.float64],
        size_mm: float,
        method: Method,
    ) -> None:
        self.method = method
        self._array, self._axes, self._size = array, axes, size_mm
        steps = array.shape[2 if axes.lines_are_rows else 1]
        self.edge_mm = edge_of_lines(u_mm, axes.step_mm, steps)
        self._u = np.clip(u_mm / axes.step_mm, 0, steps - 1)
        self._kept: dict[int, NDArray[Any]] = {}

    def frame(self, number: int) -> NDArray[Any]:
        """Return a frame, shape (lines, n); distances are in mm, empty ones -inf."""
        if number not in self._kept:
            while len(self._kept) > 1:
                del self._kept[next(iter(self._kept))]
            self._kept[number] = self._prepared(number)
        return self._kept[number]

    def _prepared(self, number: int) -> NDArray[Any]:
        frame = self._axes.of_frames(self._array[number])
        pixel = self._axes.line_mm, self._axes.step_mm
        if self.method is Method.nearest:
            return np.asarray(frame[:, np.rint(self._u).astype(np.intp)])
        if self.method is Method.distance:
            grey = _distance_mm(frame == 1, pixel)
        else:
            grey = np.asarray(frame, np.float32)
            sigma = [max(0.0, (self._size / mm - 1) / 2) for mm in pixel]
            if max(sigma) > 0:
                grey = gaussian_filter(grey, sigma, mode="nearest")
        return _between_columns(grey, self._u)


def values_between(
    sampler: Sampler, cells: Cells, chosen: NDArray[np.intp], along: NDArray[np.intp]
) -> NDArray[Any]:
    """Return the values (cells, along) of cells between one pair of frames."""
    pair = int(cells.first.ravel()[chosen[0]]), int(cells.second.ravel()[chosen[0]])
    places = cells.first_line.ravel()[chosen], cells.second_line.ravel()[chosen]
    part = cells.part.ravel()[chosen]
    if sampler.method is Method.nearest:
        first, second = (
            _at_lines(sampler.frame(n)[:, along], np.rint(place))
            for n, place in zip(pair, places, strict=True)
        )
        return np.where((part < 0.5)[:, np.newaxis], first, second)
    first, second = (
        _at_lines(sampler.frame(n)[:, along], place)
        for n, place in zip(pair, places, strict=True)
    )
    weight = part.astype(np.float32)[:, np.newaxis]
    return np.asarray(first + weight * (second - first))


def distance_between(
    sampler: Sampler, cells: Cells, chosen: NDArray[np.intp], along: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return the distance inside an outline (cells, along), in mm."""
    pair = int(cells.first.ravel()[chosen[0]]), int(cells.second.ravel()[chosen[0]])
    frames = [sampler.frame(number) for number in pair]
    deepest = [float(frame.max()) for frame in frames]
    places = cells.first_line.ravel()[chosen], cells.second_line.ravel()[chosen]
    shape = len(chosen), len(along)
    if max(deepest) == -np.inf:
        return np.full(shape, -np.inf, np.float32)
    values = [
        _at_lines(frame[:, along], place)
        if deep > -np.inf
        else np.full(shape, -_TIP * max(deepest), np.float32)
        for frame, place, deep in zip(frames, places, deepest, strict=True)
    ]
    weight = cells.part.ravel()[chosen].astype(np.float32)[:, np.newaxis]
    return np.asarray(values[0] + weight * (values[1] - values[0]))


def _distance_mm(
    inside: NDArray[np.bool_], pixel_mm: tuple[float, float]
) -> NDArray[np.float32]:
    """Return the distance to the outline, which runs between pixels, above 0 inside."""
    if not inside.any():
        return np.full(inside.shape, -np.inf, np.float32)
    half = min(pixel_mm) / 2
    within = distance_transform_edt(inside, sampling=pixel_mm)
    if inside.all():
        return np.full(inside.shape, max(inside.shape) * max(pixel_mm), np.float32)
    beyond = distance_transform_edt(~inside, sampling=pixel_mm)
    return np.asarray(np.where(inside, within - half, half - beyond), np.float32)


def _between_columns(
    frame: NDArray[np.float32], place: NDArray[np.float64]
) -> NDArray[np.float32]:
    low = np.minimum(place.astype(np.intp), max(frame.shape[1] - 2, 0))
    high = np.minimum(low + 1, frame.shape[1] - 1)
    weight = (place - low).astype(np.float32)
    first = frame[:, low]
    if not np.isfinite(frame).all():  # an empty frame has no distance
        return first
    return np.asarray(first + weight * (frame[:, high] - first))


def _at_lines(frame: NDArray[Any], place: NDArray[np.float64]) -> NDArray[Any]:
    place = np.clip(place, 0, len(frame) - 1)
    low = np.minimum(place.astype(np.intp), max(len(frame) - 2, 0))
    high = np.minimum(low + 1, len(frame) - 1)
    weight = (place - low)[:, np.newaxis]
    if not weight.any():
        return np.asarray(frame[low])
    weight = weight.astype(np.float32)
    first = frame[low]
    return np.asarray(first + weight * (frame[high] - first))
