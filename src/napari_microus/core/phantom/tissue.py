"""The echo level of a whole frame: gland, surroundings, artefacts and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.phantom.artefacts import Artefacts
from napari_microus.core.phantom.fields import (
    TEXTURE_SIZE,
    SweepField,
    Texture,
    step,
)
from napari_microus.core.phantom.gland import Gland
from napari_microus.core.phantom.surroundings import Surroundings

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from napari_microus.core.phantom.anatomy import Distances, Grid, Outline
    from napari_microus.core.phantom.domain import PhantomDomain

    Field = NDArray[np.float32]

_LOSS_BEYOND_DB_PER_MM = 1.2
_GAIN_DEPTH_MM = 12.0  # the machine's gain is set for the depth of the gland


class Tissue:
    """One patient's tissue over a sweep, as the machine sees it.

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
        self._slow = SweepField(rng, (5, 7), frames, max(frames // 4, 2))
        self._medium = SweepField(rng, (14, 18), frames, max(frames // 2, 2))
        self._grain = Texture.grain(rng)
        self._start = rng.uniform(0, TEXTURE_SIZE, 2).astype(np.float32)
        self._attenuation = domain.attenuation_db_per_cm * rng.uniform(0.7, 1.3)
        # Where one transmit focus takes over from the next, the gain may jump.
        self._seam = rng.uniform(0.5, 0.85) * domain.depth_mm, rng.uniform(-1, 2.5)
        self._gland = Gland(rng, domain, self._grain)
        self._surroundings = Surroundings(rng, domain, frames)
        self.artefacts = Artefacts(rng, domain, frames)

    def level_db(
        self,
        grid: Grid,
        frame: int,
        position: float,
        outline: Outline | None,
        distances: Distances | None,
        below_wall_mm: Field,
    ) -> Field:
        """Return the mean echo level of one frame, before any loss on the way."""
        level = self._surroundings.level_db(grid, frame, distances)
        if outline is not None and distances is not None:
            inside = step(distances.to_capsule_mm / np.float32(-self._domain.edge_mm))
            gland = self._gland.level_db(grid, frame, outline, distances)
            self.artefacts.add_nodules(gland, grid, position)
            level += inside * (gland - level)
            level += self._gland.capsule_db(outline, distances)
        level += self._unevenness(grid, frame)
        self.artefacts.add_spots(level, grid, position)
        self._surroundings.add_wall(level, grid, below_wall_mm)
        return level

    def loss_db(self, grid: Grid, position: float) -> Field:
        """Return what attenuation and shadows take from each pixel of a frame."""
        along = (grid.y_mm - np.float32(_GAIN_DEPTH_MM)) * np.float32(
            0.1 * self._attenuation
        )
        beyond = grid.y_mm - np.float32(self._domain.penetration_mm)
        along += np.logaddexp(0, beyond / 2) * np.float32(2 * _LOSS_BEYOND_DB_PER_MM)
        depth_mm, jump_db = self._seam
        along += np.float32(jump_db) * (grid.y_mm > np.float32(depth_mm))
        loss = np.broadcast_to(along, grid.shape).copy()
        self.artefacts.add_loss(loss, grid, position)
        return loss

    def _unevenness(self, grid: Grid, frame: int) -> Field:
        """Return patches, and the clumps of scatterers down to speckle's size."""
        level = self._grain.at(
            grid.y_mm * np.float32(TEXTURE_SIZE / 22) + self._start[0] + 5 * frame,
            grid.x_mm * np.float32(TEXTURE_SIZE / 32) + self._start[1],
        )
        level *= np.float32(self._domain.clumping_db)
        patches = np.float32(self._domain.patchiness_db)
        level += (np.float32(0.75) * patches) * self._slow.at(frame, grid.shape)
        level += (np.float32(0.5) * patches) * self._medium.at(frame, grid.shape)
        return level
