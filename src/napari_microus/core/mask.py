"""Read the many ways a mask is stored as one: 0, 1, and 255 for undecided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: Value of a pixel that nobody decided: no loss and no metric counts it.
IGNORE_VALUE = 255

_MOST_COUNTED = 1 << 16


def label_values(array: NDArray[Any]) -> list[int]:
    """Return the values other than 0 that ``array`` holds, in ascending order.

    Raises
    ------
    InputError
        If the array holds fractions, NaN or infinity: a probability, no mask.
    """
    if array.dtype == np.bool_:
        return [1] if array.any() else []
    if array.dtype == np.uint8 and array.size and array.max() <= 1:
        return [1] if array.any() else []
    found: set[int] = set()
    for frame in array if array.ndim > 2 else (array,):
        values = _unique(frame)
        if values.dtype.kind == "f" and not (
            np.isfinite(values).all() and (values == np.round(values)).all()
        ):
            raise InputError(
                "A mask must hold whole numbers; got "
                f"{_first_odd(values):g}. Threshold probabilities first.",
                plain="This is no mask: it holds shades between inside and outside. "
                "Choose the annotation, not a probability map or the scan.",
            )
        found.update(int(value) for value in values)
    return sorted(found - {0})


def foreground_value(array: NDArray[Any], *, name: str = "mask") -> int:
    """Return the one value that means foreground in ``array``.

    255 means foreground only where no other value does (a 0/255 mask); beside
    another value it means undecided. An empty mask answers 1.

    Raises
    ------
    InputError
        If several labels could be meant.
    """
    values = label_values(array)
    labels = [value for value in values if value != IGNORE_VALUE]
    if len(labels) > 1:
        listed = ", ".join(str(value) for value in labels[:8])
        raise InputError(
            f"One label of {name} must be chosen; got several ({listed}). "
            "Choose its value, or keep one label.",
            plain=f"More than one thing is drawn in {name} (labels {listed}). Choose "
            "which label is the prostate.",
        )
    if labels:
        return labels[0]
    return IGNORE_VALUE if values else 1


def value_of_label(label: int | str, names: Mapping[int, str]) -> int | None:
    """Return the value of a label that is given by number or by name.

    Parameters
    ----------
    label : int or str
        A value, its digits, or one of the names; case and spaces around do not count.
    names : mapping of int to str
        What the file calls its values.

    Returns
    -------
    int or None
        None where it is no number and none or several have that name.
    """
    if isinstance(label, int):
        return label
    folded = label.strip().casefold()
    found = [value for value, name in names.items() if name.casefold() == folded]
    if len(found) == 1:
        return found[0]
    return int(folded) if folded.isdecimal() else None


def as_mask(
    array: NDArray[Any], value: int | None = None, *, name: str = "mask"
) -> NDArray[np.uint8]:
    """Return ``array`` as uint8 of 0, 1 and 255 (undecided), of the same shape.

    Parameters
    ----------
    array : ndarray
        bool, integers, or floats that hold whole numbers.
    value : int, optional
        Label that means foreground; None finds it, see `foreground_value`.
    name : str
        What to call the mask in an error.

    Raises
    ------
    InputError
        If the array holds fractions, or several labels and no ``value`` is given.
    """
    array = np.asarray(array)
    if value is None:
        value = foreground_value(array, name=name)
    mask = (array == value).view(np.uint8)
    if value != IGNORE_VALUE and _may_hold_undecided(array):
        mask[array == IGNORE_VALUE] = IGNORE_VALUE
    return mask


def decided(*masks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where every one of ``masks`` is decided (not 255)."""
    valid = masks[0] != IGNORE_VALUE
    for mask in masks[1:]:
        valid &= mask != IGNORE_VALUE
    return valid


def fill_undecided(
    first: NDArray[np.uint8], second: NDArray[np.uint8]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return both masks as bool, made to agree where one is undecided.

    An undecided pixel takes the other mask's value, so that it adds no difference
    to a distance; where both are undecided it is background.
    """
    one, two = first == 1, second == 1
    open_one, open_two = first == IGNORE_VALUE, second == IGNORE_VALUE
    filled_one = np.where(open_one, two, one)
    filled_two = np.where(open_two, one, two)
    return filled_one, filled_two


settle = fill_undecided  # its name before, for one release


def check_same_shape(*arrays: NDArray[Any]) -> None:
    """Refuse masks of different shapes with a sentence.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        listed = " and ".join(str(array.shape) for array in arrays)
        raise InputError(
            f"Masks must share a grid; got {listed}. Resample one of them first.",
            plain="The masks are of different sizes, so they are not of one scan. "
            "Choose masks of one scan, or resample one of them.",
        )


def _may_hold_undecided(array: NDArray[Any]) -> bool:
    if array.dtype == np.bool_ or array.size == 0:
        return False
    return bool(array.max() >= IGNORE_VALUE)


def _unique(frame: NDArray[Any]) -> NDArray[Any]:
    if frame.size == 0:
        return np.empty(0, np.int64)
    low, high = frame.min(), frame.max()
    if low == high:
        return np.array([low])
    # Counting is some fifty times faster than the sort of np.unique.
    if frame.dtype.kind in "iu" and int(high) - int(low) < _MOST_COUNTED:
        # In a wider type: the range of an int16 does not fit into an int16.
        offset = frame.ravel().astype(np.intp) - int(low)
        return np.flatnonzero(np.bincount(offset)) + int(low)
    return np.unique(frame)


def _first_odd(values: NDArray[Any]) -> float:
    odd = values[~np.isfinite(values) | (values != np.round(values))]
    return float(odd[0])


def fill_polygon(
    points: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return the pixels of a frame whose centres lie inside a closed polygon.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Rows and columns; the centre of the first pixel is (0, 0). What lies outside
        the frame is cut off.
    shape : tuple of int
        Rows and columns of the frame.
    """
    begin, end = points, np.roll(points, -1, axis=0)
    low = np.ceil(np.minimum(begin[:, 0], end[:, 0])).astype(int).clip(0, shape[0])
    high = np.ceil(np.maximum(begin[:, 0], end[:, 0])).astype(int).clip(0, shape[0])
    count = high - low
    edge = np.repeat(np.arange(len(points)), count)
    row = (
        np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + low[edge]
    )
    part = (row - begin[edge, 0]) / (end[edge, 0] - begin[edge, 0])
    column = begin[edge, 1] + part * (end[edge, 1] - begin[edge, 1])
    first = np.ceil(column).astype(int).clip(0, shape[1])
    inside = np.zeros(shape, dtype=bool)
    pixels = inside.reshape(-1)
    # Row after row; a row is crossed an even number of times.
    crossings = np.sort(row * shape[1] + first).reshape(-1, 2)
    for start, stop in crossings.tolist():
        pixels[start:stop] = True
    return inside
