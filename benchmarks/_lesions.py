"""What the benchmarks on lesions share: shapes, real and made, and their classes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_microus.core.io import read_volume
from napari_microus.core.losses.annotation import read_annotation
from napari_microus.core.losses.size_smoothness_focal import size_smoothness
from napari_microus.core.multichannel.spacing import resized_mask, shape_at

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SHAPE = (20, 64, 64)
SPACING_MM = (3.0, 1.0, 1.0)
# Tertiles of the 100 real lesions on this grid; `lesion_shapes.py` prints them.
VOLUME_ML = (0.91, 2.2)
SPHERICITY = (0.704, 0.79)
VOLUME_CLASSES = ("small", "medium", "large")
SMOOTHNESS_CLASSES = ("poor", "medium", "good")


@dataclass(frozen=True)
class Shape:
    """A lesion's size, smoothness, and the factors of the loss over its whole volume.

    ``sphericity`` is the surface of a ball of the same volume over the lesion's own,
    1 for a ball; the surface is the total variation of the mask, in mm².
    """

    ml: float
    sphericity: float
    gamma_va: float
    gamma_mSa: float  # the paper's name

    @property
    def volume_class(self) -> str:
        """Small, medium or large."""
        return VOLUME_CLASSES[int(np.searchsorted(VOLUME_ML, self.ml))]

    @property
    def smoothness_class(self) -> str:
        """Poor, medium or good."""
        return SMOOTHNESS_CLASSES[int(np.searchsorted(SPHERICITY, self.sphericity))]


def shape_of(mask: NDArray[Any], spacing_mm: tuple[float, float, float]) -> Shape:
    """Measure a lesion (Z, Y, X)."""
    voxel = float(np.prod(spacing_mm))
    volume = mask.sum() * voxel
    padded = np.pad(mask.astype(np.float64), 1)
    slopes = np.gradient(padded, *spacing_mm)
    surface = np.sqrt(sum(slope**2 for slope in slopes)).sum() * voxel
    ball = np.pi ** (1 / 3) * (6 * volume) ** (2 / 3)
    factors = factors_of(mask)
    return Shape(volume / 1000, float(ball / surface), *factors)


def factors_of(mask: NDArray[Any]) -> tuple[float, float]:
    """Return gamma_va and gamma_mSa of a mask by the loss's own code."""
    label = torch.from_numpy(np.ascontiguousarray(mask, np.uint8))[None, None]
    found = size_smoothness(read_annotation(label.float(), label, None))
    return float(found.gamma_va), float(found.gamma_mSa)


def real_shapes(folder: Path) -> list[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Return name, lesion and gland of PI-CAI's masks on the benchmark's grid.

    The gland's middle is the grid's.
    """
    rows = list(
        csv.DictReader((folder / "index.csv").read_text(encoding="utf-8").splitlines())
    )
    found = []
    for row in rows:
        lesion = read_volume(folder / "lesions" / row["file"])
        gland = read_volume(folder / "glands" / row["file"])
        shape = shape_at(lesion.shape, lesion.spacing_mm, SPACING_MM)
        masks = [
            resized_mask(torch.from_numpy((v.array >= least).astype(np.uint8)), shape)
            for v, least in ((lesion, 2), (gland, 1))
        ]
        middle = np.argwhere(masks[1].numpy() == 1).mean(0).round().astype(int)
        cut = [_around(mask.numpy() == 1, middle) for mask in masks]
        if cut[0].any():
            found.append((row["file"], cut[0], cut[1] | cut[0]))
    return found


def _around(mask: NDArray[np.bool_], middle: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Cut the benchmark's grid out of a mask, filled up with nothing."""
    half = np.array(SHAPE) // 2
    padded = np.pad(mask, [(n, n) for n in SHAPE])
    start = middle + np.array(SHAPE) - half
    return padded[tuple(slice(s, s + n) for s, n in zip(start, SHAPE, strict=True))]
