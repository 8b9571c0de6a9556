"""The volume of a gland from its outlines, by the way its frames were swept.

References
----------
.. [1] Pappus' second theorem: a plane figure turned about an axis in its plane sweeps
   its area times the way of its centroid.
.. [2] Terris MK, Stamey TA. Determination of prostate volume by transrectal
   ultrasound. J Urol 1991;145:984-987. Ellipsoid: π/6 · length · width · height.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.sweep import Sweep, sweep_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume

PLANIMETRY = "planimetry of parallel frames"
SECTORS = "sectors of a rotational sweep (Pappus)"
ELLIPSOID = "ellipsoid, 0.524 · length · width · height"

NO_PIXEL_SIZE = "No volume: the scan states no pixel size."
NO_SWEEP = (
    "No volume: neither the distance of the frames nor the angles of a sweep are known."
)

_ELLIPSOID = 0.524
_NORMAL_95 = 1.96
# A sweep is closed where the angle that is missing to a full turn is a step of it.
_CLOSED = 1.5


@dataclass(frozen=True)
class VolumeEstimate:
    """A volume and how it came about.

    Parameters
    ----------
    ml : float or None
        Millilitres; None where the geometry does not give any.
    method : str
        The method's name, or in a sentence why there is no volume.
    interval_ml : tuple of float or None
        95 % interval, where the error of an area was given.
    """

    ml: float | None
    method: str
    interval_ml: tuple[float, float] | None = None


def mask_volume(
    mask: Volume,
    *,
    sweep: Sweep | None = None,
    area_sd_mm2: float | Sequence[float] | None = None,
) -> VolumeEstimate:
    """Return the volume of a mask by the geometry of its scan.

    Parameters
    ----------
    mask : Volume
        1 is the object; its metadata may state the sweep.
    sweep : Sweep, optional
        Instead of the one that the metadata states.
    area_sd_mm2 : float or sequence of float, optional
        Standard deviation of the area in each frame that holds the object; see
        `parallel_volume`.

    Returns
    -------
    VolumeEstimate
        Without millilitres, and with the reason, where sizes are unknown.
    """
    sweep = sweep_of(mask.metadata) if sweep is None else sweep
    inside = mask.array == 1
    pixels = inside.sum(axis=(1, 2))
    moments = axis_moments(inside, sweep, mask.spacing_mm[1:])
    return volume_of_frames(mask, pixels, moments, sweep=sweep, area_sd_mm2=area_sd_mm2)


def volume_of_frames(
    grid: Volume,
    pixels: Sequence[int] | NDArray[Any],
    moments_mm3: NDArray[Any],
    *,
    sweep: Sweep | None = None,
    area_sd_mm2: float | Sequence[float] | None = None,
) -> VolumeEstimate:
    """Return the volume of a mask whose frames were counted one by one.

    Parameters
    ----------
    grid : Volume
        Gives the sizes; its values are not looked at.
    pixels : sequence of int
        Pixels of the object in each frame.
    moments_mm3 : ndarray, shape (frames, 2)
        Of `axis_moments`; not looked at unless the sweep is rotational.
    sweep, area_sd_mm2
        As for `mask_volume`.
    """
    if not grid.has_geometry:
        return VolumeEstimate(None, NO_PIXEL_SIZE)
    sweep = sweep_of(grid.metadata) if sweep is None else sweep
    distance_mm, height_mm, width_mm = grid.spacing_mm
    areas = np.asarray(pixels) * (height_mm * width_mm)
    if sweep.kind == "rotational":
        return rotational_volume(
            moments_mm3, sweep.angles_deg or (), areas, area_sd_mm2=area_sd_mm2
        )
    if not grid.knows_frame_distance or len(areas) < 2:
        return VolumeEstimate(None, NO_SWEEP)
    return parallel_volume(areas, distance_mm, area_sd_mm2=area_sd_mm2)


def parallel_volume(
    areas_mm2: Sequence[float] | NDArray[Any],
    distance_mm: float,
    *,
    area_sd_mm2: float | Sequence[float] | None = None,
) -> VolumeEstimate:
    """Return the volume of parallel outlines: each area times the frames' distance.

    Parameters
    ----------
    areas_mm2 : sequence of float
        Area in each frame.
    distance_mm : float
        Distance of two frames.
    area_sd_mm2 : float or sequence of float, optional
        Standard deviation of the areas, of all or of each. Whoever draws too wide
        does so in every frame, so the errors are taken to add up; independent ones
        would give a narrower interval.

    Raises
    ------
    InputError
        If an area is below 0, the distance is not above it, or counts differ.
    """
    areas = _areas(areas_mm2)
    if not (np.isfinite(distance_mm) and distance_mm > 0):
        raise InputError(
            f"The distance of frames must be above 0 mm; got {distance_mm}. Correct "
            "it.",
            plain=(
                f"The distance of the frames is {distance_mm} mm, which gives no "
                "volume. Correct it."
            ),
        )
    weights = np.full(len(areas), float(distance_mm))
    return _estimate(areas, weights, PLANIMETRY, areas, area_sd_mm2)


def rotational_volume(
    moments_mm3: NDArray[Any],
    angles_deg: Sequence[float],
    areas_mm2: Sequence[float] | NDArray[Any],
    *,
    area_sd_mm2: float | Sequence[float] | None = None,
) -> VolumeEstimate:
    """Return the volume that outlines sweep about an axis in their plane.

    Parameters
    ----------
    moments_mm3 : ndarray, shape (frames, 2)
        On either side of the axis, the area times the distance of its centroid from
        the axis.
    angles_deg : sequence of float
        Angle of each frame.
    areas_mm2 : sequence of float
        Area in each frame, for the interval.
    area_sd_mm2 : float or sequence of float, optional
        As in `parallel_volume`.

    Raises
    ------
    InputError
        If counts differ, or an outline lies on both sides of the axis in a sweep of
        more than half a turn, which sees all of it twice.

    Notes
    -----
    The volume is the integral of the moment over the angle, by trapezoids. Where the
    frames go round once (one turn, or half a turn where outlines lie on both sides),
    the last sector closes the ring.
    """
    areas = _areas(areas_mm2)
    moments = np.asarray(moments_mm3, dtype=np.float64)
    angles = np.asarray(angles_deg, dtype=np.float64)
    if not len(angles) == len(moments) == len(areas) or len(angles) < 2:
        raise InputError(
            "A rotational sweep must have two or more frames with an angle for each; "
            f"got {len(angles)} angles and {len(areas)} frames. Correct the angles.",
            plain=(
                f"The sweep has {len(areas)} frames and {len(angles)} angles. "
                "Correct the angles."
            ),
        )
    steps = np.abs(np.diff(angles))
    span = steps.sum()
    crosses = bool((moments > 0).any(axis=0).all())
    full = 180.0 if crosses else 360.0
    if span > full + 1e-6:
        where = " where outlines lie on both sides of the axis" if crosses else ""
        raise InputError(
            f"A sweep must see each part once, within {full:g}°{where}; got {span:g}°. "
            "Leave out the frames that turn further.",
            plain=(
                f"The sweep turns by {span:g}° and sees a part of the gland twice. "
                f"Leave out the frames that turn further than {full:g}°{where}."
            ),
        )
    weights = np.zeros(len(angles))
    weights[:-1] += steps / 2
    weights[1:] += steps / 2
    gap = full - span
    if gap <= _CLOSED * np.median(steps):
        weights[[0, -1]] += gap / 2
    return _estimate(
        moments.sum(axis=1), np.deg2rad(weights), SECTORS, areas, area_sd_mm2
    )


def ellipsoid_volume(
    length_mm: float, width_mm: float, height_mm: float
) -> VolumeEstimate:
    """Return 0.524 · length · width · height in millilitres.

    Raises
    ------
    InputError
        If a diameter is not above 0.
    """
    diameters = (length_mm, width_mm, height_mm)
    if not all(np.isfinite(d) and d > 0 for d in diameters):
        given = " × ".join(f"{d:g}" for d in diameters)
        raise InputError(
            f"The diameters of a gland must be above 0 mm; got {given}. Measure again.",
            plain=f"A diameter of the gland is missing: {given} mm. Measure again.",
        )
    return VolumeEstimate(
        _ELLIPSOID * float(np.prod(diameters)) / 1000.0, ELLIPSOID, None
    )


def psa_density(psa_ng_ml: float, volume_ml: float) -> float:
    """Return PSA per volume of the gland, in ng/ml per ml.

    Raises
    ------
    InputError
        If the PSA is below 0 or the volume is not above it.
    """
    if not (np.isfinite(psa_ng_ml) and psa_ng_ml >= 0):
        raise InputError(
            f"PSA must be 0 ng/ml or more; got {psa_ng_ml}. Correct the value.",
            plain=f"A PSA of {psa_ng_ml} ng/ml is not possible. Correct the value.",
        )
    if not (np.isfinite(volume_ml) and volume_ml > 0):
        raise InputError(
            f"The volume must be above 0 ml; got {volume_ml}. Outline the gland first.",
            plain="There is no volume yet. Outline the gland first.",
        )
    return psa_ng_ml / volume_ml


def axis_moments(
    inside: NDArray[np.bool_], sweep: Sweep, pixel_mm: tuple[float, float]
) -> NDArray[np.float64]:
    """Return area times centroid distance on both sides of a sweep's axis, by frame.

    Parameters
    ----------
    inside : ndarray of bool, shape (frames, rows, columns)
        Where the object is.
    sweep : Sweep
        Its axis; without one all moments are 0.
    pixel_mm : tuple of float
        Height and width of a pixel.

    Returns
    -------
    ndarray, shape (frames, 2)
        In mm³: below or to the right of the axis, then above or to the left.
    """
    if sweep.kind != "rotational":
        return np.zeros((len(inside), 2))
    is_horizontal = sweep.axis_along == "columns"
    counts = inside.sum(axis=2 if is_horizontal else 1)
    step = pixel_mm[0] if is_horizontal else pixel_mm[1]
    radius = np.arange(counts.shape[1]) * step - float(sweep.axis_at_mm or 0.0)
    pixel_mm2 = pixel_mm[0] * pixel_mm[1]
    sides = np.stack([np.maximum(radius, 0), np.maximum(-radius, 0)], axis=1)
    moments: NDArray[np.float64] = counts @ sides * pixel_mm2
    return moments


def _areas(areas_mm2: Sequence[float] | NDArray[Any]) -> NDArray[np.float64]:
    areas = np.asarray(areas_mm2, dtype=np.float64)
    if areas.ndim != 1 or not (np.isfinite(areas) & (areas >= 0)).all():
        raise InputError(
            "Areas must be one number of 0 mm² or more for each frame; got others. "
            "Correct them.",
            plain="The area of a frame is no number of 0 mm² or more. Correct it.",
        )
    return areas


def _estimate(
    amounts: NDArray[np.float64],
    weights: NDArray[np.float64],
    method: str,
    areas: NDArray[np.float64],
    area_sd_mm2: float | Sequence[float] | None,
) -> VolumeEstimate:
    volume = float(amounts @ weights) / 1000.0
    if area_sd_mm2 is None:
        return VolumeEstimate(volume, method)
    sd = np.asarray(area_sd_mm2, dtype=np.float64)
    if sd.ndim > 1 or sd.shape not in ((), areas.shape) or not (sd >= 0).all():
        raise InputError(
            "The error of areas must be one number of 0 mm² or more, or one for each "
            f"frame; got shape {sd.shape} for {len(areas)} frames. Correct it.",
            plain=(
                f"There are {sd.size} errors of areas for {len(areas)} frames, "
                "or one is below 0. Give one, or one for each frame."
            ),
        )
    # Relative to the area: a wider outline is wider on both sides of its centroid.
    share = np.divide(sd, areas, out=np.zeros_like(areas), where=areas > 0)
    half = _NORMAL_95 * float((share * amounts) @ weights) / 1000.0
    return VolumeEstimate(volume, method, (max(volume - half, 0.0), volume + half))
