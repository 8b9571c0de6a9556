"""The study folder, as far as the Train panel shows and fills it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from MicroUSLib.event_pump import ignore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari_microus.core.events import Event
    from napari_microus.core.study import Study
    from napari_microus.core.volume import Volume


def open_or_create(folder: Path) -> Study:
    """Return the study in ``folder``, a new one where there is none."""
    from napari_microus.core.study import Study
    from napari_microus.core.study.table import MANIFEST

    is_there = (folder / MANIFEST).exists()
    return Study.open(folder) if is_there else Study.create(folder)


def addition(
    folder: Path,
    volumes: Mapping[str, Volume | None],
    patient: str,
    work: Path,
    on_event: Callable[[Event], None] = ignore,
) -> tuple[str, list[str]]:
    """Write a case into ``work``, and return what copies it into the study.

    Parameters
    ----------
    folder : Path
        Of the study; made where there is none.
    volumes : mapping
        The scan as "image", and its masks as "expert" and "nonexpert".
    patient : str
        The patient's code.
    work : Path
        A folder for files between us and the child that does it: packing a long
        sweep takes seconds.
    on_event : callable
        Called after each file.

    Returns
    -------
    str and list of str
        The case's name, which reveals nobody, and the child's command line.

    Raises
    ------
    OutputError
        If a folder cannot be written.
    """
    from napari_microus.core.events import Progress
    from napari_microus.core.io import write_volume

    study = open_or_create(folder)
    taken = {case.case for case in study.cases}
    number = len(taken) + 1
    while f"case{number:03d}" in taken:
        number += 1
    name = f"case{number:03d}"
    line = ["study", "add", str(folder), "--case", name, "--patient", patient]
    for done, (key, volume) in enumerate(volumes.items(), start=1):
        if volume is not None:
            write_volume(volume, work / f"{key}.nii")
            line += [f"--{key}", str(work / f"{key}.nii")]
            on_event(Progress(done, len(volumes), "files"))
    return name, line


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
    from napari_microus.core.study.table import MANIFEST

    if not (Path(folder) / MANIFEST).exists():
        return "No study yet; adding a case makes one."
    try:
        study = Study.open(folder)
    except InputError as error:
        return error.plain
    both = sum(bool(case.expert and case.nonexpert) for case in study.used)
    return (
        f"{len(study.used)} cases of {len(study.patients)} patients, {both} of them "
        "with two annotators."
    )
