"""Whether the study and the runs in a folder are those that were asked for."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError
from napari_microus.core.io.digests import content_digest
from napari_microus.core.study import Study, import_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.study import StudyCase
    from napari_microus.core.train.fingerprint import Fingerprint


def open_study(source: Path, output: Path) -> Study:
    """Return a study, made in the output folder from another layout where need be.

    Raises
    ------
    InputError
        If the output folder holds a study of other data; what differs is named.
    """
    if (source / "manifest.csv").exists():
        return Study.open(source)
    made = output / "study"
    if not (made / "manifest.csv").exists():
        study = Study.create(made)
        import_folder(study, source.resolve())
        return study
    study = Study.open(made)
    with TemporaryDirectory() as folder:
        asked = Study.create(Path(folder) / "study")
        import_folder(asked, source.resolve())
        fault = _difference(asked, study)
    if fault:
        raise InputError(
            f"A folder of results must be of one data set; got {source}, and {output} "
            f"is of another: {fault}. Choose another output folder.",
            plain=(
                f"{output} holds results of other data than {source}: {fault}. "
                "Choose another output folder."
            ),
        )
    return study


def check_unseen(study: Study, cases: Sequence[StudyCase], learnt: Fingerprint) -> None:
    """Refuse to measure on a scan that was learnt from, under whatever name.

    Raises
    ------
    InputError
        If an image is among those of the run's training, or of its validation where
        test cases are measured.
    """
    parts = {"train"} | {"val" for case in cases if case.split == "test"}
    images = learnt.images(*parts)
    for case in cases:
        twin = images.get(content_digest(study.path(case.image)))
        if twin is not None:
            raise InputError(
                "A case to measure on must be unknown to the model; got "
                f"'{case.case}', whose image is that of '{twin}', which is learnt "
                "from. Set ignore to 1 for one of them.",
                plain=(
                    f"Case '{case.case}' is measured on, and its image is that of "
                    f"'{twin}', which is learnt from. Set ignore to 1 for one of "
                    "them."
                ),
            )


def _difference(asked: Study, there: Study) -> str:
    """Return how the first differing case differs, "" where all are the same."""
    known = {case.case: case for case in there.cases}
    for case in asked.cases:
        other = known.get(case.case)
        if other is None:
            return f"it has no case '{case.case}'"
        for role in ("image", "expert", "nonexpert"):
            files = getattr(case, role), getattr(other, role)
            if bool(files[0]) != bool(files[1]):
                return f"'{case.case}' differs in its {role} file"
            if files[0] and _content(asked, files[0]) != _content(there, files[1]):
                return f"'{case.case}' has another {role} file"
    more = known.keys() - {case.case for case in asked.cases}
    return f"it also has '{min(more)}'" if more else ""


def _content(study: Study, file: str) -> str:
    return content_digest(study.path(file))
