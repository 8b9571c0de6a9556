"""Open a case: its folder, and its scan wherever that lies now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.case.document import (
    measurements_from,
    reference_from,
    review_from,
)
from napari_microus.core.case.document_check import read_document
from napari_microus.core.case.record import Case, CaseMask
from napari_microus.core.case.scan_places import remember_scan, remembered_scan
from napari_microus.core.case.scan_reference import pixels_sha256, placed_scan
from napari_microus.core.errors import InputError, MicroUSError
from napari_microus.core.events import Progress, drain
from napari_microus.core.io import is_readable, read_provenance, read_volume
from napari_microus.core.io.reading import read_without_sidecar
from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_microus.core.case.scan_reference import ScanReference
    from napari_microus.core.events import Event

CHANGED_MASK = (
    "The file of '{name}' was changed after the case was saved: its measurements are "
    "of the older one. Save the case again."
)


def open_case(folder: str | Path, scan: str | Path | Volume | None = None) -> Case:
    """Open a case together with its scan.

    Parameters
    ----------
    folder : str or Path
        A case's folder.
    scan : str, Path or Volume, optional
        The scan where it was moved: its file, a folder that holds it, or the scan
        itself. Without it the scan is looked for in the case and where this computer
        saw it last.

    Returns
    -------
    Case
        Scan and masks lie on one grid, with the sizes that the case states.

    Raises
    ------
    InputError
        If the folder holds no case, one that is damaged or of a newer version, or
        if the scan is not found or is another one.
    """
    return drain(opening_case(folder, scan))


def opening_case(
    folder: str | Path, scan: str | Path | Volume | None = None
) -> Generator[Event, None, Case]:
    """Do what `open_case` does; yields while it looks for the scan."""
    case = read_case(folder)
    yield Progress(1, 2, "steps", "Looking for the scan")
    if isinstance(scan, Volume):
        found = placed_scan(scan, case.reference)
    elif scan is not None:
        found = yield from _given_scan(Path(scan), case.reference)
    else:
        found = _known_scan(case)
    yield Progress(2, 2, "steps", "Opened")
    return _with_scan(case, found)


def read_case(folder: str | Path) -> Case:
    """Read a case without its scan; see `open_case` for errors."""
    folder = Path(folder)
    document = read_document(folder)
    reference = reference_from(document)
    review = review_from(document)
    measurements = measurements_from(document)
    notices = list(reference.notices)
    masks: dict[str, CaseMask] = {}
    entries = [{"name": "capsule", **document["mask"]}, *document["others"]]
    for entry in entries:
        if entry["name"] in masks:
            raise InputError(
                "The masks of a case must have names of their own; got "
                f"'{entry['name']}' twice. Open another copy.",
                plain=(
                    f"This case lists two masks '{entry['name']}'. Open another copy."
                ),
            )
        mask = _read_mask(folder / entry["file"], reference)
        if pixels_sha256(mask) != entry["sha256"]:
            notices.append(CHANGED_MASK.format(name=entry["name"]))
        made = read_provenance(folder / entry["file"])
        masks[entry["name"]] = CaseMask(mask, made)
    capsule = masks.pop("capsule")
    return Case(
        folder,
        document["code"],
        None,
        capsule.mask,
        capsule.provenance,
        review,
        measurements,
        document["note"],
        masks,
        reference,
        document["created"],
        document["modified"],
        int(document["revision"]),
        tuple(notices),
    )


def _read_mask(path: Path, reference: ScanReference) -> Volume:
    if not path.is_file():
        raise InputError(
            f"The masks of a case must lie in its folder; got none named {path.name}. "
            "Put it back, or open another copy.",
            plain=(
                f"The mask {path.name} of this case is missing. Put it back, "
                "or open another copy."
            ),
        )
    mask = read_without_sidecar(path)
    values = np.unique(mask.array)
    if mask.shape != reference.shape or not set(values.tolist()) <= {0, 1, 255}:
        raise InputError(
            f"A mask of a case must hold 0, 1 and {IGNORE_VALUE} on the scan's grid; "
            f"got another in {path.name}. Open another copy.",
            plain=(
                f"The mask {path.name} of this case is damaged: it does not fit the "
                "scan. Open another copy."
            ),
        )
    placed = reference.place(mask.array.astype(np.uint8, copy=False))
    is_stated = mask.has_geometry and placed.has_geometry
    if is_stated and not placed.shares_grid(mask):
        raise InputError(
            f"A mask of a case must lie where its scan does; got {path.name}, which "
            "lies elsewhere. Open another copy.",
            plain=(
                f"The mask {path.name} of this case lies elsewhere than its scan. "
                "Open another copy."
            ),
        )
    return placed


def _known_scan(case: Case) -> Volume:
    """Return the scan from the case's folder, or from where this computer saw it."""
    reference = case.reference
    if reference.file is not None:
        path = case.folder / reference.file
        if not path.exists():
            raise InputError(
                f"The scan of a case must be found; got no {reference.file} in its "
                "folder. Put it back, or choose where it is now.",
                plain=(
                    f"The scan {reference.file} is missing in the folder of this "
                    "case. Put it back, or choose where it is now."
                ),
            )
        return placed_scan(read_volume(path), reference)
    path_now = remembered_scan(reference.pixels_sha256)
    if path_now is None:
        raise InputError(
            "The scan of a case must be found; got none where this computer saw it "
            "last. Choose where it is now.",
            plain=(
                "The scan of this case is not where it was. Choose where it is now."
            ),
        )
    return placed_scan(read_volume(path_now), reference)


def _given_scan(path: Path, reference: ScanReference) -> Generator[Event, None, Volume]:
    """Return the scan from the place that a person named."""
    if not path.is_dir():
        found = placed_scan(read_volume(path), reference)
        _remember(path, reference)
        return found
    tried = [p for p in _candidates(path) if is_readable(p)]
    for number, candidate in enumerate(tried, start=1):
        yield Progress(number, len(tried), "files", "Looking for the scan")
        try:
            found = placed_scan(read_volume(candidate), reference)
        except MicroUSError:
            continue
        _remember(candidate, reference)
        return found
    raise InputError(
        f"The folder must hold the scan of this case; got none among {len(tried)} in "
        f"{path}. Choose where the scan is now.",
        plain=("The scan of this case is not in that folder. Choose where it is now."),
    )


def _candidates(folder: Path) -> Iterator[Path]:
    """Give what may be a scan in a folder: the folder as one, then what it holds."""
    yield folder
    try:
        yield from sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"A folder must be readable; got {folder} ({error.strerror}). Choose "
            "another.",
            plain=(
                f"The folder {folder} cannot be read ({error.strerror}). Choose "
                "another."
            ),
        ) from error


def _remember(path: Path, reference: ScanReference) -> None:
    if reference.file is None:
        remember_scan(reference.pixels_sha256, path)


def _with_scan(case: Case, scan: Volume) -> Case:
    """Return the case with its scan, and all masks on the scan's grid."""
    stated: list[Any] = list(scan.metadata.get("notices", ()))
    notices = tuple(dict.fromkeys([*case.notices, *map(str, stated)]))
    return replace(
        case,
        scan=scan,
        mask=scan.like(case.mask.array),
        others={
            name: replace(one, mask=scan.like(one.mask.array))
            for name, one in case.others.items()
        },
        notices=notices,
    )
