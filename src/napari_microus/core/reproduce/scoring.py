"""Measure models and annotators on the same cases."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.events import Progress
from napari_microus.core.metrics import evaluate_case

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from napari_microus.core.events import Event
    from napari_microus.core.library import LoadedModel
    from napari_microus.core.reproduce.shown import ShownFrame
    from napari_microus.core.study import Study, StudyCase
    from napari_microus.core.volume import Volume


# How the papers measure: no part is left out, and none is smoothed.
_RAW: dict[str, Any] = {
    "largest_component": False,
    "fill_holes": False,
    "opening": 0,
    "outline": "raw",
    "min_confidence": 0.0,
    "along_sweep": False,
}


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
    dice_lost_as_0 : float
        Mean over the frames where the expert drew the gland; one that is not found
        counts 0 there, while the papers' mean leaves it out.
    frames, glands, lost, false_contours : int
        Frames, those where the expert drew the gland, those of them where nothing was
        found, and those without a gland where something was.
    seed : int
        Which training of the recipe, where there are several.
    """

    who: str
    case: str
    patient: str
    dice: float
    hd95: float
    volume_dice: float
    volume_hd95: float
    unit: str
    dice_lost_as_0: float = math.nan
    frames: int = 0
    glands: int = 0
    lost: int = 0
    false_contours: int = 0
    seed: int = 0


def score_model(
    who: str,
    model: LoadedModel,
    study: Study,
    cases: Sequence[StudyCase],
    device: str,
    *,
    flip: bool,
    clean_up: bool,
    seed: int = 0,
    shown: Mapping[str, ShownFrame] | None = None,
) -> Generator[Event, None, list[CaseRow]]:
    """Segment every case and compare with the expert's mask.

    Parameters
    ----------
    who : str
        Name in the rows.
    model, study, cases, device
        The model, and what it segments on which device.
    flip : bool
        Average with the answer to the mirrored frame.
    clean_up : bool
        As the model recommends; otherwise every pixel above 0.5, as the papers do.
    seed : int
        Which training of the recipe it is.
    shown : mapping of str to ShownFrame, optional
        Frames by case, which receive the mask.
    """
    from napari_microus.core.predict import predict

    rows = []
    for number, case in enumerate(cases):
        yield Progress(number, len(cases), "cases", f"Measuring {who}")
        scan, expert, _ = study.read(case)
        raw = {} if clean_up else _RAW
        prediction = yield from predict(model, scan, device=device, flip=flip, **raw)
        mask = prediction.mask.array
        rows.append(_row(who, case, mask, expert.array, scan, seed))
        if shown and case.case in shown:
            frame = shown[case.case]
            frame.masks[who] = mask[frame.frame] == 1
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


@dataclass(frozen=True)
class Group:
    """Cases that one training leaves out, on which its model is measured.

    Attributes
    ----------
    fold : int, optional
        The fold held out; None where the study is not split in folds.
    cases : list of StudyCase
        Each with an expert's mask.
    """

    fold: int | None
    cases: list[StudyCase]


def groups_to_score(study: Study, fold: int | None = None) -> tuple[list[Group], str]:
    """Return the cases to measure on, by the training that leaves them out.

    Those are the folds of a study that is split in folds, so that every patient is
    measured once; else the test cases with an expert's mask, else the validation
    cases.

    Parameters
    ----------
    study : Study
        Split, or split in folds.
    fold : int, optional
        Measure on this fold alone.

    Returns
    -------
    list of Group, str
        The groups, and the word for their cases: "held-out", "test" or "validation".

    Raises
    ------
    InputError
        If the study has none of them.
    """
    known = [case for case in study.used if case.expert]
    folds = sorted({case.fold for case in known if case.fold is not None})
    if fold is not None:
        folds = [number for number in folds if number == fold]
    if folds:
        return [Group(n, [c for c in known if c.fold == n]) for n in folds], "held-out"
    for split, word in (("test", "test"), ("val", "validation")):
        cases = [case for case in known if case.split == split]
        if cases:
            return [Group(None, cases)], word
    raise InputError(
        "A comparison needs folds, or test or validation cases with an expert's mask; "
        f"got none in {study.folder}. Split it first: napari-microus study split.",
        plain=(
            f"{study.folder} has neither folds nor test or validation "
            "cases with an expert's mask. Split it first: napari-microus "
            "study split."
        ),
    )


def _row(
    who: str,
    case: StudyCase,
    mask: np.ndarray,
    expert: np.ndarray,
    scan: Volume,
    seed: int = 0,
) -> CaseRow:
    scores = evaluate_case(mask, expert, scan.spacing_mm)
    drawn = (expert == 1).any((1, 2))
    found = (mask == 1).any((1, 2))
    dices = [
        row.dice for row, is_gland in zip(scores.frames, drawn, strict=True) if is_gland
    ]
    is_volume = scan.knows_frame_distance and len(scan.array) > 1
    return CaseRow(
        who=who,
        case=case.case,
        patient=case.patient,
        dice=scores.mean.dice,
        hd95=scores.mean.hd95_mm,
        volume_dice=scores.volume.dice,
        volume_hd95=scores.volume.hd95_mm if is_volume else math.nan,
        unit="mm" if scan.has_geometry else "px",
        dice_lost_as_0=float(np.mean(dices)) if dices else math.nan,
        frames=len(drawn),
        glands=int(drawn.sum()),
        lost=int((drawn & ~found).sum()),
        false_contours=int((found & ~drawn).sum()),
        seed=seed,
    )
