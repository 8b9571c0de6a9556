"""What happens in the thread behind *Export*, *Report*, *Save case* and *Open case*."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_microus.core.edit.review import Review
from napari_microus.core.events import Progress
from napari_microus.widgets._shared.words import tr

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from napari_microus.core.case import Case
    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume


@dataclass(frozen=True, eq=False)
class Capsule:
    """A capsule as it was when a button was pressed.

    Attributes
    ----------
    scan, mask : Volume
        On one grid; the mask is a copy.
    provenance : mapping
        Who drew it.
    probability : ndarray or None
        The model's, (Z, Y, X), where it is shown.
    case : Case or None
        The case that it was saved as or opened from.
    """

    scan: Volume
    mask: Volume
    provenance: Mapping[str, Any]
    probability: NDArray[Any] | None
    case: Case | None


def export_forms() -> str:
    """Return the forms of an export as a file dialog lists them."""
    from napari_microus.core.export import KINDS

    forms = []
    for kind in KINDS:
        if any(kind.suffixes):
            words = kind.what.removeprefix("a ").removeprefix("an ")
            endings = " ".join(f"*{suffix}" for suffix in kind.suffixes)
            forms.append(f"{words[0].upper()}{words[1:]} ({endings})")
    return ";;".join(forms)


def exporting(
    capsule: Capsule, path: Path, stated: Mapping[str, Any]
) -> Generator[Event, None, Path]:
    """Write a capsule in the form of the path's ending; the dialog has asked."""
    from napari_microus.core.export import exporting as write

    return (
        yield from write(
            capsule.mask,
            capsule.scan,
            path,
            provenance=capsule.provenance,
            overwrite=True,
        )
    )


def reporting(
    capsule: Capsule, path: Path, stated: Mapping[str, Any]
) -> Generator[Event, None, Path]:
    """Measure a capsule and write its report; the dialog has asked."""
    from napari_microus.core.case import case_code, pixels_sha256
    from napari_microus.core.measure import measuring
    from napari_microus.core.report import writing_report

    review = Review.from_provenance(len(capsule.mask.array), dict(capsule.provenance))
    case = capsule.case
    measured = yield from measuring(
        capsule.mask,
        provenance=capsule.provenance,
        review=review,
        probability=capsule.probability,
        before=None if case is None else case.measurements,
        **stated,
    )
    code = case_code(pixels_sha256(capsule.scan)) if case is None else case.code
    return (
        yield from writing_report(
            path,
            capsule.scan,
            capsule.mask,
            measured,
            code=code,
            provenance=capsule.provenance,
            note="" if case is None else case.note,
            overwrite=True,
        )
    )


def saving(
    capsule: Capsule, folder: Path, stated: Mapping[str, Any]
) -> Generator[Event, None, Case]:
    """Save a case; one that was opened or saved before continues."""
    from napari_microus.core.case import saving_case

    case = capsule.case
    goes_on = case is not None and Path(case.folder) == folder
    return (
        yield from saving_case(
            folder,
            capsule.scan,
            capsule.mask,
            provenance=capsule.provenance,
            probability=capsule.probability,
            opened=case if goes_on else None,
            **stated,
        )
    )


def opening(folder: Path, scan: Path | None) -> Generator[Event, None, Case]:
    """Read a case and its scan."""
    from napari_microus.core.case import opening_case

    yield Progress(0, 0, "steps", tr("Opening the case"))
    return (yield from opening_case(folder, scan))
