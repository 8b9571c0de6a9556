"""Everything that a report says about a capsule in numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.edit.review import Review
from napari_microus.core.errors import InputError
from napari_microus.core.events import Progress, drain
from napari_microus.core.mask import label_values
from napari_microus.core.measure.area_error import (
    NO_MODEL_FRAME,
    NO_PROBABILITY,
    area_sd_px,
    filled_shares,
)
from napari_microus.core.measure.diameters import (
    MaskDiameters,
    mask_diameters,
    touches_border,
)
from napari_microus.core.measure.frame_sizes import FrameSize, frame_size
from napari_microus.core.sweep import sweep_of
from napari_microus.core.volumetry import (
    NO_PIXEL_SIZE,
    VolumeEstimate,
    ellipsoid_volume,
    mask_volume,
    psa_density,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_microus.core.events import Event
    from napari_microus.core.sweep import Sweep
    from napari_microus.core.volume import Volume

NOTHING_DRAWN = "No frame has an outline."
UNKNOWN_SIZE = "Sizes are in pixels: the scan states no pixel size."
ELLIPSOID_GIVEN = "ellipsoid, 0.524 · length · width · height, diameters as given"
ELLIPSOID_MASK = "ellipsoid, 0.524 · three diameters, estimated from the mask"


@dataclass(frozen=True)
class Measurements:
    """What was measured of a capsule, ready for a report, a table or a case.

    Attributes
    ----------
    frames : tuple of FrameSize
        One for each frame of the scan.
    pixel_mm : tuple of float or None
        Height and width of a pixel; None where unknown, and then nothing is in mm.
    volume : VolumeEstimate
        By the geometry of the scan; without millilitres, and with the reason, where
        that is unknown.
    ellipsoid : VolumeEstimate or None
        Of the diameters that a person gave.
    mask_ellipsoid : VolumeEstimate
        Of the diameters of the mask; an estimate, without millilitres, and with the
        reason, where they are not well defined.
    diameters_mm : tuple of float or None
        Length, width and height that a person gave.
    mask_diameters : MaskDiameters or None
        Those of the mask.
    psa_ng_ml : float or None
        PSA that a person gave.
    no_interval : str
        Why the volume has no interval; "" where it has one.
    edited, approved : tuple of int
        Frames that a person changed, and those called right.
    notices : tuple of str
        What to know beside the numbers, such as an outline that is cut off.
    """

    frames: tuple[FrameSize, ...]
    pixel_mm: tuple[float, float] | None
    volume: VolumeEstimate
    ellipsoid: VolumeEstimate | None
    mask_ellipsoid: VolumeEstimate
    diameters_mm: tuple[float, float, float] | None = None
    mask_diameters: MaskDiameters | None = None
    psa_ng_ml: float | None = None
    no_interval: str = ""
    edited: tuple[int, ...] = ()
    approved: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def volumes(self) -> tuple[VolumeEstimate, ...]:
        """All volumes, the one by the scan's geometry first."""
        given = () if self.ellipsoid is None else (self.ellipsoid,)
        return (self.volume, *given, self.mask_ellipsoid)

    @property
    def best_volume(self) -> VolumeEstimate:
        """The first volume that is known: by geometry, given diameters, the mask."""
        known = (v for v in self.volumes if v.ml is not None)
        return next(known, self.volume)

    @property
    def drawn(self) -> tuple[int, ...]:
        """Frames that have an outline."""
        return tuple(size.frame for size in self.frames if size.is_drawn)

    @property
    def largest(self) -> FrameSize | None:
        """The frame of the largest area, None where nothing is drawn."""
        found = max(self.frames, key=lambda size: size.area_px)
        return found if found.is_drawn else None

    @property
    def least_sure(self) -> FrameSize | None:
        """The drawn frame of the lowest confidence, None where none is known."""
        known = [s for s in self.frames if s.is_drawn and s.confidence is not None]
        return min(known, key=lambda size: size.confidence or 0.0, default=None)

    def psa_density(self, volume: VolumeEstimate) -> float | None:
        """Return PSA per volume in ng/ml per ml, None where one is unknown."""
        if self.psa_ng_ml is None or not volume.ml:
            return None
        return psa_density(self.psa_ng_ml, volume.ml)


