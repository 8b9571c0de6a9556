"""Fill the frames between those that a person drew, by their shapes.

Between two drawn frames the signed distance to the outline changes evenly [1]_: the
capsule of a frame in between is where the weighted mean of both distances is positive.

References
----------
.. [1] Raya, Udupa, "Shape-based interpolation of multidimensional objects", IEEE
   Trans. Med. Imaging 9(1), 1990.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import distance_transform_edt

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray


def interpolate(
    masks: NDArray[np.bool_], drawn: Collection[int]
) -> dict[int, NDArray[np.bool_]]:
    """Return the frames between drawn ones; drawn frames are not among them.

    Parameters
    ----------
    masks : ndarray of bool, shape (Z, Y, X)
        The capsule; only the frames in ``drawn`` are looked at.
    drawn : collection of int
        Frames that a person drew or approved, an empty one among them if no gland is
        there. Frames before the first and after the last are left alone.

    Raises
    ------
    InputError
        If fewer than two frames were drawn, or none lies between them.
    """
    known = sorted(set(drawn))
    if len(known) < 2:
        raise InputError(
            "To interpolate, at least two frames must be drawn or approved; got "
            f"{len(known)}. Correct another one."
        )
    found: dict[int, NDArray[np.bool_]] = {}
    for first, last in pairwise(known):
        if last - first > 1:
            found |= _between(masks[first], masks[last], first, last)
    if not found:
        raise InputError(
            "To interpolate, frames must lie between the drawn ones; got neighbours "
            f"alone ({known[0]} to {known[-1]}). Correct a frame further away."
        )
    return found


def _between(
    start: NDArray[np.bool_], end: NDArray[np.bool_], first: int, last: int
) -> dict[int, NDArray[np.bool_]]:
    count = last - first
    if not start.any() or not end.any():
        # The gland ends half way: there its shape is that of the frame that has one.
        return {
            frame: (start if 2 * (frame - first) < count else end).copy()
            for frame in range(first + 1, last)
        }
    shift = np.subtract(_middle(end), _middle(start))
    near, far = signed_distance(start), signed_distance(end)
    found = {}
    for frame in range(first + 1, last):
        part = (frame - first) / count
        # Both shapes meet at the middle that the frame should have.
        moved = _shifted(near, part * shift), _shifted(far, (part - 1) * shift)
        found[frame] = (1 - part) * moved[0] + part * moved[1] > 0
    return found


def signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the distance to the outline in pixels, positive inside (Y, X)."""
    inside = distance_transform_edt(mask)
    return np.asarray(
        np.where(mask, inside - 0.5, 0.5 - distance_transform_edt(~mask)), np.float32
    )


def _middle(mask: NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def _shifted(
    distance: NDArray[np.float32], by: NDArray[np.float64]
) -> NDArray[np.float32]:
    from scipy.ndimage import shift

    return np.asarray(shift(distance, by, order=1, mode="nearest"))
