"""Compare annotators over files: one case or folders of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.compare.agreement import fleiss_kappa
from napari_microus.core.compare.case_comparison import (
    AnnotatorComparison,
    CaseComparison,
)
from napari_microus.core.compare.consensus import Consensus, consensus, why_not
from napari_microus.core.compare.frames import compare_frames
from napari_microus.core.compare.network_grid import back_to_scan, on_network_grid
from napari_microus.core.compare.over_cases import AnnotatorMeans, means_over_patients
from napari_microus.core.compare.place import disagreement_by_place
from napari_microus.core.compare.several import (
    conformity_index,
    krippendorff_alpha,
    tally_votes,
)
from napari_microus.core.compare.totals import summarise
from napari_microus.core.disagreement import (
    count_codes,
    counts,
    disagreement_map,
)
from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Notice, Progress, drain
from napari_microus.core.hard_region import dilate
from napari_microus.core.io.pairing import Pairing, pair, patient_of
from napari_microus.core.io.reading import stem_of
from napari_microus.core.mask import decided
from napari_microus.core.metrics.tolerance import DEFAULT_TOLERANCE_MM, check_tolerance
from napari_microus.core.study.importing import patient_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume


@dataclass(frozen=True)
class FolderComparison:
    """All cases, and one sentence for each file that could not be compared.

    Attributes
    ----------
    cases : list of CaseComparison
    mispairs : list of str
    means : list of AnnotatorMeans
        For each annotator but the first, where there are several cases.
    krippendorff_alpha : float or None
        Of three and more annotators over all cases, with those that some of them
        did not draw; None where there are only two.
    alpha_cases : int
        How many cases that is.
    """

    cases: list[CaseComparison] = field(default_factory=list)
    mispairs: list[str] = field(default_factory=list)
    means: list[AnnotatorMeans] = field(default_factory=list)
    krippendorff_alpha: float | None = None
    alpha_cases: int = 0


def compare_files(
    sources: Sequence[str | Path],
    *,
    label: int | None = None,
    each: Callable[[str, list[Volume], CaseComparison], None] | None = None,
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
    patient_pattern: str | None = None,
) -> Generator[Event, None, FolderComparison]:
    """Compare every annotator with the first one.

    Parameters
    ----------
    sources : sequence of path
        Two or more files of one case, or folders whose files pair by trailing
        number; see `pairing.pair`.
    label : int, optional
        Value that means foreground in files of several labels.
    each : callable, optional
        Called after each case with its name, its masks (0, 1, 255) and the result,
        to write what belongs to it.
    tolerance_mm : float
        Distance within which contours count as equal, in mm; in pixels where the
        pixel size is unknown.
    patient_pattern : str, optional
        Regular expression whose first group is the patient in the name of the first
        annotator's file. Without it `pairing.patient_of` decides.

    Yields
    ------
    Notice
        For each file that found no partner or cannot be compared.
    Progress
        Frames of a case, then cases.

    Raises
    ------
    InputError
        If a source is missing, or a single case cannot be compared, or no case is
        left.
    """
    check_tolerance(tolerance_mm)
    patients = None if patient_pattern is None else patient_reader(patient_pattern)
    pairing = pair(*sources)
    mispairs = list(pairing.mispairs)
    for sentence in mispairs:
        yield Notice(sentence)
    cases = []
    votes = np.zeros((len(sources) + 1,) * 2, np.int64)
    for done, (name, paths) in enumerate(pairing.cases, start=1):
        patient = patient_of(name) if patients is None else patients[stem_of(paths[0])]
        try:
            masks = _read(paths, label)
        except InputError as error:
            if len(pairing.cases) == 1:
                raise
            mispairs.append(f"Case {name} is left out. {error.plain}")
            yield Notice(mispairs[-1])
            continue
        files = [path.name for path in paths]
        case = yield from compare_case(
            name, masks, files, tolerance_mm=tolerance_mm, patient=patient
        )
        if each is not None:
            each(name, masks, case)
        cases.append(case)
        if len(sources) > 2:
            votes += tally_votes([mask.array for mask in masks])
        if len(pairing.cases) > 1:
            yield Progress(done, len(pairing.cases), "cases", "Comparing cases")
    if not cases:
        raise InputError(
            "At least one case must be in every folder; got none. "
            "Files pair by the number that ends their names.",
            plain=(
                "No case is in all of these folders. Files belong together by the "
                "number that ends their names."
            ),
        )
    several = len(sources) > 2
    more = _incomplete_votes(pairing, label) if several else []
    others = [Path(source).name for source in sources[1:]]
    return FolderComparison(
        cases,
        mispairs,
        means_over_patients(cases, others) if len(cases) > 1 else [],
        krippendorff_alpha(sum(more, votes)) if several else None,
        len(cases) + len(more) if several else 0,
    )


def _read(paths: Sequence[Path], label: int | None) -> list[Volume]:
    from napari_microus.core.io import read_mask

    first = read_mask(paths[0], label=label)
    return [first, *(read_mask(path, label=label, grid=first) for path in paths[1:])]


def _incomplete_votes(pairing: Pairing, label: int | None) -> list[NDArray[np.int64]]:
    """Return the votes of each case that only some of the annotators drew."""
    tallies = []
    for _, paths in pairing.incomplete:
        try:
            masks = iter(_read([path for path in paths if path is not None], label))
        except InputError:  # another grid, or damaged; its files are listed as mispairs
            continue
        listed = [None if path is None else next(masks).array for path in paths]
        tallies.append(tally_votes(listed))
    return tallies


def compare_case(
    name: str,
    masks: Sequence[Volume],
    files: Sequence[str],
    *,
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
    patient: str | None = None,
) -> Generator[Event, None, CaseComparison]:
    """Compare the masks (0, 1, 255) of one case with the first of them."""
    first = masks[0]
    others = []
    for mask, file in zip(masks[1:], files[1:], strict=True):
        rows = yield from compare_frames(
            first.array,
            mask.array,
            first.spacing_mm,
            expert_value=1,
            nonexpert_value=1,
            tolerance_mm=tolerance_mm,
        )
        codes = disagreement_map(first.array, mask.array)
        totals = summarise(
            rows,
            counts(count_codes(codes)),
            first.spacing_mm,
            knows_frame_distance=first.knows_frame_distance,
        )
        places = disagreement_by_place(codes, first.patient_affine)
        others.append(AnnotatorComparison(file, totals, places, rows))
    arrays = [mask.array for mask in masks]
    several = len(arrays) > 2
    votes = tally_votes(arrays) if several else None
    return CaseComparison(
        case=name,
        reference=files[0],
        has_geometry=first.has_geometry,
        others=others,
        fleiss_kappa=fleiss_kappa(arrays) if several else None,
        krippendorff_alpha=krippendorff_alpha(votes) if votes is not None else None,
        conformity_index=conformity_index(votes) if votes is not None else None,
        knows_frame_distance=first.knows_frame_distance,
        patient=patient_of(name) if patient is None else patient,
    )


def hard_region_of(
    masks: Sequence[NDArray[np.uint8]],
    kernel_size: int,
    network_size: int | None = None,
) -> NDArray[np.uint8]:
    """Return 1 where any two of the masks differ, widened by a square.

    For two masks this is `hard_region`; undecided pixels count as agreement. With
    ``network_size`` all is done on the network's grid, as in the losses, and shown
    on the masks' own; see `network_grid`.
    """
    if network_size is not None:
        small = [on_network_grid(mask, network_size) for mask in masks]
        hard = hard_region_of(small, kernel_size)
        return back_to_scan(hard, masks[0].shape[1:])
    drawn = np.zeros(masks[0].shape, np.uint8)
    for mask in masks:
        drawn += mask == 1
    differ = (drawn > 0) & (drawn < len(masks)) & decided(*masks)
    return dilate(differ, kernel_size).astype(np.uint8)


def consensus_of(masks: Sequence[Volume], method: Consensus) -> Volume:
    """Return the consensus of volumes on the first one's grid."""
    reason = why_not(method, len(masks))
    if reason is not None:
        raise InputError(reason)
    arrays = [mask.array for mask in masks]
    fused = drain(consensus(arrays, method, masks[0].spacing_mm))
    return masks[0].like(fused, source=f"consensus ({method})")
