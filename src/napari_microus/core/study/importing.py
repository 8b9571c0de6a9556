"""Bring folders of the layouts people have into a study."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_microus.core.errors import InputError
from napari_microus.core.io import is_readable, stem_of
from napari_microus.core.study.mri_layouts import find_cases, recognise_mri
from napari_microus.core.study.nnunet import nnunet_cases
from napari_microus.core.study.nnunet_json import DATASET
from napari_microus.core.study.table import (
    MANIFEST,
    SPLITS,
    StudyCase,
    check_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_microus.core.study.manifest import Study

Layout = Literal["auto", "micro-us", "nnu-net", "folders", "cases", "picai", "brats"]
_MICRO_US = "micro_ultrasound_scans"
# The number that ends a file's name, with the suffix of a repeated scan.
_NUMBER = re.compile(r"(\d+)((?:_\d+)*)$")
_SCAN_NAMES = ("scan", "image")
_IMAGE_FOLDERS = ("images", "image", "scans", "frames")
_EXPERT_FOLDERS = ("masks", "labels", "expert", "annotations", "mask", "label")
_NONEXPERT_FOLDERS = ("nonexpert", "non_expert", "nonexpert_masks", "non-expert")
_EACH_A_PATIENT = (
    "Each of the {0} files counts as a patient of its own. Where one patient has "
    "several, name a pattern whose first group is the patient (--patient-pattern "
    "'(.+)_\\d+' for p07_2.nii.gz): else one patient may be learnt from and validated "
    "on."
)
_PATIENT_COLUMNS = ("patient", "exam", "subject", "case")


def import_folder(
    study: Study,
    source: str | Path,
    *,
    layout: Layout = "auto",
    patient_pattern: str | None = None,
    labels: Sequence[str] = (),
    splits: str | Path | None = None,
    folds: bool = True,
) -> list[str]:
    """List the cases of a folder in a study; the files stay where they are.

    Parameters
    ----------
    study : Study
        Takes the cases and is saved.
    source : path
        One of six layouts: the public micro-ultrasound dataset
        (``train/micro_ultrasound_scans`` …), nnU-Net's (``imagesTr``,
        ``labelsTr`` and what ``dataset.json`` states), or plain folders (``images``
        and ``masks``, and ``nonexpert`` where there is one, files of equal names)
        with an optional ``split.csv`` of file, patient (or exam) and split, or a
        folder for each case with ``scan``, ``expert`` and ``nonexpert``, as
        ``phantom`` writes them, or the volumes of PI-CAI 2022 or BraTS 2018, see
        `mri_layouts`.
    layout : str
        "auto" looks which one it is.
    patient_pattern : str, optional
        Regular expression whose first group is the patient in a file's name.
        Without it nnU-Net's cases and plain files count as one patient each.
    labels : sequence of str
        Of nnU-Net's layout: the label that is the target, or several that are it
        together, by name or value.
    splits : path, optional
        Of nnU-Net's layout: a ``splits_final.json``; None looks for it.
    folds : bool
        Of nnU-Net's layout: whether to take the folds of that file.

    Returns
    -------
    list of str
        Sentences the user should read, such as files left out.

    Raises
    ------
    InputError
        If the folder has none of these layouts, no case, or files that do not fit
        each other; nothing is added then. A `LabelChoiceError` where nnU-Net's data
        set has several labels and none was chosen.
    """
    source = Path(source)
    layout = _recognise(source) if layout == "auto" else layout
    if layout != "nnu-net" and (labels or splits is not None):
        raise InputError(
            "Labels and splits are chosen for a data set in nnU-Net's layout; got "
            f"'{layout}'. Leave them out.",
            plain=f"A folder of the layout '{layout}' has no choice of labels or "
            "splits. Leave that out.",
        )
    patient_of = patient_reader(patient_pattern)
    notices: list[str] = []
    if layout == "micro-us":
        cases = _micro_us(source, notices)
    elif layout in ("picai", "brats"):
        found = find_cases(source, layout)
        cases = found.cases
        notices += found.lacking
    elif layout == "cases":
        cases = _cases(source, patient_of)
    elif layout == "nnu-net":
        folds = folds and not _is_split(study, notices)
        cases = nnunet_cases(
            source,
            patient_of,
            notices,
            labels=labels,
            splits=Path(splits) if splits is not None and folds else None,
            folds=folds,
        )
    else:
        cases = _folders(source, patient_of, notices, patient_pattern is None)
    if layout in ("nnu-net", "cases") and patient_pattern is None and len(cases) > 1:
        notices.append(_EACH_A_PATIENT.format(len(cases)))
    _check_places(cases)
    if not cases:
        raise InputError(
            f"The folder must hold images of the layout '{layout}'; got none in "
            f"{source}. Check the folder's name.",
            plain=(
                f"There are no images of the layout '{layout}' in {source}. Check "
                "the folder's name."
            ),
        )
    taken = {case.case for case in study.cases}
    fresh = [case for case in cases if case.case not in taken]
    if len(fresh) < len(cases):
        notices.append(f"{len(cases) - len(fresh)} cases were listed already.")
    listed = [*study.cases, *(_relative(case, study.folder) for case in fresh)]
    check_names(listed, study.folder / MANIFEST)
    study.cases = listed
    study.save()
    patients = len({case.patient for case in fresh})
    return [*notices, f"{len(fresh)} cases of {patients} patients were added."]


def _is_split(study: Study, notices: list[str]) -> bool:
    """Return whether a study has parts already, into which no folds can be mixed."""
    is_split = any(case.split not in ("", "test") for case in study.cases)
    if is_split:
        notices.append("The study is split already: no folds were taken.")
    return is_split


def _check_places(cases: Sequence[StudyCase]) -> None:
    """Refuse masks that lie elsewhere than their images, from the headers alone."""
    from napari_microus.core.io.headers import read_grid
    from napari_microus.core.io.masks import placed_on

    wrong: list[InputError] = []
    for case in cases:
        scan = read_grid(Path(case.image))
        if scan is None:
            continue
        masks = (case.expert, case.nonexpert, *case.annotators.values())
        for file in filter(None, masks):
            mask = read_grid(Path(file))
            try:
                if mask is not None:
                    placed_on(mask, scan)
            except InputError as error:
                wrong.append(error.at(Path(file).name))
    if wrong:
        said = (
            f"{len(wrong)} masks do not lie on their images, and nothing was added. "
            "The first is "
        )
        raise InputError(f"{said}{wrong[0]}", plain=f"{said}{wrong[0].plain}")


def _recognise(source: Path) -> Layout:
    if any((source / part / _MICRO_US).is_dir() for part in ("train", "test")):
        return "micro-us"
    if (source / "imagesTr").is_dir() or (source / DATASET).is_file():
        return "nnu-net"
    mri = recognise_mri(source)
    if mri is not None:
        return mri
    if _first_folder(source, _IMAGE_FOLDERS) is not None:
        return "folders"
    if any(_named(folder, _SCAN_NAMES) for folder in _subfolders(source)):
        return "cases"
    raise InputError(
        "The folder must have a known layout (train/micro_ultrasound_scans, imagesTr, "
        "images and masks, or a folder for each case with scan and expert); got "
        f"{source}. Rename its folders.",
        plain=(
            f"No scans and masks were found in {source}. Put scans "
            "into a folder images and masks into masks, or choose "
            "another."
        ),
    )


def _micro_us(source: Path, notices: list[str]) -> list[StudyCase]:
    cases = []
    for part in ("train", "test"):
        folder = source / part
        if not (folder / _MICRO_US).is_dir():
            continue
        scans = _by_number(folder / _MICRO_US)
        masks = {
            path.name.removesuffix("_annotations"): _by_number(path)
            for path in sorted(folder.glob("*_annotations"))
        }
        experts = masks.pop("expert", {})
        nonexperts = masks.pop("non_expert", {})
        for number, scan in scans.items():
            if number not in experts:
                notices.append(f"{scan.name} has no expert annotation.")
            more = {name: str(f[number]) for name, f in masks.items() if number in f}
            cases.append(
                StudyCase(
                    case=f"{part}_{number}",
                    patient=f"{part}_{number.split('_')[0]}",
                    image=str(scan),
                    expert=str(experts.get(number, "")),
                    nonexpert=str(nonexperts.get(number, "")),
                    annotators=more,
                    split="test" if part == "test" else "",
                )
            )
    return cases


def _by_number(folder: Path) -> dict[str, Path]:
    """Return files by the number that ends their names, as prefixes differ."""
    found = {}
    for path in _files(folder):
        match = _NUMBER.search(stem_of(path))
        if match:
            found[match[1] + match[2]] = path
    return found


def _cases(source: Path, patient_of: Mapping[str, str]) -> list[StudyCase]:
    """List folders of one case each."""
    cases = []
    for folder in _subfolders(source):
        scan = _named(folder, _SCAN_NAMES)
        if scan:
            expert = _named(folder, ("expert", "mask", "label", "annotation"))
            nonexpert = _named(folder, ("nonexpert", "non_expert", "non-expert"))
            name = folder.name
            cases.append(StudyCase(name, patient_of[name], scan, expert, nonexpert))
    return cases


def _subfolders(source: Path) -> list[Path]:
    if not source.is_dir():
        return []
    found = [path for path in source.iterdir() if path.is_dir()]
    return sorted(path for path in found if not path.name.startswith("."))


def _named(folder: Path, stems: Sequence[str]) -> str:
    """Return the file of one of these names, "" if there is none."""
    files = {stem_of(path).lower(): str(path) for path in _files(folder)}
    return next((files[stem] for stem in stems if stem in files), "")


def _folders(
    source: Path,
    patient_of: Mapping[str, str],
    notices: list[str],
    distinguish_patients: bool,
) -> list[StudyCase]:
    images = _first_folder(source, _IMAGE_FOLDERS)
    if images is None:
        return []
    experts = _by_stem(_first_folder(source, _EXPERT_FOLDERS))
    nonexperts = _by_stem(_first_folder(source, _NONEXPERT_FOLDERS))
    table = _read_table(source / "split.csv")
    if not table and distinguish_patients:
        notices.append(_EACH_A_PATIENT.format(len(_files(images))))
    cases = []
    for path in _files(images):
        stem = stem_of(path)
        patient, split = table.get(path.name, table.get(stem, (patient_of[stem], "")))
        expert, nonexpert = experts.get(stem, ""), nonexperts.get(stem, "")
        cases.append(
            StudyCase(
                stem, patient, str(path), str(expert), str(nonexpert), split=split
            )
        )
    return cases


def _read_table(path: Path) -> dict[str, tuple[str, str]]:
    """Return patient and split by file from a ``split.csv``."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        patient = next((c for c in _PATIENT_COLUMNS if c in columns), None)
        if "file" not in columns or patient is None:
            raise InputError(
                "split.csv must have the columns file, patient and split; got "
                f"{', '.join(columns) or 'none'} in {path}. Correct its first line.",
                plain=(
                    f"The first line of {path} lacks one of file, patient and "
                    "split. Correct it."
                ),
            )
        rows = list(reader)
    words = {"valid": "val", "validation": "val", "training": "train"}
    table = {}
    for row in rows:
        split = (row.get("split") or "").strip().lower()
        split = words.get(split, split)
        known = split if split in SPLITS else ""
        table[row["file"]] = (row[patient], known)
    return table


