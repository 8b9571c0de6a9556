"""Means of a comparison over its cases, every patient weighing the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_microus.core.statistics import PatientMean, patient_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.compare.case_comparison import CaseComparison

# Numbers of `CaseAgreement` that need no pixel size, and those that are lengths.
_RATIOS = ("mean_frame_dice", "cohen_kappa")
_LENGTHS = ("mean_hd95_mm", "mean_assd_mm", "mean_signed_mm", "added_path_mm")
# A share of pixels, but within a tolerance that is a length.
_AT_TOLERANCE = ("mean_surface_dice",)
_VOLUMES = ("volume_difference_ml",)
# What a number can be; an interval reaches no further.
BOUNDS = {
    "mean_frame_dice": (0.0, 1.0),
    "mean_surface_dice": (0.0, 1.0),
    "cohen_kappa": (-1.0, 1.0),
    "mean_hd95_mm": (0.0, math.inf),
    "mean_assd_mm": (0.0, math.inf),
    "added_path_mm": (0.0, math.inf),
}


@dataclass(frozen=True)
class AnnotatorMeans:
    """One annotator against the first over all cases.

    Attributes
    ----------
    annotator : str
        Name of the folder.
    unit : str
        "mm", or "px" where no case has a pixel size: of lengths and tolerance.
    unsized_left_out : int
        Cases without a pixel size among cases with one; what needs a size is the
        mean of the others.
    means : dict of str to PatientMean
        By the names of `CaseAgreement`; volumes over the cases whose distance
        between frames is known.
    """

    annotator: str
    unit: str
    unsized_left_out: int
    means: dict[str, PatientMean]


def means_over_patients(
    cases: Sequence[CaseComparison], annotators: Sequence[str]
) -> list[AnnotatorMeans]:
    """Return each annotator's means over the cases.

    Parameters
    ----------
    cases : sequence of CaseComparison
        All with the same annotators in the same order.
    annotators : sequence of str
        Names of those who are compared with the first.
    """
    sized = [case for case in cases if case.has_geometry]
    measured = sized or list(cases)
    placed = [case for case in cases if case.knows_frame_distance]
    groups = (
        (_RATIOS, cases),
        (_LENGTHS, measured),
        (_AT_TOLERANCE, measured),
        (_VOLUMES, placed),
    )
    return [
        AnnotatorMeans(
            annotator=annotator,
            unit="mm" if sized else "px",
            unsized_left_out=len(cases) - len(measured),
            means={
                name: _mean(name, group, number)
                for names, group in groups
                for name in names
            },
        )
        for number, annotator in enumerate(annotators)
    ]


def _mean(name: str, cases: Sequence[CaseComparison], number: int) -> PatientMean:
    return patient_mean(
        [(case.patient, getattr(case.others[number].totals, name)) for case in cases],
        BOUNDS.get(name, (-math.inf, math.inf)),
    )
