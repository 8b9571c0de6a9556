"""Compare annotators over files: one case or folders of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.colors import EXPERT, NONEXPERT
from napari_microus.core.compare.agreement import fleiss_kappa
from napari_microus.core.compare.consensus import Consensus, consensus, why_not
from napari_microus.core.compare.frames import FrameAgreement, compare_frames
from napari_microus.core.compare.network_grid import back_to_scan, on_network_grid
from napari_microus.core.compare.place import PlaceShare, disagreement_by_place
from napari_microus.core.compare.totals import CaseAgreement, summarise
from napari_microus.core.disagreement import (
    count_codes,
    counts,
    disagreement_map,
)
from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Notice, Progress, drain
from napari_microus.core.hard_region import dilate
from napari_microus.core.io.pairing import pair
from napari_microus.core.mask import decided

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume


@dataclass(frozen=True)
class AnnotatorComparison:
    """One annotator against the first: totals, places and every frame."""

    file: str
    totals: CaseAgreement
    places: list[PlaceShare]
    frames: list[FrameAgreement]


@dataclass(frozen=True)
class CaseComparison:
    """One case with all its annotators.

    ``fleiss_kappa`` is None where there are only two; ``has_geometry`` is False
    where distances are in pixels.
    """

    case: str
    reference: str
    has_geometry: bool
    others: list[AnnotatorComparison]
    fleiss_kappa: float | None = None


@dataclass(frozen=True)
class FolderComparison:
    """All cases, and one sentence for each file that could not be compared."""

    cases: list[CaseComparison] = field(default_factory=list)
    mispairs: list[str] = field(default_factory=list)


def compare_files(
    sources: Sequence[str | Path],
    *,
    label: int | None = None,
    each: Callable[[str, list[Volume], CaseComparison], None] | None = None,
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
    from napari_microus.core.io import read_mask

    pairing = pair(*sources)
    mispairs = list(pairing.mispairs)
    for sentence in mispairs:
        yield Notice(sentence)
    cases = []
    for done, (name, paths) in enumerate(pairing.cases, start=1):
        try:
            first = read_mask(paths[0], label=label)
            rest = [read_mask(path, label=label, grid=first) for path in paths[1:]]
        except InputError as error:
            if len(pairing.cases) == 1:
                raise
            mispairs.append(f"Case {name} is left out. {error}")
            yield Notice(mispairs[-1])
            continue
        masks = [first, *rest]
        case = yield from compare_case(name, masks, [path.name for path in paths])
        if each is not None:
            each(name, masks, case)
        cases.append(case)
        if len(pairing.cases) > 1:
            yield Progress(done, len(pairing.cases), "cases", "Comparing cases")
    if not cases:
        raise InputError(
            "At least one case must be in every folder; got none. "
            "Files pair by the number that ends their names."
        )
    return FolderComparison(cases, mispairs)


def compare_case(
    name: str, masks: Sequence[Volume], files: Sequence[str]
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
        )
        codes = disagreement_map(first.array, mask.array)
        totals = summarise(rows, counts(count_codes(codes)), first.spacing_mm)
        places = disagreement_by_place(codes, first.affine)
        others.append(AnnotatorComparison(file, totals, places, rows))
    arrays = [mask.array for mask in masks]
    return CaseComparison(
        case=name,
        reference=files[0],
        has_geometry=first.has_geometry,
        others=others,
        fleiss_kappa=fleiss_kappa(arrays) if len(arrays) > 2 else None,
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


def draw_panel(
    masks: Sequence[Volume],
    case: CaseComparison,
    path: Path,
    *,
    kernel_size: int = 4,
    network_size: int | None = None,
    scan: Volume | None = None,
) -> None:
    """Draw the frame in which the annotators differ most, as PNG at ``path``."""
    from napari_microus.core.pictures import Contour, draw_frame

    disputed = np.zeros(len(masks[0].array))
    for other in case.others:
        disputed += [row.disagreement_mm2 for row in other.frames]
    frame = int(disputed.argmax())
    colors = (EXPERT, NONEXPERT, "#009e73", "#f0e442", "#d55e00", "#0072b2")
    names = [case.reference, *(other.file for other in case.others)]
    contours = [
        Contour(mask.array[frame] == 1, name, colors[number % len(colors)])
        for number, (mask, name) in enumerate(zip(masks, names, strict=True))
    ]
    here = [mask.array[frame : frame + 1] for mask in masks]
    hard = hard_region_of(here, kernel_size, network_size)
    if scan is None or scan.shape != masks[0].shape:
        scan = masks[0].like(np.zeros(masks[0].shape, np.uint8))
    draw_frame(
        path,
        scan,
        frame,
        contours,
        region=hard[0],
        region_name="hard region",
        title=f"case {case.case}, frame {frame}",
    )
