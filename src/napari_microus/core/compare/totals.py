"""The disagreement of a whole case in a handful of numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_microus.core.compare.agreement import cohen_kappa

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from napari_microus.core.compare.frames import FrameAgreement
    from napari_microus.core.disagreement import Counts


@dataclass(frozen=True)
class CaseAgreement:
    """Totals over all frames.

    ``dice`` pools the voxels of all frames. The distances and ``mean_frame_dice``
    are means over the frames in which both annotators drew, as micro-ultrasound
    papers report them, and so is ``mean_surface_dice``; ``added_path_mm`` is the sum
    over all frames, those that the expert alone drew included. Volumes need the
    distance between frames, and are NaN where it is unknown; the difference is
    non-expert less expert.
    """

    frames: int
    frames_both_drew: int
    frames_one_drew: int
    dice: float
    mean_frame_dice: float
    mean_hd95_mm: float
    worst_hd95_mm: float
    mean_assd_mm: float
    mean_signed_mm: float
    cohen_kappa: float
    expert_ml: float
    nonexpert_ml: float
    volume_difference_ml: float
    disagreement_mm2: float
    mean_surface_dice: float = math.nan
    added_path_mm: float = math.nan
    tolerance_mm: float = math.nan


def summarise(
    rows: Sequence[FrameAgreement],
    counts: Counts,
    spacing_mm: tuple[float, float, float],
    *,
    knows_frame_distance: bool,
) -> CaseAgreement:
    """Sum up a frame table.

    Parameters
    ----------
    rows : sequence of FrameAgreement
        From `compare_frames`, every frame once.
    counts : Counts
        Pixel counts of the case; see `disagreement.counts`.
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    knows_frame_distance : bool
        False where z is a stand-in; see `Volume.knows_frame_distance`.
    """
    z, y, x = spacing_mm
    voxel_ml = z * y * x / 1000 if knows_frame_distance else math.nan
    shared = [row for row in rows if row.expert_mm2 > 0 and row.nonexpert_mm2 > 0]
    drawn = [row for row in rows if row.expert_mm2 > 0 or row.nonexpert_mm2 > 0]
    paths = [row.added_path_mm for row in rows if math.isfinite(row.added_path_mm)]
    distances = [row.hd95_mm for row in rows if math.isfinite(row.hd95_mm)]
    return CaseAgreement(
        frames=len(rows),
        frames_both_drew=len(shared),
        frames_one_drew=len(drawn) - len(shared),
        dice=counts.dice,
        mean_frame_dice=_mean(row.dice for row in shared),
        mean_hd95_mm=_mean(distances),
        worst_hd95_mm=max(distances, default=math.nan),
        mean_assd_mm=_mean(row.assd_mm for row in rows),
        mean_signed_mm=_mean(row.signed_mean_mm for row in rows),
        cohen_kappa=cohen_kappa(counts),
        expert_ml=(counts.both + counts.expert_only) * voxel_ml,
        nonexpert_ml=(counts.both + counts.nonexpert_only) * voxel_ml,
        volume_difference_ml=(counts.nonexpert_only - counts.expert_only) * voxel_ml,
        disagreement_mm2=counts.disputed * y * x,
        mean_surface_dice=_mean(row.surface_dice for row in shared),
        added_path_mm=sum(paths) if paths else math.nan,
        tolerance_mm=rows[0].tolerance_mm if rows else math.nan,
    )


def _mean(values: Iterable[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
