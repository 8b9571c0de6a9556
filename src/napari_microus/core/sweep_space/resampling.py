"""One straight grid of the frames of a sweep.

Between two neighbouring frames, values change evenly with the angle, or the distance;
those of a mask are distances to its outline [1]_. Nothing is made up beyond the
outermost frames and the border of the picture.

References
----------
.. [1] Raya, Udupa, "Shape-based interpolation of multidimensional objects", IEEE
   Trans. Med. Imaging 9(1), 1990.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Notice
from napari_microus.core.sweep_space.grid import BAND, Box, SweepGrid
from napari_microus.core.sweep_space.sampling import Method

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from napari_microus.core.sweep import Sweep
    from napari_microus.core.volume import Volume

#: A grid of more voxels is made coarser.
MOST_VOXELS = 128 << 20

# Where no voxel size is asked for: a scan, and the box around an outline.
_SCAN_VOXELS = 16 << 20
_FIELD_VOXELS = 1 << 20


def resample_sweep(
    volume: Volume,
    *,
    sweep: Sweep | None = None,
    spacing_mm: float | None = None,
    method: Literal["linear", "shape", "nearest"] = "linear",
    outside: float = 0,
) -> Generator[Event, None, Volume]:
    """Bring the frames of a sweep onto a straight grid of cubes.

    Parameters
    ----------
    volume : Volume
        Scan, probability or mask with its pixel size; its metadata may state the sweep.
    sweep : Sweep, optional
        Instead of the one that the metadata states.
    spacing_mm : float, optional
        Edge of a voxel. By default as fine as the pixels, or as 16 million voxels
        allow.
    method : {"linear", "shape", "nearest"}
        Grey levels and probabilities change evenly; a mask (1 is the object) by the
        distance to its outline; labels are those of the nearest pixel.
    outside : float
        Value where there is no frame.

    Yields
    ------
    Event
        `Progress` by pairs of frames; a `Notice` where voxels were made larger.

    Returns
    -------
    Volume
        Of the type of ``volume``, uint8 for "shape"; in the same RAS mm. Its columns,
        rows and frames run as those of the frame of angle 0, or of the stack.

    Raises
    ------
    InputError
        If the geometry is not known, or the voxel size is not above 0.

    Notes
    -----
    Two frames at a time are read and worked on. The result has at most 128 million
    voxels; where more are asked for, they are made larger.
    """
    grid = SweepGrid(volume, sweep)
    whole = np.ones(len(volume.array), bool)
    lines, steps = grid.size
    box = grid.box_mm(whole, (0, lines - 1), (0, steps - 1))
    pixel_mm = max(volume.spacing_mm[1:])
    size = yield from _voxel_mm(box, spacing_mm, pixel_mm, _SCAN_VOXELS)
    if method == "shape":
        kind: np.dtype[Any] = np.dtype(np.uint8)
        return (yield from grid.values(box, size, Method.distance, kind, outside))
    kind = volume.array.dtype
    return (yield from grid.values(box, size, Method(method), kind, outside))


def distance_field(
    mask: Volume, *, sweep: Sweep | None = None, spacing_mm: float | None = None
) -> Generator[Event, None, Volume]:
    """Return how far each voxel around an object lies inside its outline.

    Parameters
    ----------
    mask : Volume
        1 is the object; its metadata may state the sweep.
    sweep : Sweep, optional
        Instead of the one that the metadata states.
    spacing_mm : float, optional
        Edge of a voxel. By default half a pixel, or what a million voxels around the
        object allow.

    Yields
    ------
    Event
        As `resample_sweep`.

    Returns
    -------
    Volume
        float32 on a grid of cubes around the object, in mm, above 0 inside, up to
        three voxels from the outline; below 0 at all borders of the grid. Where the
        object continues beyond the frames, it is cut off there.

    Raises
    ------
    InputError
        If the geometry is not known, or there is no object.
    """
    grid = SweepGrid(mask, sweep)
    found = [_box(grid.axes.of_frames(frame == 1)) for frame in mask.array]
    drawn = np.array([box for box in found if box is not None])
    if not drawn.size:
        raise InputError(
            "To have a surface, a mask must hold an object; got an empty one. Outline "
            "the capsule first.",
            plain="Nothing is drawn yet. Outline the capsule first.",
        )
    (line, _), (step, _) = drawn.min(axis=0).tolist()
    (_, last_line), (_, last_step) = drawn.max(axis=0).tolist()
    frames = np.array([box is not None for box in found])
    tight = grid.box_mm(frames, (line, last_line), (step, last_step))
    half_mm = max(mask.spacing_mm[1:]) / 2
    size = yield from _voxel_mm(tight, spacing_mm, half_mm, _FIELD_VOXELS)
    margin = BAND * size
    box = [(low - margin, high + margin) for low, high in tight]
    return (yield from grid.distances(box, size))


def _voxel_mm(
    box: Box, asked_mm: float | None, finest_mm: float, wanted: int
) -> Generator[Event, None, float]:
    """Return the edge of a voxel; a notice states where it is not the one asked for."""
    if asked_mm is None:
        return _at_least(finest_mm, box, wanted)
    if not (math.isfinite(asked_mm) and asked_mm > 0):
        raise InputError(
            f"The size of a voxel must be above 0 mm; got {asked_mm}. Correct it.",
            plain=f"A voxel cannot be {asked_mm} mm large. Correct it.",
        )
    size = _at_least(asked_mm, box, MOST_VOXELS)
    if size != asked_mm:
        yield Notice(
            f"Voxels of {asked_mm:g} mm would be more than {MOST_VOXELS >> 20} "
            f"million; they are {size:.3g} mm."
        )
    return size


def _at_least(size_mm: float, box: Box, most: int) -> float:
    """Return a size that is no smaller, and gives no more than so many voxels."""
    extents = [high - low for low, high in box]
    while math.prod(extent / size_mm + 1 for extent in extents) > most:
        size_mm *= 1.02
    return size_mm


def _box(frame: NDArray[Any]) -> list[tuple[int, int]] | None:
    """Return the first and last line and pixel of an outline, None without one."""
    hits = [np.flatnonzero(frame.any(axis=axis)) for axis in (1, 0)]
    if not hits[0].size:
        return None
    return [(int(hit[0]), int(hit[-1])) for hit in hits]
