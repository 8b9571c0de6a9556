"""Make a synthetic scan with the truth and a non-expert's annotation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from napari_microus.core.errors import InputError
from napari_microus.core.phantom.anatomy import ANGLES, VISIBLE_REACH, Anatomy, Grid
from napari_microus.core.phantom.annotators import Annotator, AnnotatorStyle
from napari_microus.core.phantom.domain import (
    APERTURE_MM,
    FRAME_MM,
    PhantomDomain,
    random_domain,
    typical_domain,
)
from napari_microus.core.phantom.speckle import SpeckleSource, compress
from napari_microus.core.phantom.tissue import Tissue
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_microus.core.phantom.anatomy import Outline

_FRAME_STEP_MM = 1.2  # between planes at the depth of the gland
_SMALLEST = 32


@dataclass(frozen=True, eq=False)
class PhantomCase:
    """A synthetic scan (uint8) and its two masks (uint8, 0/1) on one grid."""

    scan: Volume
    expert: Volume
    nonexpert: Volume


def make_phantom(
    seed: int,
    *,
    frames: int = 30,
    shape: tuple[int, int] = (481, 686),
    spacing_mm: tuple[float, float, float] | None = None,
    annotator_style: AnnotatorStyle | str = AnnotatorStyle.cautious,
    domain: PhantomDomain | None = None,
) -> PhantomCase:
    """Make a micro-ultrasound scan of a prostate that never was.

    The frames are a rotational sweep across the gland, as the real probe makes:
    neighbours look alike, the first and last may pass beside the gland and then
    their masks are empty. Equal arguments give equal voxels.

    Parameters
    ----------
    seed : int
        Chooses the patient, the settings where ``domain`` is None, and the noise.
    frames : int
        Number of frames; a single one is taken from the middle of the sweep.
    shape : tuple of int
        Rows and columns of a frame. It shows the same field of view at any size.
    spacing_mm : tuple of float, optional
        Voxel size (frame, row, column). By default that of the real machine's frame
        at this shape, 1.2 mm between frames; deeper pictures have larger pixels.
    annotator_style : AnnotatorStyle or str
        How the non-expert errs: ``"cautious"``, ``"generous"`` or ``"hasty"``.
    domain : PhantomDomain, optional
        Settings to draw around; by default `typical_domain` of the seed.

    Returns
    -------
    PhantomCase
        Scan, expert mask (the truth) and non-expert mask.

    Raises
    ------
    InputError
        If the seed is negative, there is no frame, the shape is smaller than
        32 × 32, a spacing is not positive, or the style is unknown.
    """
    _check(seed, frames, shape, spacing_mm)
    style = _style(annotator_style)
    if domain is None:
        domain = typical_domain(np.random.default_rng([seed, 0]))
    picture = _Picture(shape, spacing_mm, domain)
    reach = VISIBLE_REACH / (1 - domain.empty_fraction)
    positions = reach * ((2 * np.arange(frames) + 1) / frames - 1)
    scan, expert, nonexpert = _render(seed, domain, picture, positions, style)
    volume = Volume.from_spacing(scan, picture.spacing_mm)
    about = {
        "source": "phantom",
        "seed": seed,
        "annotator_style": style.value,
        "domain": dataclasses.asdict(domain),
    }
    return PhantomCase(
        dataclasses.replace(volume, metadata=about),
        volume.like(expert, source="phantom"),
        volume.like(nonexpert, source="phantom"),
    )


def training_batch(
    seed: int, count: int, size: int = 224
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Make single frames, each of another patient, domain and annotator.

    Parameters
    ----------
    seed : int
        Chooses all of them; equal seeds give equal frames.
    count : int
        Number of frames.
    size : int
        Edge of the square a frame is squeezed into, as a network sees it.

    Returns
    -------
    frames, expert, nonexpert : ndarray of uint8, shape (count, size, size)
        Grey levels 0 to 255, and two masks 0/1.

    Raises
    ------
    InputError
        If the seed is negative, or ``count`` or ``size`` is too small.
    """
    _check(seed, count, (size, size), None)
    made = [_single_frame(seed, index, size) for index in range(count)]
    frames, expert, nonexpert = (
        np.concatenate(part) for part in zip(*made, strict=True)
    )
    return frames, expert, nonexpert


