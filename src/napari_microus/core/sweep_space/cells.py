"""What a straight grid needs of a sweep, whichever way it was swept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Cells:
    """From which two frames, and which of their lines, each cell gets its values.

    A cell is a line of voxels that runs along the frames' lines.

    Parameters
    ----------
    first, second : ndarray of int
        Frames to either side.
    first_line, second_line : ndarray of float
        Place in these frames, counted in lines.
    part : ndarray of float
        Weight of the second frame, 0 to 1.
    edge_mm : ndarray of float
        Distance to the border of what the frames cover, in mm; below 0 outside of
        it, where frame and line are those of the nearest frame.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    first_line: NDArray[np.float64]
    second_line: NDArray[np.float64]
    part: NDArray[np.float64]
    edge_mm: NDArray[np.float64]


class Swept(Protocol):
    """Frames in a plane across their lines: v from line to line, w between frames."""

    def bounds_mm(
        self, frames: NDArray[np.bool_], lines: tuple[int, int]
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return from where to where some frames, and lines of them, reach (v, w).

        Parameters
        ----------
        frames : ndarray of bool, shape (frames,)
            Which frames; the space up to their neighbours is theirs too.
        lines : tuple of int
            First and last.
        """

    def cells(self, v_mm: NDArray[np.float64], w_mm: NDArray[np.float64]) -> Cells:
        """Return what lies at places (w, v) of one shape."""


def edge_of_lines(
    place_mm: NDArray[np.float64], line_mm: float, lines: int
) -> NDArray[np.float64]:
    """Return how far places lie inside the picture's first and last line, in mm.

    A pixel reaches half its size to either side of its centre.
    """
    import numpy as np

    begin, end = -0.5 * line_mm, (lines - 0.5) * line_mm
    return np.minimum(place_mm - begin, end - place_mm)
