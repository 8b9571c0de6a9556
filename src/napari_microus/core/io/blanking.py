"""Rectangles of a picture that are shown as black, such as a name burnt into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Rows from and to, columns from and to; the last ones are not in it.
Rectangle = tuple[int, int, int, int]


def read_rectangles(listed: Any) -> tuple[Rectangle, ...]:
    """Return rectangles from lists of four numbers, as a file states them.

    Raises
    ------
    InputError
        If there is anything else, or an empty rectangle.
    """
    found = []
    for one in listed if isinstance(listed, (list, tuple)) else [listed]:
        is_four = isinstance(one, (list, tuple)) and len(one) == 4
        if not is_four or any(type(n) is not int or not 0 <= n < 1 << 16 for n in one):
            raise InputError(
                "A part to blank out must be first and last row, first and last "
                f"column, in pixels; got {one}. Correct it.",
                plain=(
                    f"{one} is no part of a picture. Give first and last row, first "
                    "and last column, in pixels."
                ),
            )
        top, bottom, left, right = one
        if top >= bottom or left >= right:
            raise InputError(
                "A part to blank out must be one or more pixels high and wide; got "
                f"rows {top}:{bottom} and columns {left}:{right}. Correct it.",
                plain=(
                    f"Rows {top}:{bottom} and columns {left}:{right} hold no pixel. "
                    "Write the smaller number first."
                ),
            )
        found.append((top, bottom, left, right))
    return tuple(found)


def rectangle_from_text(text: str) -> Rectangle:
    """Return a rectangle from ``rows,columns``, such as ``0:40,10:200``.

    Raises
    ------
    InputError
        If the text is something else.
    """
    parts = text.replace(" ", "").replace(",", ":").split(":")
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        raise InputError(
            "A part to blank out must be rows and columns in pixels, as 0:40,10:200; "
            f"got '{text}'. Correct it.",
            plain=(
                f"'{text}' is no part of a picture. Write rows and columns in "
                "pixels, as 0:40,10:200."
            ),
        )
    return read_rectangles([[int(part) for part in parts]])[0]


def blanked(
    array: NDArray[Any], rectangles: Sequence[Rectangle], *, is_colour: bool = False
) -> NDArray[Any]:
    """Return a copy of frames in which each rectangle is 0.

    Parameters
    ----------
    array : ndarray, shape (..., Y, X)
        Frames.
    rectangles : sequence of tuple of int
        See `Rectangle`.
    is_colour : bool
        Whether there is an axis of channels behind X.

    Raises
    ------
    InputError
        If one lies outside of the picture.
    """
    rows, columns = array.shape[-3:-1] if is_colour else array.shape[-2:]
    found = np.array(array)
    for top, bottom, left, right in rectangles:
        if bottom > rows or right > columns:
            raise InputError(
                f"A part to blank out must lie inside the picture of {rows} × "
                f"{columns} pixels; got rows {top}:{bottom} and columns "
                f"{left}:{right}. Correct the scan properties.",
                plain=(
                    f"The part to blank out, rows {top}:{bottom} and columns "
                    f"{left}:{right}, is not inside the picture of {rows} × "
                    f"{columns} pixels. Correct the scan properties."
                ),
            )
        colours = (slice(None),) if is_colour else ()
        found[(..., slice(top, bottom), slice(left, right), *colours)] = 0
    return found
