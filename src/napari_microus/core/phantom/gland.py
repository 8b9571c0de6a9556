"""How strongly the gland and its capsule reflect, in decibels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.phantom.anatomy import ANGLES
from napari_microus.core.phantom.fields import TEXTURE_SIZE, Texture, bell, step

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from napari_microus.core.phantom.anatomy import Distances, Grid, Outline
    from napari_microus.core.phantom.domain import PhantomDomain

    Field = NDArray[np.float32]


class Gland:
    """Peripheral and transition zone, urethra, and the capsule around them.

    Parameters
    ----------
    rng : Generator
        Source of what varies between patients.
    domain : PhantomDomain
        What it varies around.
    grain : Texture
        The unevenness of all tissue, of which the gland's gaps are the depths.
    """

    def __init__(self, rng: Generator, domain: PhantomDomain, grain: Texture) -> None:
        self._domain = domain
        self._grain = grain
        self._swirl = Texture.streaks(rng, 14, 80)
        self._start = rng.uniform(0, TEXTURE_SIZE, 3).astype(np.float32)
        self._zone_share = np.float32(rng.uniform(0.5, 0.78))
        self._zone_shift = rng.uniform(-0.05, 0.025)
        self._zone_rim_db = np.float32(rng.uniform(-5, 2))
        self._pore_db = rng.uniform(0.5, 4)
        self._urethra = rng.uniform(0, 1, 3)

    def level_db(
        self, grid: Grid, frame: int, outline: Outline, distances: Distances
    ) -> Field:
        """Return the level of the tissue inside the capsule (rows, columns)."""
        domain = self._domain
        # The transition zone lies towards the front, inside the peripheral zone.
        lower = float(outline.radius_mm[ANGLES // 4])
        lean = np.float32(self._zone_shift / max(lower, 1))
        zone = distances.relative - self._zone_share
        zone -= lean * (grid.y_mm - np.float32(outline.centre_mm[1]))
        zone *= np.float32(14)
        inner = step(-zone)
        level = np.float32(domain.gland_db) + np.float32(domain.zone_db) * inner
        level += self._zone_rim_db * bell(zone)
        level += self._fibres(outline, distances)
        level += self._pores(grid, frame, inner)
        level -= self._urethra_db(grid, outline) * inner
        return level

    def capsule_db(self, outline: Outline, distances: Distances) -> Field:
        """Return what the capsule's line and the rim inside it add, where it shows."""
        domain = self._domain
        d = distances.to_capsule_mm
        level = np.float32(domain.capsule_db) * bell(d * np.float32(1 / 0.3))
        level += np.float32(domain.halo_db) * bell((d + np.float32(0.9)) / 0.8)
        level *= outline.visibility[distances.angle]
        return level

    def _fibres(self, outline: Outline, distances: Distances) -> Field:
        """Return streaks that wind about the middle and are lost towards it."""
        radius = np.float32(0.5 * outline.radius_mm.mean())
        around = distances.angle * np.float32(TEXTURE_SIZE / ANGLES)
        outward = distances.relative * (radius * np.float32(TEXTURE_SIZE / 40))
        streaks = self._swirl.at(outward + self._start[0], around)
        streaks *= np.minimum(distances.relative * np.float32(1.6), 1)
        streaks *= np.float32(self._domain.streak_db)
        return streaks

    def _pores(self, grid: Grid, frame: int, inner: Field) -> Field:
        """Return the dark gaps of glandular tissue, flat and close together."""
        gaps = self._grain.at(
            grid.y_mm * np.float32(TEXTURE_SIZE / 20) + self._start[1] + 5 * frame,
            grid.x_mm * np.float32(TEXTURE_SIZE / 30) + self._start[2],
        )
        gaps -= np.float32(0.7)
        np.maximum(gaps, 0, out=gaps)
        gaps *= gaps
        gaps *= np.float32(-self._pore_db) * (np.float32(0.6) + inner)
        return gaps

    def _urethra_db(self, grid: Grid, outline: Outline) -> Field:
        across, slant, width = self._urethra
        x, y = outline.centre_mm
        away = grid.x_mm - np.float32(x + (across - 0.5) * 8)
        away = away - np.float32(0.6 * (slant - 0.5)) * (grid.y_mm - np.float32(y))
        depth = np.float32(5 * width * outline.size)
        return depth * bell(away / np.float32(0.5 + 1.5 * width))
