"""Check a model's mask against two annotators at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from napari_microus.core.compare.surfaces import crop_to, signed_distance_mm
from napari_microus.core.events import Event, Progress
from napari_microus.core.mask import check_same_shape, decided, fill_undecided
from napari_microus.core.metrics.surface_distance import surface

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

# 0 where all three agree.
SIDES_WITH_EXPERT = 1
SIDES_WITH_NONEXPERT = 2
AGAINST_BOTH = 3
CONFIDENTLY_AGAINST_BOTH = 4
ALL_DIFFER = 5

#: What each code of `three_way` means, for legends.
THREE_WAY_NAMES = {
    SIDES_WITH_EXPERT: "model sides with the expert",
    SIDES_WITH_NONEXPERT: "model sides with the non-expert",
    AGAINST_BOTH: "model against both",
    CONFIDENTLY_AGAINST_BOTH: "model confident, against both",
    ALL_DIFFER: "three different contours",
}


@dataclass(frozen=True, eq=False)
class ThreeWay:
    """Where a model stands between two annotators.

    Attributes
    ----------
    codes : ndarray of uint8, shape (Z, Y, X)
        See `THREE_WAY_NAMES`; 0 where all three agree.
    per_frame : ndarray of int, shape (Z, 6)
        Pixels of each code per frame.
    """

    codes: NDArray[np.uint8]
    per_frame: NDArray[np.int64]

    @property
    def nonexpert_share(self) -> float:
        """Share of the annotators' disagreement where the model is non-expert."""
        expert = int(self.per_frame[:, SIDES_WITH_EXPERT].sum())
        nonexpert = int(self.per_frame[:, SIDES_WITH_NONEXPERT].sum())
        both = expert + nonexpert
        return nonexpert / both if both else float("nan")


def three_way(
    model: NDArray[np.uint8],
    expert: NDArray[np.uint8],
    nonexpert: NDArray[np.uint8],
    spacing_mm: tuple[float, float, float],
    *,
    probability: NDArray[np.floating] | None = None,
    confidence: float = 0.9,
    tolerance_mm: float = 1.0,
) -> Generator[Event, None, ThreeWay]:
    """Compare a model's mask with two annotators'.

    Parameters
    ----------
    model, expert, nonexpert : ndarray of uint8, shape (Z, Y, X)
        0, 1 and 255 (undecided: not compared).
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.
    probability : ndarray, shape (Z, Y, X), optional
        The model's probability of foreground.
    confidence : float
        The model is confident where it gives its own answer at least this much.
    tolerance_mm : float
        Of three masks of two values, two agree at any pixel; three *contours*
        differ where the model's is further than this from both others and those
        are further than this from each other.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    check_same_shape(model, expert, nonexpert)
    if probability is not None:
        check_same_shape(model, probability)
    codes = np.zeros(model.shape, np.uint8)
    for number in range(len(model)):
        masks = model[number], expert[number], nonexpert[number]
        sure = None
        if probability is not None:
            frame = probability[number]
            sure = np.where(masks[0] == 1, frame, 1 - frame) >= confidence
        codes[number] = _frame(masks, sure, spacing_mm[1:], tolerance_mm)
        yield Progress(number + 1, len(model), message="Comparing with the model")
    per_frame = np.stack([np.bincount(f.ravel(), minlength=6)[:6] for f in codes])
    return ThreeWay(codes, per_frame)


def _frame(
    masks: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]],
    sure: NDArray[np.bool_] | None,
    spacing_mm: tuple[float, float],
    tolerance_mm: float,
) -> NDArray[np.uint8]:
    model, expert, nonexpert = (mask == 1 for mask in masks)
    valid = decided(*masks)
    codes = np.zeros(model.shape, np.uint8)
    codes[valid & (expert != nonexpert) & (model == expert)] = SIDES_WITH_EXPERT
    codes[valid & (expert != nonexpert) & (model == nonexpert)] = SIDES_WITH_NONEXPERT
    alone = valid & (expert == nonexpert) & (model != expert)
    codes[alone] = AGAINST_BOTH
    if sure is not None:
        codes[alone & sure] = CONFIDENTLY_AGAINST_BOTH
    filled = fill_undecided(masks[1], masks[2])
    box = crop_to(model | filled[0] | filled[1], margin=2)
    if box is not None:
        apart = _three_contours(
            model[box], filled[0][box], filled[1][box], spacing_mm, tolerance_mm
        )
        codes[box][apart & valid[box]] = ALL_DIFFER
    return codes


def _three_contours(
    model: NDArray[np.bool_],
    expert: NDArray[np.bool_],
    nonexpert: NDArray[np.bool_],
    spacing_mm: tuple[float, float],
    tolerance_mm: float,
) -> NDArray[np.bool_]:
    if not (model.any() and expert.any() and nonexpert.any()):
        return np.zeros_like(model)
    to_expert = signed_distance_mm(expert, spacing_mm)
    to_nonexpert = signed_distance_mm(nonexpert, spacing_mm)
    apart = surface(model)
    apart &= np.abs(to_expert) > tolerance_mm
    apart &= np.abs(to_nonexpert) > tolerance_mm
    apart &= np.abs(to_expert - to_nonexpert) > tolerance_mm
    wide: NDArray[np.bool_] = ndi.binary_dilation(apart)
    return wide
