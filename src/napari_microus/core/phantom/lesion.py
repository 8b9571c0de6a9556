"""Simulated MRI of a prostate with a lesion: T2W, ADC and HBV with known truth.

A stand-in for trying out training on volumes, not a model of MRI physics: classes of
tissue with a mean in each channel, smooth variation, lower resolution in diffusion,
Rician noise, and benign nodules that look like a lesion in T2W alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_microus.core.errors import InputError
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from numpy.random import Generator as Draw
    from numpy.typing import NDArray

CHANNELS = ("t2w", "adc", "hbv")
# Mean of fat and muscle, peripheral zone, transition zone, nodule and lesion.
_MEANS = {
    "t2w": (0.35, 0.85, 0.55, 0.38, 0.40),
    "adc": (0.45, 0.85, 0.65, 0.60, 0.38),
    "hbv": (0.20, 0.30, 0.35, 0.36, 0.62),
}
_NOISE = {"t2w": 0.04, "adc": 0.07, "hbv": 0.07}
_BLUR_MM = {"t2w": 0.5, "adc": 1.6, "hbv": 1.6}


@dataclass(frozen=True)
class LesionCase:
    """A simulated examination; all on one grid.

    Attributes
    ----------
    channels : dict of Volume
        "t2w", "adc" and "hbv", float32.
    lesion, gland : Volume of uint8
        0 and 1.
    """

    channels: dict[str, Volume]
    lesion: Volume
    gland: Volume


def make_lesion_case(
    seed: int,
    *,
    shape: tuple[int, int, int] = (20, 64, 64),
    spacing_mm: tuple[float, float, float] = (3.0, 1.0, 1.0),
    lesion: NDArray[np.bool_] | None = None,
    gland: NDArray[np.bool_] | None = None,
) -> LesionCase:
    """Return a simulated examination.

    Parameters
    ----------
    seed : int
        Decides everything.
    shape, spacing_mm : tuple
        The grid: slices, rows, columns.
    lesion, gland : ndarray of bool, optional
        Shapes of this grid to simulate, such as real ones; both or none. None
        generates an ellipsoid gland and a lesion of random size and roughness.

    Raises
    ------
    InputError
        If one shape is given without the other, or on another grid.
    """
    if (lesion is None) != (gland is None):
        raise InputError(
            "A simulated examination needs lesion and gland, or neither; got one. Give "
            "both.",
            plain="Only one of lesion and gland is given. Give both, or neither.",
        )
    draw = np.random.default_rng(seed)
    places = _places(shape, spacing_mm)
    if lesion is None or gland is None:
        gland, lesion = _shapes(draw, places, spacing_mm)
    if lesion.shape != tuple(shape) or gland.shape != tuple(shape):
        raise InputError(
            f"Shapes must be on the grid {tuple(shape)}; got {lesion.shape} and "
            f"{gland.shape}. Resample them first."
        )
    tissue = _tissue(draw, gland, lesion, spacing_mm)
    strength = draw.uniform(0.55, 1.0)  # some lesions hardly show
    channels = {
        name: _channel(draw, name, tissue, strength, spacing_mm) for name in CHANNELS
    }
    affine = np.diag([*spacing_mm[::-1], 1.0])

    def volume(array: NDArray[np.generic]) -> Volume:
        return Volume(array, affine, is_oriented=True)

    return LesionCase(
        {name: volume(array) for name, array in channels.items()},
        volume(lesion.astype(np.uint8)),
        volume(gland.astype(np.uint8)),
    )


def _places(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Return each voxel's place in mm from the middle, (3, Z, Y, X)."""
    axes = [
        (np.arange(n) - (n - 1) / 2) * mm
        for n, mm in zip(shape, spacing_mm, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def _shapes(
    draw: Draw, places: NDArray[np.float64], spacing_mm: tuple[float, float, float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return a gland and, inside it, a lesion of random size and roughness."""
    extent = np.abs(places).reshape(3, -1).max(1)
    half = np.minimum(draw.uniform((18, 15, 20), (24, 21, 27)), 0.9 * extent)
    gland = (_scaled(places, half) ** 2).sum(0) < 1
    # Volumes of about 0.1 to 6 mL, more small than large ones.
    radius = np.exp(draw.uniform(np.log(3.0), np.log(11.0)))
    axes = radius * np.exp(draw.normal(0, 0.2, 3))
    roughness = draw.uniform(0, 0.9)
    for _ in range(20):
        middle = draw.uniform(-0.75, 0.75, 3) * half
        if ((middle / half) ** 2).sum() < 0.7:
            break
    around = 1 - (_scaled(places - middle[:, None, None, None], axes) ** 2).sum(0)
    lumps = _smooth_noise(draw, gland.shape, radius / 3, spacing_mm)
    rough = (around + roughness * lumps > 0) & gland & (around > -1.5)
    labels, count = ndimage.label(rough)
    if count:
        sizes = np.bincount(labels.ravel())[1:]
        return gland, labels == 1 + int(sizes.argmax())
    nearest = np.unravel_index(int(around.argmax()), gland.shape)
    single = np.zeros_like(gland)
    single[nearest] = True
    return gland | single, single


def _scaled(
    places: NDArray[np.float64], axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    return places / axes[:, None, None, None]


def _smooth_noise(
    draw: Draw,
    shape: tuple[int, ...],
    width_mm: float,
    spacing_mm: tuple[float, float, float],
) -> NDArray[np.float64]:
    """Return noise of zero mean and unit variance that varies over so many mm."""
    sigma = [width_mm / mm for mm in spacing_mm]
    noise = ndimage.gaussian_filter(draw.normal(size=shape), sigma, mode="wrap")
    found: NDArray[np.float64] = (noise - noise.mean()) / noise.std()
    return found


def _tissue(
    draw: Draw,
    gland: NDArray[np.bool_],
    lesion: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
) -> NDArray[np.int64]:
    """Return each voxel's class, as in `_MEANS`."""
    depth = ndimage.distance_transform_edt(gland, spacing_mm)
    tissue = np.where(gland, 1, 0)
    tissue[depth > 0.45 * depth.max()] = 2
    nodules = _smooth_noise(draw, gland.shape, 3.0, spacing_mm) > 1.6
    tissue[nodules & gland] = 3
    tissue[lesion] = 4
    return tissue


def _channel(
    draw: Draw,
    name: str,
    tissue: NDArray[np.int64],
    strength: float,
    spacing_mm: tuple[float, float, float],
) -> NDArray[np.float32]:
    means = np.array(_MEANS[name])
    healthy = means[1:3].mean()
    means[4] = healthy + strength * (means[4] - healthy)
    clean = means[tissue]
    clean = clean * (1 + 0.08 * _smooth_noise(draw, tissue.shape, 2.5, spacing_mm))
    sigma = [_BLUR_MM[name] / mm for mm in spacing_mm]
    clean = ndimage.gaussian_filter(clean, [0, *sigma[1:]])
    coil = 1 + 0.12 * _smooth_noise(draw, tissue.shape, 25.0, spacing_mm)
    both = draw.normal(0, _NOISE[name], (2, *tissue.shape))
    noisy = np.hypot(clean * coil + both[0], both[1])
    return (1000 * noisy).astype(np.float32)
