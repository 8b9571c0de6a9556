"""Parallel frames, seen along their lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.sweep_space.cells import Cells, edge_of_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Stack:
    """Frames side by side; each reaches half way to its neighbours, as voxels do.

    Parameters
    ----------
    frames, lines : int
        How many.
    frame_mm, line_mm : float
        Distance of two frames and of two lines.
    """

    frames: int
    lines: int
    frame_mm: float
    line_mm: float

    def bounds_mm(
        self, frames: NDArray[np.bool_], lines: tuple[int, int]
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return from where to where some frames, and lines of them, reach (v, w)."""
        chosen = np.flatnonzero(frames)
        # An outline ends between its last frame and the empty one beyond.
        low = max(chosen[0] - 1.0, -0.5)
        high = min(chosen[-1] + 1.0, self.frames - 0.5)
        v = (lines[0] - 0.5) * self.line_mm, (lines[1] + 0.5) * self.line_mm
        return v, (float(low * self.frame_mm), float(high * self.frame_mm))

    def cells(self, v_mm: NDArray[np.float64], w_mm: NDArray[np.float64]) -> Cells:
        """Return what lies at places (w, v) of one shape."""
        place = np.clip(w_mm / self.frame_mm, 0, self.frames - 1)
        first = np.minimum(place.astype(np.intp), self.frames - 2)
        line = v_mm / self.line_mm
        edge = np.minimum(
            edge_of_lines(v_mm, self.line_mm, self.lines),
            edge_of_lines(w_mm, self.frame_mm, self.frames),
        )
        return Cells(first, first + 1, line, line, place - first, edge)