class _Pattern(dict[str, str]):
    """The patient of a file's name, by a pattern or the name itself."""

    def __init__(self, pattern: str | None) -> None:
        super().__init__()
        try:
            self._pattern = re.compile(pattern) if pattern else None
        except re.error as error:
            raise InputError(
                f"The patient's pattern must be a regular expression; got '{pattern}' "
                f"({error}). Try '(patient\\d+)'.",
                plain=(
                    f"'{pattern}' cannot be used as a pattern ({error}). Try "
                    "'(patient\\d+)'."
                ),
            ) from error
        if self._pattern is not None and self._pattern.groups != 1:
            raise InputError(
                "The patient's pattern must have one group; got "
                f"{self._pattern.groups} in '{pattern}'. Try '(patient\\d+)'.",
                plain=(
                    f"The pattern '{pattern}' does not show which part of a name is "
                    "the patient. Put that part in brackets, as in '(patient\\d+)'."
                ),
            )

    def __missing__(self, name: str) -> str:
        if self._pattern is None:
            return name
        found = self._pattern.search(name)
        if found is None:
            raise InputError(
                f"The patient's pattern must fit every file; got '{name}'. Widen it.",
                plain=(
                    f"The patient cannot be found in the name '{name}'. Widen the "
                    "pattern."
                ),
            )
        return str(found[1])


