"""How far the area of an outline may be off, from the model's probability.

A pixel's probability p is read as the share of outlines that hold it. If outlines lie
inside one another, a wider one holding all of a narrower, the outline at a probability
of u is the one that a share u of all outlines is wider than. So the areas at 0.2 and
at 0.8 are the 80th and the 20th percentile of the area, and for an area that scatters
normally ::

    SD = (area where p ≥ 0.2 − area where p ≥ 0.8) / (2 · 0.8416)

0.8416 is the 80th percentile of a standard normal. Of all ways in which pixels can
belong together this one gives the widest scatter, for errors all round an outline then
have one sign. Parts that do not touch the outline are left out: it was drawn without
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

#: The two probabilities, and how many SDs of a normal lie between their areas.
WIDE, NARROW = 0.2, 0.8
_APART_SD = 2 * 0.8416

FORMULA = (
    "The standard deviation of a frame's area is (area at a probability of 0.2 − area "
    "at 0.8) / 1.683; the interval is 1.96 of them, taken to add up over all frames."
)
NO_PROBABILITY = "No interval: the model's probability is not at hand."
NO_MODEL_FRAME = "No interval: no frame stands as the model drew it."


def area_sd_px(inside: NDArray[np.bool_], probability: NDArray[Any]) -> float | None:
    """Return the standard deviation of one outline's area, in pixels.

    Parameters
    ----------
    inside : ndarray of bool, shape (Y, X)
        The outline's inside.
    probability : ndarray, shape (Y, X)
        The model's probability of the capsule, 0 to 1.

    Returns
    -------
    float or None
        None where the model saw nothing that touches the outline, or there is none.
    """
    from scipy import ndimage

    wide = probability >= WIDE
    if not (wide & inside).any():
        return None
    pieces, _ = ndimage.label(wide)
    touching = np.unique(pieces[wide & inside])
    kept = np.isin(pieces, touching)
    narrow = kept & (probability >= NARROW)
    return (int(kept.sum()) - int(narrow.sum())) / _APART_SD


def filled_shares(
    shares: list[float | None], edited: Collection[int]
) -> list[float] | None:
    """Return the relative error of every frame's area, by the others where unknown.

    What a person drew is not the model's, and its probability says nothing about it:
    such a frame gets the median share of the frames that stand as the model drew them.

    Parameters
    ----------
    shares : list of float or None
        Standard deviation divided by area, of each frame; None where unknown.
    edited : collection of int
        Frames that a person changed.

    Returns
    -------
    list of float or None
        None where no frame stands as the model drew it.
    """
    known = [
        share
        for frame, share in enumerate(shares)
        if share is not None and frame not in edited
    ]
    if not known:
        return None
    middle = float(np.median(known))
    return [
        middle if share is None or frame in edited else share
        for frame, share in enumerate(shares)
    ]
