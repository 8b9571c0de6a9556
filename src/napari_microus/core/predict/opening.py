"""Cut off what is too narrow to be part of a gland."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def cut_narrow_parts(logits: Tensor, width: int, cut: float) -> Tensor:
    """Turn foreground into background where an octagon of ``width`` does not fit.

    A morphological opening of the mask ``logits > cut``, grown by one pixel so that
    the outline of what stays is not touched. Beyond the border the mask counts as
    continuing: a gland cut by the picture's edge keeps its corners.

    Parameters
    ----------
    logits : Tensor of float, shape (B, 1, S, S)
        Log-odds at the network's size.
    width : int
        Width of the octagon in pixels at that size; an even one counts as the odd
        one above. 0 or 1 cuts nothing.
    cut : float
        Log-odds of the threshold.

    Returns
    -------
    Tensor, shape (B, 1, S, S)
        What was cut is mirrored about ``cut``, so that probabilities agree with the
        mask.

    References
    ----------
    .. [1] Fatema et al., arXiv 2509.15595, Algorithm 1: morphological
       post-processing.
    """
    if width < 2:
        return logits
    reach = width // 2
    mask = (logits > cut).to(logits.dtype)
    core = -_grow(-mask, reach)
    kept = _grow(core, reach + 1)
    return torch.where(kept < mask, 2 * cut - logits, logits)


def _grow(image: Tensor, reach: int) -> Tensor:
    """Dilate by a regular octagon: a square, then a diamond step by step.

    `max_pool2d` pads with -inf, so what lies outside does not count.
    """
    square = round((math.sqrt(2) - 1) * reach)
    image = F.max_pool2d(image, 2 * square + 1, stride=1, padding=square)
    for _ in range(reach - square):
        image = torch.maximum(
            F.max_pool2d(image, (3, 1), stride=1, padding=(1, 0)),
            F.max_pool2d(image, (1, 3), stride=1, padding=(0, 1)),
        )
    return image
