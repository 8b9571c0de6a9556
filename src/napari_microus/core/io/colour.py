"""Turn colour pixels into grey ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONVERTED = "Colour image converted to greyscale."

# Weights of red, green and blue after ITU-R BT.601, as in Pillow and OpenCV.
_LUMINANCE = np.array([0.299, 0.587, 0.114])


def to_grey(pixels: NDArray[Any]) -> tuple[NDArray[Any], list[str]]:
    """Return one intensity per pixel, and what the user should know about it.

    Parameters
    ----------
    pixels : ndarray, shape (..., 1 to 4)
        Grey, grey with alpha, RGB or RGBA of any type; alpha is dropped.

    Returns
    -------
    grey : ndarray, shape (...)
        Of the given type. Equal channels are taken as they are.
    notices : list of str
        One sentence where true colour was converted by luminance, else none.
    """
    channels = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1]
    first = np.ascontiguousarray(channels[..., 0])
    if all(np.array_equal(first, other) for other in np.moveaxis(channels, -1, 0)):
        return first, []
    grey = channels @ _LUMINANCE
    if np.issubdtype(pixels.dtype, np.integer):
        grey = np.rint(grey)
    return grey.astype(pixels.dtype), [CONVERTED]
