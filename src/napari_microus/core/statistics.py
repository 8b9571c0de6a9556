"""Paired comparison of two recipes on the same patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_DRAWS = 10_000


@dataclass(frozen=True)
class PairedDifference:
    """How one recipe differs from another on the same patients.

    Attributes
    ----------
    mean : float
        Mean of ``a - b`` over patients.
    low, high : float
        95 % percentile bootstrap interval of that mean, patients resampled.
    p : float
        Wilcoxon signed-rank test, two-sided; NaN where all pairs are equal.
    count : int
        Patients in which both are defined.
    """

    mean: float
    low: float
    high: float
    p: float
    count: int


def paired_difference(a: ArrayLike, b: ArrayLike, seed: int = 0) -> PairedDifference:
    """Compare two recipes patient by patient.

    Parameters
    ----------
    a, b : array_like, shape (patients,)
        One figure per patient in the same order; pairs with a NaN are left out.
    seed : int
        Seed of the bootstrap.
    """
    from scipy.stats import wilcoxon

    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    difference = difference[~np.isnan(difference)]
    count = difference.size
    if count == 0:
        return PairedDifference(np.nan, np.nan, np.nan, np.nan, 0)
    low, high = mean_interval(difference, seed)
    p = float(wilcoxon(difference).pvalue) if difference.any() else float("nan")
    return PairedDifference(float(difference.mean()), low, high, p, int(count))


def mean_interval(values: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of a mean.

    Parameters
    ----------
    values : array_like, shape (patients,)
        One figure per patient; those that are NaN are left out.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    tuple of float
        Lower and upper end; NaN where there is no value.
    """
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    if known.size == 0:
        return float("nan"), float("nan")
    draws = np.random.default_rng(seed).integers(known.size, size=(_DRAWS, known.size))
    low, high = np.percentile(known[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def by_patient(values: list[tuple[str, float]]) -> dict[str, float]:
    """Return the mean of each patient's cases, NaN where none is defined."""
    groups: dict[str, list[float]] = {}
    for patient, value in values:
        groups.setdefault(patient, []).append(value)
    return {
        patient: float(np.nanmean(group)) if not np.isnan(group).all() else np.nan
        for patient, group in groups.items()
    }
