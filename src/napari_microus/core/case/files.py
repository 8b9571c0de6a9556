"""The files of a case's folder.

``case.json`` names the others, so a case changes in the moment in which that one file
is replaced: new masks get new names before, and those of the revision before are
removed afterwards. A process that is killed between leaves the old case, whole.
"""

from __future__ import annotations

import itertools
import json
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_microus.core.case.document import encoded, to_document
from napari_microus.core.case.record import DOCUMENT, CaseMask
from napari_microus.core.case.scan_reference import pixels_sha256
from napari_microus.core.errors import InputError, MicroUSError, OutputError
from napari_microus.core.files import atomic_write
from napari_microus.core.io import (
    read_provenance,
    read_volume,
    sidecar_of,
    write_mask,
    write_volume,
)
from napari_microus.core.io.scan_sidecar import FOLDER_SIDECAR

if TYPE_CHECKING:
    from pathlib import Path

    from napari_microus.core.case.record import Case
    from napari_microus.core.case.scan_reference import ScanReference

SCAN_COPY = "scan.nii.gz"

# The sidecar of a case's mask states the case's code under this key.
_MARK = "case"
_NAME = re.compile(r"(capsule|mask\d+)_\d+(_\d+)?\.nii\.gz")


def write_case_files(case: Case, where: Path, copies_scan: bool) -> None:
    """Write a case into a folder, in place of its revision before.

    Raises
    ------
    OutputError
        If a file cannot be written; the folder is as it was then.
    """
    written: list[Path] = []
    entries: list[dict[str, str]] = []
    try:
        if copies_scan:
            written += _write_scan(case, where / SCAN_COPY)
        masks = {"capsule": CaseMask(case.mask, case.provenance), **case.others}
        for index, (name, one) in enumerate(masks.items()):
            stem = "capsule" if index == 0 else f"mask{index}"
            path = _free(where, f"{stem}_{case.revision}")
            made = {**one.provenance, _MARK: case.code}
            write_mask(one.mask, path, overwrite=True, provenance=made)
            written += [path, sidecar_of(path)]
            entries.append(
                {"name": name, "file": path.name, "sha256": pixels_sha256(one.mask)}
            )
        document = to_document(
            code=case.code,
            revision=case.revision,
            created=case.created,
            modified=case.modified,
            reference=case.reference,
            mask={key: entries[0][key] for key in ("file", "sha256")},
            others=entries[1:],
            review=case.review,
            measurements=case.measurements,
            note=case.note,
        )
        with atomic_write(where / DOCUMENT, overwrite=True) as beside:
            beside.write_text(encoded(document), encoding="utf-8")
            # Before the document's name: after it, nothing may fail any more.
            _write_properties(where, case.reference)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    _remove_older(where, {entry["file"] for entry in entries})


def _write_scan(case: Case, path: Path) -> list[Path]:
    """Copy the scan unless it lies there; return what was written."""
    assert case.scan is not None  # a case that is saved has its scan
    if path.exists():
        try:
            is_same = pixels_sha256(read_volume(path)) == case.reference.pixels_sha256
        except MicroUSError:
            is_same = False
        if is_same:
            return []
        raise OutputError(
            f"The copy of a scan must not replace another file; got {path}. Rename "
            "that file.",
            plain=(
                f"{path} is another file, in the way of the scan's copy. Rename "
                "that file."
            ),
        )
    write_volume(replace(case.scan, metadata={}), path)
    return [path]


def _free(where: Path, stem: str) -> Path:
    """Return a name that no file of a person has; one of a killed process is free."""
    names = (
        f"{stem}.nii.gz" if number == 1 else f"{stem}_{number}.nii.gz"
        for number in itertools.count(1)
    )
    return next(
        path
        for name in names
        if not ((path := where / name).exists() or sidecar_of(path).exists())
        or _is_ours(path)
    )


def _is_ours(mask: Path) -> bool:
    """Return whether a mask, or what a killed process left of it, is of a case."""
    try:
        return bool(_NAME.fullmatch(mask.name)) and _MARK in read_provenance(mask)
    except InputError:
        return False


def _remove_older(where: Path, named: set[str]) -> None:
    """Remove the masks of revisions before, also where a process was killed."""
    for sidecar in where.glob("*.json"):
        mask = where / f"{sidecar.stem}.nii.gz"
        if mask.name not in named and _is_ours(mask):
            with suppress(OSError):  # the case is saved; it is in nobody's way
                mask.unlink(missing_ok=True)
                sidecar.unlink(missing_ok=True)


def _write_properties(where: Path, reference: ScanReference) -> None:
    """Write the sizes where every reader of a mask alone looks for them."""
    stated = reference.properties
    path = where / FOLDER_SIDECAR
    if stated.is_empty:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path, overwrite=True) as beside:
        beside.write_text(
            json.dumps(stated.to_dict(), indent=2) + "\n", encoding="utf-8"
        )
