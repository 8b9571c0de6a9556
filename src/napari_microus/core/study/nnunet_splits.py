"""nnU-Net's ``splits_final.json`` as the folds of a study."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import InputError
from napari_microus.core.study.nnunet_json import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from napari_microus.core.study.table import StudyCase

SPLITS_FILE = "splits_final.json"
_PICKLED = "splits_final.pkl"
_WITHOUT = "Correct it, or import without it (--no-folds) and split the study."
_Fold = tuple[set[str], set[str]]


def find_splits(source: Path) -> Path | None:
    """Return where the splits of a raw data set lie, None where there are none.

    They lie in the data set's folder, or in that of the same name below
    ``nnUNet_preprocessed``: beside ``nnUNet_raw``, or where the variable of this name
    points.
    """
    source = source.resolve()
    folders = [source, source.parent.parent / "nnUNet_preprocessed" / source.name]
    named = os.environ.get("nnUNet_preprocessed")
    if named:
        folders.append(Path(named) / source.name)
    paths = [folder / SPLITS_FILE for folder in folders]
    return next((path for path in paths if path.is_file()), None)


def pickled_splits(source: Path) -> Path | None:
    """Return splits of nnU-Net's first version, which nobody should unpickle."""
    path = source / _PICKLED
    return path if path.is_file() else None


def with_folds(
    cases: Sequence[StudyCase], path: Path, notices: list[str]
) -> list[StudyCase]:
    """Return cases in the folds of a file of splits.

    A case of no validation list that every fold learns from stays without a fold,
    which means the same in a study; one that no fold names is ignored, as nnU-Net
    does. One split alone becomes training and validation.

    Raises
    ------
    InputError
        If the file names unknown cases, one case is in both lists of a split, the
        splits are no cross-validation, or a patient is in two folds.
    """
    training = [case for case in cases if case.split != "test"]
    folds = _read(path)
    _check_names(folds, {case.case for case in training}, path)
    parts = _parts(folds, [case.case for case in training], path)
    _check_patients(training, parts, path)
    unused = [name for name, part in parts.items() if part is None]
    if unused:
        notices.append(
            f"{_counted(unused)} in no fold of {path.name}, and ignored as in nnU-Net."
        )
    always = [name for name, part in parts.items() if part == ""]
    if always:
        notices.append(
            f"{_counted(always)} learnt from in every fold and validated on in none."
        )
    what = f"{len(folds)} folds" if len(folds) > 1 else "training and validation"
    notices.append(f"Taken from {path}: {what}.")
    return [case if case.split == "test" else _in_fold(case, parts) for case in cases]


def _in_fold(case: StudyCase, parts: Mapping[str, str | None]) -> StudyCase:
    part = parts[case.case]
    return replace(case, split=part or "", ignore=part is None)


def _read(path: Path) -> list[_Fold]:
    values = read_json(path)
    if not isinstance(values, list) or not values:
        raise _wrong(path, "a list of splits", type(values).__name__)
    return [(_names(one, "train", path), _names(one, "val", path)) for one in values]


def _names(one: Any, part: str, path: Path) -> set[str]:
    names = one.get(part) if isinstance(one, dict) else None
    if not isinstance(names, list) or not names:
        raise _wrong(path, f"a list '{part}' of cases in each split", names)
    return set(map(str, names))


def _check_names(folds: Sequence[_Fold], known: set[str], path: Path) -> None:
    for number, (train, val) in enumerate(folds):
        unknown = (train | val) - known
        if unknown:
            raise _wrong(
                path, "cases of imagesTr alone", f"'{min(unknown)}' in split {number}"
            )
        both = train & val
        if both:
            raise _wrong(
                path,
                "each case once in a split",
                f"'{min(both)}' in training and validation of split {number}",
            )


def _parts(
    folds: Sequence[_Fold], names: Iterable[str], path: Path
) -> dict[str, str | None]:
    """Return what each case's split is; None for one that no fold uses."""
    parts: dict[str, str | None] = {}
    for name in names:
        learnt = [number for number, (train, _) in enumerate(folds) if name in train]
        held = [number for number, (_, val) in enumerate(folds) if name in val]
        if not learnt and not held:
            parts[name] = None
        elif len(folds) == 1:
            parts[name] = "val" if held else "train"
        elif len(held) + len(learnt) == len(folds) and len(held) <= 1:
            parts[name] = f"fold{held[0]}" if held else ""
        else:
            raise _wrong(
                path,
                "a cross-validation, each case validated on once and else learnt from",
                f"'{name}' validated on in {len(held)} and learnt from in "
                f"{len(learnt)} of {len(folds)} splits",
            )
    return parts


def _check_patients(
    cases: Sequence[StudyCase], parts: dict[str, str | None], path: Path
) -> None:
    """Refuse folds that learn from a patient on whom they validate."""
    found: dict[str, dict[str, str]] = {}
    for case in cases:
        part = parts[case.case]
        if part is not None:
            found.setdefault(case.patient, {}).setdefault(part, case.case)
    for patient, named in found.items():
        if len(named) > 1:
            first, second = sorted(named.values())[:2]
            raise _wrong(
                path,
                "all cases of a patient in one fold",
                f"'{first}' and '{second}' of patient '{patient}' in two",
            )


def _wrong(path: Path, what: str, got: object) -> InputError:
    return InputError(
        f"A file of splits must have {what}; got {got} in {path}. {_WITHOUT}",
        plain=f"{path} needs {what}, and holds {got}. {_WITHOUT}",
    )


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} cases are" if len(names) > 1 else f"'{names[0]}' is"
