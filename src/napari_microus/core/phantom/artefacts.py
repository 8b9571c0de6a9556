"""Small things and what they do to the sound: shadows, echoes, enhancement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from napari_microus.core.phantom.domain import APERTURE_MM
from napari_microus.core.phantom.fields import step

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    from napari_microus.core.phantom.anatomy import Grid
    from napari_microus.core.phantom.domain import PhantomDomain

    Field = NDArray[np.float32]

Thing = TypeVar("Thing")
_ABSENT = 0.12  # presence below which a thing is not drawn
_EXTENT = 1.8  # a spot is drawn out to so many of its half widths


@dataclass(frozen=True)
class Spot:
    """A calcification, a cyst, a vessel or a nodule: a place and a level.

    ``rim_db`` is the level of its edge; ``shadow_db`` what the sound loses in it,
    negative where it loses less than elsewhere.
    """

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float
    level_db: float
    rim_db: float
    shadow_db: float
    position: float
    reach: float

    def presence(self, position: float) -> float:
        """How much of it lies in the plane, 0 to 1."""
        return float(np.exp(-(((position - self.position) / self.reach) ** 2)))


@dataclass(frozen=True)
class Column:
    """A stripe down from a depth: lost contact, a shadow, or gas with its echoes."""

    x_mm: float
    from_mm: float
    width_mm: float
    loss_db: float
    period_mm: float
    position: float
    reach: float

    def presence(self, position: float) -> float:
        """How much of it lies in the plane, 0 to 1."""
        return float(np.exp(-(((position - self.position) / self.reach) ** 2)))

    def across(self, x_mm: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return its share of the sound at each x: soft, but sharp for gas."""
        u = ((x_mm - x_mm.dtype.type(self.x_mm)) / x_mm.dtype.type(self.width_mm)) ** 2
        return np.asarray(np.exp(-(u**3 if self.period_mm else u)))


def _calcification(rng: Generator) -> Spot:
    big = rng.random() < 0.35
    return Spot(
        x_mm=APERTURE_MM * rng.uniform(0.1, 0.9),
        y_mm=rng.uniform(3, 18),
        width_mm=rng.uniform(0.8, 3.0) if big else rng.uniform(0.25, 0.8),
        height_mm=rng.uniform(0.3, 0.8) if big else rng.uniform(0.15, 0.35),
        level_db=rng.uniform(9, 16),
        rim_db=0.0,
        shadow_db=rng.uniform(6, 20) if big else rng.uniform(0, 4),
        position=rng.uniform(-1, 1),
        reach=rng.uniform(0.1, 0.25),
    )


def _cyst(rng: Generator) -> Spot:
    return Spot(
        x_mm=APERTURE_MM * rng.uniform(0.05, 0.95),
        y_mm=rng.uniform(2, 22),
        width_mm=np.exp(rng.uniform(np.log(0.3), np.log(1.6))),
        height_mm=np.exp(rng.uniform(np.log(0.2), np.log(0.8))),
        level_db=rng.uniform(-25, -8),
        rim_db=0.0,
        shadow_db=rng.uniform(-3, 0),
        position=rng.uniform(-1, 1),
        reach=rng.uniform(0.1, 0.25),
    )


def _nodule(rng: Generator) -> Spot:
    width = rng.uniform(1.5, 6)
    return Spot(
        x_mm=APERTURE_MM * rng.uniform(0.1, 0.9),
        y_mm=rng.uniform(4, 18),
        width_mm=width,
        height_mm=width * rng.uniform(0.6, 1.0),
        level_db=rng.uniform(-4, 4),
        rim_db=rng.uniform(-6, 1),
        shadow_db=0.0,
        position=rng.uniform(-1, 1),
        reach=rng.uniform(0.15, 0.35),
    )


def _lost_contact(rng: Generator) -> Column:
    return Column(
        x_mm=APERTURE_MM * rng.uniform(-0.05, 1.05),
        from_mm=0.0,
        width_mm=np.exp(rng.uniform(np.log(0.6), np.log(7))),
        loss_db=rng.uniform(2, 13),
        period_mm=0.0,
        position=rng.uniform(-1, 1),
        reach=rng.uniform(0.3, 2.0),
    )


def _shadow(rng: Generator) -> Column:
    """Behind dense tissue or stones out of the plane: broad, and from mid-depth."""
    return Column(
        x_mm=APERTURE_MM * rng.uniform(0, 1),
        from_mm=rng.uniform(3, 14),
        width_mm=np.exp(rng.uniform(np.log(1.5), np.log(8))),
        loss_db=rng.uniform(4, 18),
        period_mm=0.0,
        position=rng.uniform(-1, 1),
        reach=rng.uniform(0.2, 0.8),
    )


def _gas(rng: Generator) -> Column:
    return Column(
        x_mm=APERTURE_MM * rng.choice([rng.uniform(0, 0.3), rng.uniform(0.6, 1)]),
        from_mm=0.0,
        width_mm=rng.uniform(1.5, 6),
        loss_db=rng.uniform(18, 35),
        period_mm=rng.uniform(0.8, 1.8),
        position=rng.uniform(-1, 1),
        reach=rng.uniform(0.1, 0.4),
    )


