"""Tell one annotator how they draw against a reference, over many cases."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.compare.frames import FrameAgreement, compare_frames
from napari_microus.core.compare.grid import grid_problem
from napari_microus.core.compare.totals import CaseAgreement, summarise
from napari_microus.core.disagreement import (
    count_codes,
    counts,
    disagreement_map,
)
from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Notice, Progress
from napari_microus.core.io.pairing import pair
from napari_microus.core.mask import as_mask

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume


@dataclass(frozen=True, eq=False)
class TraineeCase:
    """One case of a trainee against the reference.

    Attributes
    ----------
    name : str
        The number that pairs the files.
    day : date
        From the file's name (2026-03-01 or 20260301), else when it was last saved.
    totals : CaseAgreement
        ``mean_signed_mm`` is positive where the trainee draws larger.
    worst : FrameAgreement
        Frame with the largest disputed area.
    reference, trainee : ndarray of uint8, shape (Y, X)
        That frame's masks.
    image : ndarray or None
        That frame of the scan, if scans were given.
    """

    name: str
    day: date
    totals: CaseAgreement
    worst: FrameAgreement
    reference: NDArray[np.uint8]
    trainee: NDArray[np.uint8]
    image: NDArray[np.generic] | None


def compare_trainee(
    reference: str | Path, trainee: str | Path, scans: str | Path | None = None
) -> Generator[Event, None, list[TraineeCase]]:
    """Compare a trainee's folder of masks with a reference's, oldest first.

    Parameters
    ----------
    reference, trainee : path
        Folders whose files pair by trailing number; see `pairing.pair`.
    scans : path, optional
        Folder of the scans, for pictures.

    Yields
    ------
    Notice
        For each file that found no partner or lies on another grid.
    Progress
        Cases done.

    Raises
    ------
    InputError
        If no case can be compared.
    """
    from napari_microus.core.io import read_volume

    sources = [reference, trainee, *([scans] if scans is not None else [])]
    pairing = pair(*sources)
    for sentence in pairing.mispairs:
        yield Notice(sentence)
    cases = []
    for done, (name, paths) in enumerate(pairing.cases, start=1):
        volumes = [read_volume(path) for path in paths]
        problem = grid_problem(volumes[1], volumes[0], name="trainee's mask")
        if problem is None:
            case = yield from _case(name, paths[1], volumes)
            cases.append(case)
        else:
            yield Notice(f"Case {name} is left out. {problem}")
        yield Progress(done, len(pairing.cases), "cases", "Comparing")
    if not cases:
        raise InputError(
            "A report needs at least one case in both folders; got none. "
            "Files pair by the number that ends their names."
        )
    return sorted(cases, key=lambda case: (case.day, case.name))


def _case(
    name: str, path: Path, volumes: list[Volume]
) -> Generator[Event, None, TraineeCase]:
    reference, trainee = (
        as_mask(volume.array, name=f"case {name}") for volume in volumes[:2]
    )
    spacing_mm = volumes[0].spacing_mm
    rows = yield from compare_frames(
        reference, trainee, spacing_mm, expert_value=1, nonexpert_value=1
    )
    codes = count_codes(disagreement_map(reference, trainee))
    worst = max(rows, key=lambda row: row.disagreement_mm2)
    image = None
    if len(volumes) > 2 and volumes[2].shape == volumes[0].shape:
        image = volumes[2].array[worst.frame]
    return TraineeCase(
        name=name,
        day=_day(path),
        totals=summarise(rows, counts(codes), spacing_mm),
        worst=worst,
        reference=reference[worst.frame],
        trainee=trainee[worst.frame],
        image=image,
    )


def bias_mm(cases: list[TraineeCase]) -> float:
    """Return the mean over cases of the signed distance, in mm; NaN without any."""
    values = [case.totals.mean_signed_mm for case in cases]
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


def trend_mm_per_month(cases: list[TraineeCase]) -> float:
    """Return the slope of the mean ASSD over time; negative is getting better.

    NaN with fewer than three days of work.
    """
    known = [case for case in cases if math.isfinite(case.totals.mean_assd_mm)]
    days = np.array([case.day.toordinal() for case in known], float)
    if len(set(days.tolist())) < 3:
        return math.nan
    slope = np.polyfit(days, [case.totals.mean_assd_mm for case in known], 1)[0]
    return float(slope) * 30.44


def _day(path: Path) -> date:
    found = re.search(r"(20\d\d)-?(\d\d)-?(\d\d)(?!\d)", path.name)
    if found is not None:
        try:
            return date(*(int(part) for part in found.groups()))
        except ValueError:  # twenty digits that are no day
            pass
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
