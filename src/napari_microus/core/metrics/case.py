"""All metrics of one case: frame by frame, their mean, and the whole volume."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.mask import IGNORE_VALUE, fill_undecided
from napari_microus.core.metrics.masks import check_grids, read_spacing
from napari_microus.core.metrics.overlap import count_overlap
from napari_microus.core.metrics.surface_distance import surface_distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Scores:
    """Metrics of one pair of masks; NaN where one is not defined."""

    dice: float
    jaccard: float
    hd95_mm: float
    hd_mm: float
    assd_mm: float
    sensitivity: float
    specificity: float
    precision: float


@dataclass(frozen=True)
class FrameScores(Scores):
    """Metrics of one frame.

    Attributes
    ----------
    frame : int
        Index along the first axis.
    has_both : bool
        True if neither mask is empty; only such frames enter the case's mean.
    """

    frame: int
    has_both: bool


@dataclass(frozen=True)
class CaseScores:
    """Metrics of one case by both conventions.

    Attributes
    ----------
    frames : tuple of FrameScores
        One row per frame; distances lie inside the frame.
    mean : Scores
        Mean over the frames where neither mask is empty, as the papers report it;
        NaN where there is none.
    volume : Scores
        The whole volume at once, with distances across frames. A stack of frames
        without known geometry has no such distance: leave these out then.
    spacing_mm : tuple of float
        Voxel size, in the order of the axes; NaN where one is unknown.
    ignored_voxels : int
        How many voxels were left out as undecided.
    """

    frames: tuple[FrameScores, ...]
    mean: Scores
    volume: Scores
    spacing_mm: tuple[float, ...]
    ignored_voxels: int

    @property
    def case_mean_dice(self) -> float:
        """Mean Dice over the frames where neither mask is empty."""
        return self.mean.dice

    @property
    def case_mean_hd95_mm(self) -> float:
        """Mean HD95 in mm over the frames where neither mask is empty."""
        return self.mean.hd95_mm

    def to_dict(self) -> dict[str, Any]:
        """Return plain data ready for JSON; NaN becomes None."""
        return {
            "spacing_mm": [None if math.isnan(s) else s for s in self.spacing_mm],
            "ignored_voxels": self.ignored_voxels,
            "frames_in_mean": sum(row.has_both for row in self.frames),
            "case_mean": _plain(self.mean),
            "volume": _plain(self.volume),
            "frames": [_plain(row) for row in self.frames],
        }


def evaluate_case(
    prediction: ArrayLike,
    reference: ArrayLike,
    spacing_mm: float | Sequence[float],
) -> CaseScores:
    """Measure a predicted mask against a reference by every metric.

    Parameters
    ----------
    prediction, reference : array_like, shape (Y, X) or (Z, Y, X)
        Masks of 0 and 1 (or booleans) on one grid. A voxel that is 255 in either
        is left out of every count; for distances it takes the other mask's value,
        so that it adds no surface of its own.
    spacing_mm : float or sequence of float
        Voxel size, in the order of the array's axes; one number for all axes.

    Returns
    -------
    CaseScores
        Per frame, as their mean, and for the volume. A single frame (Y, X) is a
        case of one frame, whose volume scores are its own.

    Raises
    ------
    InputError
        If the shapes differ, the spacing does not fit, or a mask holds other values.
    """
    pair = check_grids(prediction, reference)
    spacing = read_spacing(spacing_mm, pair[0].ndim)
    for mask, name in zip(pair, ("prediction", "reference"), strict=True):
        _check_values(mask, name)
    volume, has_both = _scores(*pair, spacing)
    if pair[0].ndim == 2:
        frames = [FrameScores(**vars(volume), frame=0, has_both=has_both)]
    else:
        frames = []
        for z, (first, second) in enumerate(zip(*pair, strict=True)):
            scores, has_both = _scores(first, second, spacing[1:])
            frames.append(FrameScores(**vars(scores), frame=z, has_both=has_both))
    ignored = (pair[0] == IGNORE_VALUE) | (pair[1] == IGNORE_VALUE)
    return CaseScores(
        frames=tuple(frames),
        mean=mean_scores([row for row in frames if row.has_both]),
        volume=volume,
        spacing_mm=spacing,
        ignored_voxels=int(np.count_nonzero(ignored)),
    )


def is_missed(case: CaseScores) -> bool:
    """Return whether one mask of a case shows the object and the other nowhere."""
    return case.volume.dice == 0 and not any(row.has_both for row in case.frames)


def one_sided_frames(case: CaseScores) -> int:
    """Return in how many frames one mask alone shows the object."""
    return sum(row.dice == 0 and not row.has_both for row in case.frames)


def mean_scores(rows: Sequence[Scores]) -> Scores:
    """Return the mean of each metric over the rows where it is defined."""
    means = {}
    for column in dataclasses.fields(Scores):
        values = np.array([getattr(row, column.name) for row in rows], dtype=np.float64)
        values = values[~np.isnan(values)]
        means[column.name] = float(values.mean()) if values.size else math.nan
    return Scores(**means)


def _scores(
    prediction: NDArray[Any],
    reference: NDArray[Any],
    spacing_mm: tuple[float, ...],
) -> tuple[Scores, bool]:
    """Return the metrics of two masks, and whether both show the object.

    Where a mask shows it in undecided pixels alone, it has no surface of its own and
    there is no distance.
    """
    drawn = [bool((mask == 1).any()) for mask in (prediction, reference)]
    ignored = (prediction == IGNORE_VALUE) | (reference == IGNORE_VALUE)
    first, second = prediction == 1, reference == 1
    if ignored.any():
        first, second = fill_undecided(prediction, reference)
    overlap = count_overlap(first, second, ignored if ignored.any() else None)
    is_open = not all(drawn) and first.any() and second.any()
    if is_open:
        first = second = np.zeros_like(first)
    distances = surface_distances(first, second, spacing_mm)
    scores = Scores(
        dice=overlap.dice,
        jaccard=overlap.jaccard,
        hd95_mm=distances.percentile(95),
        hd_mm=distances.percentile(100),
        assd_mm=distances.mean,
        sensitivity=overlap.sensitivity,
        specificity=overlap.specificity,
        precision=overlap.precision,
    )
    return scores, bool(first.any() and second.any())


def _check_values(mask: NDArray[Any], name: str) -> None:
    if mask.dtype == np.bool_:
        return
    strange = (mask != 0) & (mask != 1) & (mask != IGNORE_VALUE)
    if strange.any():
        raise InputError(
            f"The {name} must hold 0, 1 and 255 (left out) alone; got "
            f"{mask[strange].flat[0]}. Choose one label first.",
            plain=(
                f"The {name} holds the value {mask[strange].flat[0]}: it has "
                "several labels. Choose one of them first."
            ),
        )


def _plain(scores: Scores) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in dataclasses.asdict(scores).items()
    }
