"""Where the gland lies in each frame of a sweep, and how well its edge shows.

In a frame the gland is a superellipse with bulges, flattened above by the rectal
wall it rests on and often cut at the apex by the straight sphincter. Along the
sweep its size, place and bulges change smoothly and it vanishes towards both ends.
All lengths are millimetres: x along the transducer, y into the patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

from napari_microus.core.phantom.domain import APERTURE_MM
from napari_microus.core.phantom.fields import periodic_curve

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from napari_microus.core.phantom.domain import PhantomDomain

ANGLES = 2048
_THETA = np.arange(ANGLES) * (2 * np.pi / ANGLES)
_ROUNDING = 3.5  # degrees over which corners of the outline are rounded
_SMALLEST = 0.35  # of the full profile; below it the gland is out of the plane
# Where along the sweep that happens; the profile is (1 - |position|^2.6)^0.45.
VISIBLE_REACH = (1 - _SMALLEST ** (1 / 0.45)) ** (1 / 2.6)


@dataclass(frozen=True)
class Grid:
    """Positions of the pixels of the picture inside its black border."""

    x_mm: NDArray[np.float32]  # (1, columns)
    y_mm: NDArray[np.float32]  # (rows, 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.y_mm.shape[0], self.x_mm.shape[1]


@dataclass(frozen=True)
class Outline:
    """The gland's capsule in one frame, as a radius for each angle about a centre.

    ``visibility`` says how well the capsule shows at each angle, 0 to 1.
    """

    centre_mm: tuple[float, float]
    radius_mm: NDArray[np.float32]
    slope: NDArray[np.float32]
    visibility: NDArray[np.float32]
    size: float
    sphincter: tuple[float, float, float] | None


@dataclass(frozen=True)
class Distances:
    """Fields on a grid: what the tissue and the masks are drawn from."""

    angle: NDArray[np.int32]
    relative: NDArray[np.float32]
    to_capsule_mm: NDArray[np.float32]
    beyond_sphincter_mm: NDArray[np.float32] | None


def _smooth_minimum(
    a: NDArray[np.float64], b: NDArray[np.float64], width: float
) -> NDArray[np.float64]:
    """Return the smaller of two lengths, with the corner rounded over ``width``."""
    return 0.5 * (a + b - np.hypot(a - b, width) + width * 0.1)


class Anatomy:
    """One patient's gland and rectal wall over a sweep.

    Parameters
    ----------
    rng : Generator
        Source of this patient's shape.
    domain : PhantomDomain
        What shapes are drawn around.
    """

    def __init__(self, rng: Generator, domain: PhantomDomain) -> None:
        self._domain = domain
        self._length = domain.length_mm * rng.uniform(0.92, 1.08)
        self._height = domain.height_mm * rng.uniform(0.92, 1.08)
        self._offset = 0.3 + 0.68 * np.clip(
            domain.roundness + rng.uniform(-0.15, 0.15), 0, 1
        )
        self._x = APERTURE_MM * (domain.position + rng.uniform(-0.04, 0.04))
        self._drift = rng.uniform(-3, 3, 2)
        self._tilt = np.radians(rng.uniform(-12, 12) + rng.uniform(-6, 6))
        self._bulges = [
            periodic_curve(rng, ANGLES, 6, 1.3) * domain.lobedness for _ in range(3)
        ]
        self._wall = rng.normal(0, 1, 6)
        self._fall = rng.uniform(0, 0.25)
        self._loss = periodic_curve(rng, ANGLES, 5, 0.5)
        self._anterior = np.pi / 2 + rng.uniform(-0.5, 0.5)
        self._sphincter = rng.random() < domain.sphincter
        self._sphincter_angle = np.radians(rng.uniform(28, 52))
        self._sphincter_cut = rng.uniform(0.8, 1.1)

    def wall_mm(
        self, x_mm: NDArray[np.float32], position: float
    ) -> NDArray[np.float32]:
        """Return how deep the rectal wall reaches at each x."""
        u = x_mm / APERTURE_MM
        c = self._wall
        bend = 0.35 * c[0] * (u - 0.5) * 2 + 0.25 * c[1] * np.cos(2 * np.pi * u + c[2])
        # Beside the gland the wall falls back and fat fills the space.
        aside = np.maximum(np.abs(x_mm - self._x) - 0.42 * self._length, 0)
        bend = bend + 0.12 * c[3] * np.cos(5 * np.pi * u + c[4])
        thickness = 1 + 0.35 * np.tanh(bend + 0.3 * c[5] * position)
        wall: NDArray[np.float32] = (
            self._domain.wall_mm * thickness + self._fall * aside
        ).astype(np.float32)
        return wall

    def outline(self, position: float) -> Outline | None:
        """Return the capsule at a place along the sweep, -1 to 1 being the gland.

        None where the plane passes beside the gland.
        """
        size = max(1 - abs(position) ** 2.6, 0.0) ** 0.45
        if size < _SMALLEST:
            return None
        half = 0.5 * self._length * (0.25 + 0.75 * size)
        height = min(self._height * (0.3 + 0.7 * size), 1.9 * half)
        offset = self._offset * (0.6 + 0.4 * size)
        down = height / (1 + offset)
        n = self._domain.squareness
        theta = _THETA - self._tilt * size
        radius = (
            np.abs(np.cos(theta) / half) ** n + np.abs(np.sin(theta) / down) ** n
        ) ** (-1 / n)
        bulge = (
            self._bulges[0]
            + self._bulges[1] * position
            + self._bulges[2] * np.sin(3 * position)
        )
        radius = radius * np.exp(bulge)
        x = self._x + self._drift[0] * position
        wall = float(self.wall_mm(np.array([x], np.float32), position)[0])
        line = self._sphincter_line(radius, position)
        centre = x, wall + 0.48 * height
        radius = self._flattened(
            radius, (x, wall + offset * down), centre, line, position
        )
        radius = gaussian_filter1d(radius, _ROUNDING * ANGLES / 360, mode="wrap")
        gradient = np.gradient(np.concatenate([radius[-1:], radius, radius[:1]]))
        turn = gradient[1:-1] / (2 * np.pi / ANGLES) / radius
        if line is not None:
            shift = (centre[1] - wall - offset * down) * line[1]
            line = line[0], line[1], line[2] - shift
        return Outline(
            centre,
            radius.astype(np.float32),
            (1 / np.hypot(1, turn)).astype(np.float32),
            self._visibility(position),
            size,
            line,
        )

    def _flattened(
        self,
        radius: NDArray[np.float64],
        origin: tuple[float, float],
        centre: tuple[float, float],
        line: tuple[float, float, float] | None,
        position: float,
    ) -> NDArray[np.float64]:
        """Cut the outline by wall and sphincter, and express it about ``centre``."""
        dx, dy = radius * np.cos(_THETA), radius * np.sin(_THETA)
        wall = self.wall_mm((origin[0] + dx).astype(np.float32), position)
        # Points above the wall come down onto it.
        dy = -_smooth_minimum(-dy, origin[1] - wall.astype(np.float64), 0.6)
        dx, dy = dx + origin[0] - centre[0], dy + origin[1] - centre[1]
        around = np.unwrap(np.arctan2(dy, dx))
        order = np.argsort(around)
        radius = np.interp(
            _THETA, around[order], np.hypot(dx, dy)[order], period=2 * np.pi
        )
        if line is None:
            return radius
        sine, cosine, offset = line
        toward = np.cos(_THETA) * sine + np.sin(_THETA) * cosine
        reach = (offset - (centre[1] - origin[1]) * cosine) / np.maximum(toward, 1e-3)
        cut = _smooth_minimum(radius, np.minimum(reach, 200), 1.2)
        return np.where(toward > 1e-3, np.maximum(cut, 1), radius)

    def _visibility(self, position: float) -> NDArray[np.float32]:
        """Capsule contrast by angle: lost at random, and in front at the midline."""
        away = np.abs(np.angle(np.exp(1j * (_THETA - self._anterior))))
        midline = np.exp(-((position / 0.35) ** 2)) * np.exp(-((away / 0.8) ** 2))
        lost = self._domain.midline_loss * midline
        chance = 1 / (1 + np.exp(-2.5 * (self._loss + 0.9)))
        shown: NDArray[np.float32] = ((1 - lost) * (0.25 + 0.75 * chance)).astype(
            np.float32
        )
        return shown

    def _sphincter_line(
        self, radius: NDArray[np.float64], position: float
    ) -> tuple[float, float, float] | None:
        """Sine, cosine and offset in mm of the sphincter's line, if it shows."""
        if not self._sphincter or abs(position) > 0.75:
            return None
        sine, cosine = np.sin(self._sphincter_angle), np.cos(self._sphincter_angle)
        support = float(
            (radius * (np.cos(_THETA) * sine + np.sin(_THETA) * cosine)).max()
        )
        ends = 0.3 * max(abs(position) - 0.45, 0)
        return sine, cosine, support * (self._sphincter_cut + ends)

    def distances(self, grid: Grid, outline: Outline) -> Distances:
        """Return each pixel's place relative to the capsule and its neighbours."""
        x, y = outline.centre_mm
        dx, dy = grid.x_mm - np.float32(x), grid.y_mm - np.float32(y)
        turn = np.arctan2(dy, dx)
        turn *= np.float32(ANGLES / (2 * np.pi))
        angle = turn.astype(np.int32)
        angle &= ANGLES - 1
        distance = np.sqrt(dx * dx + dy * dy)
        radius = outline.radius_mm[angle]
        signed = (distance - radius) * outline.slope[angle]
        beyond = None
        if outline.sphincter is not None:
            sine, cosine, offset = (np.float32(v) for v in outline.sphincter)
            beyond = dx * sine + dy * cosine - offset
        return Distances(angle, distance / radius, signed, beyond)
