"""How far apart the surfaces of two masks lie, by MedPy's conventions.

A mask's surface is its voxels with a neighbour outside along an axis (the mask
less its erosion with connectivity 1; outside the array is background), and a
distance goes from voxel centre to the nearest surface voxel of the other mask.
A search over surface voxels, or a transform of the box around both masks, gives the
same numbers as MedPy's distance transform of the whole grid at a fraction of its
cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.metrics.masks import box_around, read_pair, read_spacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


class SurfaceDistances(NamedTuple):
    """Distances in mm from each surface voxel to the other surface.

    Attributes
    ----------
    to_reference, to_prediction : ndarray of float
        One value per surface voxel of the prediction and of the reference; both
        empty where a mask is.
    """

    to_reference: NDArray[np.float64]
    to_prediction: NDArray[np.float64]

    def percentile(self, percentile: float) -> float:
        """Return a percentile of both directions pooled; NaN if a mask is empty."""
        pooled = np.concatenate(self)
        return float(np.percentile(pooled, percentile)) if pooled.size else float("nan")

    @property
    def mean(self) -> float:
        """Mean of both directions pooled; NaN if a mask is empty."""
        pooled = np.concatenate(self)
        return float(pooled.mean()) if pooled.size else float("nan")


def surface(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the voxels of ``mask`` with a neighbour outside it along an axis."""
    inner = mask.copy()
    for axis in range(mask.ndim):
        # Views along one axis at a time: forty times faster than an erosion.
        inside = np.moveaxis(inner, axis, 0)
        whole = np.moveaxis(mask, axis, 0)
        inside[1:] &= whole[:-1]
        inside[:-1] &= whole[1:]
        inside[0] = inside[-1] = False
    return mask & ~inner


def surface_distances(
    prediction: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    spacing_mm: tuple[float, ...],
) -> SurfaceDistances:
    """Measure two boolean masks on one grid; see `hausdorff_mm`."""
    none = np.empty(0)
    if not (prediction.any() and reference.any()):
        return SurfaceDistances(none, none)
    box = box_around(prediction | reference)
    assert box is not None
    ours, theirs = surface(prediction[box]), surface(reference[box])
    between = _between_points if prediction.ndim == 2 else _through_grid
    return SurfaceDistances(
        between(ours, theirs, np.asarray(spacing_mm)),
        between(theirs, ours, np.asarray(spacing_mm)),
    )


def _between_points(
    start: NDArray[np.bool_], goal: NDArray[np.bool_], spacing_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the distance of each ``start`` voxel by a search tree: fast in 2D."""
    from scipy.spatial import cKDTree

    # Points of a grid lie evenly: boxes halved in the middle are as good as balanced.
    tree = cKDTree(_points_mm(goal, spacing_mm), leafsize=32, balanced_tree=False)
    distance, _ = tree.query(_points_mm(start, spacing_mm))
    return np.asarray(distance)


def _points_mm(
    mask: NDArray[np.bool_], spacing_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the places of a mask's pixels (N, 2), three times as fast as argwhere."""
    places = np.unravel_index(np.flatnonzero(mask), mask.shape)
    points: NDArray[np.float64] = np.stack(places, axis=-1) * spacing_mm
    return points


def _through_grid(
    start: NDArray[np.bool_], goal: NDArray[np.bool_], spacing_mm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the same by a distance transform.

    In 3D the flat ends of a stack are full of surface voxels whose nearest
    partners are many and far, which a search tree takes minutes over.
    """
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(
        ~goal, sampling=spacing_mm, return_distances=False, return_indices=True
    )
    here = np.nonzero(start)
    squares = np.zeros(len(here[0]))
    for axis, spacing in enumerate(spacing_mm):
        squares += ((nearest[axis][here] - here[axis]) * spacing) ** 2
    return np.sqrt(squares)


def hausdorff_mm(
    prediction: ArrayLike,
    reference: ArrayLike,
    spacing_mm: float | Sequence[float],
    percentile: float = 95,
) -> float:
    """Return the Hausdorff distance of two masks, or a percentile of it, in mm.

    Both directed sets of surface distances are pooled before the percentile is
    taken (linearly interpolated), as in MedPy; MONAI takes the larger of the two
    directed percentiles.

    Parameters
    ----------
    prediction, reference : array_like of bool, shape (Y, X) or (Z, Y, X)
        Masks on one grid.
    spacing_mm : float or sequence of float
        Voxel size, in the order of the array's axes; one number for all axes.
    percentile : float
        0 to 100; 95 gives HD95 and 100 the Hausdorff distance.

    Returns
    -------
    float
        NaN if either mask is empty (MedPy raises, MONAI gives NaN).

    Raises
    ------
    InputError
        If the shapes differ, a mask holds anything but 0 and 1, or the spacing or
        the percentile is out of range.
    """
    if not 0 <= percentile <= 100:
        raise InputError(
            f"percentile must lie between 0 and 100; got {percentile}. Use 95."
        )
    return _distances(prediction, reference, spacing_mm).percentile(percentile)


def assd_mm(
    prediction: ArrayLike,
    reference: ArrayLike,
    spacing_mm: float | Sequence[float],
) -> float:
    """Return the average symmetric surface distance in mm.

    The mean over the surface voxels of both masks, as in MedPy (a mean of the two
    directed means is another convention). NaN if either mask is empty. Parameters
    and errors as in `hausdorff_mm`.
    """
    return _distances(prediction, reference, spacing_mm).mean


def _distances(
    prediction: ArrayLike, reference: ArrayLike, spacing_mm: float | Sequence[float]
) -> SurfaceDistances:
    first, second = read_pair(prediction, reference)
    return surface_distances(first, second, read_spacing(spacing_mm, first.ndim))
