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
        If the scan holds NaN or infinity, or only one intensity.
    """
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise InputError(
            "Image intensities must be finite; got NaN or infinity. "
            "Replace them before segmenting."
        )
    if low == high:
        raise InputError(
            f"An image must hold more than one intensity; got {low:g} everywhere. "
            "Choose a frame or a scan with content."
        )
    return (0.0, 255.0) if array.dtype == np.uint8 else (low, high)


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
