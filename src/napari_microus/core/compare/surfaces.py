"""Signed distances between two contours inside one frame.

Contours and distances are those of `core.metrics.surface_distance`: a mask's pixels
with a neighbour outside, from pixel centre to pixel centre.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from napari_microus.core.metrics.surface_distance import surface

if TYPE_CHECKING:
    from numpy.typing import NDArray


def signed_distance_mm(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float]
) -> NDArray[np.float64]:
    """Return how far each pixel lies outside the contour of ``mask``, in mm.

    Negative inside, zero on the contour. All infinite for an empty mask.
    """
    edge = surface(mask)
    if not edge.any():
        return np.full(mask.shape, np.inf)
    distance = ndi.distance_transform_edt(~edge, sampling=spacing_mm)
    return np.where(mask, -distance, distance)


def signed_mean_mm(
    reference: NDArray[np.bool_],
    other: NDArray[np.bool_],
    spacing_mm: tuple[float, float],
) -> float:
    """Return by how much ``other`` draws larger (+) or smaller (−), in mm.

    Mean of the signed distance from each contour to the other one, both
    directions weighing alike. NaN if either mask is empty.
    """
    box = crop_to(reference | other)
    if box is None:
        return float("nan")
    reference, other = reference[box], other[box]
    if not (reference.any() and other.any()):
        return float("nan")
    outside = signed_distance_mm(reference, spacing_mm)[surface(other)].mean()
    inside = signed_distance_mm(other, spacing_mm)[surface(reference)].mean()
    return float(outside - inside) / 2


def crop_to(mask: NDArray[np.bool_], margin: int = 1) -> tuple[slice, ...] | None:
    """Return the box around ``mask`` and a margin, or None if it is empty.

    A contour at the array's edge stays at the edge of the box, one inside gets
    the margin, so cropping changes no surface.
    """
    box = []
    for axis in range(mask.ndim):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        hits = np.flatnonzero(mask.any(axis=others))
        if not hits.size:
            return None
        start = max(0, int(hits[0]) - margin)
        box.append(slice(start, min(mask.shape[axis], int(hits[-1]) + 1 + margin)))
    return tuple(box)
