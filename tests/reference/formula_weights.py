"""Deterministic weights and inputs for numerical reference tests.

A reference output is only comparable when both sides hold the same weights. Storing
them would take 400 MB, so every tensor is a closed formula of its name, its shape and
the position in it: uniform noise from the SplitMix64 integer hash, which is the same on
every machine and in every NumPy version.
"""

from __future__ import annotations

import math
import zlib

import numpy as np


def _noise(size: int, seed: int) -> np.ndarray:
    """Uniform values, zero mean, unit variance (SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        state = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        ) + np.uint64(seed)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return (state / 2.0**64 - 0.5) * math.sqrt(12.0)


def formula_tensor(
    name: str, shape: tuple[int, ...], *, layout: str = "torch", salt: int = 0
) -> np.ndarray:
    """Values of one parameter or buffer, float32 of ``shape``.

    ``layout`` is "torch" (fan-in = all axes but the first) or "jax" (HWIO / in-out
    kernels: fan-in = all axes but the last). ``salt`` changes every seed, which gives
    an independent second set.
    """
    wave = _noise(math.prod(shape), zlib.crc32(name.encode()) + 7919 * salt)
    leaf = name.replace("/", ".").rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "running_var":
        values = 1.0 + 0.5 * wave**2
    elif leaf == "running_mean":
        values = 0.1 * wave
    elif leaf in ("position_embeddings", "pos_embedding"):
        values = 0.02 * wave
    elif leaf == "scale" or (leaf == "weight" and len(shape) == 1):
        values = 1.0 + 0.1 * wave
    elif leaf == "bias":
        values = 0.05 * wave
    else:
        fan_in = math.prod(shape[1:]) if layout == "torch" else math.prod(shape[:-1])
        values = math.sqrt(2.0 / fan_in) * wave
    return values.reshape(shape).astype(np.float32)


def formula_image(batch: int, size: int, salt: int = 0) -> np.ndarray:
    """Input images in [0, 1], float32 of shape (batch, 1, size, size)."""
    row, column = np.mgrid[:size, :size].astype(np.float64)
    images = [
        0.5
        + 0.25 * np.sin(0.05 * row * (b + 1) + 0.3 * salt)
        + 0.25 * np.cos(0.07 * column - 0.02 * b * row)
        for b in range(batch)
    ]
    return np.stack(images)[:, None].astype(np.float32)
