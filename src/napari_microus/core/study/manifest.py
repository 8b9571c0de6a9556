"""A study: a folder with a table of cases, which several programs may change."""

from __future__ import annotations

import csv
import datetime
import json
import shutil
from contextlib import contextmanager
from dataclasses import replace
from os.path import exists
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.files import (
    append_line,
    atomic_folder,
    atomic_write,
    only_one,
)
from napari_microus.core.study.case_files import CaseFiles
from napari_microus.core.study.table import (
    MANIFEST,
    SPLITS,
    StudyCase,
    check_names,
    read_pixel,
    read_table,
    sized,
    write_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from napari_microus.core.volume import Volume

__all__ = ["LOCK", "MANIFEST", "SPLITS", "TEST_USE", "Study"]
# They stood here; for one release.
__all__ += ["StudyCase", "read_pixel", "sized"]

LOCK = ".manifest.lock"
# A manifest is written in much less.
_PATIENCE_S = 10.0
TEST_USE = "test_use.jsonl"


class Study(CaseFiles):
    """A folder of cases; `create` or `open` one.

    Attributes
    ----------
    folder : Path
    cases : list of StudyCase
        In the order of the manifest, ignored ones too.
    """

    def __init__(self, folder: Path, cases: Iterable[StudyCase] = ()) -> None:
        super().__init__(folder)
        self.cases = list(cases)
        # The manifest as it was read or written last: another program may write too.
        self._seen: bytes | None = None

    @classmethod
    def create(cls, folder: str | Path) -> Self:
        """Make an empty study.

        Raises
        ------
        OutputError
            If the folder holds a study already or cannot be written.
        """
        study = cls(Path(folder))
        if exists(study.folder / MANIFEST):
            raise OutputError(
                f"A new study needs a folder of its own; got {folder}, which holds "
                "one. Open that study, or choose another folder.",
                plain=(
                    f"There is a study in {folder} already. Open that study, or "
                    "choose another folder."
                ),
            )
        study.save()
        return study

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Read a study's manifest.

        Raises
        ------
        InputError
            If there is none, a column is missing, or a line makes no sense.
        """
        path = Path(folder) / MANIFEST
        try:
            content = path.read_bytes()
            cases = read_table(content, path)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(
                f"A study must have a readable {MANIFEST}; got {path} "
                f"({getattr(error, 'strerror', None) or error}). "
                "Choose a study's folder, or create one.",
                plain=(
                    f"No study that can be read: {path}. Choose the folder of a study."
                ),
            ) from error
        study = cls(Path(folder), cases)
        study._seen = content
        return study

    def save(self) -> None:
        """Write the manifest, whole or not at all.

        Raises
        ------
        OutputError
            If another program has changed it since it was read, or it cannot be
            written.
        """
        with self._alone():
            if self._is_changed():
                raise OutputError(
                    "A study must be as it was when it was opened; another program "
                    f"has changed {self.folder / MANIFEST} since. Open the study "
                    "again, and repeat the change.",
                    plain=(
                        f"Another program has changed {self.folder / MANIFEST} since "
                        "it was opened. Open the study again, and repeat the change."
                    ),
                )
            self._write()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other program write the manifest meanwhile."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"Cannot write to {self.folder} ({error.strerror}). Choose another "
                "folder."
            ) from error
        taken = (
            f"Another program is writing the study {self.folder} now. Try again in a "
            "moment."
        )
        with only_one(self.folder / LOCK, taken, patience_s=_PATIENCE_S):
            yield

    def _is_changed(self) -> bool:
        try:
            return (self.folder / MANIFEST).read_bytes() != self._seen
        except OSError:  # whatever is wrong, writing says it
            return False

    def _change(self, change: Callable[[list[StudyCase]], list[StudyCase]]) -> None:
        """Change the list as it stands in the file now, or keep it as it is here."""
        with self._alone():
            if self._is_changed():
                now = Study.open(self.folder)
                self.cases, self._seen = now.cases, now._seen
            before = self.cases
            self.cases = change(before)
            try:
                self._write()
            except OutputError:
                self.cases = before
                raise

    def _write(self) -> None:
        with (
            atomic_write(self.folder / MANIFEST, overwrite=True) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            write_table(self.cases, file)
        self._seen = (self.folder / MANIFEST).read_bytes()

    @property
    def used(self) -> list[StudyCase]:
        """The cases that are not ignored."""
        return [case for case in self.cases if not case.ignore]

    @property
    def patients(self) -> list[str]:
        """The patients of the cases in use, each once."""
        return list(dict.fromkeys(case.patient for case in self.used))

    def add(self, case: StudyCase) -> None:
        """Append a case whose files exist already, and save.

        Raises
        ------
        InputError
            If the name is taken or cannot be a file's name.
        """
        self._change(lambda cases: self._with(cases, case))

    def _with(self, cases: list[StudyCase], case: StudyCase) -> list[StudyCase]:
        check_names([*cases, case], self.folder / MANIFEST)
        return [*cases, case]

    def add_case(
        self,
        name: str,
        patient: str,
        scan: Volume,
        expert: Volume | None = None,
        nonexpert: Volume | None = None,
        annotators: Mapping[str, Volume] | None = None,
        split: str = "",
    ) -> StudyCase:
        """Write a scan with its masks into the study and list it.

        Parameters
        ----------
        name, patient : str
            Name of the case and pseudonym of the patient: letters, digits, ``_.-``.
        scan : Volume
            The scan.
        expert, nonexpert : Volume, optional
            Masks on the scan's grid: 0, 1 and, where undecided, 255.
        annotators : mapping of str to Volume, optional
            Masks of further annotators.
        split : str
            "train", "val", "test" or "".

        Raises
        ------
        InputError
            If a name is taken or unfit, or a mask is not on the scan's grid.
        OutputError
            If the study's folder cannot be written.
        """
        from napari_microus.core.io import write_mask, write_volume

        masks = {"expert": expert, "nonexpert": nonexpert, **(annotators or {})}
        present = {key: mask for key, mask in masks.items() if mask is not None}
        _check_grids(scan, present)
        below = f"cases/{name}"
        files = {key: f"{below}/{key}.nii.gz" for key in present}
        case = StudyCase(
            name,
            patient,
            f"{below}/image.nii.gz",
            files.pop("expert", ""),
            files.pop("nonexpert", ""),
            files,
            split,
        )
        check_names([*self.cases, case], self.folder / MANIFEST)
        if scan.array.dtype == np.bool_:
            raise InputError(
                "A scan must hold intensities; got an array of yes and no, as a mask "
                "is. Choose the scan.",
                plain="This is a mask, not a scan. Choose the scan.",
            )
        place = self.folder / below
        with atomic_folder(place) as new:
            write_volume(scan, new / "image.nii.gz")
            for key, mask in present.items():
                write_mask(mask, new / f"{key}.nii.gz")
        try:
            self._change(lambda cases: self._with(cases, case))
        except (InputError, OutputError):
            shutil.rmtree(place, ignore_errors=True)
            raise
        return case

    def add_masks(
        self, name: str, expert: Volume, nonexpert: Volume | None = None
    ) -> StudyCase:
        """Write the annotation of a case that had none, and list it.

        Parameters
        ----------
        name : str
            A case without an expert mask.
        expert, nonexpert : Volume
            Masks on the grid of the case's scan: 0, 1 and, where undecided, 255.
            A non-expert mask that the case has already stays where None is given.

        Raises
        ------
        InputError
            If there is no such case, it is annotated already, or a mask is not on
            the scan's grid.
        OutputError
            If the study's folder cannot be written.
        """
        from napari_microus.core.io import write_mask

        waiting = {case.case: case for case in self.cases if not case.expert}
        if name not in waiting:
            raise InputError(
                f"A case to annotate must be in the study without an expert mask; got "
                f"'{name}'. Choose one of those that wait, or add a new case.",
                plain=(
                    f"The study has no case '{name}' that waits for its mask. "
                    "Choose one of those that wait, or add a new case."
                ),
            )
        case = waiting[name]
        second = {} if nonexpert is None else {"nonexpert": nonexpert}
        masks: dict[str, Volume] = {"expert": expert, **second}
        _check_grids(self.read_scan(case), masks)
        files = {key: f"cases/{name}/{key}.nii.gz" for key in masks}
        done = replace(
            case,
            expert=files["expert"],
            nonexpert=files.get("nonexpert", case.nonexpert),
            label_rule="",  # what is written holds 0, 1 and 255
        )
        written: list[Path] = []
        try:
            for key, mask in masks.items():
                write_mask(mask, self.folder / files[key])
                written.append(self.folder / files[key])
            self._change(
                lambda cases: [done if other == case else other for other in cases]
            )
        except OutputError:
            for path in written:
                path.unlink(missing_ok=True)
            raise
        return done

    def set_ignored(self, name: str, ignored: bool) -> StudyCase:
        """Leave a case out of training and measuring, or use it again.

        Raises
        ------
        InputError
            If there is no such case.
        """
        self._change(
            lambda cases: [
                replace(case, ignore=ignored) if case.case == name else case
                for case in cases
            ]
        )
        return self.cases[self._place(name)]

    def move_patient(self, patient: str, split: str) -> list[StudyCase]:
        """Put all cases of a patient into one part of the study.

        Parameters
        ----------
        patient : str
            Whose cases are moved together: a patient is in one part alone.
        split : str
            "train", "val", "test", or "" for one that waits for the next split.

        Raises
        ------
        InputError
            If the study has no such patient.
        """
        moved = [case for case in self.cases if case.patient == patient]
        if not moved:
            raise InputError(
                f"A patient must be in the study; got '{patient}'. Choose one of its "
                "cases.",
                plain=f"The study has no patient '{patient}'. Choose one of its cases.",
            )
        self._change(
            lambda cases: [
                replace(case, split=split) if case.patient == patient else case
                for case in cases
            ]
        )
        return [case for case in self.cases if case.patient == patient]

    def remove(self, name: str) -> tuple[StudyCase, int]:
        """Take a case off the list; its files stay where they are.

        Returns
        -------
        case, place : StudyCase, int
            What `put_back` needs.

        Raises
        ------
        InputError
            If there is no such case.
        """
        place = self._place(name)
        case = self.cases[place]
        self._change(lambda cases: [one for one in cases if one.case != name])
        return case, place

    def put_back(self, case: StudyCase, place: int) -> None:
        """List a removed case again, where it was."""
        self._change(
            lambda cases: [*self._with(cases, case)[:place], case, *cases[place:]]
        )

    def _place(self, name: str) -> int:
        places = [i for i, case in enumerate(self.cases) if case.case == name]
        if not places:
            raise InputError(
                f"A case must be in the study; got '{name}'. Choose one of its cases.",
                plain=f"The study has no case '{name}'. Choose one of its cases.",
            )
        return places[0]

    def state_pixel(
        self, spacing_mm: tuple[float, float], *, except_cases: Iterable[str] = ()
    ) -> int:
        """State a pixel size for the cases whose images state none, and save.

        Parameters
        ----------
        spacing_mm : tuple of float
            Height and width of a pixel in mm.
        except_cases : iterable of str
            Cases that are left as they are.

        Returns
        -------
        int
            How many cases have it now.
        """
        left = set(except_cases)
        fitting = {
            case.case
            for case in self.cases
            if case.case not in left and not self.states_size(case)
        }
        self._change(
            lambda cases: [
                replace(case, spacing_mm=spacing_mm) if case.case in fitting else case
                for case in cases
            ]
        )
        return len(fitting)

    def open_test_set(self, purpose: str) -> list[StudyCase]:
        """Return the test cases, noting that and why they were used.

        Looking at the test set again and again turns it into a validation set;
        the note lets a reader judge.
        """
        cases = [case for case in self.used if case.split == "test"]
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        note = {"time": now, "purpose": purpose, "cases": len(cases)}
        append_line(self.folder / TEST_USE, json.dumps(note))
        return cases

    def test_uses(self) -> list[dict[str, object]]:
        """Return when and what for the test set was opened."""
        path = self.folder / TEST_USE
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


def _check_grids(scan: Volume, masks: Mapping[str, Volume]) -> None:
    for key, mask in masks.items():
        if not scan.shares_grid(mask):
            raise InputError(
                f"Mask and image must share a grid; got {mask.shape} for '{key}' and "
                f"{scan.shape}, or another geometry. Resample the mask first.",
                plain=(
                    f"The mask '{key}' has another size than its scan. Choose "
                    "the mask that was drawn on it."
                ),
            )
