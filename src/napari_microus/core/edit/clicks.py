"""Move an outline by clicks, a scribble or a box; no network is asked.

A click in the middle of what is missing says that the border lies about as far beyond
it as it lies on this side of it: the outline moves by twice the click's distance, and
the moved part fades out along it. Earlier clicks stay obeyed. A scribble runs over what
is missing, or too much, and the outline moves to just beyond it. A box says how high
and wide the gland is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.edit.curve import (
    evened,
    mask_of,
    outline_of,
    push,
    resample,
)
from napari_microus.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_POINTS = 256
#: Of the outline's length: how far along it a click reaches, at least.
_REACH = 0.09
#: The same, in units of the click's distance from the outline.
_REACH_PER_DISTANCE = 1.6
_ROUNDS = 4
#: Beyond a click the outline comes to lie as far again, beyond a scribble just so.
_BEYOND_CLICK, _BEYOND_SCRIBBLE = 2.0, 1.1
# A scribble says with many points what a click says with one: each reaches less far.
_SCRIBBLE_REACH = 0.25
_SMALLEST_BOX = 4  # pixels


@dataclass(frozen=True)
class Click:
    """A point (row, column) of a frame, and whether it lies in the gland."""

    row: float
    column: float
    is_inside: bool

    @property
    def point(self) -> tuple[float, float]:
        """Row and column."""
        return self.row, self.column


def apply_clicks(
    mask: NDArray[np.bool_], clicks: Sequence[Click], *, new: int = 1
) -> NDArray[np.bool_]:
    """Return the mask of one frame after the last ``new`` clicks.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        The capsule as it is; where it is empty, a click inside begins one.
    clicks : sequence of Click
        All clicks of this frame, in their order; those before the last ``new`` have
        been applied already and stay obeyed.
    new : int
        How many of them are new.

    Raises
    ------
    InputError
        If a click lies outside the picture, or the frame is empty and no click is
        inside the gland.
    """
    for click in clicks:
        if not (0 <= click.row < mask.shape[0] and 0 <= click.column < mask.shape[1]):
            raise InputError(
                f"A click must lie in the picture of {mask.shape[0]} by "
                f"{mask.shape[1]} pixels; got row {click.row:.0f}, column "
                f"{click.column:.0f}. Click on the frame.",
                plain="That click was beside the picture. Click on the frame.",
            )
    if not mask.any():
        mask = _first_shape(mask.shape, clicks)
    curve = resample(outline_of(mask), _POINTS)
    for click in clicks[len(clicks) - new :]:
        curve = resample(_moved(curve, click), _POINTS)
    for _ in range(_ROUNDS):
        broken = [c for c in clicks if _contains(curve, c) != c.is_inside]
        if not broken:
            break
        for click in broken:
            curve = resample(_moved(curve, click), _POINTS)
    return mask_of(curve, mask.shape)


class Scribble:
    """A scribble over what is wrong in a frame, and the outline that follows it.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        The capsule as it is; where it is empty, a scribble inside begins one.
    is_inside : bool
        Whether what is scribbled over belongs to the gland.
    """

    def __init__(self, mask: NDArray[np.bool_], is_inside: bool) -> None:
        self._shape, self._is_inside = mask.shape, is_inside
        self._curve = resample(outline_of(mask), _POINTS) if mask.any() else None

    def add(self, points: Sequence[Sequence[float]]) -> None:
        """Continue over points (row, column); those outside the picture are left out.

        Raises
        ------
        InputError
            If the frame is empty and the scribble is not inside the gland.
        """
        limit = np.array(self._shape) - 1
        for row, column in points:
            stroke = Click(float(row), float(column), self._is_inside)
            if not (0 <= stroke.row <= limit[0] and 0 <= stroke.column <= limit[1]):
                continue
            if self._curve is None:
                first = _first_shape(self._shape, [stroke])
                self._curve = resample(outline_of(first), _POINTS)
            self._curve = evened(
                _moved(self._curve, stroke, _BEYOND_SCRIBBLE, _SCRIBBLE_REACH)
            )

    def mask(self) -> NDArray[np.bool_]:
        """Return the mask of the frame after what was scribbled so far."""
        if self._curve is None:
            return np.zeros(self._shape, dtype=bool)
        return mask_of(self._curve, self._shape)


def apply_box(
    mask: NDArray[np.bool_], one: tuple[float, float], other: tuple[float, float]
) -> NDArray[np.bool_]:
    """Return the capsule of one frame stretched into a box.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        The capsule as it is, of which the largest piece is stretched; where it is
        empty, an ellipse fills the box.
    one, other : tuple of float
        Two opposite corners: row, column.

    Raises
    ------
    InputError
        If the box is smaller than 4 pixels either way.
    """
    corners = np.sort(np.array([one, other], dtype=np.float64), axis=0)
    size = corners[1] - corners[0]
    if not (size >= _SMALLEST_BOX).all():
        raise InputError(
            f"A box round the gland must be at least {_SMALLEST_BOX} pixels high and "
            f"wide; got {size[0]:.1f} by {size[1]:.1f}. Drag from corner to corner.",
            plain=(
                "The box is too small. Drag it from corner to corner round the gland."
            ),
        )
    if mask.any():
        outline = outline_of(mask)
    else:
        turns = np.linspace(0, 2 * np.pi, _POINTS, endpoint=False)
        outline = np.stack([np.sin(turns), np.cos(turns)], axis=1)
    low, high = outline.min(axis=0), outline.max(axis=0)
    return mask_of(corners[0] + (outline - low) / (high - low) * size, mask.shape)


def _moved(
    curve: NDArray[np.float64],
    click: Click,
    beyond: float = _BEYOND_CLICK,
    reach_factor: float = 1.0,
) -> NDArray[np.float64]:
    """Move the curve beyond a click that it does not obey."""
    if _contains(curve, click) == click.is_inside:
        return curve
    point = np.array(click.point)
    nearest = curve[np.argmin(((curve - point) ** 2).sum(1))]
    way = beyond * (point - nearest)
    distance = float(np.linalg.norm(way)) / beyond
    if distance < 0.5:  # on the outline: half a pixel further
        way, distance = way + (0.5 if click.is_inside else -0.5), 0.5
    length = np.linalg.norm(np.diff(curve, axis=0, append=curve[:1]), axis=1).sum()
    reach = reach_factor * max(_REACH * length, _REACH_PER_DISTANCE * distance)
    return push(curve, tuple(nearest), tuple(nearest + way), reach)


def _contains(curve: NDArray[np.float64], click: Click) -> bool:
    """Return whether a click lies inside the curve, by the crossings of a ray."""
    a, b = curve, np.roll(curve, -1, axis=0)
    crosses = (a[:, 0] > click.row) != (b[:, 0] > click.row)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = a[:, 1] + (click.row - a[:, 0]) * (b[:, 1] - a[:, 1]) / (b[:, 0] - a[:, 0])
    return bool((crosses & (at > click.column)).sum() % 2)


def _first_shape(shape: tuple[int, int], clicks: Sequence[Click]) -> NDArray[np.bool_]:
    """Return an ellipse of a gland's usual size about the first click inside."""
    inside = next((click for click in clicks if click.is_inside), None)
    if inside is None:
        raise InputError(
            "An empty frame needs a click inside the gland first; got clicks outside "
            "alone. Click into the gland.",
            plain=(
                "There is no capsule in this frame yet. Click into the gland first."
            ),
        )
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    down, across = 0.25 * shape[0], 0.25 * shape[1]
    distance = ((rows - inside.row) / down) ** 2
    return np.asarray(distance + ((columns - inside.column) / across) ** 2 <= 1)
