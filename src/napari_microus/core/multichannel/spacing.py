"""Change the voxel size of a stack of channels, and come back to the scan's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor


def shape_at(
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    wanted_mm: tuple[float, float, float] | None,
) -> tuple[int, int, int]:
    """Return the shape (Z, Y, X) at another voxel size; None keeps it."""
    if wanted_mm is None:
        return shape
    z, y, x = (
        max(1, round(n * own / wanted))
        for n, own, wanted in zip(shape, spacing_mm, wanted_mm, strict=True)
    )
    return z, y, x


def resized(stack: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return (C, Z, Y, X) at another shape: the same extent, voxel edges aligned.

    Linear; towards fewer voxels the axis is averaged first where it shrinks to half
    or less.
    """
    if tuple(stack.shape[1:]) == shape:
        return stack
    values = stack[None].float()
    factors = [max(1, n // m) for n, m in zip(stack.shape[1:], shape, strict=True)]
    if max(factors) > 1:
        z, y, x = (round(n / f) for n, f in zip(stack.shape[1:], factors, strict=True))
        values = F.adaptive_avg_pool3d(values, (z, y, x))
    return F.interpolate(values, shape, mode="trilinear", align_corners=False)[0]


def resized_mask(mask: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return a mask (Z, Y, X) of 0, 1 and 255 at another shape, as uint8.

    A voxel belongs to the object where the interpolated mask is at least a half, and
    is undecided where the interpolated undecided part is.
    """
    if tuple(mask.shape) == shape:
        return mask
    parts = torch.stack([(mask == 1).float(), (mask == 255).float()])
    object_, undecided = resized(parts, shape)
    found = (object_ >= 0.5).to(torch.uint8)
    found[undecided >= 0.5] = 255
    return found
