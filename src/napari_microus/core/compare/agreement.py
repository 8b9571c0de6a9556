"""Agreement beyond chance between annotators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.mask import IGNORE_VALUE, check_same_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_microus.core.disagreement import Counts


def cohen_kappa(counts: Counts) -> float:
    """Return Cohen's kappa of two annotators from their pixel counts.

    Undecided pixels do not count. NaN where both drew one thing everywhere, as
    chance agreement is then complete.

    References
    ----------
    .. [1] J. Cohen, "A coefficient of agreement for nominal scales", 1960,
       doi:10.1177/001316446002000104.
    """
    both, background = counts.both, counts.background
    total = both + background + counts.disputed
    if total == 0:
        return float("nan")
    expert = (both + counts.expert_only) / total
    nonexpert = (both + counts.nonexpert_only) / total
    observed = (both + background) / total
    chance = expert * nonexpert + (1 - expert) * (1 - nonexpert)
    return float("nan") if chance == 1 else (observed - chance) / (1 - chance)


def fleiss_kappa(masks: Sequence[NDArray[np.uint8]]) -> float:
    """Return Fleiss' kappa of two or more annotators over every pixel.

    Parameters
    ----------
    masks : sequence of ndarray, same shape
        0, 1 or 255; a pixel that any annotator left undecided does not count.

    Raises
    ------
    InputError
        If fewer than two masks are given or the shapes differ.

    References
    ----------
    .. [1] J. L. Fleiss, "Measuring nominal scale agreement among many raters",
       1971, doi:10.1037/h0031619.
    """
    raters = len(masks)
    if raters < 2:
        raise InputError(
            f"Agreement needs two or more annotators; got {raters}. Add a mask.",
            plain="One mask alone has nothing to agree with. Add a mask.",
        )
    check_same_shape(*masks)
    histogram = np.zeros(raters + 1, np.int64)
    for frames in zip(*(np.atleast_3d(mask) for mask in masks), strict=True):
        votes = np.zeros(frames[0].shape, np.uint8)
        valid = np.ones(frames[0].shape, bool)
        for frame in frames:
            votes += frame == 1
            valid &= frame != IGNORE_VALUE
        histogram += np.bincount(votes[valid], minlength=raters + 1)
    total = int(histogram.sum())
    if total == 0:
        return float("nan")
    yes = np.arange(raters + 1)
    no = raters - yes
    pairs = raters * (raters - 1)
    observed = float((histogram * (yes * (yes - 1) + no * (no - 1)) / pairs).sum())
    observed /= total
    share = float((histogram * yes).sum()) / (total * raters)
    chance = share**2 + (1 - share) ** 2
    return float("nan") if chance == 1 else (observed - chance) / (1 - chance)
