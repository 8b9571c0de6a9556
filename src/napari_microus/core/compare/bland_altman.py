"""Limits of agreement between two annotators' measurements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.statistics import FEW_PATIENTS, t_quantile

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike, NDArray

# The normal quantile that Bland and Altman print, and everybody with them.
_Z = 1.96


@dataclass(frozen=True, eq=False)
class BlandAltman:
    """Bias and limits of agreement; all in the unit of the measurements.

    Attributes
    ----------
    mean, difference : ndarray of float, shape (pairs,)
        Of each pair: the mean of both, and the second less the first.
    bias : float
        Mean difference; NaN without a pair.
    patients : int
    lower, upper : float
        95 % limits of agreement; NaN under five patients, like every interval.
    sd_within, sd_between : float
        SD of the differences inside a patient (NaN with one pair each), and of the
        patients' true mean differences.
    bias_interval, lower_interval, upper_interval : tuple of float
        95 % confidence intervals.
    """

    mean: NDArray[np.float64]
    difference: NDArray[np.float64]
    bias: float
    patients: int
    lower: float = math.nan
    upper: float = math.nan
    sd_within: float = math.nan
    sd_between: float = math.nan
    bias_interval: tuple[float, float] = (math.nan, math.nan)
    lower_interval: tuple[float, float] = (math.nan, math.nan)
    upper_interval: tuple[float, float] = (math.nan, math.nan)

    @property
    def has_limits(self) -> bool:
        """Whether there are patients enough for limits of agreement."""
        return math.isfinite(self.lower)


def bland_altman(
    first: ArrayLike, second: ArrayLike, patients: Sequence[Hashable] | None = None
) -> BlandAltman:
    """Return bias and limits of agreement of paired measurements.

    Pairs of one patient (frames of a scan, say) are not independent: the variance of
    a difference is that between patients and that within them, from an analysis of
    variance. With one pair for each patient this is the usual calculation.

    Parameters
    ----------
    first, second : array_like, shape (pairs,)
        Measurements by the reference and by the other; pairs with a NaN are left
        out.
    patients : sequence, optional
        The patient of each pair; without it each pair is a patient of its own.

    Raises
    ------
    InputError
        If the three have different lengths.

    Notes
    -----
    With N pairs of n patients, m_i of patient i, and the mean squares between and
    within patients B and W of the differences::

        m0 = (N - sum of m_i² / N) / (n - 1)
        s² = B / m0 + (1 - 1 / m0) W                limits: bias ± 1.96 s
        var(bias) = (B - W) / m0 · sum of m_i² / N² + W / N
        var(s²) = 2 (B / m0)² / (n - 1) + 2 ((1 - 1 / m0) W)² / (N - n)
        var(limit) = var(bias) + 1.96² var(s²) / (4 s²)

    The confidence intervals take Student's t with n - 1 degrees of freedom. With one
    pair each s is the SD of the differences and var(limit) is
    (1 / n + 1.96² / (2 (n - 1))) s², as in [2]_.

    References
    ----------
    .. [1] J. M. Bland, D. G. Altman, "Statistical methods for assessing agreement
       between two methods of clinical measurement", Lancet 1986,
       doi:10.1016/S0140-6736(86)90837-8.
    .. [2] J. M. Bland, D. G. Altman, "Measuring agreement in method comparison
       studies", Stat. Methods Med. Res. 1999, doi:10.1177/096228029900800204;
       section 2.2 for the intervals.
    .. [3] J. M. Bland, D. G. Altman, "Agreement between methods of measurement with
       multiple observations per individual", J. Biopharm. Stat. 2007,
       doi:10.1080/10543400701329422; section 3, the true value varies.
    """
    one, two, labels = _pairs(first, second, patients)
    difference = two - one
    groups = [difference[labels == label] for label in np.unique(labels)]
    bias = float(difference.mean()) if difference.size else math.nan
    limits = _limits(groups, bias) if len(groups) >= FEW_PATIENTS else {}
    return BlandAltman((one + two) / 2, difference, bias, len(groups), **limits)


def _pairs(
    first: ArrayLike, second: ArrayLike, patients: Sequence[Hashable] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    listed = range(one.size) if patients is None else patients
    if one.shape != two.shape or one.ndim != 1 or len(listed) != one.size:
        raise InputError(
            "Measurements and patients must come in pairs; got "
            f"{one.shape}, {two.shape} and {len(listed)} patients. List one of each "
            "for every pair.",
            plain=(
                f"There are {one.size} first and {two.size} second "
                f"measurements of {len(listed)} patients. List one of each for "
                "every pair."
            ),
        )
    numbers: dict[Hashable, int] = {}
    labels = np.array([numbers.setdefault(who, len(numbers)) for who in listed], int)
    known = np.isfinite(one) & np.isfinite(two)
    return one[known], two[known], labels[known]


def _limits(groups: list[NDArray[np.float64]], bias: float) -> dict[str, Any]:
    """Return the limits, the SDs and the intervals of five patients or more."""
    sizes = np.array([group.size for group in groups])
    pairs, count = int(sizes.sum()), len(groups)
    between, within = _mean_squares(groups, bias)
    size = (pairs - (sizes**2).sum() / pairs) / (count - 1)
    parts = np.array([between / size, (1 - 1 / size) * within])
    variance = float(parts.sum())
    spread = math.sqrt(variance)
    heterogeneity = max(0.0, (between - within) / size)
    bias_variance = heterogeneity * (sizes**2).sum() / pairs**2 + within / pairs
    of_variance = 2 * parts[0] ** 2 / (count - 1)
    if pairs > count:
        of_variance += 2 * parts[1] ** 2 / (pairs - count)
    of_spread = of_variance / (4 * variance) if variance else 0.0
    t = t_quantile(count - 1)
    reach = t * math.sqrt(bias_variance)
    limit_reach = t * math.sqrt(bias_variance + _Z**2 * of_spread)
    lower, upper = bias - _Z * spread, bias + _Z * spread
    return {
        "lower": lower,
        "upper": upper,
        "sd_within": math.sqrt(within) if pairs > count else math.nan,
        "sd_between": math.sqrt(heterogeneity),
        "bias_interval": (bias - reach, bias + reach),
        "lower_interval": (lower - limit_reach, lower + limit_reach),
        "upper_interval": (upper - limit_reach, upper + limit_reach),
    }


def _mean_squares(
    groups: list[NDArray[np.float64]], bias: float
) -> tuple[float, float]:
    """Return the mean squares between and within the groups, 0 within single pairs."""
    pairs, count = sum(group.size for group in groups), len(groups)
    means = np.array([group.mean() for group in groups])
    sizes = np.array([group.size for group in groups])
    between = (sizes * (means - bias) ** 2).sum() / (count - 1)
    squares = sum(
        ((group - mean) ** 2).sum() for group, mean in zip(groups, means, strict=True)
    )
    return float(between), float(squares / (pairs - count)) if pairs > count else 0.0
