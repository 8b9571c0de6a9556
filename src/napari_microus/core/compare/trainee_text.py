"""What a trainee's report says, in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_microus.core.compare.trainee import bias
from napari_microus.core.compare.trainee_trend import FEW_DAYS, trend
from napari_microus.core.statistics import FEW_PATIENTS, counted, interval_note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.compare.bland_altman import BlandAltman
    from napari_microus.core.compare.trainee import TraineeCase
    from napari_microus.core.compare.trainee_repeats import WithinObserver
    from napari_microus.core.statistics import PatientMean


def verdict(cases: Sequence[TraineeCase], trainee: str, unit: str) -> str:
    """Return in words whether the trainee draws larger or smaller, and how surely."""
    found = bias(cases)
    if math.isnan(found.mean):
        return f"In {counted(len(cases), 'case')} no frame was drawn by both."
    over = (
        f"over {counted(found.cases, 'case')} of {counted(found.patients, 'patient')}"
    )
    if found.has_interval and found.low <= 0 <= found.high:
        return (
            f"{trainee} draws neither clearly larger nor clearly smaller than the "
            f"reference: {found.mean:+.2f} {unit} on average {over} "
            f"({_sureness(found)})."
        )
    how = "larger" if found.mean > 0 else "smaller"
    return (
        f"{trainee} draws {abs(found.mean):.2f} {unit} {how} than the reference on "
        f"average {over} ({_sureness(found)})."
    )


def trend_sentence(cases: Sequence[TraineeCase], unit: str) -> str:
    """Return in words whether the distance falls or grows with time, if clear."""
    found = trend(cases)
    if found is None:
        days = len({c.day for c in cases if math.isfinite(c.totals.mean_assd_mm)})
        return f"There is work on {days} days; a trend needs {FEW_DAYS} or more."
    interval = f"95 % interval {found.low:+.2f} to {found.high:+.2f}"
    if not found.is_clear:
        return (
            f"No clear trend over {found.days} days of work: the mean distance between "
            f"the contours changes by {found.per_month:+.2f} {unit} a month "
            f"({interval})."
        )
    how = "falls" if found.per_month < 0 else "grows"
    return (
        f"The mean distance between the contours {how} by {abs(found.per_month):.2f} "
        f"{unit} a month ({interval}, {found.days} days of work)."
    )


def limits_sentence(
    found: BlandAltman, what: str, unit: str, pairs: str, form: str = "+.1f"
) -> str:
    """Return in words the bias and limits of agreement of a measurement."""
    over = (
        f"over {counted(found.difference.size, pairs)} of "
        f"{counted(found.patients, 'patient')}"
    )
    if not found.has_limits:
        return (
            f"The {what} differs by {found.bias:{form}} {unit} on average (trainee "
            f"less reference) {over}; limits of agreement need {FEW_PATIENTS} patients."
        )
    bias_part, lower, upper = (
        f"{value:{form}} {unit} (95 % interval {low:{form}} to {high:{form}})"
        for value, (low, high) in (
            (found.bias, found.bias_interval),
            (found.lower, found.lower_interval),
            (found.upper, found.upper_interval),
        )
    )
    return (
        f"The {what} differs by {bias_part} on average (trainee less reference) "
        f"{over}. About 95 of 100 differences lie between the limits of agreement "
        f"{lower} and {upper}."
    )


def repeats_sentence(found: WithinObserver, trainee: str, unit: str) -> str:
    """Return in words how well the trainee repeats their own drawings."""
    return (
        f"{trainee} drew {counted(found.cases, 'case')} twice. The two drawings have "
        f"Dice {found.dice:.3f} and ASSD {found.assd_mm:.2f} {unit}; the "
        f"within-observer SD of a frame's area is {found.sd_area_mm2:.1f} {unit}² "
        f"({counted(found.frames, 'frame')}), so two drawings of one frame differ by "
        f"less than {found.repeatability_mm2:.1f} {unit}² in about 95 of 100."
    )


def number(value: float, form: str = ".2f") -> str:
    """Return a number, or a dash where it has no meaning."""
    return format(value, form) if math.isfinite(value) else "–"


def _sureness(found: PatientMean) -> str:
    if found.has_interval:
        return f"95 % interval {found.low:+.2f} to {found.high:+.2f}"
    return interval_note(found.patients)
