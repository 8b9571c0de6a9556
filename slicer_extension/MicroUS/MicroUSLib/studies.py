"""The study folder, as far as the Train room shows and fills it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_microus.core.study import Study
    from napari_microus.core.volume import Volume


def open_or_create(folder: Path) -> Study:
    """Return the study in ``folder``, a new one where there is none."""
    from napari_microus.core.study import Study
    from napari_microus.core.study.manifest import MANIFEST

    is_there = (folder / MANIFEST).exists()
    return Study.open(folder) if is_there else Study.create(folder)


def add_case(
    folder: Path, scan: Volume, expert: Volume, nonexpert: Volume | None, patient: str
) -> str:
    """Copy a case into the study and return its name, which tells nothing of whom.

    Raises
    ------
    InputError
        If the patient's code is missing or cannot be a file's name.
    OutputError
        If the folder cannot be written.
    """
    study = open_or_create(folder)
    taken = {case.case for case in study.cases}
    number = len(taken) + 1
    while f"case{number:03d}" in taken:
        number += 1
    return study.add_case(f"case{number:03d}", patient, scan, expert, nonexpert).case


def check(folder: Path) -> None:
    """Raise a sentence unless the study can be trained on.

    Raises
    ------
    InputError
        If there is no study, or too few annotated patients.
    """
    from napari_microus.core.study import Study
    from napari_microus.core.study.split import training_cases

    training_cases(Study.open(folder), None)


def describe(folder: str) -> str:
    """Return in words what a folder holds, also where it holds no study."""
    try:
        from napari_microus.core.errors import InputError
        from napari_microus.core.study import Study
    except ImportError:
        return ""
    from napari_microus.core.study.manifest import MANIFEST

    if not (Path(folder) / MANIFEST).exists():
        return "No study yet; adding a case makes one."
    try:
        study = Study.open(folder)
    except InputError as error:
        return str(error)
    both = sum(bool(case.expert and case.nonexpert) for case in study.used)
    return (
        f"{len(study.used)} cases of {len(study.patients)} patients, {both} of them "
        "with two annotators."
    )
