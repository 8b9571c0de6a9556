"""Smooth random fields: coarse random numbers, interpolated by cubic B-splines.

Interpolation along an axis is one small matrix product, which costs a fraction of
a filter and takes any grid to any size. Everything here is float32: frames are
large, and a grey level needs no more.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

Float = np.float32
_PIECE = 250_000  # multiplications; OpenBLAS starts threads above 262 144
TEXTURE_SIZE = 512  # edge of a texture table, which repeats; a power of two


def bell(t: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return exp(-t²), the profile of a band."""
    profile: NDArray[np.float32] = np.exp(-(t * t))
    return profile


def step(t: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a step from 0 to 1 around 0, smooth over about ±2."""
    return Float(0.5) + Float(0.5) * np.tanh(t)


@lru_cache(maxsize=256)
def spline_matrix(size: int, knots: int) -> NDArray[np.float32]:
    """Return the matrix (size, knots + 3) from B-spline coefficients to samples.

    Its rows are scaled so that independent coefficients of unit variance give
    samples of unit variance on average.
    """
    t = (np.arange(size) + 0.5) / size * knots
    cell = np.minimum(t.astype(int), knots - 1)
    u = t - cell
    weights = np.stack(
        [(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3]
    )
    matrix = np.zeros((size, knots + 3))
    for tap, weight in enumerate(weights):
        matrix[np.arange(size), cell + tap] = weight
    matrix /= np.sqrt((matrix**2).sum(1).mean())
    result = matrix.astype(Float)
    result.setflags(write=False)
    return result


def _product(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``a @ b``, in pieces too small for BLAS to start threads over.

    Its threads wait by spinning; on a busy machine that costs several times the
    product itself.
    """
    rows = max(_PIECE // b.size, 1)
    product = np.empty((a.shape[0], b.shape[1]), Float)
    for start in range(0, a.shape[0], rows):
        piece = slice(start, start + rows)
        np.matmul(a[piece], b, out=product[piece])
    return product


@lru_cache(maxsize=32)
def _harmonics(size: int, orders: int) -> NDArray[np.float64]:
    phase = np.outer(np.arange(1, orders + 1), np.arange(size) * (2 * np.pi / size))
    return np.concatenate([np.cos(phase), np.sin(phase)])


def periodic_curve(
    rng: Generator, size: int, orders: int, decay: float = 1.0
) -> NDArray[np.float32]:
    """Return a smooth closed curve (size,) of unit variance: a few Fourier terms.

    The term of order k has a standard deviation that falls as k to the minus
    ``decay``.
    """
    strength = np.arange(1, orders + 1) ** -decay
    strength /= np.sqrt((strength**2).sum())
    terms = rng.standard_normal((2, orders)) * strength
    curve: NDArray[np.float64] = terms.ravel() @ _harmonics(size, orders)
    return curve.astype(Float)


class SweepField:
    """A smooth random field (rows, columns) that changes smoothly along a sweep.

    Parameters
    ----------
    rng : Generator
        Source of the coefficients.
    knots : tuple of int
        Number of cells along rows and columns; more make a finer field.
    frames, frame_knots : int
        Number of frames, and of cells among them.
    """

    def __init__(
        self, rng: Generator, knots: tuple[int, int], frames: int, frame_knots: int
    ) -> None:
        rows, columns = knots
        self._knots = knots
        if frames == 1:
            self._grid = rng.standard_normal((1, rows + 3, columns + 3), Float)
            return
        grid = rng.standard_normal((frame_knots + 3, (rows + 3) * (columns + 3)), Float)
        along = spline_matrix(frames, frame_knots) @ grid
        self._grid = along.reshape(frames, rows + 3, columns + 3)

    def at(self, frame: int, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Return the field of one frame on a grid of ``shape``."""
        rows = spline_matrix(shape[0], self._knots[0])
        columns = spline_matrix(shape[1], self._knots[1])
        return _product(_product(rows, self._grid[frame]), columns.T)


class Texture:
    """A random texture on a table that repeats, read at any coordinates.

    Parameters
    ----------
    table : ndarray, shape (TEXTURE_SIZE, TEXTURE_SIZE)
        Values across and along the texture's grain.
    """

    def __init__(self, table: NDArray[np.float32]) -> None:
        self._values = table.ravel()

    @classmethod
    def streaks(cls, rng: Generator, along: int, across: int) -> Texture:
        """Return streaks of unit variance, so many to the table each way."""
        return cls(_table(rng, along, across))

    @classmethod
    def grain(cls, rng: Generator) -> Texture:
        """Return a texture of unit variance that is equally rough at all scales."""
        octaves = [_table(rng, n, 2 * n) for n in (6, 12, 24, 48, 96)]
        return cls(np.asarray(sum(octaves) / np.sqrt(len(octaves)), Float))

    def at(
        self, across: NDArray[np.float32], along: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the values at coordinates given in cells of the table."""
        rows = across.astype(np.int32) & (TEXTURE_SIZE - 1)
        columns = along.astype(np.int32) & (TEXTURE_SIZE - 1)
        return self._values[rows * TEXTURE_SIZE + columns]


def _table(rng: Generator, along: int, across: int) -> NDArray[np.float32]:
    grid = rng.standard_normal((across + 3, along + 3), Float)
    # The first knots are repeated at the end, so that the table closes.
    grid[-3:], grid[:, -3:] = grid[:3], grid[:, :3]
    rows = spline_matrix(TEXTURE_SIZE, across)
    columns = spline_matrix(TEXTURE_SIZE, along)
    return _product(_product(rows, grid), columns.T)
