"""Agreement of any number of annotators, of whom some left something out.

Everything here needs only how many annotators said yes and how many said no
to a pixel. These tallies of cases add up, whoever drew them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.mask import check_same_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def tally_votes(masks: Sequence[NDArray[np.uint8] | None]) -> NDArray[np.int64]:
    """Count the pixels by how many annotators drew them and how many did not.

    Parameters
    ----------
    masks : sequence of ndarray or None, same shape
        0, 1 or 255 (this annotator left the pixel undecided); None where an
        annotator did not draw the case.

    Returns
    -------
    ndarray of int, shape (annotators + 1, annotators + 1)
        Pixels with [yes, no] votes. Tallies of cases with the same list of
        annotators can be added.

    Raises
    ------
    InputError
        If fewer than two annotators are listed or the shapes differ.
    """
    raters = len(masks)
    if raters < 2:
        raise InputError(
            f"Agreement needs two or more annotators; got {raters}. Add a mask.",
            plain="One mask alone has nothing to agree with. Add a mask.",
        )
    drawn = [np.atleast_3d(mask) for mask in masks if mask is not None]
    check_same_shape(*drawn)
    tally = np.zeros((raters + 1) ** 2, np.int64)
    for frames in zip(*drawn, strict=True):
        code = np.zeros(frames[0].shape, np.int64)
        for frame in frames:
            code += (frame == 1) * (raters + 1) + (frame == 0)
        tally += np.bincount(code.ravel(), minlength=tally.size)
    return tally.reshape(raters + 1, raters + 1)


def krippendorff_alpha(tally: NDArray[np.int64]) -> float:
    """Return Krippendorff's alpha of annotators over pixels, nominal data.

    Parameters
    ----------
    tally : ndarray of int, shape (annotators + 1, annotators + 1)
        From `tally_votes`, or a sum of such. Pixels with fewer than two votes
        pair with nothing and do not count.

    Returns
    -------
    float
        1 for complete agreement, 0 for agreement as by chance. NaN where all votes
        are alike, as chance agreement is then complete.
    """
    yes, no = np.nonzero(tally)
    return nominal_alpha(np.stack([yes, no], axis=1), tally[yes, no])


def nominal_alpha(votes: ArrayLike, times: ArrayLike | None = None) -> float:
    """Return Krippendorff's alpha for nominal data with missing values.

    Parameters
    ----------
    votes : array_like of int, shape (units, values)
        How many annotators gave each value to each unit.
    times : array_like of int, shape (units,), optional
        How often each row occurs; once by default.

    Returns
    -------
    float
        NaN where a single value was given, or no unit has two votes.

    Notes
    -----
    With n_uc the votes of unit u for value c, n_u their sum, n_c the sum of n_uc
    over the units with two votes or more, and n the sum of n_c::

        o_cc = sum over u of n_uc (n_uc - 1) / (n_u - 1)
        alpha = ((n - 1) sum of o_cc - sum of n_c (n_c - 1))
                / (n (n - 1) - sum of n_c (n_c - 1))

    References
    ----------
    .. [1] K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011,
       https://repository.upenn.edu/asc_papers/43; section C.
    """
    table = np.asarray(votes, np.float64)
    weight = np.ones(len(table)) if times is None else np.asarray(times, np.float64)
    pairable = table.sum(axis=1) >= 2
    table, weight = table[pairable], weight[pairable]
    totals = weight @ table
    n = totals.sum()
    alike = (table * (table - 1)).sum(axis=1) / (table.sum(axis=1) - 1)
    by_chance = (totals * (totals - 1)).sum()
    if n * (n - 1) == by_chance:
        return float("nan")
    observed = (n - 1) * (weight @ alike)
    return float((observed - by_chance) / (n * (n - 1) - by_chance))


def conformity_index(tally: NDArray[np.int64]) -> float:
    """Return the generalised conformity index of annotators, 0 to 1.

    The area common to two annotators, summed over all their pairs, by the area that
    either drew, summed likewise: for two it is the Jaccard index. A pixel counts for
    the pairs that both decided it.

    Parameters
    ----------
    tally : ndarray of int, shape (annotators + 1, annotators + 1)
        From `tally_votes`, or a sum of such.

    Returns
    -------
    float
        NaN where nobody drew.

    References
    ----------
    .. [1] E. Kouwenhoven, M. Giezen, H. Struikmans, "Measuring the similarity of
       target volume delineations independent of the number of observers", Phys.
       Med. Biol. 2009, doi:10.1088/0031-9155/54/9/018.
    """
    yes, no = np.indices(tally.shape)
    common = int((tally * (yes * (yes - 1) // 2)).sum())
    either = common + int((tally * (yes * no)).sum())
    return common / either if either else float("nan")
