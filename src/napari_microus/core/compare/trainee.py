"""Show one annotator how they draw against a reference, over many cases."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.compare.frames import (
    FrameAgreement,
    compare_frames,
    most_disputed,
)
from napari_microus.core.compare.grid import grid_problem
from napari_microus.core.compare.totals import CaseAgreement, summarise
from napari_microus.core.compare.trainee_controls import (
    read_controls,
    unknown_controls,
)
from napari_microus.core.compare.trainee_repeats import (
    REPEAT,
    compare_repeat,
    repeats_of,
)
from napari_microus.core.disagreement import (
    count_codes,
    counts,
    disagreement_map,
)
from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Notice, Progress
from napari_microus.core.io.pairing import pair, patient_of
from napari_microus.core.io.reading import stem_of
from napari_microus.core.mask import as_mask
from napari_microus.core.metrics.tolerance import DEFAULT_TOLERANCE_MM, check_tolerance
from napari_microus.core.statistics import PatientMean, patient_mean
from napari_microus.core.study.importing import patient_reader

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import numpy as np
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
    has_geometry : bool
        False where lengths are in px and areas in px².
    knows_frame_distance : bool
        False where there is no volume.
    patient : str
        Whose case it is; see `compare_trainee`.
    is_control : bool
        Whether the reference is a known answer; see `trainee_controls`.
    frames : tuple of FrameAgreement
        Every frame against the reference.
    repeat : tuple of FrameAgreement
        Every frame of the first drawing against the second, empty without one; see
        `trainee_repeats`.
    """

    name: str
    day: date
    totals: CaseAgreement
    worst: FrameAgreement
    reference: NDArray[np.uint8]
    trainee: NDArray[np.uint8]
    image: NDArray[np.generic] | None
    has_geometry: bool = True
    knows_frame_distance: bool = True
    patient: str = ""
    is_control: bool = False
    frames: tuple[FrameAgreement, ...] = ()
    repeat: tuple[FrameAgreement, ...] = ()


def compare_trainee(
    reference: str | Path,
    trainee: str | Path,
    scans: str | Path | None = None,
    *,
    controls: str | Path | None = None,
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
    patient_pattern: str | None = None,
) -> Generator[Event, None, list[TraineeCase]]:
    """Compare a trainee's folder of masks with a reference's, oldest first.

    Parameters
    ----------
    reference, trainee : path
        Folders whose files pair by trailing number; see `pairing.pair`. A trainee's
        file whose name ends in ``_repeat`` is the second drawing of its case.
    scans : path, optional
        Folder of the scans, for pictures.
    controls : path, optional
        List of the cases whose reference is a known answer; without it
        ``controls.txt`` in the reference's folder, see `read_controls`.
    tolerance_mm : float
        Distance within which contours count as equal, in mm (px without a size).
    patient_pattern : str, optional
        Regular expression whose first group is the patient in the name of the
        reference's file. Without it `pairing.patient_of` decides.

    Yields
    ------
    Notice
        For each file that found no partner or lies on another grid, and each control
        case that was not compared.
    Progress
        Cases done.

    Raises
    ------
    InputError
        If no case can be compared, or the list of controls cannot be read.
    """
    from napari_microus.core.io import read_volume

    check_tolerance(tolerance_mm)
    known = read_controls(reference, controls)
    patients = None if patient_pattern is None else patient_reader(patient_pattern)
    sources = [reference, trainee, *([scans] if scans is not None else [])]
    pairing = pair(*sources, skip=REPEAT)
    repeats = repeats_of(Path(trainee)) if Path(trainee).is_dir() else {}
    for sentence in pairing.mispairs:
        yield Notice(sentence)
    cases = []
    for done, (name, paths) in enumerate(pairing.cases, start=1):
        volumes = [read_volume(path) for path in paths]
        problem = grid_problem(volumes[1], volumes[0], name="trainee's mask")
        if problem is None:
            case = yield from _case(name, paths[1], volumes, tolerance_mm)
            repeat = yield from compare_repeat(name, volumes[1], repeats.pop(name, []))
            patient = (
                patient_of(name) if patients is None else patients[stem_of(paths[0])]
            )
            cases.append(
                replace(case, patient=patient, is_control=name in known, repeat=repeat)
            )
        else:
            yield Notice(f"Case {name} is left out. {problem}")
        yield Progress(done, len(pairing.cases), "cases", "Comparing")
    if not cases:
        raise InputError(
            "A report needs at least one case in both folders; got none. "
            "Files pair by the number that ends their names.",
            plain=(
                "The two folders have no case in common. Files belong together by "
                "the number that ends their names."
            ),
        )
    compared = [case.name for case in cases]
    for sentence in (*unknown_controls(known, compared), *_unpaired(repeats)):
        yield Notice(sentence)
    return sorted(cases, key=lambda case: (case.day, case.name))


def _unpaired(repeats: dict[str, list[Path]]) -> list[str]:
    return [
        f"{path.name}: no compared case {name} that it could repeat."
        for name, paths in repeats.items()
        for path in paths
    ]


def _case(
    name: str, path: Path, volumes: list[Volume], tolerance_mm: float
) -> Generator[Event, None, TraineeCase]:
    reference, trainee = (
        as_mask(volume.array, name=f"case {name}") for volume in volumes[:2]
    )
    spacing_mm = volumes[0].spacing_mm
    knows_distance = volumes[0].knows_frame_distance
    rows = yield from compare_frames(
        reference,
        trainee,
        spacing_mm,
        expert_value=1,
        nonexpert_value=1,
        tolerance_mm=tolerance_mm,
    )
    codes = count_codes(disagreement_map(reference, trainee))
    worst = max(rows, key=most_disputed)
    image = None
    if len(volumes) > 2 and volumes[2].shape == volumes[0].shape:
        image = volumes[2].array[worst.frame]
    return TraineeCase(
        name=name,
        day=_day(path),
        totals=summarise(
            rows, counts(codes), spacing_mm, knows_frame_distance=knows_distance
        ),
        worst=worst,
        reference=reference[worst.frame],
        trainee=trainee[worst.frame],
        image=image,
        has_geometry=volumes[0].has_geometry,
        knows_frame_distance=knows_distance,
        frames=tuple(rows),
    )


def bias(cases: Sequence[TraineeCase]) -> PatientMean:
    """Return the mean signed distance over patients, positive for larger.

    Parameters
    ----------
    cases : sequence of TraineeCase
        All with a pixel size (mm), or all without (px).
    """
    return patient_mean([(case.patient, case.totals.mean_signed_mm) for case in cases])


def _day(path: Path) -> date:
    found = re.search(r"(20\d\d)-?(\d\d)-?(\d\d)(?!\d)", path.name)
    if found is not None:
        try:
            return date(*(int(part) for part in found.groups()))
        except ValueError:  # twenty digits that are no day
            pass
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
