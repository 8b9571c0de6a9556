"""Contours of a mask, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.mask import fill_polygon

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume


@dataclass(frozen=True, eq=False)
class Contour:
    """A closed line in one frame.

    Parameters
    ----------
    points_px : ndarray, shape (n, 2)
        Rows and columns in their order along the line; the centre of the first pixel
        is (0, 0). The last point joins the first, which is not repeated.
    is_hole : bool
        Whether the object is outside of the line.
    """

    points_px: NDArray[np.float64]
    is_hole: bool = False

    @property
    def area_px(self) -> float:
        """The area inside the line, in pixels."""
        rows, columns = self.points_px.T
        crossed = rows * np.roll(columns, -1) - columns * np.roll(rows, -1)
        return abs(float(crossed.sum())) / 2

    def in_frame_mm(self, pixel_mm: tuple[float, float]) -> NDArray[np.float64]:
        """Return the points as (y, x) in mm from the centre of the first pixel."""
        return self.points_px * pixel_mm

    def in_space_mm(self, affine: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the points (n, 3) in RAS mm by a frame's affine.

        Parameters
        ----------
        affine : ndarray, shape (4, 4)
            See `core.sweep_space.frame_affines`.
        """
        columns_rows = self.points_px[:, ::-1]
        space: NDArray[np.float64] = columns_rows @ affine[:3, :2].T + affine[:3, 3]
        return space


def frame_contours(frame: NDArray[Any], *, level: float = 0.5) -> list[Contour]:
    """Return the contours of one frame, the largest first.

    Parameters
    ----------
    frame : ndarray, shape (Y, X)
        A mask, of which 1 is the object: the lines run between its pixels and the
        others. Or a probability (float): they run where it has the value ``level``,
        between pixels by linear interpolation.
    level : float
        Probability above which the object is, 0 to 1.

    Raises
    ------
    InputError
        If the level is not between 0 and 1, or a probability is not from 0 to 1.
    """
    from skimage.measure import find_contours

    if not 0 < level < 1:
        raise InputError(
            f"The level of contours must be between 0 and 1; got {level}. Correct it.",
            plain=(
                f"Contours cannot be drawn at a probability of {level}. Choose "
                "one between 0 and 1."
            ),
        )
    is_graded = frame.dtype.kind == "f"
    if is_graded and frame.size and not (frame.min() >= 0 and frame.max() <= 1):
        raise InputError(
            "Contours must be of a mask, or of a probability from 0 to 1; got "
            f"{frame.min():g} to {frame.max():g}. Choose the mask.",
            plain="This is neither a mask nor a probability map. Choose the mask.",
        )
    height = np.asarray(frame if is_graded else frame == 1, np.float64)
    inside = height > level
    if not inside.any():
        return []
    box = tuple(_around(np.flatnonzero(inside.any(axis=axis))) for axis in (1, 0))
    # A border of 0 closes what runs out of the picture.
    padded = np.pad(height[box], 1)
    start = np.array([part.start for part in box]) - 1
    lines = find_contours(padded, level if is_graded else 0.5)  # type: ignore[no-untyped-call]
    found = [
        Contour(line[:-1] + start, _runs_round_a_hole(line))
        for line in lines
        if len(line) > 3
    ]
    return sorted(found, key=lambda contour: -contour.area_px)


def contours_by_frame(
    mask: Volume, *, level: float = 0.5
) -> Iterator[tuple[int, list[Contour]]]:
    """Yield each frame's number, from 0, and its contours; see `frame_contours`."""
    for number, frame in enumerate(mask.array):
        yield number, frame_contours(frame, level=level)


def mask_of_contours(
    contours: Iterable[Contour], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie inside contours and outside their holes.

    Parameters
    ----------
    contours : iterable of Contour
        Those of one frame.
    shape : tuple of int
        Rows and columns.
    """
    inside = np.zeros(shape, bool)
    for contour in contours:
        inside ^= fill_polygon(contour.points_px, shape)
    return inside


def _around(found: NDArray[np.intp]) -> slice:
    """Return the range of indices, and one beside them where the picture has one."""
    return slice(max(int(found[0]) - 1, 0), int(found[-1]) + 2)


def _runs_round_a_hole(line: NDArray[np.float64]) -> bool:
    """Return whether a line of `find_contours` runs round something lower."""
    rows, columns = line.T
    crossed = rows[:-1] * columns[1:] - columns[:-1] * rows[1:]
    return bool(crossed.sum() > 0)