def measure(
    mask: Volume,
    *,
    provenance: Mapping[str, Any] | None = None,
    review: Review | None = None,
    probability: Volume | NDArray[Any] | None = None,
    before: Measurements | None = None,
    psa_ng_ml: float | None = None,
    diameters_mm: Sequence[float] | None = None,
) -> Measurements:
    """Measure a capsule.

    Parameters
    ----------
    mask : Volume
        1 is the capsule, 255 undecided; its geometry and metadata are the scan's.
    provenance : mapping, optional
        Who drew it, as the layer or the sidecar states: holds confidences and, unless
        ``review`` is given, which frames were edited and approved.
    review : Review, optional
        State of every frame.
    probability : Volume or ndarray, shape (Z, Y, X), optional
        The model's probability on the mask's grid, 0 to 1, for the interval.
    before : Measurements, optional
        Of the same capsule, where the probability is no more at hand: their errors
        hold for frames whose area is the same.
    psa_ng_ml : float, optional
        PSA in ng/ml, 0 or more.
    diameters_mm : sequence of float, optional
        Length, width and height of the gland as a person measured them.

    Returns
    -------
    Measurements

    Raises
    ------
    InputError
        If shapes differ, the probability is none, or PSA or a diameter is impossible.
    """
    return drain(
        measuring(
            mask,
            provenance=provenance,
            review=review,
            probability=probability,
            before=before,
            psa_ng_ml=psa_ng_ml,
            diameters_mm=diameters_mm,
        )
    )


def measuring(
    mask: Volume,
    *,
    provenance: Mapping[str, Any] | None = None,
    review: Review | None = None,
    probability: Volume | NDArray[Any] | None = None,
    before: Measurements | None = None,
    psa_ng_ml: float | None = None,
    diameters_mm: Sequence[float] | None = None,
) -> Generator[Event, None, Measurements]:
    """Do what `measure` does; yields after each frame."""
    label_values(mask.array)  # refuses what is no mask
    made = dict(provenance or {})
    count = len(mask.array)
    review = Review.from_provenance(count, made) if review is None else review
    chances = _probability(probability, mask)
    given = _diameters(diameters_mm)
    _check_psa(psa_ng_ml)
    pixel_mm = mask.spacing_mm[1:] if mask.has_geometry else None
    sure = _confidences(made)
    sizes: list[FrameSize] = []
    at_border: list[int] = []
    for frame in range(count):
        inside = mask.array[frame] == 1
        share = _share(frame, inside, chances, before)
        state = review.state(frame, not inside.any()).value
        sizes.append(
            frame_size(
                frame,
                inside,
                pixel_mm,
                state=state,
                area_sd_share=share,
                confidence=sure.get(frame),
            )
        )
        at_border += [frame] if touches_border(inside) else []
        yield Progress(frame + 1, count, "frames", "Measuring")
    sizes, no_interval = _with_errors(
        sizes, review, chances is not None or before is not None
    )
    diameters = mask_diameters(mask)
    volume = _volume(mask, sizes, no_interval)
    return Measurements(
        tuple(sizes),
        pixel_mm,
        volume,
        None if given is None else _named(ellipsoid_volume(*given), ELLIPSOID_GIVEN),
        _mask_ellipsoid(diameters),
        given,
        None if isinstance(diameters, str) else diameters,
        psa_ng_ml,
        no_interval if volume.ml is not None else "",
        tuple(sorted(review.edited)),
        tuple(sorted(review.approved)),
        _notices(mask, sizes, at_border),
    )


def _probability(
    probability: Volume | NDArray[Any] | None, mask: Volume
) -> NDArray[Any] | None:
    if probability is None:
        return None
    array = np.asarray(getattr(probability, "array", probability))
    if array.shape != mask.array.shape:
        raise InputError(
            f"Probability and mask must share a grid; got {array.shape} and "
            f"{mask.array.shape}. Choose the probability of this scan.",
            plain=(
                "The probability is not that of this mask: they are of different "
                "sizes. Choose the probability of this scan."
            ),
        )
    low, high = float(array.min()), float(array.max())
    if not (0 <= low and high <= 1):  # NaN is neither
        raise InputError(
            f"A probability must lie between 0 and 1; got {low:g} to {high:g}. Choose "
            "the model's probability.",
            plain=(
                f"This is no probability: its values go from {low:g} to {high:g}. "
                "Choose the model's probability."
            ),
        )
    return array


def _check_psa(psa_ng_ml: float | None) -> None:
    if psa_ng_ml is not None:
        psa_density(psa_ng_ml, 1.0)


