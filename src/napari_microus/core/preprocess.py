"""Between a scan of any size and the square the network sees.

Training and prediction both come through here, so that a network is asked in the
same terms in which it was taught.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_microus.core.errors import InputError
from napari_microus.core.mask import IGNORE_VALUE

if TYPE_CHECKING:
    from numpy.typing import NDArray


def intensity_window(array: NDArray[Any]) -> tuple[float, float]:
    """Return the intensities that become 0 and 1 for a scan (Z, Y, X).

    8-bit scans keep their full range, as in the published pipeline; anything else
    is taken from its darkest to its brightest pixel.

    Raises
    ------
    InputError
        If the scan holds NaN or infinity, only one intensity, or 8-bit numbers of
        which none is above 1: a mask, which would be all but black.
    """
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise InputError(
            "Image intensities must be finite; got NaN or infinity. "
            "Replace them before segmenting.",
            plain="Some pixels of this image hold no number. Export the scan again.",
        )
    if low == high:
        raise InputError(
            f"An image must hold more than one intensity; got {low:g} everywhere. "
            "Choose a frame or a scan with content.",
            plain="This image is blank. Choose a frame or a scan with content.",
        )
    if array.dtype != np.uint8:
        return low, high
    if high <= 1:
        raise InputError(
            "A scan must hold intensities; got 0 and 1 alone, as a mask holds them. "
            "Choose the scan.",
            plain="This image holds only 0 and 1, as a mask does. Choose the scan.",
        )
    return 0.0, 255.0


def to_network(
    frames: Tensor, size: int, window: tuple[float, float] = (0.0, 255.0)
) -> Tensor:
    """Bring frames to the network's size and intensity range.

    Parameters
    ----------
    frames : Tensor, shape (B, 1, H, W)
        Raw intensities of any dtype, on any device.
    size : int
        Edge length of the square the network expects, in pixels.
    window : tuple of float
        Intensities that become 0 and 1; see `intensity_window`.

    Returns
    -------
    Tensor of float32, shape (B, 1, size, size)
        Resized with antialiasing; the published pipeline aliases its test images.
    """
    low, high = window
    frames = frames.to(torch.float32)
    if frames.shape[-2:] != (size, size):
        # Resizing averages with weights of sum 1, so the window may follow it,
        # on a thirtieth of the pixels.
        frames = F.interpolate(frames, (size, size), mode="bilinear", antialias=True)
    return (frames - low) / (high - low)


def mask_to_network(mask: Tensor, size: int) -> Tensor:
    """Bring 0/1 masks (B, 1, H, W) to the network's size by area.

    A pixel is foreground where at least half of the area it covers is; the mask
    keeps its size, which truncating a bilinear resize does not.
    """
    if mask.shape[-2:] == (size, size):
        return mask.to(torch.float32)
    area = F.interpolate(
        mask.to(torch.float32), (size, size), mode="bilinear", antialias=True
    )
    return (area >= 0.5).to(torch.float32)


def labels_to_network(masks: Tensor, size: int) -> Tensor:
    """Bring masks of 0, 1 and 255 (undecided) to the network's size by area.

    Everything that trains, validates or shows a loss on masks comes through here.

    Parameters
    ----------
    masks : Tensor, shape (B, 1, H, W)
        Any type.
    size : int
        Edge of the network's square in pixels.

    Returns
    -------
    Tensor of float32, shape (B, 1, size, size)
        1 and 255 where at least half of the area is; 255 wins.
    """
    resized = mask_to_network(masks == 1, size)
    ignored = masks == IGNORE_VALUE
    if ignored.any():
        undecided = mask_to_network(ignored, size) > 0.5
        resized = resized.masked_fill(undecided, IGNORE_VALUE)
    return resized


def to_full_size(logits: Tensor, shape: tuple[int, int]) -> Tensor:
    """Bring logits (B, 1, size, size) back to frames of ``shape`` bilinearly."""
    if logits.shape[-2:] == shape:
        return logits
    return F.interpolate(logits, shape, mode="bilinear", align_corners=False)


def cut_at_full_size(
    logits: NDArray[np.float32], shape: tuple[int, int], cut: float
) -> NDArray[np.bool_]:
    """Return where `to_full_size` would give more than ``cut``.

    A pixel between four log-odds lies between the least and the largest of them, so
    only those whose four do not agree are interpolated: a band along the contour.

    Parameters
    ----------
    logits : ndarray of float32, shape (S, S)
        One frame's log-odds at the network's size.
    shape : tuple of int
        Rows and columns of the frame.
    cut : float
        Log-odds of the threshold.
    """
    above = logits > cut
    (top, down, rows), (left, right, columns) = (
        _neighbours(n, size) for n, size in zip(shape, logits.shape, strict=True)
    )
    # Of each cell between four log-odds: how many of them are above.
    count = above.astype(np.uint8)
    count = count + _after(count, 0)
    count = count + _after(count, 1)
    per_row = np.bincount(top, minlength=len(count))
    per_column = np.bincount(left, minlength=count.shape[1])
    mask = (count == 4).repeat(per_column, axis=1).repeat(per_row, axis=0)
    y, x = _pixels_of((count % 4 > 0).nonzero(), per_row, per_column)
    near, far = columns[x], np.float32(1) - columns[x]
    upper = logits[top[y], left[x]] * far + logits[top[y], right[x]] * near
    lower = logits[down[y], left[x]] * far + logits[down[y], right[x]] * near
    mask[y, x] = upper * (1 - rows[y]) + lower * rows[y] > cut
    return mask


def _neighbours(
    length: int, size: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return the log-odds before and after each pixel, and the weight of the latter."""
    place = np.maximum((np.arange(length) + 0.5) * (size / length) - 0.5, 0)
    before = np.minimum(place.astype(np.intp), size - 1)
    after = np.minimum(before + 1, size - 1)
    return before, after, (place - before).astype(np.float32)


def _after(count: NDArray[np.uint8], axis: int) -> NDArray[np.uint8]:
    """Return what follows each value along an axis; the last one follows itself."""
    last = count.shape[axis] - 1
    return count.take(np.minimum(np.arange(last + 1) + 1, last), axis=axis)


def _pixels_of(
    cells: tuple[NDArray[np.intp], ...],
    per_row: NDArray[np.intp],
    per_column: NDArray[np.intp],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of all pixels of some cells."""
    row, column = cells
    first_row = np.cumsum(per_row) - per_row
    first_column = np.cumsum(per_column) - per_column
    down, along = np.arange(per_row.max()), np.arange(per_column.max())
    y = first_row[row][:, None] + down
    x = first_column[column][:, None] + along
    has = (down < per_row[row][:, None])[:, :, None]
    has = has & (along < per_column[column][:, None])[:, None, :]
    shape = has.shape
    return (
        np.broadcast_to(y[:, :, None], shape)[has],
        np.broadcast_to(x[:, None, :], shape)[has],
    )
