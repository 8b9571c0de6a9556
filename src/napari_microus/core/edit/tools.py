"""Small changes of one frame's capsule; each maps a mask (Y, X) to a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_fill_holes, label

from napari_microus.core.edit.curve import mask_of, outline_of, resample
from napari_microus.core.edit.distance import signed_distance
from napari_microus.core.errors import InputError
from napari_microus.core.hard_region import KERNEL_SIZES, hard_region
from napari_microus.core.mask import IGNORE_VALUE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POINTS = 256
_HARMONICS = 12
_NARROW = 0.06  # of the diameter: half the width of a notch or a spike


def smooth(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest piece without narrow notches and spikes.

    Those narrower than an eighth of the capsule's diameter are closed and cut; of the
    outline then the first harmonics are kept.
    """
    if not mask.any():
        return mask.copy()
    reach = _NARROW * float(np.sqrt(4 * mask.sum() / np.pi))
    room = int(np.ceil(2 * reach))
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # Beyond the box is background, beyond the picture's border its last pixels.
    at_border = (
        (rows[0] == 0, rows[-1] == mask.shape[0] - 1),
        (columns[0] == 0, columns[-1] == mask.shape[1] - 1),
    )
    near = np.pad(largest(mask[box]), room)
    for axis, sides in enumerate(at_border):
        for is_there, edge, beyond in zip(
            sides,
            (room, -room - 1),
            (slice(None, room), slice(-room, None)),
            strict=True,
        ):
            if is_there:
                line = near.take([edge], axis)
                near[(slice(None),) * axis + (beyond,)] = line
    for sign in (1, -1, -1, 1):  # close, then open
        near = signed_distance(near) > -sign * reach
    inner = np.zeros_like(mask)
    inner[box] = near[room:-room, room:-room]
    if not inner.any():
        inner = mask
    outline = resample(outline_of(inner), _POINTS)
    waves = np.fft.fft(outline[:, 0] + 1j * outline[:, 1])
    order = np.abs(np.fft.fftfreq(_POINTS, 1 / _POINTS))
    waves *= np.exp(-0.5 * (order / _HARMONICS) ** 4)
    curve = np.fft.ifft(waves)
    return mask_of(np.stack([curve.real, curve.imag], axis=1), mask.shape)


def grow(
    mask: NDArray[np.bool_], distance: float, pixel: tuple[float, float]
) -> NDArray[np.bool_]:
    """Return the mask grown by ``distance``, or shrunk where it is negative.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        The capsule of one frame.
    distance : float
        In the unit of ``pixel``.
    pixel : tuple of float
        Height and width of a pixel, in mm where it is known, else (1, 1).

    Raises
    ------
    InputError
        If the distance is not finite.
    """
    if not np.isfinite(distance):
        raise InputError(
            f"The distance must be a number; got {distance}. Try 0.5.",
            plain="The distance is no number. Try 0.5.",
        )
    if not mask.any():
        return mask.copy()
    if pixel[0] == pixel[1]:
        return np.asarray(signed_distance(mask) > -distance / pixel[0])
    from scipy.ndimage import distance_transform_edt

    inside = distance_transform_edt(mask, sampling=pixel)
    outside = distance_transform_edt(~mask, sampling=pixel)
    half = 0.25 * sum(pixel)
    return np.asarray(np.where(mask, inside - half, half - outside) > -distance)


def fill(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask without holes."""
    return np.asarray(binary_fill_holes(mask))


def largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask's largest piece alone; pieces share edges."""
    pieces, count = label(mask)
    if count < 2:
        return mask.copy()
    return np.asarray(pieces == 1 + np.bincount(pieces[pieces > 0] - 1).argmax())


def keep_agreed(
    mask: NDArray[np.bool_],
    one: NDArray[np.generic],
    other: NDArray[np.generic],
    kernel_size: int = KERNEL_SIZES[0],
) -> NDArray[np.bool_]:
    """Return the mask cut to the hard region of two annotations.

    Where two annotators agree, and that is not within a ``kernel_size`` square of
    where they differ, the capsule is what both of them drew; in the hard region it
    stays as it is.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        The capsule of one frame.
    one, other : ndarray, shape (Y, X)
        The annotations: 0, 1, and 255 where one is undecided, which leaves the mask.
    kernel_size : int
        See `hard_region`.
    """
    hard = hard_region(one, other, kernel_size)
    hard = hard | (one == IGNORE_VALUE) | (other == IGNORE_VALUE)
    return np.asarray(np.where(hard, mask, one == 1), dtype=bool)
