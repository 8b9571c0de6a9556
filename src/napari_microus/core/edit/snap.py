"""Bring a handle to where the model sees the capsule's border.

Across the outline, the border is where the probability changes fastest. Handles of
held-out frames that were moved by 2 % of the diameter (median) came to lie within 1.7 %
of the outline (`benchmarks/snap.py`): a help where the model sees a border, no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_REACH = 0.06  # of the outline's diameter, to either side
_PLACES = 41
_NEARNESS = 0.25  # price of the whole reach, in parts of the fastest change
_LEAST_CHANGE = 0.05  # of the probability over two pixels: below, there is no border


def snap(
    handles: NDArray[np.float64], which: int, probability: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return where a handle lies on the border that the model sees.

    Parameters
    ----------
    handles : ndarray, shape (n, 2)
        Rows and columns of the handles, in their order along the outline.
    which : int
        The handle to move; it goes along the normal, at most 6 % of the outline's
        diameter, and rather a short way than a long one.
    probability : ndarray, shape (Y, X)
        Of the capsule, by a model; see `predict`.

    Returns
    -------
    ndarray, shape (2,)
        The handle as it was where the model sees no border near it.

    Raises
    ------
    InputError
        If there are fewer than three handles.
    """
    if len(handles) < 3:
        raise InputError(
            f"A handle needs two others to be snapped; got {len(handles)} in all. "
            "Add some.",
            plain=("Add some handles first: one alone has no outline to follow."),
        )
    point = handles[which]
    before, after = handles[which - 1], handles[(which + 1) % len(handles)]
    along = after - before
    normal = np.array([-along[1], along[0]]) / max(np.linalg.norm(along), 1e-9)
    diameter = float(np.linalg.norm(np.ptp(handles, axis=0))) / np.sqrt(2)
    places = np.linspace(-1, 1, _PLACES)
    # Over two pixels: between pixel centres an interpolated image has one slope.
    ends = _REACH * diameter * places + np.array([[-1.0], [1.0]])
    ray = point + ends[..., None] * normal
    inner, outer = map_coordinates(
        np.asarray(probability, dtype=np.float32),
        ray.transpose(2, 0, 1),
        order=1,
        mode="nearest",
    )
    change = np.abs(outer - inner)
    if change.max() < _LEAST_CHANGE:
        return np.array(point)
    score = change / change.max() - _NEARNESS * places**2
    best = places[int(score.argmax())]
    return np.asarray(point + _REACH * diameter * best * normal)
