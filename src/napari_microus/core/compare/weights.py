"""What a pixel costs: the weights of the annotation-guided loss, as a picture.

Works on the grid of the network, scale by scale, and shows the result on the
masks' own grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.compare.network_grid import (
    back_to_scan,
    on_network_grid,
)
from napari_microus.core.hard_region import KERNEL_SIZES, hard_region
from napari_microus.core.mask import IGNORE_VALUE, check_same_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ScaleWeights:
    """The weights at one scale of the network.

    Attributes
    ----------
    scale : float
        1, 1/2, 1/4 or 1/8 of the network's size.
    kernel_size : int
        Edge of the square that widened the disagreement, in pixels of this scale.
    weight : ndarray of float32, shape (Z, h, w)
        ``w / (1 + w)`` in the hard region, ``1 / (1 + w)`` elsewhere, 0 where a
        pixel does not count.
    """

    scale: float
    kernel_size: int
    weight: NDArray[np.float32]


def loss_weights(
    expert: NDArray[np.uint8],
    nonexpert: NDArray[np.uint8],
    *,
    network_size: int | None = 224,
    hard_weight: float = 4.0,
    kernel_sizes: Sequence[int] = KERNEL_SIZES,
) -> tuple[ScaleWeights, ...]:
    """Return each pixel's weight at every scale, as the losses take it.

    Parameters
    ----------
    expert, nonexpert : ndarray of uint8, shape (Z, Y, X)
        Masks of 0, 1 and 255 (undecided: weight 0).
    network_size : int, optional
        Edge of the square the network sees; None keeps the masks' own size.
    hard_weight : float
        How many easy pixels a hard pixel weighs.
    kernel_sizes : sequence of int
        One per scale, from full size down by halves.

    Raises
    ------
    InputError
        If the shapes differ, or a kernel size is not positive.

    References
    ----------
    .. [1] Jiang et al., "MicroSegNet", Comput. Med. Imaging Graph. 2024, 102326.
    """
    check_same_shape(expert, nonexpert)
    one, two = (on_network_grid(mask, network_size) for mask in (expert, nonexpert))
    height, width = one.shape[1:]
    scales = []
    for power, kernel_size in enumerate(kernel_sizes):
        size = (max(1, height >> power), max(1, width >> power))
        first, second = _downsampled(one, size), _downsampled(two, size)
        hard = hard_region(first, second, kernel_size)
        easy = np.float32(1 / (1 + hard_weight))
        weight = np.where(hard, np.float32(hard_weight) * easy, easy)
        weight[(first == IGNORE_VALUE) | (second == IGNORE_VALUE)] = 0
        scales.append(ScaleWeights(0.5**power, kernel_size, weight))
    return tuple(scales)


def weight_picture(
    weights: ScaleWeights, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Show the weights on frames of ``shape``, each value where it applies.

    Returns
    -------
    ndarray of float32, shape (Z, *shape)
        How many easy pixels each pixel costs: 1 or the hard weight, 0 if ignored.
    """
    weight = weights.weight
    counted = weight[weight > 0]
    easy = counted.min() if counted.size else np.float32(1)
    return back_to_scan(weight / easy, shape)


def _downsampled(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if mask.shape[1:] == size:
        return mask
    import torch

    from napari_microus.core.losses.deep_supervision import downsample_mask

    small = downsample_mask(torch.from_numpy(mask)[:, None], size)
    return small[:, 0].numpy().astype(np.uint8)
