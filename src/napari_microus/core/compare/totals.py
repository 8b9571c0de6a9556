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
    papers report them. Volumes need the spacing between frames; the difference is
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


def summarise(
    rows: Sequence[FrameAgreement],
    counts: Counts,
    spacing_mm: tuple[float, float, float],
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
    """
    z, y, x = spacing_mm
    voxel_ml = z * y * x / 1000
    shared = [row for row in rows if row.expert_mm2 > 0 and row.nonexpert_mm2 > 0]
    drawn = [row for row in rows if row.expert_mm2 > 0 or row.nonexpert_mm2 > 0]
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
    )


def _mean(values: Iterable[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