def patient_reader(pattern: str | None) -> Mapping[str, str]:
    """Return a mapping of a file's name to its patient.

    Parameters
    ----------
    pattern : str or None
        Regular expression whose first group is the patient; None makes every name a
        patient of its own.

    Raises
    ------
    InputError
        If the pattern makes no sense; from the mapping, if it does not fit a name.
    """
    return _Pattern(pattern)


def _first_folder(source: Path, names: Iterable[str]) -> Path | None:
    found = [source / name for name in names if (source / name).is_dir()]
    return found[0] if found else None


def _by_stem(folder: Path | None) -> dict[str, Path]:
    return {} if folder is None else {stem_of(path): path for path in _files(folder)}


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_readable(path))


def _relative(case: StudyCase, folder: Path) -> StudyCase:
    """Name files from the study's folder, so that both can move together."""

    def name(file: str) -> str:
        if not file:
            return ""
        path = Path(file).resolve()
        try:
            return Path(os.path.relpath(path, folder.resolve())).as_posix()
        except ValueError:  # another drive of Windows
            return str(path)

    return replace(
        case,
        image=name(case.image),
        expert=name(case.expert),
        nonexpert=name(case.nonexpert),
        annotators={who: name(file) for who, file in case.annotators.items()},
        channels={what: name(file) for what, file in case.channels.items()},
    )
