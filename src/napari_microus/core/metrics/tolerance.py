"""How much of two contours agrees within a tolerance.

Contours and distances are those of `core.metrics.surface_distance`: a mask's voxels
with a neighbour outside, from voxel centre to voxel centre.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.metrics.masks import read_pair, read_spacing
from napari_microus.core.metrics.surface_distance import (
    SurfaceDistances,
    surface,
    surface_distances,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

#: A convention, to be named with every number: 1 mm, or 1 pixel without a size.
DEFAULT_TOLERANCE_MM = 1.0
# Three pixels of 0.1 mm are 0.30000000000000004 mm, and within 0.3 mm all the same.
_ROUNDING = 1 + 1e-9


class ContourAgreement(NamedTuple):
    """Surface Dice, and the length of contour that would have to be drawn again."""

    surface_dice: float
    added_path_mm: float


def surface_dice(
    prediction: ArrayLike,
    reference: ArrayLike,
    spacing_mm: float | Sequence[float],
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
) -> float:
    """Return the share of both contours that lies within a tolerance of the other.

    Parameters
    ----------
    prediction, reference : array_like of bool, shape (Y, X) or (Z, Y, X)
        Masks on one grid.
    spacing_mm : float or sequence of float
        Voxel size in mm, in the order of the array's axes; one number for all axes.
    tolerance_mm : float
        Distance that still counts as agreement, in mm.

    Returns
    -------
    float
        0 to 1; 0 if one mask is empty, NaN if both are.

    Raises
    ------
    InputError
        If the shapes differ, a mask holds anything but 0 and 1, or the spacing or
        the tolerance is out of range.

    Notes
    -----
    Contour voxels are counted, as in MONAI's ``compute_surface_dice`` without
    subvoxels; the authors' own code weighs surface elements by their area.

    References
    ----------
    .. [1] S. Nikolov et al., "Clinically applicable segmentation of head and neck
       anatomy for radiotherapy", J. Med. Internet Res. 2021, doi:10.2196/26151
       (arXiv 1809.04430).
    """
    first, second = read_pair(prediction, reference)
    spacing = read_spacing(spacing_mm, first.ndim)
    distances = surface_distances(first, second, spacing)
    return _surface_dice(first, second, distances, check_tolerance(tolerance_mm))


def added_path_length_mm(
    prediction: ArrayLike,
    reference: ArrayLike,
    spacing_mm: float | Sequence[float],
    tolerance_mm: float = 0.0,
) -> float:
    """Return how much of the reference's contour the other one misses, in mm.

    Parameters
    ----------
    prediction, reference : array_like of bool, shape (Y, X)
        Masks of one frame.
    spacing_mm : float or sequence of float
        Height and width of a pixel in mm; one number for both.
    tolerance_mm : float
        Distance to the other contour that still counts as drawn, in mm; 0 counts
        every contour pixel that is not on the other contour, as published.

    Returns
    -------
    float
        Contour pixels of the reference times the side of a pixel (of the square of
        equal area, where a pixel is none). 0 if the reference is empty, its whole
        contour if the prediction is.

    Raises
    ------
    InputError
        As in `surface_dice`, or if the masks are no single frame.

    Notes
    -----
    A diagonal step counts as one pixel, as published: the true length of a diagonal
    stretch is up to 1.41 times as much.

    References
    ----------
    .. [1] F. Vaassen et al., "Evaluation of measures for assessing time-saving of
       automatic organ-at-risk segmentation in radiotherapy", Phys. Imaging Radiat.
       Oncol. 2020, doi:10.1016/j.phro.2019.12.001.
    """
    first, second = read_pair(prediction, reference)
    if first.ndim != 2:
        raise InputError(
            "An added path length must be taken in one frame (Y, X); got shape "
            f"{first.shape}. Measure frame by frame and add up."
        )
    spacing = read_spacing(spacing_mm, 2)
    distances = surface_distances(first, second, spacing)
    tolerance_mm = check_tolerance(tolerance_mm)
    return _added_path(first, second, distances, spacing, tolerance_mm)


def contour_agreement(
    prediction: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    distances: SurfaceDistances,
    spacing_mm: tuple[float, ...],
    tolerance_mm: float,
) -> ContourAgreement:
    """Return both measures of one frame from surface distances known already."""
    return ContourAgreement(
        _surface_dice(prediction, reference, distances, tolerance_mm),
        _added_path(prediction, reference, distances, spacing_mm, tolerance_mm),
    )


def check_tolerance(tolerance_mm: float) -> float:
    """Return the tolerance.

    Raises
    ------
    InputError
        If it is negative or not finite.
    """
    if not (math.isfinite(tolerance_mm) and tolerance_mm >= 0):
        raise InputError(
            f"tolerance_mm must be zero or more and finite; got {tolerance_mm}. "
            "Use 1 mm.",
            plain=(
                f"A tolerance of {tolerance_mm} mm is none. Choose 0 or more, "
                "such as 1 mm."
            ),
        )
    return tolerance_mm


def _surface_dice(
    prediction: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    distances: SurfaceDistances,
    tolerance_mm: float,
) -> float:
    pooled = np.concatenate(distances)
    if pooled.size:
        return float((pooled <= tolerance_mm * _ROUNDING).mean())
    return 0.0 if prediction.any() or reference.any() else math.nan


def _added_path(
    prediction: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    distances: SurfaceDistances,
    spacing_mm: tuple[float, ...],
    tolerance_mm: float,
) -> float:
    if prediction.any():
        missed = (distances.to_prediction > tolerance_mm * _ROUNDING).sum()
    else:
        missed = surface(reference).sum()
    return int(missed) * math.sqrt(spacing_mm[0] * spacing_mm[1])
