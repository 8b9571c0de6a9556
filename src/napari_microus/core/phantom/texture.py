"""Lend phantoms the texture of real frames that nobody has outlined.

Two statistics are carried over: the histogram, and the slow part of the amplitude
spectrum (shading and gain).
The phase, and so the anatomy and the masks, stays the phantom's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.random import Generator
    from numpy.typing import NDArray

_BLACK = 3  # grey levels up to this belong to the border around the picture
_LEVELS = 65  # quantiles that describe a histogram
_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


class TextureBank:
    """Statistics of real frames, ready to be lent.

    Parameters
    ----------
    frames : iterable of ndarray, each (rows, columns)
        Grey frames, 0 to 255, all of one shape: that of the phantoms to change.

    Raises
    ------
    InputError
        If there is no frame, or the shapes differ.

    References
    ----------
    .. [1] Yang, Soatto, "FDA: Fourier Domain Adaptation for Semantic
       Segmentation", CVPR 2020: equations 3 and 4, with a soft edge.
    """

    def __init__(self, frames: Iterable[NDArray[np.uint8]]) -> None:
        stack = [np.asarray(frame, np.float32) for frame in frames]
        if not stack:
            raise InputError(
                "A texture bank must have at least one frame; got none. "
                "Choose a folder of grey frames.",
                plain=(
                    "There is no frame to take textures from. Choose a folder of "
                    "grey frames."
                ),
            )
        shapes = {frame.shape for frame in stack}
        if len(shapes) > 1:
            raise InputError(
                f"Frames of a texture bank must have one shape; got {sorted(shapes)}. "
                "Resize them first.",
                plain=(
                    "The frames to take textures from differ in size: "
                    f"{sorted(shapes)}. Resize them first."
                ),
            )
        self.shape: tuple[int, int] = stack[0].shape
        self._quantiles = np.stack([_quantiles(frame) for frame in stack])
        self._amplitudes = np.stack(
            [_log_amplitude(np.fft.rfft2(_filled(frame))) for frame in stack]
        ).astype(np.float32)

    def __len__(self) -> int:
        return len(self._quantiles)

    def transfer_texture(
        self,
        rng: Generator,
        frame: NDArray[np.uint8],
        *,
        strength: float = 1.0,
        band: float = 0.03,
    ) -> NDArray[np.uint8]:
        """Return ``frame`` with the statistics of a real frame drawn at random.

        Parameters
        ----------
        rng : Generator
            Chooses the real frame.
        frame : ndarray of uint8, shape (rows, columns)
            A phantom's frame; its black border stays black.
        strength : float
            0 leaves the frame as it is, 1 takes the real statistics wholly.
        band : float
            Edge of the slow part of the spectrum whose amplitude is taken, in
            cycles a pixel.

        Raises
        ------
        InputError
            If the shape is not the bank's, or ``strength`` is not within 0 to 1.
        """
        if frame.shape != self.shape:
            raise InputError(
                f"Frame and texture must have one shape; got {frame.shape} and "
                f"{self.shape}. Make the bank at the phantom's size."
            )
        if not 0 <= strength <= 1:
            raise InputError(
                f"The strength must lie between 0 and 1; got {strength}. "
                "Choose a value in that range."
            )
        chosen = int(rng.integers(len(self)))
        shaded = self._with_amplitude(frame, chosen, strength, band)
        inside = _picture(frame)
        lent = frame.copy()
        lent[inside] = self._with_histogram(shaded[inside], chosen, strength)
        return lent

    def _with_amplitude(
        self, frame: NDArray[np.uint8], chosen: int, strength: float, band: float
    ) -> NDArray[np.float32]:
        spectrum = np.fft.rfft2(_filled(frame))
        rows = np.fft.fftfreq(self.shape[0])[:, None]
        columns = np.fft.rfftfreq(self.shape[1])[None]
        # Taken whole, another anatomy's shading would lighten what lies in shadow.
        share = 0.5 * strength * np.exp(-((rows**2 + columns**2) / band**2))
        share[0, 0] = 0  # the mean belongs to the histogram
        lacking = self._amplitudes[chosen] - _log_amplitude(spectrum)
        gain = np.exp(share * lacking)
        changed = np.fft.irfft2(spectrum * gain, s=self.shape)
        return np.asarray(changed, np.float32)

    def _with_histogram(
        self, grey: NDArray[np.float32], chosen: int, strength: float
    ) -> NDArray[np.uint8]:
        own = np.quantile(grey, np.linspace(0, 1, _LEVELS))
        target = (1 - strength) * own + strength * self._quantiles[chosen]
        # Equal levels of the phantom are spread, so that the map is a function.
        own = own + np.arange(_LEVELS) * 1e-4
        mapped = np.interp(grey, own, target)
        return np.asarray(np.clip(np.rint(mapped), 0, 255), np.uint8)


def _picture(frame: NDArray[np.generic]) -> tuple[slice, slice]:
    """Return the rows and columns inside the black border; all where all is black."""
    shown = np.asarray(frame) > _BLACK
    rows, columns = np.nonzero(shown.any(1))[0], np.nonzero(shown.any(0))[0]
    if not rows.size:
        return slice(None), slice(None)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _filled(frame: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return the frame with its border at the picture's mean.

    The width of the black bars is then no part of the spectrum.
    """
    inside = _picture(frame)
    picture = np.asarray(frame[inside], np.float32)
    filled = np.full(frame.shape, picture.mean(), np.float32)
    filled[inside] = picture
    return filled


def _log_amplitude(spectrum: NDArray[np.complexfloating]) -> NDArray[np.float32]:
    return np.asarray(np.log1p(np.abs(spectrum)), np.float32)


def _quantiles(frame: NDArray[np.float32]) -> NDArray[np.float32]:
    levels = np.quantile(frame[_picture(frame)], np.linspace(0, 1, _LEVELS))
    return np.asarray(levels, np.float32)
