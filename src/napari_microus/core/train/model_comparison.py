"""Return whether fine-tuning made a model better on the same held-out patients."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_microus.core.files import atomic_write
from napari_microus.core.statistics import (
    DICE_BOUNDS,
    DISTANCE_BOUNDS,
    FEW_PATIENTS,
    by_patient,
    counted,
    paired_difference,
    patient_mean,
)
from napari_microus.core.train.validate import CaseScore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Comparison:
    """A model before and after fine-tuning; means over patients.

    Attributes
    ----------
    patients : int
        Held-out patients who were measured both times.
    dice_before, dice_after, hd95_mm_before, hd95_mm_after : float
        Means over the same patients; NaN where nothing could be measured.
    distance_patients : int
        Patients with a distance both times; a model that finds nothing has none.
    worst_before, worst_after : float
        DSC of the worst patient.
    dice_gain, dice_gain_low, dice_gain_high : float
        Mean gain of DSC with its 95 % t interval over patients; None under five.
    """

    patients: int
    dice_before: float
    dice_after: float
    hd95_mm_before: float
    hd95_mm_after: float
    worst_before: float
    worst_after: float
    dice_gain: float
    dice_gain_low: float | None
    dice_gain_high: float | None
    distance_patients: int = 0

    @property
    def is_worse(self) -> bool:
        """Whether the tuned model should not take the other's place."""
        return self.dice_gain < 0

    @property
    def sentence(self) -> str:
        """What the comparison says, for the user."""
        is_one = self.patients == 1
        text = (
            f"On {counted(self.patients, 'held-out patient')} DSC went from "
            f"{self.dice_before:.4f} to {self.dice_after:.4f} (gain "
            f"{self.dice_gain:+.4f}"
        )
        if self.dice_gain_low is not None:
            text += (
                f", 95 % interval {self.dice_gain_low:+.4f} to "
                f"{self.dice_gain_high:+.4f}"
            )
        text += f"), HD95 from {self.hd95_mm_before:.2f} to {self.hd95_mm_after:.2f} mm"
        if self.distance_patients < self.patients:
            text += (
                f" over the {counted(self.distance_patients, 'patient')} with a "
                "contour both times"
            )
        if not is_one:
            text += (
                f", the worst patient's DSC from {self.worst_before:.4f} to "
                f"{self.worst_after:.4f}"
            )
        text += "."
        if self.patients < FEW_PATIENTS:
            text += (
                f" Fewer than {FEW_PATIENTS} patients cannot show it for sure: hold "
                "out more."
            )
        return text


def compare_scores(
    before: Sequence[CaseScore], after: Sequence[CaseScore]
) -> Comparison | None:
    """Compare two models on the same cases; None where no patient has both scores."""
    dices = [
        by_patient([(s.patient, s.dice) for s in part]) for part in (before, after)
    ]
    distances = [
        by_patient([(s.patient, s.hd95_mm) for s in part]) for part in (before, after)
    ]
    both = [
        patient
        for patient in dices[0]
        if not math.isnan(dices[0][patient] + dices[1].get(patient, math.nan))
    ]
    if not both:
        return None
    old, new = ([part[patient] for patient in both] for part in dices)
    gain = paired_difference(new, old)
    drawn = [
        p
        for p in both
        if not math.isnan(distances[0].get(p, math.nan) + distances[1].get(p, math.nan))
    ]
    reached = [[part[p] for p in drawn] for part in distances]
    return Comparison(
        patients=len(both),
        dice_before=_mean(old),
        dice_after=_mean(new),
        hd95_mm_before=_mean(reached[0]),
        hd95_mm_after=_mean(reached[1]),
        worst_before=min(old),
        worst_after=min(new),
        dice_gain=gain.mean,
        dice_gain_low=gain.low if gain.has_interval else None,
        dice_gain_high=gain.high if gain.has_interval else None,
        distance_patients=len(drawn),
    )


def intervals(scores: Sequence[CaseScore]) -> dict[str, Any]:
    """Return how sure the validation's means are: 95 % intervals over patients.

    Returns
    -------
    dict
        ``validation_patients``, and ``validation_dice_interval`` and
        ``validation_hd95_mm_interval`` as (low, high), None below five patients.
    """
    found: dict[str, Any] = {"validation_patients": len({s.patient for s in scores})}
    bounds = {"dice": DICE_BOUNDS, "hd95_mm": DISTANCE_BOUNDS}
    for name, ends in bounds.items():
        mean = patient_mean([(s.patient, getattr(s, name)) for s in scores], ends)
        reach = (mean.low, mean.high) if mean.has_interval else None
        found[f"validation_{name}_interval"] = reach
    return found


def gland_counts(scores: Sequence[CaseScore]) -> dict[str, int]:
    """Return in how many frames glands were lost, and contours drawn without one.

    Returns
    -------
    dict
        ``validation_frames``, ``validation_glands`` (frames that show one),
        ``validation_glands_lost`` and ``validation_false_contours``; empty where the
        scores count none.
    """
    glands = sum(score.glands for score in scores)
    if glands == 0:
        return {}
    return {
        "validation_frames": sum(score.frames for score in scores),
        "validation_glands": glands,
        "validation_glands_lost": sum(score.lost for score in scores),
        "validation_false_contours": sum(score.false_contours for score in scores),
    }


def write_scores(path: Path, scores: Sequence[CaseScore]) -> None:
    """Keep the scores of the start model for when the run is done."""
    with atomic_write(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps([dataclasses.asdict(s) for s in scores]))


def read_scores(path: Path) -> list[CaseScore] | None:
    """Return the scores of the start model, None where there are none."""
    if not path.exists():
        return None
    return scores_from(json.loads(path.read_text(encoding="utf-8")))


def scores_from(rows: list[dict[str, Any]]) -> list[CaseScore]:
    """Return scores from plain data."""
    return [CaseScore(**row) for row in rows]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
