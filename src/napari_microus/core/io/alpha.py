"""A mask that a picture states by its colours, by its alpha channel, or by both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.colour import to_grey

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def stored_mask(pixels: NDArray[Any], path: Path) -> NDArray[Any]:
    """Return the mask in a picture with an alpha channel.

    Where all colours are equal the alpha channel is the mask; where all is opaque,
    the colours are; where both state something they must state the same.

    Parameters
    ----------
    pixels : ndarray, shape (..., 2 or 4)
        Grey or colour, alpha last.
    path : Path
        The file, for the sentence.

    Raises
    ------
    InputError
        If colours and alpha give different masks, or the picture is in true colour.
    """
    colours, alpha = pixels[..., :-1], pixels[..., -1]
    grey, notices = to_grey(colours)
    is_plain = grey.min() == grey.max()
    if is_plain and alpha.min() < alpha.max():
        return np.ascontiguousarray(alpha)
    if notices:
        raise InputError(
            f"A mask must be grey or a palette of labels; got colour in {path}. "
            "Export the annotation alone, without the picture under it.",
            plain=(
                f"{path} is a colour picture and no mask. Export the annotation "
                "alone, without the picture under it."
            ),
        )
    is_seen = alpha > 0
    if is_seen.all() or np.array_equal(is_seen, grey > 0):
        return grey
    raise InputError(
        f"A mask must be stated by colours or by transparency; got both in {path}, and "
        "they differ. Export the annotation without an alpha channel.",
        plain=(
            f"The colours of {path} and its transparency mark different places. "
            "Export the annotation without an alpha channel."
        ),
    )
