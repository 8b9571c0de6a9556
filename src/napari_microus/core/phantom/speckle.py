"""From scatterers to grey levels: point spread, envelope, log compression.

Fully developed speckle is the envelope of many scatterers' echoes: complex
Gaussian noise, filtered by the point spread function and weighed by the tissue's
reflectivity. The point spread widens away from the focus, so its taps differ from
row to row; a tap is then one multiplication of the whole frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from napari_microus.core.phantom.domain import PhantomDomain

_FWHM_PER_SIGMA = 2.3548
_REACH = 2.5  # taps end at so many standard deviations


def _taps(sigma: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return Gaussian taps (rows, 2 k + 1) of unit energy for each row's sigma."""
    reach = max(int(np.ceil(_REACH * sigma.max())), 1)
    offset = np.arange(-reach, reach + 1)
    taps = np.exp(-0.5 * (offset / np.maximum(sigma, 0.05)[:, None]) ** 2)
    taps /= np.sqrt((taps**2).sum(1, keepdims=True))
    return taps.astype(np.float32)


class SpeckleSource:
    """Makes one frame of speckle after the other, correlated along the sweep.

    Parameters
    ----------
    rng : Generator
        Source of the scatterers.
    domain : PhantomDomain
        Gives the size of the point spread, the focus and the coherence.
    depths_mm : ndarray, shape (rows,)
        Depth of each row.
    columns : int
        Number of columns.
    column_mm : float
        Distance between columns.
    """

    def __init__(
        self,
        rng: Generator,
        domain: PhantomDomain,
        depths_mm: NDArray[np.float64],
        columns: int,
        column_mm: float,
    ) -> None:
        row_mm = float(depths_mm[1] - depths_mm[0])
        widening = np.hypot(1, (depths_mm - domain.focus_mm) / domain.focus_mm / 1.2)
        # The echo passes the aperture twice, and its envelope's speckle is wider
        # than the amplitude of the point spread by the square root of two.
        lateral = domain.lateral_mm / _FWHM_PER_SIGMA / np.sqrt(2) * widening
        axial = np.full_like(depths_mm, domain.axial_mm / _FWHM_PER_SIGMA / np.sqrt(2))
        self._lateral = _taps(lateral / column_mm)
        self._axial = _taps(axial / row_mm)
        self._rng = rng
        self._coherence = np.float32(domain.frame_coherence)
        self._pad = self._lateral.shape[1] // 2, self._axial.shape[1] // 2
        rows = depths_mm.size
        self._shape = (2, rows + 2 * self._pad[1], columns + 2 * self._pad[0])
        self._scatterers: NDArray[np.float32] | None = None

    def envelope(self) -> NDArray[np.float32]:
        """Return the next frame's echo amplitude (rows, columns), of unit power."""
        fresh = self._rng.standard_normal(self._shape, np.float32)
        if self._scatterers is None:
            self._scatterers = fresh
        else:
            a = self._coherence
            fresh *= np.sqrt(1 - a * a)
            self._scatterers = a * self._scatterers + fresh
        echo = self._scatterers
        rows = self._lateral.shape[0]
        echo = sum(
            tap[:, None] * echo[:, i : i + rows] for i, tap in enumerate(self._axial.T)
        )
        columns = self._shape[2] - 2 * self._pad[0]
        real, imaginary = sum(
            tap[:, None] * echo[:, :, i : i + columns]
            for i, tap in enumerate(self._lateral.T)
        )
        power: NDArray[np.float32] = real * real + imaginary * imaginary
        power *= np.float32(0.5)
        return np.sqrt(power)


def compress(
    level_db: NDArray[np.float32],
    envelope: NDArray[np.float32],
    noise_db: NDArray[np.float32],
    noise: NDArray[np.float32],
    domain: PhantomDomain,
) -> NDArray[np.float32]:
    """Return grey levels 0 to 1 of tissue of a level, seen over a noise floor.

    Parameters
    ----------
    level_db, envelope : ndarray, shape (rows, columns)
        Mean level of the echo, and the speckle that multiplies it.
    noise_db : ndarray, shape (rows, 1)
        Level of the electronic noise, which the gain lifts with depth.
    noise : ndarray, shape (rows, columns)
        Envelope of that noise, of unit power.
    domain : PhantomDomain
        Gives gain, dynamic range and gamma.
    """
    to_natural = np.float32(np.log(10) / 20)
    amplitude: NDArray[np.float32] = np.exp(level_db * to_natural)
    amplitude *= envelope
    amplitude += np.exp(noise_db * to_natural) * noise
    amplitude += np.float32(1e-6)
    np.log(amplitude, out=amplitude)
    amplitude *= np.float32(1 / to_natural / domain.dynamic_range_db)
    # Mean tissue comes to rest at three fifths of the scale.
    amplitude += np.float32(0.5 + domain.gain_db / domain.dynamic_range_db)
    np.clip(amplitude, 0, 1, out=amplitude)
    if domain.gamma != 1:
        np.power(amplitude, np.float32(domain.gamma), out=amplitude)
    return amplitude
