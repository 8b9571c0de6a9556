"""Where two annotators disagree, widened by a rectangle: the hard region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.mask import IGNORE_VALUE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Kernel = int | tuple[int, int]


#: Edge of the published square at full, half, quarter and eighth size, in pixels.
KERNEL_SIZES = (4, 3, 2, 1)


def kernel_sizes_of(kernel_size: int) -> tuple[int, int, int, int]:
    """Return the squares at all four scales for one at full size.

    They shrink as the published ones do: 4 gives (4, 3, 2, 1).
    """
    full, half, quarter, eighth = (
        max(1, -(-kernel_size * published // KERNEL_SIZES[0]))
        for published in KERNEL_SIZES
    )
    return full, half, quarter, eighth


@overload
def hard_region(
    expert: NDArray[Any], nonexpert: NDArray[Any], kernel_size: int
) -> NDArray[np.bool_]: ...
@overload
def hard_region(expert: Tensor, nonexpert: Tensor, kernel_size: int) -> Tensor: ...
def hard_region(expert: Any, nonexpert: Any, kernel_size: int) -> Any:
    """Return where two masks differ, widened by a ``kernel_size`` square.

    The square's anchor is ``kernel_size // 2``, as in OpenCV, so an even square
    reaches one pixel further down and to the right. Frames do not touch each
    other, and pixels outside a frame count as agreement.

    Parameters
    ----------
    expert, nonexpert : ndarray or Tensor, shape (..., H, W)
        Masks of 0 and 1 (or booleans) on one grid. Where either holds 255, the
        annotation is unknown and counts as agreement. Arrays are checked for
        other values; tensors are not (that would wait for the device), and
        everything but 1 counts as background there.
    kernel_size : int
        Edge of the square in pixels; 1 leaves the disagreement as it is.

    Returns
    -------
    ndarray or Tensor of bool, shape (..., H, W)
        True in the hard region, of the kind (and on the device) of the input.

    Raises
    ------
    InputError
        If the shapes differ or have fewer than two dimensions, one mask is an
        array and the other a tensor, an array holds other values, or
        ``kernel_size`` is not a positive whole number.

    References
    ----------
    .. [1] Jiang et al., "MicroSegNet", Comput. Med. Imaging Graph. 2024, 102326.
    """
    if isinstance(expert, np.ndarray) != isinstance(nonexpert, np.ndarray):
        raise InputError(
            "Two masks must be of one kind; got "
            f"{type(expert).__name__} and {type(nonexpert).__name__}. "
            "Convert both to arrays or both to tensors."
        )
    if expert.shape != nonexpert.shape:
        raise InputError(
            f"Two masks must share a grid; got {tuple(expert.shape)} and "
            f"{tuple(nonexpert.shape)}. Resample one of them first.",
            plain=(
                f"The two masks differ in size: {tuple(expert.shape)} and "
                f"{tuple(nonexpert.shape)} pixels. Bring one onto the other's "
                "grid first."
            ),
        )
    if isinstance(expert, np.ndarray):
        _check_values(expert)
        _check_values(nonexpert)
    known = (expert != IGNORE_VALUE) & (nonexpert != IGNORE_VALUE)
    return dilate(((expert == 1) ^ (nonexpert == 1)) & known, kernel_size)


@overload
def dilate(mask: NDArray[np.bool_], kernel_size: Kernel) -> NDArray[np.bool_]: ...
@overload
def dilate(mask: Tensor, kernel_size: Kernel) -> Tensor: ...
def dilate(mask: Any, kernel_size: Any) -> Any:
    """Widen a boolean mask (..., H, W) by a square or a rectangle; see `hard_region`.

    ``kernel_size`` is one edge, or height and width in pixels. Both axes in turn, by
    ORs of shifted copies that double their reach: some thirty times faster than max
    pooling on a CPU.
    """
    height, width = (
        kernel_size if isinstance(kernel_size, tuple) else (kernel_size,) * 2
    )
    check_kernel_size(height)
    check_kernel_size(width)
    if mask.ndim < 2:
        raise InputError(
            "A mask must have rows and columns; got shape "
            f"{tuple(mask.shape)}. Pass an array of shape (..., H, W)."
        )
    rows = (height // 2, height - 1 - height // 2)
    columns = (width // 2, width - 1 - width // 2)
    if isinstance(mask, np.ndarray):
        mask = np.pad(mask, [(0, 0)] * (mask.ndim - 2) + [rows, columns])
    else:
        from torch.nn.functional import pad

        mask = pad(mask, (*columns, *rows))
    for step in _steps(width):
        mask = mask[..., step:] | mask[..., :-step]
    for step in _steps(height):
        mask = mask[..., step:, :] | mask[..., :-step, :]
    return mask


def _steps(size: int) -> list[int]:
    """Return by how much copies are shifted until they reach over ``size`` pixels."""
    steps, reach = [], 1
    while reach < size:
        steps.append(min(reach, size - reach))
        reach += steps[-1]
    return steps


def check_kernel_size(kernel_size: int) -> None:
    """Raise InputError unless ``kernel_size`` is a positive whole number."""
    is_whole = isinstance(kernel_size, (int, np.integer))
    if not is_whole or isinstance(kernel_size, bool) or kernel_size < 1:
        raise InputError(
            "kernel_size must be a positive whole number of pixels; got "
            f"{kernel_size!r}. Use 1 for the disagreement alone.",
            plain=(
                f"The disagreement cannot be widened by {kernel_size!r}. "
                "Choose a whole number of pixels, 1 for the disagreement "
                "alone."
            ),
        )


def _check_values(mask: NDArray[Any]) -> None:
    if mask.dtype == np.bool_:
        return
    strange = (mask != 0) & (mask != 1) & (mask != IGNORE_VALUE)
    if strange.any():
        raise InputError(
            "A mask must hold 0, 1 or 255 (ignored); got "
            f"{mask[strange].flat[0]}. Choose one label first.",
            plain=(
                f"The mask holds the value {mask[strange].flat[0]}: it has "
                "several labels. Choose one of them first."
            ),
        )
