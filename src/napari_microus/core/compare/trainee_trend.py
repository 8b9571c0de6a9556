"""Whether a trainee gets better over time, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.statistics import t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.compare.trainee import TraineeCase

#: A line through fewer days fits anything.
FEW_DAYS = 5
_DAYS_A_MONTH = 365.25 / 12


@dataclass(frozen=True)
class Trend:
    """Slope of the mean distance between contours; negative is getting better.

    Attributes
    ----------
    per_month, low, high : float
        Change of the ASSD in a month and its 95 % interval, in mm, or in px for
        cases without a pixel size.
    days : int
        Days of work.
    """

    per_month: float
    low: float
    high: float
    days: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return not self.low <= 0 <= self.high


def trend(cases: Sequence[TraineeCase]) -> Trend | None:
    """Return the trend of the mean ASSD, None under five days of work.

    The line is fitted by least squares to the means of the days, because cases drawn
    on one day are alike; the interval is Student's, with two degrees of freedom less
    than days.

    Parameters
    ----------
    cases : sequence of TraineeCase
        All with a pixel size, or all without.
    """
    by_day: dict[int, list[float]] = {}
    for case in cases:
        if math.isfinite(case.totals.mean_assd_mm):
            by_day.setdefault(case.day.toordinal(), []).append(case.totals.mean_assd_mm)
    count = len(by_day)
    if count < FEW_DAYS:
        return None
    days = np.array(list(by_day), float)
    means = np.array([np.mean(values) for values in by_day.values()])
    offset = days - days.mean()
    slope = (offset * means).sum() / (offset**2).sum()
    residual = means - means.mean() - slope * offset
    error = math.sqrt((residual**2).sum() / (count - 2) / (offset**2).sum())
    reach = t_quantile(count - 2) * error
    per_month, low, high = (
        float(value) * _DAYS_A_MONTH for value in (slope, slope - reach, slope + reach)
    )
    return Trend(per_month, low, high, count)
