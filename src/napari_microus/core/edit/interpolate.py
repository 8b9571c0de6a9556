"""Fill the frames between those that a person drew, by their shapes and the model.

Between two drawn frames the signed distance to the outline changes evenly [1]_: the
capsule of a frame in between is where the weighted mean of both distances is positive.
Where a model's probability is given, its log-odds are added to that distance, which
weighs the more the nearer the two outlines lie to each other: between neighbours the
shapes decide, between frames that lie far apart the image of the frame itself.

References
----------
.. [1] Raya, Udupa, "Shape-based interpolation of multidimensional objects", IEEE
   Trans. Med. Imaging 9(1), 1990.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.edit.distance import signed_distance
from napari_microus.core.edit.tools import fill, largest
from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

# Log-odds that a distance from the outline is worth, when it is as large as the gap
# between the two outlines (`benchmarks/interpolate.py`), which is at least this wide.
_WORTH, _NARROWEST_GAP = 5.0, 0.1
_SURE = 4.0  # log-odds beyond which a model is no more certain


def interpolate(
    masks: NDArray[np.bool_],
    drawn: Collection[int],
    probability: Mapping[int, NDArray[np.floating]] | None = None,
) -> dict[int, NDArray[np.bool_]]:
    """Return the frames between drawn ones; drawn frames are not among them.

    Parameters
    ----------
    masks : ndarray of bool, shape (Z, Y, X)
        The capsule; only the frames in ``drawn`` are looked at.
    drawn : collection of int
        Frames that a person drew or approved, an empty one among them if no gland is
        there. Frames before the first and after the last are left alone.
    probability : mapping of int to ndarray, shape (Y, X), optional
        A model's probability of the capsule by frame; a frame of which there is none
        follows the shapes alone, as does one beside a frame without a gland.

    Raises
    ------
    InputError
        If fewer than two frames were drawn, or none lies between them.
    """
    known = sorted(set(drawn))
    if len(known) < 2:
        raise InputError(
            "To interpolate, at least two frames must be drawn or approved; got "
            f"{len(known)}. Correct another one.",
            plain=(
                "Two frames at least have to be drawn or approved. Correct "
                "another one first."
            ),
        )
    found: dict[int, NDArray[np.bool_]] = {}
    for first, last in pairwise(known):
        if last - first > 1:
            found |= _between(masks[first], masks[last], first, last, probability or {})
    if not found:
        raise InputError(
            "To interpolate, frames must lie between the drawn ones; got neighbours "
            f"alone ({known[0]} to {known[-1]}). Correct a frame further away.",
            plain=(
                "There is no frame between the drawn ones. Correct one further away."
            ),
        )
    return found


def _between(
    start: NDArray[np.bool_],
    end: NDArray[np.bool_],
    first: int,
    last: int,
    probability: Mapping[int, NDArray[np.floating]],
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
    worth = _worth(near, far)
    found = {}
    for frame in range(first + 1, last):
        part = (frame - first) / count
        # Both shapes meet at the middle that the frame should have.
        moved = _shifted(near, part * shift), _shifted(far, (part - 1) * shift)
        score = (1 - part) * moved[0] + part * moved[1]
        if frame in probability:
            seen = np.asarray(probability[frame], dtype=np.float32)
            limit = 1 / (1 + np.exp(-_SURE))
            seen = np.clip(seen, 1 - limit, limit)
            score = worth * score + np.log(seen / (1 - seen))
            found[frame] = fill(largest(score > 0))
        else:
            found[frame] = score > 0
    return found


def _worth(near: NDArray[np.float32], far: NDArray[np.float32]) -> float:
    """Return the log-odds that a pixel of distance is worth between two outlines."""
    # A mask that fills its frame has no outline there.
    gaps = np.abs(np.concatenate([far[np.abs(near) < 1], near[np.abs(far) < 1]]))
    return _WORTH / max(float(gaps.mean()) if gaps.size else 0.0, _NARROWEST_GAP)


def _middle(mask: NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())


def _shifted(
    distance: NDArray[np.float32], by: NDArray[np.float64]
) -> NDArray[np.float32]:
    from scipy.ndimage import shift

    return np.asarray(shift(distance, by, order=1, mode="nearest"))