def _single_frame(
    seed: int, index: int, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng([seed, index, 1])
    domain = random_domain(rng)
    style = list(AnnotatorStyle)[int(rng.integers(3))]
    reach = VISIBLE_REACH / (1 - domain.empty_fraction)
    position = rng.uniform(-reach, reach, 1)
    # Real frames are averaged to the network's size; so are these, by twos.
    picture = _Picture((size, 2 * size), None, domain)
    inner_seed = int(rng.integers(2**31))
    parts = _render(inner_seed, domain, picture, position, style)
    inside = picture.inside[0]
    scan = parts[0].reshape(1, size, size, 2).mean(3, dtype=np.float32)
    scan[:, inside] = _resampled(scan[:, inside], rng.uniform(0, 0.3))
    return scan.astype(np.uint8), parts[1][..., ::2], parts[2][..., ::2]


def _resampled(frames: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Give each row a share of its neighbours, as antialiased resizing does."""
    padded = np.pad(frames, ((0, 0), (1, 1), (0, 0)), mode="edge")
    mixed = (1 - 2 * share) * frames + share * (padded[:, 2:] + padded[:, :-2])
    return np.asarray(mixed, np.float32)


class _Picture:
    """The frame's pixels, and the part of them inside the black border."""

    def __init__(
        self,
        shape: tuple[int, int],
        spacing_mm: tuple[float, float, float] | None,
        domain: PhantomDomain,
    ) -> None:
        if spacing_mm is None:
            # A deeper picture is shrunk until it fits the frame.
            zoom = max(APERTURE_MM / FRAME_MM[1], domain.depth_mm / FRAME_MM[0])
            row, column = (zoom * mm / n for mm, n in zip(FRAME_MM, shape, strict=True))
            spacing_mm = (_FRAME_STEP_MM, row, column)
        self.shape = shape
        self.spacing_mm = spacing_mm
        _, row, column = spacing_mm
        rows = min(round(domain.depth_mm / row), shape[0])
        columns = min(round(APERTURE_MM / column), shape[1])
        top, left = (shape[0] - rows) // 2, (shape[1] - columns) // 2
        self.inside = slice(top, top + rows), slice(left, left + columns)
        x = (np.arange(columns) + 0.5) * (APERTURE_MM / columns)
        y = (np.arange(rows) + 0.5) * row
        self.grid = Grid(x.astype(np.float32)[None], y.astype(np.float32)[:, None])


def _render(
    seed: int,
    domain: PhantomDomain,
    picture: _Picture,
    positions: NDArray[np.float64],
    style: AnnotatorStyle,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw the frames at ``positions`` along the sweep, and their two masks."""
    # One stream each, so that a change of style leaves the patient as it is.
    streams = [np.random.default_rng([seed, part]) for part in (1, 2, 3, 4)]
    anatomy = Anatomy(streams[0], domain)
    tissue = Tissue(streams[1], domain, len(positions))
    annotator = Annotator(streams[3], style)
    grid = picture.grid
    depths = grid.y_mm[:, 0].astype(np.float64)
    column_mm = float(grid.x_mm[0, 1] - grid.x_mm[0, 0])
    columns = grid.shape[1]
    speckle = SpeckleSource(streams[2], domain, depths, columns, column_mm)
    noise_db = np.float32(domain.noise_db) + np.minimum(
        grid.y_mm - np.float32(domain.depth_mm), 0
    ) * np.float32(0.35)

    scan, expert, nonexpert = (
        np.zeros((len(positions), *picture.shape), np.uint8) for _ in range(3)
    )
    for frame, position in enumerate(positions):
        outline = anatomy.outline(position)
        below_wall = grid.y_mm - anatomy.wall_mm(grid.x_mm, position)
        distances = None
        if outline is not None:
            distances = anatomy.distances(grid, outline)
            truth = distances.to_capsule_mm < 0
            weakness = _weakness(outline, tissue, position)
            error = annotator.displacement_mm(outline, weakness, position)
            drawn = distances.to_capsule_mm < error[distances.angle]
            drawn &= below_wall > 0
            expert[(frame, *picture.inside)] = truth
            nonexpert[(frame, *picture.inside)] = drawn
        level = tissue.level_db(grid, frame, position, outline, distances, below_wall)
        level -= tissue.loss_db(grid, position)
        envelope = speckle.envelope()
        # The speckle of a place far away, turned over, serves as noise; that is
        # averaged over many pulses, and so much smoother.
        noise = np.float32(0.75) + np.float32(0.25) * envelope[:, ::-1]
        grey = compress(level, envelope, noise_db, noise, domain)
        if domain.blur_px:
            grey = gaussian_filter(grey, domain.blur_px * grid.shape[0] / 481)
        scan[(frame, *picture.inside)] = grey * np.float32(255)
    return tuple(  # type: ignore[return-value]
        _oriented(part, domain) for part in (scan, expert, nonexpert)
    )


def _weakness(outline: Outline, tissue: Tissue, position: float) -> NDArray[np.float32]:
    """Return how hard the capsule is to see at each angle, 0 to 1."""
    theta = np.arange(0, ANGLES, 32) * (2 * np.pi / ANGLES)
    radius = outline.radius_mm[::32]
    x, y = outline.centre_mm
    # NumPy's stubs disagree between releases on the type of these sums.
    x_mm = np.asarray(x + radius * np.cos(theta), np.float64)
    y_mm = np.asarray(y + radius * np.sin(theta), np.float64)
    lost = tissue.artefacts.lost_at(x_mm, y_mm, position)
    weakness = 1 - outline.visibility[::32] + lost / 15
    # A hand follows no step, however sharp the shadow's edge.
    weakness = gaussian_filter1d(np.clip(weakness, 0, 1), 2.5, mode="wrap")
    coarse, fine = np.arange(0, ANGLES, 32), np.arange(ANGLES)
    return np.asarray(np.interp(fine, coarse, weakness, period=ANGLES), np.float32)


def _oriented(part: NDArray[np.uint8], domain: PhantomDomain) -> NDArray[np.uint8]:
    if domain.flipped:
        part = part[:, :, ::-1]
    if domain.mirrored:
        part = part[:, ::-1]
    return np.ascontiguousarray(part)


def _style(style: AnnotatorStyle | str) -> AnnotatorStyle:
    try:
        return AnnotatorStyle(style)
    except ValueError as error:
        known = ", ".join(AnnotatorStyle)
        raise InputError(
            f"An annotator's style must be one of {known}; got {style!r}. "
            "Choose one of them.",
            plain=f"There is no annotator's style '{style}'. Choose one of {known}.",
        ) from error


def _check(
    seed: int,
    frames: int,
    shape: tuple[int, int],
    spacing_mm: tuple[float, float, float] | None,
) -> None:
    if seed < 0:
        raise InputError(
            f"A seed must not be negative; got {seed}. Choose 0 or more.",
            plain=f"The seed is {seed}. Choose 0 or more.",
        )
    if frames < 1:
        raise InputError(
            f"A phantom must have at least one frame; got {frames}. Ask for one.",
            plain=f"A phantom of {frames} frames is none. Ask for one or more.",
        )
    if len(shape) != 2 or min(shape) < _SMALLEST:
        raise InputError(
            f"A frame must be at least {_SMALLEST} × {_SMALLEST} pixels; got "
            f"{tuple(shape)}. Choose a larger shape.",
            plain=(
                f"A frame of {' × '.join(map(str, shape))} pixels is too "
                f"small. Choose {_SMALLEST} × {_SMALLEST} or more."
            ),
        )
    if spacing_mm is not None and not (
        len(spacing_mm) == 3 and all(0 < mm < np.inf for mm in spacing_mm)
    ):
        raise InputError(
            f"A spacing must be three positive numbers (frame, row, column); got "
            f"{spacing_mm}. Give millimetres.",
            plain=(
                f"A spacing of {spacing_mm} mm is none. Give three lengths "
                "above 0: of frame, row and column."
            ),
        )
