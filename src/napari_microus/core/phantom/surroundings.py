"""How strongly everything around the gland reflects, in decibels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.phantom.anatomy import ANGLES
from napari_microus.core.phantom.fields import (
    TEXTURE_SIZE,
    SweepField,
    Texture,
    bell,
    step,
)

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from napari_microus.core.phantom.anatomy import Distances, Grid
    from napari_microus.core.phantom.domain import PhantomDomain

    Field = NDArray[np.float32]

_THETA = (np.arange(ANGLES) * (2 * np.pi / ANGLES)).astype(np.float32)


class Surroundings:
    """Fat in front, bladder and seminal vesicle at the base, muscle at the apex.

    Parameters
    ----------
    rng : Generator
        Source of what varies between patients.
    domain : PhantomDomain
        What it varies around.
    frames : int
        Number of frames of the sweep.
    """

    def __init__(self, rng: Generator, domain: PhantomDomain, frames: int) -> None:
        self._domain = domain
        self._slow = SweepField(rng, (4, 5), frames, max(frames // 4, 2))
        self._fibres = Texture.streaks(rng, 24, 90)
        self._layers = Texture.streaks(rng, 5, 150)
        self._start = rng.uniform(0, TEXTURE_SIZE, 3).astype(np.float32)
        self._fibre_angle = np.radians(rng.uniform(-30, 45))
        self._fat_mm = np.float32(rng.uniform(1.2, 4.0))
        front = np.cos(_THETA - np.float32(np.pi / 2 + rng.uniform(-0.5, 0.5)))
        side = np.cos(_THETA)
        base_db, apex_db = rng.uniform(-6, 9), rng.uniform(-6, 5)
        beside = np.where(side > 0, apex_db, base_db) * side**2
        fat = domain.fat_db * np.clip(front + 0.3, 0, 1)
        self._by_angle = np.stack([fat, beside]).astype(np.float32)
        self._near_db = np.float32(rng.uniform(-4, 4))
        self._stripes_db = np.float32(rng.uniform(2, 7))
        self._muscle_mm = np.float32(rng.uniform(3, 9))
        self._stripe_mm = rng.uniform(0.7, 1.6)
        self._bladder = rng.uniform(0, 1, 4) if rng.random() < domain.bladder else None

    def level_db(self, grid: Grid, frame: int, distances: Distances | None) -> Field:
        """Return the level of the tissue outside the capsule (rows, columns)."""
        domain = self._domain
        slow = self._slow.at(frame, grid.shape)
        level = np.float32(domain.streak_db) * self._fibrous(grid)
        level += np.float32(domain.outside_db)
        level += np.float32(1.6 * domain.patchiness_db) * slow
        if distances is None:
            return level
        d = distances.to_capsule_mm
        fat, beside = self._by_angle[:, distances.angle]
        band = bell(d / self._fat_mm - np.float32(0.8))
        level += fat * band * (1 + np.float32(0.25) * slow)
        level += beside * (1 - band)
        # Sound that has crossed the bright band is spent.
        level -= fat * step((d - 3 * self._fat_mm) * np.float32(0.4))
        if self._bladder is not None:
            self._add_bladder(level, grid, d)
        if distances.beyond_sphincter_mm is not None:
            self._add_muscle(level, grid, distances.beyond_sphincter_mm)
        return level

    def add_wall(self, level: Field, grid: Grid, below_wall_mm: Field) -> None:
        """Lay the rectal wall's bands over everything above the gland."""
        y = grid.y_mm
        fraction = y / (y - below_wall_mm)
        bands = self._layers.at(
            fraction * np.float32(12 * max(self._domain.wall_mm, 1)) + self._start[0],
            grid.x_mm * np.float32(TEXTURE_SIZE / 60),
        )
        near = self._near_db + self._stripes_db * bands
        # The surface itself: a bright, then a dark line.
        near += 6 * bell((y - np.float32(0.12)) * 8)
        near -= 6 * bell((y - np.float32(0.45)) * 6)
        level += step(below_wall_mm * np.float32(-4)) * (near - level)

    def _fibrous(self, grid: Grid) -> Field:
        scale = TEXTURE_SIZE / 50
        cosine = np.float32(np.cos(self._fibre_angle) * scale)
        sine = np.float32(np.sin(self._fibre_angle) * scale)
        x, y = grid.x_mm, grid.y_mm
        return self._fibres.at(
            y * cosine + x * sine + self._start[1],
            x * cosine - y * sine + np.float32(8 * TEXTURE_SIZE),
        )

    def _add_bladder(self, level: Field, grid: Grid, d: Field) -> None:
        assert self._bladder is not None
        a, b, c, e = self._bladder
        x = (grid.x_mm - np.float32(-2 + 9 * a)) / np.float32(3 + 7 * c)
        y = (grid.y_mm - np.float32(4 + 15 * b)) / np.float32(2.5 + 5 * e)
        radius = np.sqrt(x * x + y * y)
        apart = step((d - np.float32(1.2)) * np.float32(2.5))
        level -= 18 * apart * step((1 - radius) * 6)
        level += 5 * apart * bell((radius - np.float32(1.1)) * 8)

    def _add_muscle(self, level: Field, grid: Grid, beyond: Field) -> None:
        """Lay sphincter and levator in oblique stripes, bone's shadow behind."""
        domain = self._domain
        width = self._muscle_mm
        outside = step((beyond - np.float32(0.5)) * np.float32(2.5))
        layer = outside * step((width - beyond) * np.float32(1.2))
        stripes = self._fibres.at(
            beyond * np.float32(TEXTURE_SIZE / (70 * self._stripe_mm))
            + (self._start[2] + 8 * TEXTURE_SIZE),
            (grid.x_mm - grid.y_mm) * 2 + np.float32(8 * TEXTURE_SIZE),
        )
        muscle = np.float32(domain.muscle_db) + 4 * stripes
        level += layer * (muscle - np.float32(0.8) * level)
        edge = bell((beyond - width) * np.float32(0.9))
        level += np.float32(0.6 * domain.fat_db) * edge * outside
        far = step((beyond - width - 5) * np.float32(0.8))
        level -= np.float32(2 + 2 * max(domain.attenuation_db_per_cm, 0)) * far