def _several(
    rng: Generator, expected: float, make: Callable[[Generator], Thing]
) -> list[Thing]:
    return [make(rng) for _ in range(rng.poisson(expected))]


class Artefacts:
    """The spots and columns of one scan.

    Parameters
    ----------
    rng : Generator
        Source of their number and kind.
    domain : PhantomDomain
        Says how many a frame shows.
    frames : int
        Number of frames of the sweep.
    """

    def __init__(self, rng: Generator, domain: PhantomDomain, frames: int) -> None:
        more = max(1.0, frames / 8)  # a longer sweep passes more of them
        self._nodules = _several(rng, domain.nodules * more**0.5, _nodule)
        self._spots = [
            *_several(rng, domain.calcifications * more, _calcification),
            *_several(rng, domain.cysts * more, _cyst),
        ]
        self._columns = [
            *_several(rng, domain.shadows * more**0.5, _lost_contact),
            *_several(rng, 0.4 * domain.shadows * more**0.5, _shadow),
            *_several(rng, domain.gas * more**0.5, _gas),
        ]

    def add_nodules(self, level: Field, grid: Grid, position: float) -> None:
        """Add the nodules to the level in dB of the gland's tissue."""
        _add_spots(level, grid, position, self._nodules)

    def add_spots(self, level: Field, grid: Grid, position: float) -> None:
        """Add calcifications, cysts and vessels to a level in dB."""
        _add_spots(level, grid, position, self._spots)

    def add_loss(self, loss: Field, grid: Grid, position: float) -> None:
        """Add what shadows take, in dB, to the loss of each pixel."""
        for spot in self._spots:
            presence = spot.presence(position)
            if presence < _ABSENT or abs(spot.shadow_db) < 0.5:
                continue
            _, columns = _window(grid, spot)
            x = (grid.x_mm[:, columns] - np.float32(spot.x_mm)) / np.float32(
                spot.width_mm
            )
            below = grid.y_mm - np.float32(spot.y_mm + spot.height_mm)
            along = step(below * 4) * np.exp(np.maximum(below, 0) / np.float32(-12))
            across = np.float32(spot.shadow_db * presence) * np.exp(-((x * x) ** 2))
            loss[:, columns] += across * along
        for column in self._columns:
            if column.presence(position) >= _ABSENT:
                _add_column(loss, grid, position, column)

    def lost_at(
        self, x_mm: NDArray[np.float64], y_mm: NDArray[np.float64], position: float
    ) -> NDArray[np.float64]:
        """Return the shadows' loss in dB at points (n,)."""
        lost = np.zeros_like(x_mm)
        for column in self._columns:
            strength = column.loss_db * column.presence(position)
            lost += strength * column.across(x_mm) * (y_mm > column.from_mm)
        for spot in self._spots:
            if spot.shadow_db > 0:
                strength = spot.shadow_db * spot.presence(position)
                across = np.exp(-(((x_mm - spot.x_mm) / spot.width_mm) ** 4))
                lost += strength * across * (y_mm > spot.y_mm)
        return lost


def _add_spots(level: Field, grid: Grid, position: float, spots: list[Spot]) -> None:
    for spot in spots:
        presence = spot.presence(position)
        if presence < _ABSENT:
            continue
        rows, columns = _window(grid, spot)
        x = (grid.x_mm[:, columns] - np.float32(spot.x_mm)) / np.float32(spot.width_mm)
        y = (grid.y_mm[rows] - np.float32(spot.y_mm)) / np.float32(spot.height_mm)
        # Higher than Gaussian order: a flat middle and a clear edge.
        r = x * x + y * y
        r *= r
        inside = np.exp(-r)
        added = np.float32(spot.level_db) * inside
        if spot.rim_db:
            added += np.float32(spot.rim_db * 2.7) * r * inside
        level[rows, columns] += np.float32(presence) * added


def _add_column(loss: Field, grid: Grid, position: float, column: Column) -> None:
    presence = column.presence(position)
    below = np.maximum(grid.y_mm - np.float32(column.from_mm), 0)
    along = np.float32(column.loss_db * presence) * below / (below + 2)
    if column.period_mm:
        bars = np.cos(grid.y_mm * np.float32(2 * np.pi / column.period_mm))
        fade = np.exp(grid.y_mm * np.float32(-0.12))
        along -= np.float32(28 * presence) * fade * np.maximum(bars, 0) ** 2
    loss += column.across(grid.x_mm) * along


def _window(grid: Grid, spot: Spot) -> tuple[slice, slice]:
    """Rows and columns around a spot, so that the rest is not computed."""
    wide, high = _EXTENT * spot.width_mm, _EXTENT * spot.height_mm
    left, right = np.searchsorted(grid.x_mm[0], [spot.x_mm - wide, spot.x_mm + wide])
    top, bottom = np.searchsorted(grid.y_mm[:, 0], [spot.y_mm - high, spot.y_mm + high])
    return slice(int(top), int(bottom)), slice(int(left), int(right))
