"""Store a set of pixels as runs, small enough for a JSON file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def encode_runs(
    mask: NDArray[np.bool_], box: Sequence[slice], shape: Sequence[int]
) -> list[int]:
    """Return the pixels of ``mask``, which lies in ``box``, as runs.

    Parameters
    ----------
    mask : ndarray of bool
        Of the size of ``box``.
    box : sequence of slice
        Where the mask lies in an array of ``shape``.
    shape : sequence of int
        Shape of the whole array.

    Returns
    -------
    list of int
        Start and length in turn; starts count pixels of the whole array row by row
        and frame by frame from 0.
    """
    return encode_indices(flat_indices(mask, box, shape))


def flat_indices(
    mask: NDArray[np.bool_], box: Sequence[slice], shape: Sequence[int]
) -> NDArray[np.int64]:
    """Return the flat indices of the pixels of ``mask``, which lies in ``box``."""
    starts = [part.indices(size)[0] for part, size in zip(box, shape, strict=True)]
    local = np.nonzero(mask)
    index = tuple(axis + start for axis, start in zip(local, starts, strict=True))
    return np.ravel_multi_index(index, tuple(shape))


def encode_indices(flat: NDArray[np.int64]) -> list[int]:
    """Return ascending flat indices as runs: start and length in turn."""
    if not flat.size:
        return []
    breaks = np.flatnonzero(np.diff(flat) != 1)
    starts = flat[np.r_[0, breaks + 1]]
    stops = flat[np.r_[breaks, flat.size - 1]] + 1
    return [int(n) for n in np.column_stack([starts, stops - starts]).ravel()]


def decode_runs(
    runs: Sequence[int] | NDArray[np.int64], shape: Sequence[int]
) -> NDArray[np.int64]:
    """Return the flat indices that ``runs`` hold, ascending.

    Raises
    ------
    InputError
        If the runs are no pairs, leave the array, or do not follow one another.
    """
    pairs = np.asarray(runs, np.int64)
    size = int(np.prod(shape))
    if pairs.size % 2:
        raise InputError(
            f"Runs must be pairs of start and length; got {pairs.size} numbers. "
            "The file is damaged: load an older copy.",
            plain="This file is damaged. Load an older copy.",
        )
    starts, lengths = pairs[0::2], pairs[1::2]
    if (lengths < 1).any() or (starts < 0).any() or (starts + lengths > size).any():
        raise InputError(
            f"Runs must lie inside the mask of {size} pixels; got others. "
            "Load the masks that this file was made for.",
            plain="This file was made for other masks. Load those masks.",
        )
    if (starts[1:] < (starts + lengths)[:-1]).any():
        raise InputError(
            "Runs must follow one another; got some that overlap or go back. "
            "The file is damaged: load an older copy.",
            plain="This file is damaged. Load an older copy.",
        )
    if not starts.size:
        return starts
    offsets = np.repeat(starts - np.r_[0, np.cumsum(lengths)[:-1]], lengths)
    flat: NDArray[np.int64] = offsets + np.arange(int(lengths.sum()))
    return flat
