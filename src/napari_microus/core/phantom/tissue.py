"""How strongly each part of the anatomy reflects, in decibels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_microus.core.phantom.anatomy import ANGLES
from napari_microus.core.phantom.domain import APERTURE_MM
from napari_microus.core.phantom.fields import SweepField, spline_matrix

Thing = TypeVar("Thing")

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    from napari_microus.core.phantom.anatomy import Distances, Grid, Outline
    from napari_microus.core.phantom.domain import PhantomDomain

    Field = NDArray[np.float32]

_TEXTURE = 512  # edge of a texture table; it repeats


def _bell(t: Field) -> Field:
    """Return exp(-t²), the profile of a band."""
    bell: Field = np.exp(-(t * t))
    return bell


def _step(t: Field) -> Field:
    """Return a step from 0 to 1 around 0, smooth over about ±2."""
    return np.float32(0.5) + np.float32(0.5) * np.tanh(t)


def _streaks(rng: Generator, along: int, across: int) -> Field:
    """Return a texture table (across, along) of unit variance, long along rows."""
    grid = rng.standard_normal((across + 3, along + 3), np.float32)
    # The first knots are repeated at the end, so that the table closes.
    grid[-3:], grid[:, -3:] = grid[:3], grid[:, :3]
    rows, columns = spline_matrix(_TEXTURE, across), spline_matrix(_TEXTURE, along)
    return np.asarray(rows @ grid @ columns.T, np.float32)


def _grain(rng: Generator) -> Field:
    """Return a texture table of unit variance, equally rough at all scales."""
    octaves = [_streaks(rng, n, 2 * n) for n in (6, 12, 24, 48, 96)]
    return np.asarray(sum(octaves) / np.sqrt(len(octaves)), np.float32)


def _look_up(table: Field, across: Field, along: Field) -> Field:
    """Sample a texture table at coordinates given in its own cells."""
    rows = across.astype(np.int32) & (_TEXTURE - 1)
    columns = along.astype(np.int32) & (_TEXTURE - 1)
    return table.ravel()[rows * _TEXTURE + columns]


@dataclass(frozen=True)
class _Spot:
    """A small thing in or beside the gland: a calcification, a cyst, a vessel."""

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float
    level_db: float
    shadow_db: float
    position: float
    reach: float

    def presence(self, position: float) -> float:
        """How much of it lies in the plane, 0 to 1."""
        return float(np.exp(-(((position - self.position) / self.reach) ** 2)))


@dataclass(frozen=True)
class _Column:
    """A stripe from the surface down: lost contact, or gas with its echoes."""

    x_mm: float
    width_mm: float
    loss_db: float
    period_mm: float
    position: float
    reach: float


class Tissue:
    """The echo level of one patient's anatomy over a sweep.

    Parameters
    ----------
    rng : Generator
        Source of everything that varies.
    domain : PhantomDomain
        What it varies around.
    frames : int
        Number of frames of the sweep.
    """

    def __init__(self, rng: Generator, domain: PhantomDomain, frames: int) -> None:
        self._domain = domain
        knots = max(frames // 4, 2)
        self._slow = SweepField(rng, (5, 7), frames, knots)
        self._medium = SweepField(rng, (14, 18), frames, max(frames // 2, 2))
        self._outer_slow = SweepField(rng, (4, 5), frames, knots)
        self._swirl = _streaks(rng, 14, 80)
        self._grain = _grain(rng)
        self._pore_db = rng.uniform(0.5, 4)
        self._fibres = _streaks(rng, 24, 90)
        self._layers = _streaks(rng, 5, 150)
        self._drift = rng.uniform(0, _TEXTURE, 6)
        self._zone = (rng.uniform(0.5, 0.78), rng.uniform(-0.2, 0.1))
        self._zone_rim_db = rng.uniform(-5, 1)
        self._front_angle = np.pi / 2 + rng.uniform(-0.5, 0.5)
        self._fat_mm = rng.uniform(1.2, 4.0)
        self._near_db = rng.uniform(-2, 6)
        self._near_stripes_db = rng.uniform(2, 7)
        self._muscle_mm = rng.uniform(3, 9)
        self._stripe_mm = rng.uniform(0.7, 1.6)
        self._bladder = rng.random() < domain.bladder
        self._bladder_place = rng.uniform(0, 1, 4)
        self._base_db = rng.uniform(-6, 5)
        self._apex_db = rng.uniform(-6, 5)
        self._urethra = rng.uniform(0, 1, 3)
        self._attenuation = domain.attenuation_db_per_cm * rng.uniform(0.7, 1.3)
        self._fibre_angle = np.radians(rng.uniform(-30, 45))
        spread = max(1.0, frames / 8)  # more frames show more different things
        self._spots = [
            *self._draw(rng, domain.calcifications * spread, self._calcification),
            *self._draw(rng, domain.cysts * spread, self._cyst),
        ]
        self._columns = [
            *self._draw(rng, domain.shadows * spread**0.5, self._lost_contact),
            *self._draw(rng, domain.gas * spread**0.5, self._gas),
        ]

    @staticmethod
    def _draw(
        rng: Generator, expected: float, make: Callable[[Generator], Thing]
    ) -> list[Thing]:
        return [make(rng) for _ in range(rng.poisson(expected))]

    def _calcification(self, rng: Generator) -> _Spot:
        big = rng.random() < 0.35
        return _Spot(
            x_mm=APERTURE_MM * rng.uniform(0.1, 0.9),
            y_mm=rng.uniform(3, 18),
            width_mm=rng.uniform(0.8, 3.0) if big else rng.uniform(0.25, 0.8),
            height_mm=rng.uniform(0.3, 0.8) if big else rng.uniform(0.15, 0.35),
            level_db=rng.uniform(9, 16),
            shadow_db=rng.uniform(6, 20) if big else rng.uniform(0, 4),
            position=rng.uniform(-1, 1),
            reach=rng.uniform(0.1, 0.25),
        )

    def _cyst(self, rng: Generator) -> _Spot:
        return _Spot(
            x_mm=APERTURE_MM * rng.uniform(0.05, 0.95),
            y_mm=rng.uniform(2, 22),
            width_mm=np.exp(rng.uniform(np.log(0.3), np.log(1.6))),
            height_mm=np.exp(rng.uniform(np.log(0.2), np.log(0.8))),
            level_db=rng.uniform(-25, -8),
            shadow_db=rng.uniform(-3, 0),
            position=rng.uniform(-1, 1),
            reach=rng.uniform(0.1, 0.25),
        )

    def _lost_contact(self, rng: Generator) -> _Column:
        width = float(np.exp(rng.uniform(np.log(0.6), np.log(6))))
        return _Column(
            x_mm=APERTURE_MM * rng.uniform(-0.05, 1.05),
            width_mm=width,
            loss_db=rng.uniform(2, 12),
            period_mm=0.0,
            position=rng.uniform(-1, 1),
            reach=rng.uniform(0.3, 2.0),
        )

    def _gas(self, rng: Generator) -> _Column:
        return _Column(
            x_mm=APERTURE_MM * rng.choice([rng.uniform(0, 0.3), rng.uniform(0.6, 1)]),
            width_mm=rng.uniform(1.5, 6),
            loss_db=rng.uniform(18, 35),
            period_mm=rng.uniform(0.8, 1.8),
            position=rng.uniform(-1, 1),
            reach=rng.uniform(0.1, 0.4),
        )

    def level_db(
        self,
        grid: Grid,
        frame: int,
        position: float,
        outline: Outline | None,
        distances: Distances | None,
        below_wall_mm: Field,
    ) -> Field:
        """Return the mean echo level of one frame, before shadows and depth."""
        domain = self._domain
        slow = self._slow.at(frame, grid.shape)
        medium = self._medium.at(frame, grid.shape)
        patches = np.float32(domain.patchiness_db) * (
            np.float32(0.75) * slow + np.float32(0.5) * medium
        )
        level = self._surroundings(grid, frame, distances)
        if outline is not None and distances is not None:
            inside = _step(distances.to_capsule_mm * np.float32(-1 / domain.edge_mm))
            gland = self._gland(grid, frame, outline, distances)
            level += inside * (gland - level)
            level += self._capsule(outline, distances)
        level += patches
        level += self._clumps(grid, frame)
        self._add_spots(level, grid, position)
        return self._near_field(level, grid, below_wall_mm)

    def _gland(
        self, grid: Grid, frame: int, outline: Outline, distances: Distances
    ) -> Field:
        domain = self._domain
        share, shift = self._zone
        x, y = outline.centre_mm
        # The transition zone lies towards the front, inside the peripheral zone.
        zone = distances.relative - np.float32(share)
        zone = zone - np.float32(shift / 4) * (grid.y_mm - np.float32(y)) / np.float32(
            max(float(outline.radius_mm[ANGLES // 4]), 1)
        )
        radius = np.float32(0.5 * outline.radius_mm.mean())
        inner = _step(zone * np.float32(-14))
        level = np.float32(domain.gland_db) + np.float32(domain.zone_db) * inner
        level += np.float32(self._zone_rim_db) * _bell(zone * np.float32(14))
        # Fibres wind about the middle of the zone, and lose themselves towards it.
        around = distances.angle * np.float32(_TEXTURE / ANGLES)
        outward = distances.relative * (radius * np.float32(_TEXTURE / 40))
        streaks = _look_up(self._swirl, outward + self._offset(0), around)
        winding = np.minimum(distances.relative * np.float32(1.6), 1)
        level += np.float32(domain.streak_db) * streaks * winding
        level += self._pores(grid, frame, inner)
        across, depth, width = self._urethra
        bend = grid.x_mm - np.float32(x + (across - 0.5) * 8)
        bend = bend - np.float32(0.6 * (depth - 0.5)) * (grid.y_mm - np.float32(y))
        level -= (
            np.float32(5 * width * outline.size)
            * _bell(bend / np.float32(0.5 + 1.5 * width))
            * inner
        )
        return level

    def _clumps(self, grid: Grid, frame: int) -> Field:
        """Return the uneven density of scatterers, at all scales down to speckle."""
        clumps = _look_up(
            self._grain,
            grid.y_mm * np.float32(_TEXTURE / 22) + self._offset(4) + 5 * frame,
            grid.x_mm * np.float32(_TEXTURE / 32) + self._offset(5),
        )
        clumps *= np.float32(self._domain.clumping_db)
        return clumps

    def _pores(self, grid: Grid, frame: int, inner: Field) -> Field:
        """Return the dark gaps of glandular tissue, flat and close together."""
        pores = _look_up(
            self._grain,
            grid.y_mm * np.float32(_TEXTURE / 20) + self._offset(5) + 5 * frame,
            grid.x_mm * np.float32(_TEXTURE / 30) + self._offset(4),
        )
        depth: Field = np.maximum(pores - np.float32(0.7), 0)
        depth *= depth
        depth *= np.float32(-self._pore_db) * (np.float32(0.6) + inner)
        return depth

    def _offset(self, which: int) -> np.float32:
        return np.float32(self._drift[which])

    def _capsule(self, outline: Outline, distances: Distances) -> Field:
        domain = self._domain
        shown = outline.visibility[distances.angle]
        d = distances.to_capsule_mm
        line = np.float32(domain.capsule_db) * _bell(d * np.float32(1 / 0.3))
        halo = np.float32(domain.halo_db) * _bell(
            (d + np.float32(0.9)) * np.float32(1 / 0.8)
        )
        return (line + halo) * shown

    def _surroundings(
        self, grid: Grid, frame: int, distances: Distances | None
    ) -> Field:
        domain = self._domain
        slow = self._outer_slow.at(frame, grid.shape)
        x, y = grid.x_mm, grid.y_mm
        cosine, sine = np.cos(self._fibre_angle), np.sin(self._fibre_angle)
        scale = np.float32(_TEXTURE / 50)
        fibres = _look_up(
            self._fibres,
            (y * np.float32(cosine) + x * np.float32(sine)) * scale + self._offset(1),
            (x * np.float32(cosine) - y * np.float32(sine)) * scale + np.float32(4096),
        )
        level = np.float32(domain.outside_db) + np.float32(1.6) * slow * np.float32(
            domain.patchiness_db
        )
        level += np.float32(domain.streak_db) * fibres
        if distances is None:
            return level
        d = distances.to_capsule_mm
        toward = np.cos(
            np.arange(ANGLES, dtype=np.float32) * np.float32(2 * np.pi / ANGLES)
            - np.float32(self._front_angle)
        )
        side = np.cos(np.arange(ANGLES) * (2 * np.pi / ANGLES)).astype(np.float32)
        front = np.clip(toward + np.float32(0.3), 0, 1)
        by_angle = np.stack(
            [
                np.float32(domain.fat_db) * front,
                np.where(side > 0, self._apex_db, self._base_db) * side**2,
            ]
        ).astype(np.float32)
        fat, beside = by_angle[:, distances.angle]
        band = _bell((d - np.float32(0.8 * self._fat_mm)) / np.float32(self._fat_mm))
        level += fat * band * (np.float32(1) + np.float32(0.25) * slow)
        level += beside * (1 - band)
        # Sound that has crossed the bright band is spent.
        level -= fat * _step((d - np.float32(3 * self._fat_mm)) / np.float32(2.5))
        if self._bladder:
            self._add_bladder(level, grid, d)
        if distances.beyond_sphincter_mm is not None:
            self._add_muscle(level, grid, distances.beyond_sphincter_mm)
        return level

    def _add_bladder(self, level: Field, grid: Grid, d: Field) -> None:
        a, b, c, e = self._bladder_place
        x = (grid.x_mm - np.float32(-2 + 9 * a)) / np.float32(3 + 7 * c)
        y = (grid.y_mm - np.float32(8 + 12 * b)) / np.float32(3 + 5 * e)
        radius = np.sqrt(x * x + y * y)
        apart = _step((d - np.float32(1.2)) / np.float32(0.4))
        urine = _step((np.float32(1) - radius) * np.float32(6)) * apart
        level -= np.float32(18) * urine
        level += np.float32(5) * _bell((radius - np.float32(1.1)) * 8) * apart

    def _add_muscle(self, level: Field, grid: Grid, beyond: Field) -> None:
        domain = self._domain
        width = np.float32(self._muscle_mm)
        outside = _step((beyond - np.float32(0.5)) * np.float32(2.5))
        layer = outside * _step((width - beyond) * np.float32(1.2))
        scale = np.float32(_TEXTURE / (70 * self._stripe_mm))
        stripes = _look_up(
            self._fibres,
            beyond * scale + self._offset(2) + np.float32(1024),
            (grid.x_mm - grid.y_mm) * np.float32(2) + np.float32(1024),
        )
        muscle = np.float32(domain.muscle_db) + np.float32(4) * stripes
        level += layer * (muscle - np.float32(0.8) * level)
        far = _step((beyond - width - np.float32(5)) * np.float32(0.8))
        level -= far * np.float32(max(domain.attenuation_db_per_cm, 0) * 2)
        edge = _bell((beyond - width) * np.float32(0.9))
        level += edge * np.float32(0.6 * domain.fat_db) * outside

    def _near_field(self, level: Field, grid: Grid, below_wall: Field) -> Field:
        """Lay the rectal wall's bands over everything above the gland."""
        y = grid.y_mm
        wall = y - below_wall
        fraction = y / wall
        bands = _look_up(
            self._layers,
            fraction * np.float32(12 * max(self._domain.wall_mm, 1)) + self._offset(3),
            grid.x_mm * np.float32(_TEXTURE / 60),
        )
        near = np.float32(self._near_db) + np.float32(self._near_stripes_db) * bands
        # The surface itself: a bright, then a dark line.
        near += np.float32(6) * _bell((y - np.float32(0.12)) * np.float32(8))
        near -= np.float32(6) * _bell((y - np.float32(0.45)) * np.float32(6))
        within = _step(below_wall * np.float32(-4))
        level += within * (near - level)
        return level

    def _add_spots(self, level: Field, grid: Grid, position: float) -> None:
        for spot in self._spots:
            presence = spot.presence(position)
            if presence < 0.15:
                continue
            rows, columns = _window(grid, spot, 3.0)
            x = (grid.x_mm[:, columns] - np.float32(spot.x_mm)) / np.float32(
                spot.width_mm
            )
            y = (grid.y_mm[rows] - np.float32(spot.y_mm)) / np.float32(spot.height_mm)
            # Higher than Gaussian order: a flat middle and a clear edge.
            r = x * x + y * y
            level[rows, columns] += np.float32(spot.level_db * presence) * np.exp(
                -(r * r)
            )

    def loss_db(self, grid: Grid, position: float, below_wall: Field) -> Field:
        """Return what attenuation and shadows take from each pixel (1 frame)."""
        depth = grid.y_mm * np.float32(0.1 * self._attenuation)
        # The machine's gain is set for the depth of the gland.
        loss = np.broadcast_to(
            depth - np.float32(0.1 * self._attenuation * 12), grid.shape
        ).copy()
        for spot in self._spots:
            presence = spot.presence(position)
            if presence < 0.15 or abs(spot.shadow_db) < 0.5:
                continue
            _, columns = _window(grid, spot, 3.0)
            x = (grid.x_mm[:, columns] - np.float32(spot.x_mm)) / np.float32(
                spot.width_mm
            )
            below = _step((grid.y_mm - np.float32(spot.y_mm + spot.height_mm)) * 4)
            ease = np.exp(-np.maximum(grid.y_mm - np.float32(spot.y_mm), 0) / 12)
            loss[:, columns] += (
                np.float32(spot.shadow_db * presence)
                * np.exp(-((x * x) ** 2))
                * (below * ease)
            )
        for column in self._columns:
            self._add_column(loss, grid, position, column)
        return loss

    def _add_column(
        self, loss: Field, grid: Grid, position: float, column: _Column
    ) -> None:
        presence = np.exp(-(((position - column.position) / column.reach) ** 2))
        if presence < 0.1:
            return
        x = (grid.x_mm - np.float32(column.x_mm)) / np.float32(column.width_mm)
        across = np.exp(-(x * x)) if not column.period_mm else np.exp(-((x * x) ** 3))
        depth = grid.y_mm / (grid.y_mm + np.float32(2.0))
        along = np.float32(column.loss_db * presence) * depth
        if column.period_mm:
            bars = np.cos(grid.y_mm * np.float32(2 * np.pi / column.period_mm))
            fade = np.exp(grid.y_mm * np.float32(-0.12))
            along = along - np.float32(28 * presence) * fade * np.maximum(bars, 0) ** 2
        loss += across.astype(np.float32) * along

    def lost_at(
        self, x_mm: NDArray[np.float64], y_mm: NDArray[np.float64], position: float
    ) -> NDArray[np.float64]:
        """Return the shadows' loss in dB at points (n,); for the annotators."""
        lost = np.zeros_like(x_mm)
        for column in self._columns:
            presence = np.exp(-(((position - column.position) / column.reach) ** 2))
            lost += (
                column.loss_db
                * presence
                * np.exp(-(((x_mm - column.x_mm) / column.width_mm) ** 2))
            )
        for spot in self._spots:
            if spot.shadow_db > 0:
                below = y_mm > spot.y_mm
                lost += (
                    spot.shadow_db
                    * spot.presence(position)
                    * below
                    * np.exp(-(((x_mm - spot.x_mm) / spot.width_mm) ** 4))
                )
        return lost


def _window(grid: Grid, spot: _Spot, reach: float) -> tuple[slice, slice]:
    """Rows and columns around a spot, so that the rest is not computed."""
    x, y = grid.x_mm[0], grid.y_mm[:, 0]
    left, right = np.searchsorted(
        x, [spot.x_mm - reach * spot.width_mm, spot.x_mm + reach * spot.width_mm]
    )
    top, bottom = np.searchsorted(
        y, [spot.y_mm - reach * spot.height_mm, spot.y_mm + reach * spot.height_mm]
    )
    return slice(int(top), int(bottom)), slice(int(left), int(right))
