"""Bring the channels of one examination to one grid, and to comparable values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume

# A series that covers less of the first one shows something else.
_LEAST_COVERED = 0.5
# A volume with more of one value than this has been cut out (a skull-stripped brain).
_CUT_OUT = 0.25
_PERCENTILES = (0.5, 99.5)


def stack_channels(channels: Mapping[str, Volume]) -> NDArray[np.float32]:
    """Return channels on the first one's grid with comparable values.

    A channel of another grid is interpolated linearly by its place in the patient.

    Parameters
    ----------
    channels : mapping of str to Volume
        By name; the first one's grid counts.

    Returns
    -------
    ndarray of float32, shape (C, Z, Y, X)
        Zero mean and unit variance in each channel, see `standardised`.

    Raises
    ------
    InputError
        If a channel is of another grid and one of the two states no place in the
        patient, it covers less than half of the first, or holds one value alone.
    """
    (first_name, first), *_ = channels.items()
    stack = np.empty((len(channels), *first.shape), np.float32)
    for place, (name, channel) in zip(stack, channels.items(), strict=True):
        array = channel.array
        if array.dtype.kind not in "buif":
            raise InputError(
                f"Channel '{name}' must hold real numbers; got {array.dtype}. Convert "
                "it first.",
                plain=(
                    f"Channel '{name}' holds {array.dtype}, which is no image. "
                    "Convert it first."
                ),
            )
        if not first.shares_grid(channel):
            array = _onto(channel, first, name, first_name)
        place[:] = standardised(array, name)
    return stack


def _onto(
    channel: Volume, grid: Volume, name: str, grid_name: str
) -> NDArray[np.float32]:
    """Interpolate a channel at another grid's voxels by their place in the patient."""
    if channel.patient_affine is None or grid.patient_affine is None:
        raise InputError(
            "Channels must share a grid, or state their place in the patient; got "
            f"{channel.shape} for '{name}' and {grid.shape} for '{grid_name}'. "
            "Resample one of them first.",
            plain=(
                f"The channels '{name}' and '{grid_name}' are of different sizes, "
                "and their places in the patient are not known. Resample one of "
                "them first."
            ),
        )
    # From (x, y, z) of the grid to (x, y, z) of the channel; arrays run z, y, x.
    between = np.linalg.inv(channel.affine) @ grid.affine
    matrix = between[:3, :3][::-1, ::-1]
    offset = between[:3, 3][::-1]
    inside = _covered(matrix, offset, grid.shape, channel.shape)
    if inside < _LEAST_COVERED:
        raise InputError(
            f"Channels must show one region; got '{name}', which covers "
            f"{inside:.0%} of '{grid_name}'. Choose series of one examination.",
            plain=(
                f"'{name}' covers only {inside:.0%} of '{grid_name}'. Choose series "
                "of one examination."
            ),
        )
    found: NDArray[np.float32] = ndimage.affine_transform(
        channel.array.astype(np.float32),
        matrix,
        offset,
        output_shape=grid.shape,
        order=1,
        mode="nearest",
    )
    return found


def _covered(
    matrix: NDArray[Any],
    offset: NDArray[Any],
    grid: tuple[int, ...],
    channel: tuple[int, ...],
) -> float:
    """Return the share of a grid's voxels, on a raster of them, inside a channel."""
    axes = [np.linspace(0, n - 1, min(n, 16)) for n in grid]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    places = points @ matrix.T + offset
    within = (places >= -0.5) & (places <= np.array(channel) - 0.5)
    return float(within.all(1).mean())


def standardised(array: NDArray[Any], name: str = "the volume") -> NDArray[np.float32]:
    """Return intensities cut at their 0.5 and 99.5 percentiles, of mean 0 and SD 1.

    Where more than a quarter of the voxels hold the lowest value, the object has
    been cut out: figures are then taken over the others, and the rest becomes 0.

    Raises
    ------
    InputError
        If values are not finite, or all alike.
    """
    values = np.asarray(array, np.float32)
    lowest = values.min()
    if not np.isfinite(values).all() or lowest == values.max():
        what = "one value alone" if np.isfinite(lowest) else "values that are none"
        raise InputError(
            f"Intensities must be finite and differ; got {what} in '{name}'. Export "
            "it again.",
            plain=f"The image '{name}' holds {what}. Export it again.",
        )
    object_ = values > lowest
    is_cut_out = object_.mean() < 1 - _CUT_OUT
    counted = values[object_] if is_cut_out else values
    low, high = np.percentile(counted, _PERCENTILES)
    if high <= low:  # nearly all alike
        low, high = counted.min(), counted.max()
    cut = np.clip(values, low, high)
    known = cut[object_] if is_cut_out else cut
    spread = float(known.std()) or 1.0
    cut -= np.float32(known.mean())
    cut /= np.float32(spread)
    if is_cut_out:
        cut[~object_] = 0
    return cut