def _diameters(given: Sequence[float] | None) -> tuple[float, float, float] | None:
    if given is None:
        return None
    if len(given) != 3:
        raise InputError(
            "The diameters of a gland must be length, width and height; got "
            f"{len(given)} numbers. Give all three.",
            plain=(
                f"{len(given)} of the three diameters are given. Give length, width "
                "and height."
            ),
        )
    length, width, height = (float(value) for value in given)
    ellipsoid_volume(length, width, height)  # refuses what cannot be
    return length, width, height


def _confidences(made: Mapping[str, Any]) -> dict[int, float]:
    """Return the confidence of frames that a provenance states; odd ones are left."""
    stated = made.get("confidence")
    stated = stated.get("frames") if isinstance(stated, dict) else None
    found = {}
    for frame, value in (stated or {}).items() if isinstance(stated, dict) else ():
        if str(frame).isdecimal() and isinstance(value, (int, float)):
            found[int(frame)] = float(value)
    return found


def _share(
    frame: int,
    inside: NDArray[np.bool_],
    chances: NDArray[Any] | None,
    before: Measurements | None,
) -> float | None:
    area = int(inside.sum())
    if area == 0:
        return None
    if chances is not None:
        sd = area_sd_px(inside, chances[frame])
        return None if sd is None else sd / area
    if before is not None and frame < len(before.frames):
        known = before.frames[frame]
        return known.area_sd_share if known.area_px == area else None
    return None


def _with_errors(
    sizes: list[FrameSize], review: Review, has_errors: bool
) -> tuple[list[FrameSize], str]:
    """Return sizes with an error for each drawn frame, or why there are none."""
    shares = [size.area_sd_share for size in sizes]
    filled = filled_shares(shares, review.edited)
    if filled is None:
        sizes = [replace(size, area_sd_share=None) for size in sizes]
        return sizes, NO_MODEL_FRAME if has_errors else NO_PROBABILITY
    return [
        replace(size, area_sd_share=share if size.is_drawn else None)
        for size, share in zip(sizes, filled, strict=True)
    ], ""


def _volume(mask: Volume, sizes: list[FrameSize], no_interval: str) -> VolumeEstimate:
    if not any(size.is_drawn for size in sizes):
        reason = NO_PIXEL_SIZE if not mask.has_geometry else NOTHING_DRAWN
        return VolumeEstimate(None, reason)
    sd = None if no_interval else [size.area_sd_mm2 or 0.0 for size in sizes]
    try:
        return mask_volume(mask, area_sd_mm2=sd)
    except InputError as error:  # such as a sweep that sees parts twice
        return VolumeEstimate(None, error.plain)


def _mask_ellipsoid(diameters: MaskDiameters | str) -> VolumeEstimate:
    if isinstance(diameters, str):
        return VolumeEstimate(None, f"No ellipsoid from the mask: {diameters}.")
    return _named(ellipsoid_volume(*diameters.as_tuple), ELLIPSOID_MASK)


def _named(estimate: VolumeEstimate, method: str) -> VolumeEstimate:
    return VolumeEstimate(estimate.ml, method, estimate.interval_ml)


def _notices(
    mask: Volume, sizes: list[FrameSize], at_border: list[int]
) -> tuple[str, ...]:
    said = []
    if not mask.has_geometry:
        said.append(UNKNOWN_SIZE)
    if not any(size.is_drawn for size in sizes):
        said.append(NOTHING_DRAWN)
    ends = [size for size in (sizes[0], sizes[-1]) if size.is_drawn]
    if len(sizes) > 1 and ends and not _goes_round(sweep_of(mask.metadata)):
        said.append(
            "The outline reaches the first or the last frame: what lies beyond is not "
            "counted, and a volume may be too small."
        )
    if at_border:
        said.append(
            f"The outline touches the border of the picture in {len(at_border)} of "
            f"{len(sizes)} frames: what lies beyond is not counted."
        )
    undecided = int(sum(int((frame == 255).sum()) for frame in mask.array))
    if undecided:
        said.append(f"{undecided} undecided pixels (255) are not counted.")
    return tuple(said)


def _goes_round(sweep: Sweep) -> bool:
    """Return whether the frames of a sweep come back to where they began."""
    if sweep.kind != "rotational" or not sweep.angles_deg:
        return False
    steps = np.abs(np.diff(sweep.angles_deg))
    gaps = (full - steps.sum() for full in (180.0, 360.0))
    return any(abs(gap) <= 1.5 * np.median(steps) for gap in gaps)
