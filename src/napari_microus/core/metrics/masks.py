"""Check the two masks and the spacing that every metric takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

Box = tuple[slice, ...]


def read_pair(
    prediction: ArrayLike, reference: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return two masks of one grid as booleans.

    Raises
    ------
    InputError
        If the shapes differ, are not two- or three-dimensional or hold no voxel, or
        a mask holds anything but 0 and 1.
    """
    pair = check_grids(prediction, reference)
    return _as_bool(pair[0], "prediction"), _as_bool(pair[1], "reference")


def check_grids(
    prediction: ArrayLike, reference: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both as arrays of one two- or three-dimensional shape."""
    first, second = np.asarray(prediction), np.asarray(reference)
    if first.shape != second.shape:
        raise InputError(
            f"Prediction and reference must share a grid; got {first.shape} and "
            f"{second.shape}. Resample one of them first.",
            plain=(
                f"The prediction has {first.shape} pixels and the reference "
                f"{second.shape}. Bring one onto the other's grid first."
            ),
        )
    if first.ndim not in (2, 3) or not first.size:
        raise InputError(
            "A mask must have two or three dimensions and at least one voxel; got "
            f"shape {first.shape}. Choose one frame or one scan.",
            plain=(
                f"The mask has {first.ndim} dimensions and {first.size} "
                "voxels. Choose one frame or one scan."
            ),
        )
    return first, second


def read_spacing(spacing_mm: float | Sequence[float], ndim: int) -> tuple[float, ...]:
    """Return one spacing per axis; a single number serves all axes.

    Raises
    ------
    InputError
        If the count is not ``ndim``, or a spacing is not positive and finite.
    """
    spacing = np.atleast_1d(np.asarray(spacing_mm, dtype=np.float64))
    if spacing.shape == (1,):
        spacing = np.repeat(spacing, ndim)
    if spacing.shape != (ndim,):
        raise InputError(
            f"spacing_mm must hold one number per axis, {ndim} here; got "
            f"{spacing_mm}. Give them in the order of the array's axes."
        )
    if not (np.isfinite(spacing) & (spacing > 0)).all():
        raise InputError(
            f"spacing_mm must be positive and finite; got {spacing_mm}. "
            "Check the file's header.",
            plain=(
                f"A pixel size of {spacing_mm} mm is none. Check the file's header."
            ),
        )
    return tuple(spacing.tolist())


def box_around(mask: NDArray[np.bool_]) -> Box | None:
    """Return the smallest box that holds ``mask``, or None if it is empty."""
    box = []
    for axis in range(mask.ndim):
        rest = tuple(other for other in range(mask.ndim) if other != axis)
        hits = np.flatnonzero(mask.any(axis=rest))
        if not hits.size:
            return None
        box.append(slice(int(hits[0]), int(hits[-1]) + 1))
    return tuple(box)


def _as_bool(mask: NDArray[Any], name: str) -> NDArray[np.bool_]:
    if mask.dtype == np.bool_:
        return mask
    strange = (mask != 0) & (mask != 1)
    if strange.any():
        raise InputError(
            f"The {name} must hold 0 and 1 alone; got {mask[strange].flat[0]}. "
            "Choose one label first; evaluate_case leaves out 255.",
            plain=(
                f"The {name} holds the value {mask[strange].flat[0]}: it has "
                "several labels. Choose one of them first."
            ),
        )
    return mask.astype(np.bool_)
