"""Look through a study for what would spoil a training run or its result."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Progress
from napari_microus.core.multichannel.stacking import stack_channels

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.study.manifest import Study
    from napari_microus.core.study.table import StudyCase
    from napari_microus.core.volume import Volume


@dataclass(frozen=True)
class Finding:
    """One thing to look at; an error keeps the case from being used."""

    level: Literal["error", "warning"]
    case: str
    message: str


def check_study(study: Study) -> Generator[Event, None, list[Finding]]:
    """Read every case in use and report what is wrong with it.

    Files and grids, constant images, missing and empty masks, duplicates by
    content, patients in two splits, and repeated use of the test set.
    """
    findings: list[Finding] = []
    if not study.used:
        message = "It has no case in use. Import a folder, or add a scan."
        findings.append(Finding("error", "", message))
    seen: dict[str, StudyCase] = {}
    for number, case in enumerate(study.used, start=1):
        findings += _check_case(study, case, seen)
        yield Progress(number, len(study.used), "cases", "Checking")
    findings += _check_splits(study)
    uses = len(study.test_uses())
    if uses > 1:
        message = f"The test set was opened {uses} times; report the first result."
        findings.append(Finding("warning", "", message))
    return findings


def _check_case(
    study: Study, case: StudyCase, seen: dict[str, StudyCase]
) -> list[Finding]:
    try:
        scan = study.read_scan(case)
    except InputError as error:
        return [Finding("error", case.case, error.plain)]
    findings = []
    same = seen.setdefault(_digest(scan), case)
    if same is not case:
        apart = same.patient != case.patient
        message = f"Its image is the same as that of '{same.case}'" + (
            ", which counts as another patient." if apart else "."
        )
        findings.append(Finding("error" if apart else "warning", case.case, message))
    if scan.array.dtype.kind == "f" and not np.isfinite(scan.array).all():
        count = int(np.count_nonzero(~np.isfinite(scan.array)))
        message = (
            f"Some pixels of its image ({count}) are no numbers, but NaN or infinite. "
            "Export it again, or replace them."
        )
        findings.append(Finding("error", case.case, message))
    elif scan.array.min() == scan.array.max():
        message = "Its image holds one intensity only."
        findings.append(Finding("error", case.case, message))
    findings += _check_channels(study, case)
    if not case.expert:
        message = "It has no expert mask and can only be ranked for annotation."
        findings.append(Finding("warning", case.case, message))
    masks = {"expert": case.expert, "nonexpert": case.nonexpert, **case.annotators}
    for name, file in masks.items():
        if file:
            findings += _check_mask(study, case, name, file, scan)
    return findings


def _check_channels(study: Study, case: StudyCase) -> list[Finding]:
    """Read every channel of a volume, and bring them to one grid as training does."""
    if len(case.channels) < 2:
        return []
    try:
        stack_channels(study.read_channels(case))
    except InputError as error:
        return [Finding("error", case.case, error.plain)]
    return []


def _check_mask(
    study: Study, case: StudyCase, name: str, file: str, scan: Volume
) -> list[Finding]:
    try:
        mask = study.read_mask(case, file, scan)
    except InputError as error:
        return [Finding("error", case.case, error.plain)]
    findings = []
    if not (mask.array == 1).any():
        message = f"The {name} mask is empty on every frame."
        findings.append(Finding("warning", case.case, message))
    return findings


def _check_splits(study: Study) -> list[Finding]:
    splits: dict[str, set[str]] = {}
    for case in study.used:
        splits.setdefault(case.patient, set()).add(case.split)
    return [
        Finding(
            "error",
            "",
            f"Patient '{patient}' is in more than one split: "
            f"{', '.join(sorted(names, key=str)) or 'none'}. Split by patient.",
        )
        for patient, names in splits.items()
        if len(names) > 1
    ]


def _digest(scan: Volume) -> str:
    content = np.ascontiguousarray(scan.array)
    return hashlib.sha256(repr(scan.shape).encode() + content.tobytes()).hexdigest()
