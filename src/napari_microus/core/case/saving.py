"""Save a case: a new folder whole or not at all, an old one in one step."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.case.code import case_code, check_code
from napari_microus.core.case.document_check import read_document
from napari_microus.core.case.files import SCAN_COPY, write_case_files
from napari_microus.core.case.record import DOCUMENT, USE, Case, CaseMask
from napari_microus.core.case.scan_places import remember_scan
from napari_microus.core.case.scan_reference import (
    pixels_sha256,
    reference_of,
)
from napari_microus.core.case.who import kept_provenance
from napari_microus.core.edit.review import Review
from napari_microus.core.errors import InputError, MicroUSError, OutputError
from napari_microus.core.events import Progress, drain
from napari_microus.core.files import atomic_folder, only_one
from napari_microus.core.io import placed_on, read_volume
from napari_microus.core.mask import as_mask
from napari_microus.core.measure import Measurements, measuring

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume

LOCK = ".case.lock"
_LONGEST_NOTE = 10_000
_STEPS = 4


def save_case(
    folder: str | Path,
    scan: Volume,
    mask: Volume,
    *,
    code: str | None = None,
    provenance: Mapping[str, Any] | None = None,
    review: Review | None = None,
    probability: Volume | NDArray[Any] | None = None,
    psa_ng_ml: float | None = None,
    diameters_mm: Sequence[float] | None = None,
    note: str = "",
    others: Mapping[str, CaseMask] | None = None,
    copy_scan: bool | None = None,
    overwrite: bool = False,
    opened: Case | None = None,
) -> Case:
    """Save a scan and its capsule as a case.

    Parameters
    ----------
    folder : str or Path
        New, empty, or a case's, see ``overwrite`` and ``opened``.
    scan : Volume
        The scan; its metadata state the sweep, the notices and, as ``source``, its
        file.
    mask : Volume
        The capsule on the scan's grid: one label, and 255 for undecided.
    code : str, optional
        Pseudonym of the case; without one that of ``opened``, or one of the scan's
        pixels, see `case_code`. Nothing of the scan's header or name is taken.
    provenance : mapping, optional
        Who drew the capsule; names of images are left out.
    review : Review, optional
        State of every frame; without one as the provenance states.
    probability : Volume or ndarray, shape (Z, Y, X), optional
        For the interval of the volume; it is not kept itself.
    psa_ng_ml, diameters_mm
        See `core.measure.measure`.
    note : str
        What a person wants to keep with the case.
    others : mapping of str to CaseMask, optional
        Further masks by name, such as a second annotator's.
    copy_scan : bool, optional
        Keep a copy of the scan in the case. Without a word one is kept only where the
        scan cannot be read again from the file that its metadata name.
    overwrite : bool
        Replace a case in this folder that is of the same scan.
    opened : Case, optional
        The case of this folder as it was opened: replaced, unless it was saved by
        somebody else meanwhile.

    Returns
    -------
    Case
        As it was saved.

    Raises
    ------
    InputError
        If scan and mask differ in shape, or a code, note, PSA or diameter is none.
    OutputError
        If the folder holds something else, is being saved by another, or cannot be
        written; nothing is changed then.
    """
    return drain(
        saving_case(
            folder,
            scan,
            mask,
            code=code,
            provenance=provenance,
            review=review,
            probability=probability,
            psa_ng_ml=psa_ng_ml,
            diameters_mm=diameters_mm,
            note=note,
            others=others,
            copy_scan=copy_scan,
            overwrite=overwrite,
            opened=opened,
        )
    )


def saving_case(
    folder: str | Path,
    scan: Volume,
    mask: Volume,
    *,
    code: str | None = None,
    provenance: Mapping[str, Any] | None = None,
    review: Review | None = None,
    probability: Volume | NDArray[Any] | None = None,
    psa_ng_ml: float | None = None,
    diameters_mm: Sequence[float] | None = None,
    note: str = "",
    others: Mapping[str, CaseMask] | None = None,
    copy_scan: bool | None = None,
    overwrite: bool = False,
    opened: Case | None = None,
) -> Generator[Event, None, Case]:
    """Do what `save_case` does; yields while it works and can be closed between."""
    folder = Path(folder)
    _check_note(note)
    code = opened.code if code is None and opened is not None else code
    code = None if code is None else check_code(code)
    _see_place(folder, overwrite, opened)
    capsule = _on_scan(mask, scan)
    further = {
        check_code(name): replace(other, mask=_on_scan(other.mask, scan))
        for name, other in (others or {}).items()
    }
    if "capsule" in further:
        raise InputError(
            "A further mask must have another name than the capsule; got 'capsule'. "
            "Rename it.",
            plain=(
                "The name 'capsule' is that of the capsule itself. Rename the "
                "other mask."
            ),
        )
    made = dict(provenance or {})
    frames = len(scan.array)
    review = Review.from_provenance(frames, made) if review is None else review
    measured: Measurements = yield from measuring(
        capsule,
        provenance=made,
        review=review,
        probability=probability,
        before=None if opened is None else opened.measurements,
        psa_ng_ml=psa_ng_ml,
        diameters_mm=diameters_mm,
    )
    yield Progress(1, _STEPS, "steps", "Looking at the scan")
    digest = pixels_sha256(scan)
    file, needs_copy = _scan_file(folder, scan, digest, copy_scan)
    yield Progress(2, _STEPS, "steps", "Saving")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    case = Case(
        folder,
        code or case_code(digest),
        scan,
        capsule,
        kept_provenance(made, review, USE),
        review,
        measured,
        note,
        {
            name: replace(o, provenance=kept_provenance(o.provenance, None, USE))
            for name, o in further.items()
        },
        reference_of(scan, digest, file),
        now if opened is None else opened.created,
        now,
        1,
        tuple(str(notice) for notice in scan.metadata.get("notices", ())),
    )
    with _place(folder, overwrite, opened) as (where, older):
        if older is not None:
            case = _following(case, older, keeps_code=code is None)
        yield Progress(3, _STEPS, "steps", "Saving")
        write_case_files(case, where, needs_copy)
        yield Progress(_STEPS, _STEPS, "steps", "Saved")
    if not file and "source" in scan.metadata:
        remember_scan(digest, scan.metadata["source"])
    return case


def _check_note(note: str) -> None:
    if len(note) > _LONGEST_NOTE:
        raise InputError(
            f"A note must have {_LONGEST_NOTE} letters or fewer; got {len(note)}. "
            "Shorten it.",
            plain="The note is too long. Shorten it.",
        )


def _see_place(folder: Path, overwrite: bool, opened: Case | None) -> None:
    """Refuse a folder that cannot be taken before any work is done."""
    if (folder / DOCUMENT).exists():
        if not overwrite and opened is None:
            raise OutputError(
                f"{folder} already exists. Choose another name, or overwrite it."
            )
        return
    try:
        is_taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise OutputError(
            f"Cannot write to {folder} ({error.strerror}). Choose another folder."
        ) from error
    if is_taken:
        raise OutputError(
            f"A case must have a folder of its own; got {folder}, which holds other "
            "files. Choose a new folder.",
            plain=(
                f"A case needs a folder of its own, and {folder} is taken by other "
                "files. Choose a new one."
            ),
        )


def _on_scan(mask: Volume, scan: Volume) -> Volume:
    """Return a mask as 0, 1 and 255 on the scan's grid."""
    placed = placed_on(mask, scan)
    return scan.like(as_mask(placed.array))


