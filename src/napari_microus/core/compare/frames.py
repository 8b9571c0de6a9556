"""Where and how much two annotators differ, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.compare.surfaces import crop_to, signed_mean_mm
from napari_microus.core.events import Event, Progress
from napari_microus.core.mask import (
    as_mask,
    check_same_shape,
    decided,
    settle,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True)
class FrameAgreement:
    """One row of the frame table; NaN where a number has no meaning.

    Dice has none where nobody drew, a distance none unless both did.
    ``signed_mean_mm`` is positive where the non-expert draws larger.
    """

    frame: int
    dice: float
    hd95_mm: float
    assd_mm: float
    expert_mm2: float
    nonexpert_mm2: float
    disagreement_mm2: float
    signed_mean_mm: float


def compare_frame(
    expert: NDArray[Any],
    nonexpert: NDArray[Any],
    spacing_mm: tuple[float, float],
    *,
    frame: int = 0,
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
    """
    from napari_microus.core.metrics import assd_mm, hausdorff_mm

    expert, nonexpert = np.asarray(expert), np.asarray(nonexpert)
    valid = decided(expert, nonexpert)
    one, two = valid & (expert == 1), valid & (nonexpert == 1)
    pixel_mm2 = spacing_mm[0] * spacing_mm[1]
    first, second = int(one.sum()), int(two.sum())
    common = int((one & two).sum())
    hd95 = assd = signed = float("nan")
    settled_one, settled_two = settle(expert, nonexpert)
    box = crop_to(settled_one | settled_two)
    # What is undecided takes the other's side, and is no surface of its own.
    both_drew = bool((expert == 1).any() and (nonexpert == 1).any())
    if box is not None and both_drew:
        settled_one, settled_two = settled_one[box], settled_two[box]
        if settled_one.any() and settled_two.any():
            hd95 = hausdorff_mm(settled_two, settled_one, spacing_mm)
            assd = assd_mm(settled_two, settled_one, spacing_mm)
            signed = signed_mean_mm(settled_one, settled_two, spacing_mm)
    return FrameAgreement(
        frame=frame,
        dice=2 * common / (first + second) if first + second else float("nan"),
        hd95_mm=float(hd95),
        assd_mm=float(assd),
        expert_mm2=first * pixel_mm2,
        nonexpert_mm2=second * pixel_mm2,
        disagreement_mm2=(first + second - 2 * common) * pixel_mm2,
        signed_mean_mm=signed,
    )


def compare_frames(
    expert: NDArray[Any],
    nonexpert: NDArray[Any],
    spacing_mm: tuple[float, float, float],
    *,
    expert_value: int | None = None,
    nonexpert_value: int | None = None,
    frames: Iterable[int] | None = None,
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

    Yields
    ------
    Progress
        After each frame.

    Raises
    ------
    InputError
        If the shapes differ or a mask holds several labels and no value is given.
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
            )
        )
        yield Progress(done, len(chosen), message="Comparing frames")
    return rows
