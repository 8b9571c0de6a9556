"""Find which files of several folders show the same case."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError
from napari_microus.core.io.reading import is_readable, stem_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Pairing:
    """Files that belong together, and those that found no partner.

    Attributes
    ----------
    cases : tuple of (str, tuple of Path)
        Name of the case and one file per folder, in the order of the folders.
    mispairs : tuple of str
        One sentence per file or number that could not be paired.
    incomplete : tuple of (str, tuple of (Path or None))
        Cases that some folders lack and two or more have; their files are among the
        mispairs too.
    """

    cases: tuple[tuple[str, tuple[Path, ...]], ...]
    mispairs: tuple[str, ...] = field(default=())
    incomplete: tuple[tuple[str, tuple[Path | None, ...]], ...] = field(default=())


def trailing_number(path: str | Path) -> str | None:
    """Return the number at the end of a file's name, or None.

    A suffix such as ``_1`` belongs to it (``scan_07_1.nii.gz`` is ``7_1``), zeros
    in front do not.
    """
    found = re.search(r"\d+(?:_\d+)*$", stem_of(Path(path)))
    if found is None:
        return None
    return "_".join(str(int(part)) for part in found.group().split("_"))


def patient_of(case: str) -> str:
    """Return the patient in a case's name as `pair` gives it.

    The number without the suffix of a repeated scan, as in the public dataset: cases
    ``7`` and ``7_1`` are patient 7. A name without a number is a patient of its own.
    """
    return case.split("_")[0] if re.fullmatch(r"\d+(?:_\d+)*", case) else case


def pair(*sources: str | Path, skip: re.Pattern[str] | None = None) -> Pairing:
    """Pair files, or the files of folders by the number that ends their names.

    Prefixes may differ (``expert_annotation_train_01``, ``nonexpert_01``). Where a
    folder's files end in no number, whole names must be equal.

    Parameters
    ----------
    *sources : path
        Two or more files, which are one case, or two or more folders.
    skip : pattern, optional
        Files of folders whose names without ending match it are left out.

    Raises
    ------
    InputError
        If a source does not exist, files and folders are mixed, or a folder holds
        no mask.
    """
    paths = [Path(source) for source in sources]
    for path in paths:
        if not path.exists():
            raise InputError(
                f"Masks must exist; got {path}, which does not. Check the path.",
                plain=f"There is no mask {path}. Check the path.",
            )
    folders = [path.is_dir() for path in paths]
    if not any(folders):
        name = trailing_number(paths[0]) or stem_of(paths[0])
        return Pairing(((name, tuple(paths)),))
    if not all(folders):
        raise InputError(
            "Sources must be all files or all folders; got both. Name one kind.",
            plain=("Files and folders are mixed. Name files alone, or folders alone."),
        )
    return _pair_folders(paths, skip)


def _pair_folders(
    folders: Sequence[Path], skip: re.Pattern[str] | None = None
) -> Pairing:
    mispairs: list[str] = []
    tables = []
    for folder in folders:
        tables.append(files_by_case(folder, skip))
        if not tables[-1]:
            raise InputError(
                f"A folder of masks must hold image files; got none in {folder}. "
                "Choose another folder.",
                plain=f"There is no mask in {folder}. Choose another folder.",
            )
    cases = []
    incomplete = []
    for key in sorted(set().union(*tables), key=natural_order):
        found = [table.get(key, []) for table in tables]
        if all(len(files) == 1 for files in found):
            cases.append((key, tuple(files[0] for files in found)))
            continue
        if sum(map(len, found)) > 1 and all(len(files) < 2 for files in found):
            incomplete.append((key, tuple(f[0] if f else None for f in found)))
        for folder, files in zip(folders, found, strict=True):
            if not files:
                others = ", ".join(path.name for f in found for path in f)
                mispairs.append(f"{others}: no file for {key} in {folder}.")
            elif len(files) > 1:
                several = ", ".join(path.name for path in files)
                mispairs.append(f"{several}: several files for {key} in {folder}.")
    return Pairing(tuple(cases), tuple(mispairs), tuple(incomplete))


def files_by_case(
    folder: Path, skip: re.Pattern[str] | None = None
) -> dict[str, list[Path]]:
    """Return a folder's readable files by the case that their names state."""
    table: dict[str, list[Path]] = {}
    for path in sorted(path for path in folder.iterdir() if _is_mask(path)):
        if skip is not None and skip.search(stem_of(path)):
            continue
        table.setdefault(trailing_number(path) or stem_of(path), []).append(path)
    return table


def _is_mask(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and is_readable(path)


def natural_order(key: str) -> list[tuple[int, str]]:
    """Return a sort key by which case 9 comes before case 10."""
    return [
        (int(part), "") if part.isdigit() else (-1, part)
        for part in re.split(r"(\d+)", key)
        if part
    ]
