"""Where and how much two annotators differ, frame by frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.compare.surfaces import crop_to, signed_mean_mm
from napari_microus.core.events import Event, Progress
from napari_microus.core.mask import (
    as_mask,
    check_same_shape,
    decided,
    fill_undecided,
)
from napari_microus.core.metrics.masks import read_spacing
from napari_microus.core.metrics.surface_distance import surface_distances
from napari_microus.core.metrics.tolerance import (
    DEFAULT_TOLERANCE_MM,
    check_tolerance,
    contour_agreement,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True)
class FrameAgreement:
    """One row of the frame table; NaN where a number has no meaning.

    Dice has none where nobody drew, a distance none unless both did, an area none
    where nothing is decided.
    ``signed_mean_mm`` is positive where the non-expert draws larger.
    ``surface_dice`` is the share of both contours within ``tolerance_mm`` of the
    other, ``added_path_mm`` the length of the expert's contour beyond it; see
    `core.metrics.tolerance`. All lengths are in pixels where the pixel size is
    unknown.
    """

    frame: int
    dice: float
    hd95_mm: float
    assd_mm: float
    expert_mm2: float
    nonexpert_mm2: float
    disagreement_mm2: float
    signed_mean_mm: float
    surface_dice: float = math.nan
    added_path_mm: float = math.nan
    tolerance_mm: float = math.nan


def most_disputed(row: FrameAgreement) -> tuple[bool, float]:
    """Return the key that sorts frames by what is disputed, undecided ones first."""
    return math.isfinite(row.disagreement_mm2), row.disagreement_mm2


def compare_frame(
    expert: NDArray[Any],
    nonexpert: NDArray[Any],
    spacing_mm: tuple[float, float],
    *,
    frame: int = 0,
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
) -> FrameAgreement:
    """Measure one frame.

    Parameters
    ----------
    expert, nonexpert : ndarray, shape (Y, X)
        Masks of 0, 1 and 255 (undecided: left out); see `as_mask`.
    spacing_mm : tuple of float
        Height and width of a pixel in mm.
    frame : int
        Number to write into the row.
    tolerance_mm : float
        Distance within which contours count as equal, in mm.
    """
    check_tolerance(tolerance_mm)
    expert, nonexpert = np.asarray(expert), np.asarray(nonexpert)
    valid = decided(expert, nonexpert)
    one, two = valid & (expert == 1), valid & (nonexpert == 1)
    # Where nobody decided anything, an area of 0 would say that nothing was drawn.
    pixel_mm2 = spacing_mm[0] * spacing_mm[1] if valid.any() else math.nan
    first, second = int(one.sum()), int(two.sum())
    common = int((one & two).sum())
    return FrameAgreement(
        frame=frame,
        dice=2 * common / (first + second) if first + second else math.nan,
        expert_mm2=first * pixel_mm2,
        nonexpert_mm2=second * pixel_mm2,
        disagreement_mm2=(first + second - 2 * common) * pixel_mm2,
        **_contour_numbers(expert, nonexpert, spacing_mm, tolerance_mm),
        tolerance_mm=tolerance_mm,
    )


def _contour_numbers(
    expert: NDArray[Any],
    nonexpert: NDArray[Any],
    spacing_mm: tuple[float, float],
    tolerance_mm: float,
) -> dict[str, float]:
    """Return what depends on the contours, NaN where it has no meaning."""
    names = ("hd95_mm", "assd_mm", "signed_mean_mm", "surface_dice", "added_path_mm")
    numbers = dict.fromkeys(names, math.nan)
    filled = fill_undecided(expert, nonexpert)
    box = crop_to(filled[0] | filled[1])
    if box is None:
        return numbers
    one, two = filled[0][box], filled[1][box]
    both_drawn = bool(one.any() and two.any())
    # What is undecided takes the other's side, and is no surface of its own.
    if both_drawn and not ((expert == 1).any() and (nonexpert == 1).any()):
        return numbers
    spacing = read_spacing(spacing_mm, 2)
    distances = surface_distances(two, one, spacing)
    contours = contour_agreement(two, one, distances, spacing, tolerance_mm)
    numbers |= contours._asdict()
    if both_drawn:
        numbers |= {
            "hd95_mm": distances.percentile(95),
            "assd_mm": distances.mean,
            "signed_mean_mm": signed_mean_mm(one, two, spacing_mm),
        }
    return numbers


def compare_frames(
    expert: NDArray[Any],
    nonexpert: NDArray[Any],
    spacing_mm: tuple[float, float, float],
    *,
    expert_value: int | None = None,
    nonexpert_value: int | None = None,
    frames: Iterable[int] | None = None,
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
) -> Generator[Event, None, list[FrameAgreement]]:
    """Measure every frame of two masks.

    Parameters
    ----------
    expert, nonexpert : ndarray, shape (Z, Y, X)
        Masks on one grid.
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm; distances are taken inside a frame.
    expert_value, nonexpert_value : int, optional
        Values that mean foreground; None finds them, see `foreground_value`.
    frames : iterable of int, optional
        Frames to measure; None measures all.
    tolerance_mm : float
        Distance within which contours count as equal, in mm.

    Yields
    ------
    Progress
        After each frame.

    Raises
    ------
    InputError
        If the shapes differ, a mask holds several labels and no value is given, or
        the tolerance is negative.
    """
    from napari_microus.core.mask import foreground_value

    check_same_shape(expert, nonexpert)
    if expert_value is None:
        expert_value = foreground_value(expert, name="the expert's mask")
    if nonexpert_value is None:
        nonexpert_value = foreground_value(nonexpert, name="the non-expert's mask")
    chosen = range(len(expert)) if frames is None else list(frames)
    rows = []
    for done, frame in enumerate(chosen, start=1):
        rows.append(
            compare_frame(
                as_mask(expert[frame], expert_value),
                as_mask(nonexpert[frame], nonexpert_value),
                spacing_mm[1:],
                frame=frame,
                tolerance_mm=tolerance_mm,
            )
        )
        yield Progress(done, len(chosen), message="Comparing frames")
    return rows
