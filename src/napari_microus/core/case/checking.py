"""See that a case is whole, and that its numbers are those of its mask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.case.opening import opening_case, read_case
from napari_microus.core.errors import MicroUSError
from napari_microus.core.events import Progress, drain
from napari_microus.core.io.scan_sidecar import FOLDER_SIDECAR
from napari_microus.core.measure import measuring

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.case.record import Case
    from napari_microus.core.events import Event
    from napari_microus.core.measure import Measurements
    from napari_microus.core.volume import Volume

# Numbers that differ by less are one, written and read.
_SAME = 1e-6


def check_case(
    folder: str | Path, scan: str | Path | Volume | None = None
) -> tuple[str, ...]:
    """Return what is wrong with a case, a sentence each; nothing where it is whole.

    Its fields, masks and scan are read, and the capsule is measured again.

    Parameters
    ----------
    folder, scan
        As for `open_case`.

    Raises
    ------
    InputError
        If the folder cannot be read as a case at all.
    """
    return drain(checking_case(folder, scan))


def checking_case(
    folder: str | Path, scan: str | Path | Volume | None = None
) -> Generator[Event, None, tuple[str, ...]]:
    """Do what `check_case` does; yields while it works."""
    case = read_case(folder)
    yield Progress(1, 3, "steps", "Reading the case")
    found = [notice for notice in case.notices if notice not in case.reference.notices]
    if not _agrees_with_sidecar(case):
        found.append(
            f"{FOLDER_SIDECAR} states other sizes than the case. Save the case again."
        )
    again = yield from measuring(
        case.mask,
        provenance=case.provenance,
        review=case.review,
        before=case.measurements,
        psa_ng_ml=case.measurements.psa_ng_ml,
        diameters_mm=case.measurements.diameters_mm,
    )
    if not _same(case.measurements, again):
        found.append(
            "The measurements are not those of the mask as it is now. Save the case "
            "again."
        )
    try:
        opened = yield from opening_case(folder, scan)
    except MicroUSError as error:
        found.append(error.plain)
    else:
        found += [n for n in opened.notices if n not in (*case.notices, *found)]
    return tuple(found)


def _agrees_with_sidecar(case: Case) -> bool:
    path = Path(case.folder) / FOLDER_SIDECAR
    stated = case.reference.properties
    if not path.exists():
        return stated.is_empty
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")) == stated.to_dict())
    except (OSError, ValueError, RecursionError):
        return False


def _same(one: Measurements, other: Measurements) -> bool:
    pairs: list[tuple[float | None, float | None]] = [
        (a.ml, b.ml) for a, b in zip(one.volumes, other.volumes, strict=False)
    ]
    for a, b in zip(one.frames, other.frames, strict=True):
        pairs += [(a.area_px, b.area_px), (a.area_mm2, b.area_mm2)]
        pairs += [(a.width_px, b.width_px), (a.height_px, b.height_px)]
    return len(one.volumes) == len(other.volumes) and all(
        (a is None) == (b is None)
        and (a is None or b is None or abs(a - b) <= _SAME * max(abs(a), 1.0))
        for a, b in pairs
    )
