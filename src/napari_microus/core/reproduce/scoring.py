"""Measure models and annotators on the same cases."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError
from napari_microus.core.events import Progress
from napari_microus.core.metrics import evaluate_case

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import numpy as np

    from napari_microus.core.events import Event
    from napari_microus.core.library import LoadedModel
    from napari_microus.core.study import Study, StudyCase
    from napari_microus.core.volume import Volume


@dataclass(frozen=True)
class CaseRow:
    """One case scored against its expert, by both conventions.

    Attributes
    ----------
    who : str
        The recipe or the annotator that drew the mask.
    case, patient : str
        As in the study's manifest.
    dice, hd95 : float
        Means over the frames where neither mask is empty, as the papers report them.
    volume_dice, volume_hd95 : float
        Of the whole volume at once; NaN for the distance where that across frames is
        not known, or there is one frame only.
    unit : str
        Of the distances: "mm", or "px" where the scan's pixel size is unknown.
    """

    who: str
    case: str
    patient: str
    dice: float
    hd95: float
    volume_dice: float
    volume_hd95: float
    unit: str


def score_model(
    who: str,
    model: LoadedModel,
    study: Study,
    cases: Sequence[StudyCase],
    device: str,
    *,
    flip: bool,
) -> Generator[Event, None, list[CaseRow]]:
    """Segment every case, perhaps mirrored too, and compare with the expert's mask."""
    from napari_microus.core.predict import predict

    rows = []
    for number, case in enumerate(cases):
        yield Progress(number, len(cases), "cases", f"Measuring {who}")
        scan, expert, _ = study.read(case)
        prediction = yield from predict(model, scan, device=device, flip=flip)
        mask = prediction.mask.array
        rows.append(_row(who, case, mask, expert.array, scan))
    return rows


def score_annotators(study: Study, cases: Sequence[StudyCase]) -> list[CaseRow]:
    """Compare each other annotator with the expert, as if they were models.

    Whoever annotated none of the cases has no row.
    """
    rows = []
    for case in cases:
        others = {"non-expert": case.nonexpert, **case.annotators}
        scan, expert, _ = study.read(case)
        for name, file in others.items():
            if file:
                mask = study.read_mask(case, file, scan).array
                rows.append(_row(name, case, mask, expert.array, scan))
    return rows


def cases_to_score(study: Study, purpose: str) -> tuple[list[StudyCase], str]:
    """Return the test cases with an expert's mask, else the validation cases.

    Returns
    -------
    list of StudyCase, str
        The cases, and the word for them: "test" or "validation".

    Raises
    ------
    InputError
        If the study has neither.
    """
    test = [case for case in study.used if case.split == "test" and case.expert]
    if test:
        study.open_test_set(purpose)
        return test, "test"
    val = [case for case in study.used if case.split == "val" and case.expert]
    if not val:
        raise InputError(
            "A comparison needs test or validation cases with an expert's mask; got "
            f"none in {study.folder}. Split it first: napari-microus study split."
        )
    return val, "validation"


def _row(
    who: str,
    case: StudyCase,
    mask: np.ndarray,
    expert: np.ndarray,
    scan: Volume,
) -> CaseRow:
    scores = evaluate_case(mask, expert, scan.spacing_mm)
    is_volume = scan.has_geometry and len(scan.array) > 1
    return CaseRow(
        who=who,
        case=case.case,
        patient=case.patient,
        dice=scores.mean.dice,
        hd95=scores.mean.hd95_mm,
        volume_dice=scores.volume.dice,
        volume_hd95=scores.volume.hd95_mm if is_volume else math.nan,
        unit="mm" if scan.has_geometry else "px",
    )
