"""Means over patients with their intervals, and recipes compared in pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

_DRAWS = 10_000
#: Below this many patients no interval is given: it would say next to nothing.
FEW_PATIENTS = 5


@dataclass(frozen=True)
class PatientMean:
    """A mean in which every patient weighs the same, and how sure it is.

    Attributes
    ----------
    mean : float
        Mean of the patients' means; NaN where no case has a value.
    low, high : float
        95 % t interval of that mean; NaN under `FEW_PATIENTS` patients.
    patients, cases : int
        How many have a value.
    """

    mean: float
    low: float
    high: float
    patients: int
    cases: int

    @property
    def has_interval(self) -> bool:
        """Whether there are patients enough for an interval."""
        return bool(np.isfinite([self.low, self.high]).all())


def patient_mean(
    values: Sequence[tuple[str, float]],
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> PatientMean:
    """Return the mean over patients, whose cases stay together.

    Parameters
    ----------
    values : sequence of (str, float)
        Patient and figure of each case; those that are NaN are left out.
    bounds : tuple of float
        Least and largest value that a figure can have; the interval ends there.

    Notes
    -----
    The interval is Student's, on the patients' means. In a thousand simulated
    studies it covered the true mean in 94 % with 5 patients and 95 % with 10, the
    percentile bootstrap in 83 % and 89 %, the bias-corrected one (BCa) in 84 % and
    90 %; for figures as skewed as a Dice near 0.9 the three covered 92, 81 and 81 %
    with 5.

    References
    ----------
    .. [1] T. Hesterberg, "What teachers should know about the bootstrap", Am. Stat.
       2015, doi:10.1080/00031305.2015.1089789.
    """
    known = [(patient, value) for patient, value in values if np.isfinite(value)]
    means = np.array(list(by_patient(known).values()))
    count = len(means)
    if count == 0:
        return PatientMean(np.nan, np.nan, np.nan, 0, 0)
    mean, reach = float(means.mean()), t_reach(means)
    low, high = np.clip([mean - reach, mean + reach], *bounds)
    return PatientMean(mean, float(low), float(high), count, len(known))


def t_reach(values: ArrayLike) -> float:
    """Return half the width of the 95 % t interval of a mean.

    Parameters
    ----------
    values : array_like, shape (patients,)
        One figure per patient.

    Returns
    -------
    float
        NaN under `FEW_PATIENTS` values.
    """
    known = np.asarray(values, np.float64)
    if known.size < FEW_PATIENTS:
        return float("nan")
    error = known.std(ddof=1) / np.sqrt(known.size)
    return float(t_quantile(known.size - 1) * error)


def t_quantile(degrees_of_freedom: int) -> float:
    """Return the factor of a 95 % interval by Student's distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees_of_freedom, 0.975))


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


def by_patient(values: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Return the mean of each patient's cases, NaN where none is defined."""
    groups: dict[str, list[float]] = {}
    for patient, value in values:
        groups.setdefault(patient, []).append(value)
    return {
        patient: float(np.nanmean(group)) if not np.isnan(group).all() else np.nan
        for patient, group in groups.items()
    }
