"""Share cases among training, validation and test, by patient only."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.study.manifest import Study
    from napari_microus.core.study.table import StudyCase


def split_study(
    study: Study, *, val: float = 0.2, test: float = 0.0, seed: int = 0
) -> None:
    """Assign every patient to training, validation or test, and save.

    Patients who are in the test set already stay there, so that a test set is
    never learnt from; ``test`` then asks for no more. Patients without an expert
    mask stay undecided: nothing can be learnt from them or measured on them yet.

    Parameters
    ----------
    study : Study
        Its cases get a new split.
    val, test : float
        Fractions of the patients; a fraction above zero gets one patient at least.
    seed : int
        Decides who goes where.

    Raises
    ------
    InputError
        If there are too few patients; how many are needed is said.
    """
    if val < 0 or test < 0 or val + test >= 1:
        raise InputError(
            f"val and test must be fractions that leave some to train on; got {val:g} "
            f"and {test:g}. Try 0.2 and 0.2.",
            plain=(
                f"With {val:g} to validate on and {test:g} to test on, nothing is "
                "left to train on. Try 0.2 and 0.2."
            ),
        )
    kept = _test_patients(study)
    annotated = _annotated(study)
    free = [patient for patient in annotated if patient not in kept]
    test_count = 0 if kept else _share(test, len(annotated))
    val_count = _share(val, len(free))
    needed = 1 + (val > 0) + (test > 0 and not kept)
    if len(free) < max(needed, 1 + test_count + val_count):
        raise InputError(
            f"This split needs at least {needed} patients, as all scans of a patient "
            f"stay together; got {len(free)}. Add {needed - len(free)} more, or ask "
            "for fewer parts.",
            plain=(
                f"This split takes {needed} patients, of whom the study has "
                f"{len(free)}: all scans of a patient stay together. Add "
                f"{needed - len(free)} more, or ask for fewer parts."
            ),
        )
    order = _shuffled(free, seed)
    parts = dict.fromkeys(order, "train") | dict.fromkeys(kept, "test")
    parts |= dict.fromkeys(order[:test_count], "test")
    parts |= dict.fromkeys(order[test_count : test_count + val_count], "val")
    _assign(study, lambda case: parts.get(case.patient, ""))


def split_in_folds(study: Study, folds: int, *, seed: int = 0) -> None:
    """Assign every annotated patient outside the test set to a fold, and save.

    Raises
    ------
    InputError
        If there are fewer patients than folds, or fewer than two folds.
    """
    if folds < 2:
        raise InputError(
            f"There must be at least 2 folds; got {folds}. Try 5.",
            plain=f"Folds are two or more, and not {folds}. Try 5.",
        )
    kept = _test_patients(study)
    order = _shuffled([p for p in _annotated(study) if p not in kept], seed)
    if len(order) < folds:
        raise InputError(
            f"{folds} folds need at least {folds} patients, as all scans of a patient "
            f"stay together; got {len(order)}. Add {folds - len(order)} more, or use "
            "fewer folds.",
            plain=(
                f"{folds} folds take {folds} patients, as all scans of a patient "
                f"stay together, and the study has {len(order)}. Add "
                f"{folds - len(order)} more, or use fewer folds."
            ),
        )
    parts = {patient: f"fold{i % folds}" for i, patient in enumerate(order)}
    parts |= dict.fromkeys(kept, "test")
    _assign(study, lambda case: parts.get(case.patient, ""))


def training_cases(
    study: Study, fold: int | None, seed: int = 0
) -> tuple[list[StudyCase], list[StudyCase], str]:
    """Return cases to train and to validate on, and a sentence on how they were split.

    A study that was never split is shared 4 : 1 by patient for the occasion. Cases
    that were added since it was split stay with their patient, and those of new
    patients are learnt from. Patients with a test case are in neither list.

    Raises
    ------
    InputError
        If there are too few patients, or the fold does not exist.
    """
    tested = _test_patients(study)
    usable = [case for case in study.used if case.expert and case.patient not in tested]
    if not usable:
        raise InputError(
            "A study must have cases with an expert mask outside the test set; got "
            f"none among {len(study.cases)} in {study.folder}. Add or annotate cases.",
            plain=(
                "There is no case to learn from: all wait for their masks, or are "
                "in the test set. Add or annotate cases."
            ),
        )
    folds = sorted({case.fold for case in usable if case.fold is not None})
    if fold is not None or folds:
        return _by_fold(usable, fold, folds)
    train = [case for case in usable if case.split == "train"]
    val = [case for case in usable if case.split == "val"]
    if train and val:
        _check_apart(train, val)
        added = _add_undecided(train, val, usable)
        return train, val, f"Split of the manifest: {_parts(train, val)}.{added}"
    patients = list(dict.fromkeys(case.patient for case in usable))
    if len(patients) < 2:
        raise InputError(
            "Training needs at least 2 patients, one of them to validate on; got "
            f"{len(patients)}. Add a scan of another patient.",
            plain=(
                "Training takes two patients or more, one of them to validate on, "
                f"and the study has {len(patients)}. Add a scan of another patient."
            ),
        )
    held = set(_shuffled(patients, seed)[: _share(0.2, len(patients))])
    train = [case for case in usable if case.patient not in held]
    val = [case for case in usable if case.patient in held]
    how = f"The study was not split; held out to validate on: {_count(val)}."
    return train, val, how


def _by_fold(
    usable: list[StudyCase], fold: int | None, folds: list[int]
) -> tuple[list[StudyCase], list[StudyCase], str]:
    if fold not in folds:
        known = ", ".join(map(str, folds)) or "none; split the study in folds first"
        raise InputError(
            f"data.fold must name a fold of the study; got {fold}. The folds are: "
            f"{known}.",
            plain=f"The study has no fold {fold}. The folds are: {known}.",
        )
    val = [case for case in usable if case.fold == fold]
    train = [case for case in usable if case.fold is not None and case.fold != fold]
    _check_apart(train, val)
    added = _add_undecided(train, val, usable)
    return train, val, f"Fold {fold} of {len(folds)}: {_parts(train, val)}.{added}"


def _add_undecided(
    train: list[StudyCase], val: list[StudyCase], usable: list[StudyCase]
) -> str:
    """Put the cases that came after the split where they belong; return how many."""
    held = {case.patient for case in val}
    late = [case for case in usable if not case.split]
    val += [case for case in late if case.patient in held]
    train += [case for case in late if case.patient not in held]
    return f" {_count(late)} came after the split." if late else ""


def _check_apart(train: list[StudyCase], val: list[StudyCase]) -> None:
    both = {case.patient for case in train} & {case.patient for case in val}
    if both:
        raise InputError(
            "A patient must be in one split only; got "
            f"'{min(both)}' in training and validation. Split the study again.",
            plain=(
                f"The patient '{min(both)}' is in training and in validation. Split "
                "the study again."
            ),
        )


def _assign(study: Study, split_of: Callable[[StudyCase], str]) -> None:
    study.cases = [replace(case, split=split_of(case)) for case in study.cases]
    study.save()


def _annotated(study: Study) -> list[str]:
    """Return the patients with an expert mask, each once."""
    return list(dict.fromkeys(case.patient for case in study.used if case.expert))


def _test_patients(study: Study) -> list[str]:
    test = [case.patient for case in study.used if case.split == "test"]
    return list(dict.fromkeys(test))


def _shuffled(patients: list[str], seed: int) -> list[str]:
    # Sorted first: the order of the manifest must not matter.
    order = np.random.default_rng(seed).permutation(len(patients))
    return [sorted(patients)[i] for i in order]


def _share(fraction: float, count: int) -> int:
    return max(1, math.floor(fraction * count + 0.5)) if fraction > 0 else 0


def _parts(train: list[StudyCase], val: list[StudyCase]) -> str:
    return f"{_count(train)} to learn from, {_count(val)} to validate on"


def _count(cases: list[StudyCase]) -> str:
    patients = len({case.patient for case in cases})
    case = "case" if len(cases) == 1 else "cases"
    patient = "patient" if patients == 1 else "patients"
    return f"{len(cases)} {case} of {patients} {patient}"