def _scan_file(
    folder: Path, scan: Volume, digest: str, copy_scan: bool | None
) -> tuple[str | None, bool]:
    """Return the scan's path inside the case, if it lies there, and if it is to copy.

    A scan whose file does not give its pixels again, because it is gone or another
    part of a picture was read, could never be opened: it is copied unless forbidden.
    """
    source = scan.metadata.get("source")
    if copy_scan:
        return SCAN_COPY, True
    try:
        found = bool(source) and pixels_sha256(read_volume(str(source))) == digest
    except MicroUSError:
        found = False
    if not found and copy_scan is False:
        raise InputError(
            "A scan that is not copied must be read again from its file; got one that "
            "has no file, or whose file has other pixels. Save a copy of the scan.",
            plain=(
                "The scan has no file of its own to refer to. Tick that the "
                "scan is copied into the case."
            ),
        )
    if not found:
        return SCAN_COPY, True
    inside = _inside(Path(str(source)), folder)
    return inside, False


def _inside(path: Path, folder: Path) -> str | None:
    try:
        return path.resolve().relative_to(folder.resolve()).as_posix()
    except (OSError, ValueError):
        return None


@contextmanager
def _place(
    folder: Path, overwrite: bool, opened: Case | None
) -> Iterator[tuple[Path, dict[str, Any] | None]]:
    """Give the folder to write in, and what ``case.json`` held there before."""
    if not (folder / DOCUMENT).exists():
        with atomic_folder(folder) as new:
            yield new, None
        return
    taken = "Somebody else is saving this case at the moment. Try again in a moment."
    with only_one(folder / LOCK, taken):
        _see_place(folder, overwrite, opened)
        older = read_document(folder)
        if opened is not None and older["revision"] != opened.revision:
            raise OutputError(
                "A case must be saved by one person at a time; got one that was saved "
                f"elsewhere on {older['modified']}, after it was opened here. Open it "
                "again, or save to another folder.",
                plain=(
                    "Somebody has saved this case since you opened it. Open it "
                    "again, or save to another folder."
                ),
            )
        yield folder, older


def _following(case: Case, older: dict[str, Any], *, keeps_code: bool) -> Case:
    """Return the case as the next revision of one that lies there."""
    if older["scan"]["pixels_sha256"] != case.reference.pixels_sha256:
        raise OutputError(
            "A case must stay one of the same scan; got another scan for the folder "
            f"of case {older['code']}. Choose a new folder.",
            plain=("That folder holds the case of another scan. Choose a new folder."),
        )
    file = case.reference.file or older["scan"]["file"]
    return replace(
        case,
        code=older["code"] if keeps_code else case.code,
        reference=replace(case.reference, file=file),
        created=older["created"],
        revision=int(older["revision"]) + 1,
    )
