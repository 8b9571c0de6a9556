"""A contour between two annotators' contours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from napari_microus.core.compare.surfaces import crop_to
from napari_microus.core.disagreement import BOTH, EXPERT_ONLY, NONEXPERT_ONLY
from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_microus.core.compare.regions import DisputedRegion


def contour_between(
    codes: NDArray[np.uint8],
    region: DisputedRegion,
    share: float,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
) -> NDArray[np.bool_]:
    """Return the foreground inside a contour between the two, in a region's box.

    In each frame the zero line of (1 - share) × expert's + share × non-expert's
    signed distance (shape-based interpolation [1]_).

    Parameters
    ----------
    codes : ndarray of uint8, shape (Z, Y, X)
        A `disagreement_map`.
    region : DisputedRegion
        Where the contour is drawn.
    share : float
        0 is the expert's contour, 1 the non-expert's.
    spacing_mm : tuple of float
        Height and width of a pixel.

    Returns
    -------
    ndarray of bool, shape of ``region.mask``

    Raises
    ------
    InputError
        If the share is not from 0 to 1, or only one annotator drew in a frame.

    References
    ----------
    .. [1] Raya and Udupa, "Shape-based interpolation of multidimensional objects",
       IEEE Trans. Med. Imaging 1990, doi:10.1109/42.52980.
    """
    if not 0 <= share <= 1:
        raise InputError(
            f"A contour in between needs a share from 0 to 1; got {share}. "
            "0 is the expert's contour and 1 the other's.",
            plain=(
                f"The share of a contour in between is {share}. Choose one "
                "from 0, the expert's, to 1, the other's."
            ),
        )
    inner = np.zeros(region.mask.shape, bool)
    z, y, x = region.box
    for index, frame in enumerate(range(z.start, z.stop)):
        expert = (codes[frame] == BOTH) | (codes[frame] == EXPERT_ONLY)
        nonexpert = (codes[frame] == BOTH) | (codes[frame] == NONEXPERT_ONLY)
        if not (expert.any() and nonexpert.any()):
            raise InputError(
                "A contour in between needs two contours; got one alone in frame "
                f"{frame}. Choose one annotator there, or draw by hand.",
                plain=(
                    "Only one of the two drew here, so that there is nothing in "
                    "between. Choose one annotator, or draw by hand."
                ),
            )
        box = crop_to(expert | nonexpert)
        assert box is not None  # both have pixels
        distance = (1 - share) * _signed(expert[box], spacing_mm)
        distance += share * _signed(nonexpert[box], spacing_mm)
        inside = np.zeros(codes.shape[1:], bool)
        inside[box] = distance < 0
        inner[index] = inside[y, x]
    return inner


def _signed(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float]
) -> NDArray[np.float64]:
    """Return the distance to the nearest pixel of the other kind, negative inside."""
    wide = np.pad(mask, 1)  # the picture's border is an edge of the gland
    outside = ndi.distance_transform_edt(~wide, sampling=spacing_mm)
    inside = ndi.distance_transform_edt(wide, sampling=spacing_mm)
    signed: NDArray[np.float64] = (outside - inside)[1:-1, 1:-1]
    return signed
