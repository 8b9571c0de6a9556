"""Find the same stretch of boundary in neighbouring frames, or along a drag."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.compare.stretches import boundary_between, places_on
from napari_microus.core.disagreement import BOTH, disputed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_microus.core.compare.regions import DisputedRegion


def same_stretch(
    codes: NDArray[np.uint8],
    region: DisputedRegion,
    frames: Sequence[int],
) -> NDArray[np.bool_]:
    """Mark the disputed pixels of other frames that lie on a region's stretch.

    A stretch is known by its angle seen from the middle of what all annotators drew
    in its frame, so it follows a gland that grows or moves from frame to frame.

    Parameters
    ----------
    codes : ndarray of uint8, shape (Z, Y, X)
        A `disagreement_map`; of three and more annotators `votes.as_two` of it.
    region : DisputedRegion
        Whose stretch is looked for.
    frames : sequence of int
        Where; the region's own frames are left out.

    Returns
    -------
    ndarray of bool, shape (len(frames), Y, X)
        Empty where the annotators share no pixel in a frame.
    """
    marked = np.zeros((len(frames), *codes.shape[1:]), bool)
    middle = _middle(codes[region.frame] == BOTH)
    if middle is None:
        return marked
    z, y, x = region.box
    rows, columns = np.nonzero(region.mask[region.frame - z.start])
    start, width = _arc(
        _angles(np.column_stack([rows + y.start, columns + x.start]), middle)
    )
    for index, frame in enumerate(frames):
        there = _middle(codes[frame] == BOTH)
        if there is None or z.start <= frame < z.stop:
            continue
        where = np.nonzero(disputed(codes[frame]))
        after = (_angles(np.column_stack(where), there) - start) % (2 * np.pi)
        inside = after <= width
        marked[index][where[0][inside], where[1][inside]] = True
    return marked


def along_drag(
    codes: NDArray[np.uint8],
    path: NDArray[np.float64],
    pixel_mm: float = 1.0,
) -> NDArray[np.bool_]:
    """Mark the disputed pixels of one frame beside a drag along the boundary.

    Parameters
    ----------
    codes : ndarray of uint8, shape (Y, X)
        One frame of such a map.
    path : ndarray, shape (N, 2)
        Rows and columns that the pointer passed, in order.
    pixel_mm : float
        Width of a pixel.

    Returns
    -------
    ndarray of bool, shape (Y, X)
        Everything disputed on the stretch between the drag's two ends, across the
        whole gap; nothing where the annotators share no pixel.
    """
    marked = np.zeros(codes.shape, bool)
    line = boundary_between(codes, pixel_mm)
    if len(line) < 2 or not len(path):
        return marked
    steps = np.round(path).astype(np.int64)
    passed = _filled(places_on(line, (steps[:, 0], steps[:, 1]), pixel_mm), len(line))
    where = np.nonzero(disputed(codes))
    if where[0].size:
        inside = passed[places_on(line, where, pixel_mm)]
        marked[where[0][inside], where[1][inside]] = True
    return marked


def _filled(positions: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """Return the places of a closed line that a path passed, the short way each."""
    passed = np.zeros(length, bool)
    passed[positions] = True
    for first, second in itertools.pairwise(positions):
        forward = (second - first) % length
        start, count = (
            (first, forward) if forward <= length // 2 else (second, length - forward)
        )
        passed[np.arange(start, start + count + 1) % length] = True
    return passed


def _middle(shared: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    rows, columns = np.nonzero(shared)
    return np.array([rows.mean(), columns.mean()]) if rows.size else None


def _angles(
    points: NDArray[np.int64], middle: NDArray[np.float64]
) -> NDArray[np.float64]:
    away = points - middle
    angles: NDArray[np.float64] = np.arctan2(away[:, 0], away[:, 1])
    return angles


def _arc(angles: NDArray[np.float64]) -> tuple[float, float]:
    """Return start and width of the smallest arc that holds all angles, in radians."""
    ordered = np.sort(angles % (2 * np.pi))
    gaps = np.diff(np.r_[ordered, ordered[0] + 2 * np.pi])
    widest = int(gaps.argmax())
    return float(ordered[(widest + 1) % len(ordered)]), float(2 * np.pi - gaps[widest])
