"""A straight grid that is filled from the frames of a sweep, two at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.events import Event, Progress
from napari_microus.core.sweep_space.fan import Fan
from napari_microus.core.sweep_space.placing import axes_of, known_sweep, turning
from napari_microus.core.sweep_space.sampling import (
    Method,
    Sampler,
    distance_between,
    values_between,
)
from napari_microus.core.sweep_space.stack import Stack
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_microus.core.sweep import Sweep
    from napari_microus.core.sweep_space.cells import Cells, Swept

#: How many voxels from an outline distances are stated, at most.
BAND = 3

# What lies on the border is inside.
_ON_EDGE_MM = 1e-6
_VALUES_AT_ONCE = 4 << 20

Box = list[tuple[float, float]]


class SweepGrid:
    """The space that a volume's frames cover, in mm: w, v and u.

    ``u`` runs along the lines of a frame, ``v`` from line to line and ``w`` from frame
    to frame; the first pixel of the plane that the affine states is at 0.

    Parameters
    ----------
    volume : Volume
        Scan or mask.
    sweep : Sweep, optional
        Instead of the one that its metadata states.

    Raises
    ------
    InputError
        If the geometry is not known; see `known_sweep`.
    """

    def __init__(self, volume: Volume, sweep: Sweep | None) -> None:
        sweep = known_sweep(volume, sweep)
        self.volume = volume
        self.axes = axes_of(volume, sweep)
        frames, rows, columns = volume.shape
        self.size = (rows, columns) if self.axes.lines_are_rows else (columns, rows)
        lines, line_mm = self.size[0], self.axes.line_mm
        self._swept: Swept
        if sweep.kind == "rotational":
            angles, side = turning(sweep, line_mm, lines)
            at_mm = float(sweep.axis_at_mm or 0.0)
            self._swept = Fan(angles, side, at_mm, lines, line_mm)
        else:
            self._swept = Stack(frames, lines, self.axes.frame_mm, line_mm)

    def box_mm(
        self,
        frames: NDArray[np.bool_],
        lines: tuple[int, int],
        steps: tuple[int, int],
    ) -> Box:
        """Return from where to where some frames, lines and pixels of lines reach."""
        v, w = self._swept.bounds_mm(frames, lines)
        step_mm = self.axes.step_mm
        return [w, v, ((steps[0] - 0.5) * step_mm, (steps[1] + 0.5) * step_mm)]

    def values(
        self,
        box: Box,
        size_mm: float,
        method: Method,
        kind: np.dtype[Any],
        outside: float,
    ) -> Generator[Event, None, Volume]:
        """Return a grid of grey levels, labels, or a mask (by distances).

        Parameters
        ----------
        box : list of tuple of float
            From where to where, in the order w, v, u.
        size_mm : float
            Edge of a voxel.
        method : Method
            How values come about; distances above 0 are 1.
        kind : dtype
            Of the result.
        outside : float
            Value where there is no frame.
        """
        places = [_centres(low, high, size_mm) for low, high in box]
        sampler = self._sampler(places[2], size_mm, method)
        array = np.full([len(place) for place in places], outside, kind)
        cells = self._cells(places)
        filling = _filling(array, cells, sampler, -_ON_EDGE_MM)
        for chosen, along, event in filling:
            yield event
            if method is Method.distance:
                found = distance_between(sampler, cells, chosen, along) > 0
            else:
                found = values_between(sampler, cells, chosen, along)
                found = np.rint(found) if kind.kind in "iub" else found
            array.reshape(-1, array.shape[2])[np.ix_(chosen, along)] = found
        return self._placed(array, places, size_mm)

    def distances(self, box: Box, size_mm: float) -> Generator[Event, None, Volume]:
        """Return a grid of distances inside an outline, cut off where frames end.

        They are stated up to `BAND` voxels from the outline.
        """
        places = [_centres(low, high, size_mm) for low, high in box]
        sampler = self._sampler(places[2], size_mm, Method.distance)
        band = BAND * size_mm
        array = np.full([len(place) for place in places], -band, np.float32)
        cells = self._cells(places)
        edge = cells.edge_mm.ravel()
        for chosen, along, event in _filling(array, cells, sampler, -band):
            yield event
            found = distance_between(sampler, cells, chosen, along)
            border = np.minimum(edge[chosen, np.newaxis], sampler.edge_mm[along])
            found = np.clip(np.minimum(found, border), -band, band)
            array.reshape(-1, array.shape[2])[np.ix_(chosen, along)] = found
        return self._placed(array, places, size_mm)

    def _sampler(
        self, u_mm: NDArray[np.float64], size_mm: float, method: Method
    ) -> Sampler:
        return Sampler(self.volume.array, self.axes, u_mm, size_mm, method)

    def _cells(self, places: list[NDArray[np.float64]]) -> Cells:
        w, v = np.meshgrid(places[0], places[1], indexing="ij")
        return self._swept.cells(v, w)

    def _placed(
        self, array: NDArray[Any], places: list[NDArray[np.float64]], size_mm: float
    ) -> Volume:
        axes = self.axes
        directions = np.stack([axes.along, axes.across, axes.between], axis=1)
        first = np.array([place[0] for place in places[::-1]])
        affine = np.eye(4)
        affine[:3, :3] = directions * size_mm
        affine[:3, 3] = axes.origin + directions @ first
        if not axes.lines_are_rows:
            affine[:, :2] = affine[:, 1::-1]
            array = np.swapaxes(array, 1, 2)
        known = self.volume.metadata
        metadata = {"source": known["source"]} if "source" in known else {}
        return Volume(
            array, affine, True, metadata, is_oriented=self.volume.is_oriented
        )


def _filling(
    array: NDArray[Any], cells: Cells, sampler: Sampler, least_mm: float
) -> Generator[tuple[NDArray[np.intp], NDArray[np.intp], Progress], None, None]:
    """Yield cells between one pair of frames, voxels along them, and the progress."""
    inside = np.flatnonzero(cells.edge_mm.ravel() >= least_mm)
    along = np.flatnonzero(sampler.edge_mm >= least_mm)
    if not (inside.size and along.size):
        return
    first, second = (n.ravel()[inside] for n in (cells.first, cells.second))
    key = first * (int(second.max()) + 1) + second
    order = np.argsort(key, kind="stable")
    pairs = np.split(inside[order], np.flatnonzero(np.diff(key[order])) + 1)
    count = max(1, _VALUES_AT_ONCE // len(along))
    for number, chosen in enumerate(pairs, start=1):
        progress = Progress(
            number, len(pairs), "sectors", "Placing the frames in space"
        )
        for begin in range(0, len(chosen), count):
            yield chosen[begin : begin + count], along, progress


def _centres(low: float, high: float, size_mm: float) -> NDArray[np.float64]:
    """Return the centres of voxels in a range, one of which would lie at 0."""
    first = math.ceil(low / size_mm - 1e-6)
    last = max(math.floor(high / size_mm + 1e-6), first)
    return np.arange(first, last + 1, dtype=np.float64) * size_mm
