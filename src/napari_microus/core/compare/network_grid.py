"""The hard region on the grid where the losses make it: the network's own.

A loss widens the disagreement by a few pixels of the square that the network sees,
which are many pixels of the scan: on a frame of 962 × 1372, four pixels of 224 are 17
rows and 24 columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.hard_region import hard_region

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Edge of the square that most networks here see, in pixels.
NETWORK_SIZE = 224


def on_network_grid(mask: NDArray[np.uint8], size: int | None) -> NDArray[np.uint8]:
    """Return masks (Z, Y, X) of 0, 1 and 255 at the network's size, as training does.

    ``size`` None keeps the masks' own grid.
    """
    if size is None or mask.shape[1:] == (size, size):
        return mask
    import torch

    from napari_microus.core.preprocess import labels_to_network

    resized = np.empty((len(mask), size, size), np.uint8)
    for number, frame in enumerate(mask):
        values = torch.from_numpy(np.ascontiguousarray(frame))[None, None]
        resized[number] = labels_to_network(values, size)[0, 0].numpy()
    return resized


def back_to_scan(values: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Show values (Z, h, w) of the network's grid on frames of ``shape``.

    Each pixel takes the value of the network's pixel that covers its centre.
    """
    rows, columns = (
        (2 * np.arange(edge) + 1) * small // (2 * edge)
        for edge, small in zip(shape, values.shape[1:], strict=True)
    )
    return values[:, rows][:, :, columns]


def network_hard_region(
    expert: NDArray[np.uint8],
    nonexpert: NDArray[np.uint8],
    kernel_size: int,
    network_size: int = NETWORK_SIZE,
) -> NDArray[np.uint8]:
    """Return the hard region that a loss uses at full scale, shown on the scan.

    Parameters
    ----------
    expert, nonexpert : ndarray of uint8, shape (Z, Y, X)
        Masks of 0, 1 and 255 (undecided).
    kernel_size : int
        Edge of the square that widens the disagreement, in pixels of the network.
    network_size : int
        Edge of the square that the network sees.

    Returns
    -------
    ndarray of uint8, shape (Z, Y, X)
        1 in the hard region. Brought to the network's size again it is what the
        criterion weighs.

    Raises
    ------
    InputError
        If the shapes differ or ``kernel_size`` is no positive whole number.
    """
    small = [on_network_grid(mask, network_size) for mask in (expert, nonexpert)]
    hard = hard_region(small[0], small[1], kernel_size)
    return back_to_scan(hard.view(np.uint8), expert.shape[1:])
