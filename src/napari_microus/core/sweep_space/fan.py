"""Frames turned about an axis, seen along it.

The axis cuts a frame into two half-planes, of which each has its own angle; often all
of the picture lies on one side of it. Sorted by angle, two neighbours hold a sector
between them. Where frames see a place twice, the part of the picture that leads the
turn decides (see `placing`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.sweep_space.cells import Cells, edge_of_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

# As for volumes by sectors: what is missing to a full turn is filled if it is a step.
_CLOSED = 1.5
_SAME_DEG = 1e-6


class Fan:
    """A rotational sweep.

    Parameters
    ----------
    angles_deg : ndarray, shape (frames,)
        Rising.
    side : int
        1 if the part of the picture beyond the axis leads the turn, else -1.
    at_mm : float
        Place of the axis, from the first line on.
    lines : int
        Lines of a frame.
    line_mm : float
        Distance of two lines.
    """

    def __init__(
        self,
        angles_deg: NDArray[np.float64],
        side: int,
        at_mm: float,
        lines: int,
        line_mm: float,
    ) -> None:
        self._side, self._at = side, at_mm
        self._lines, self._line_mm = lines, line_mm
        count = len(angles_deg)
        frames = np.arange(count)
        # Counted from the first frame on, in the sense in which the frames turn.
        rising = angles_deg - angles_deg[0]
        span = rising[-1]
        angles, which, sides = rising, frames, np.full(count, side)
        begin = (-0.5 * line_mm - at_mm, (lines - 0.5) * line_mm - at_mm)
        if min(begin) < 0 < max(begin):
            other = (rising + 180) % 360
            free = (other > span + _SAME_DEG) & (other < 360 - _SAME_DEG)
            angles = np.concatenate([angles, other[free]])
            which = np.concatenate([which, frames[free]])
            sides = np.concatenate([sides, np.full(int(free.sum()), -side)])
        order = np.argsort(angles, kind="stable")
        self._start = angles_deg[0] + (0 if side > 0 else 180)
        self._angle = angles[order]
        self._frame, self._of_side = which[order], sides[order]
        self._gap = np.diff(self._angle, append=self._angle[0] + 360)
        follows = (np.roll(self._frame, -1) == self._frame + 1) & (
            np.roll(self._of_side, -1) == self._of_side
        )
        follows[-1] = False  # from the last half-plane round to the first
        step = np.median(np.diff(rising))
        self._is_filled = follows | (self._gap <= _CLOSED * step)

    def bounds_mm(
        self, frames: NDArray[np.bool_], lines: tuple[int, int]
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return from where to where some frames, and lines of them, reach (v, w)."""
        low = (lines[0] - 0.5) * self._line_mm - self._at
        high = (lines[1] + 0.5) * self._line_mm - self._at
        v, w = [], []
        for number in np.flatnonzero(self._is_filled):
            then = (number + 1) % len(self._angle)
            if not frames[[self._frame[number], self._frame[then]]].any():
                continue
            first = self._start + self._angle[number]
            last = first + self._gap[number]
            corners = np.arange(np.ceil(first / 90), np.floor(last / 90) + 1) * 90
            turn = np.deg2rad(np.concatenate([[first, last], corners]))
            for side in {int(self._of_side[number]), int(self._of_side[then])}:
                reach = np.clip(np.array([low, high]) * side, 0, None)
                v.append(np.outer(reach, np.cos(turn)).ravel())
                w.append(np.outer(reach, np.sin(turn)).ravel() * self._side)
        across, between = np.concatenate(v) + self._at, np.concatenate(w)
        return (
            (float(across.min()), float(across.max())),
            (float(between.min()), float(between.max())),
        )

    def cells(self, v_mm: NDArray[np.float64], w_mm: NDArray[np.float64]) -> Cells:
        """Return what lies at places (w, v) of one shape."""
        beyond = v_mm - self._at
        radius = np.hypot(beyond, w_mm)
        turn = np.degrees(np.arctan2(self._side * w_mm, beyond)) - self._start
        turn %= 360
        turn[turn > 360 - _SAME_DEG] = 0  # the first frame itself
        number = np.searchsorted(self._angle, turn + _SAME_DEG, side="right") - 1
        then = (number + 1) % len(self._angle)
        past = np.clip(turn - self._angle[number], 0, None)
        left = np.clip(self._gap[number] - past, 0, None)
        part = past / self._gap[number]
        # In an open sector the nearer of both half-planes stands for all.
        is_open = ~self._is_filled[number]
        nearer = np.where(past <= left, number, then)
        number, then = (
            np.where(is_open, nearer, number),
            np.where(is_open, nearer, then),
        )
        part = np.where(is_open, 0.0, part)
        outside = -_across(radius, np.minimum(past, left))
        edge = np.where(is_open, outside, self._inside_mm(turn, radius))
        places = [self._at + self._of_side[n] * radius for n in (number, then)]
        for place in places:
            edge = np.minimum(edge, edge_of_lines(place, self._line_mm, self._lines))
        lines = [place / self._line_mm for place in places]
        return Cells(
            self._frame[number], self._frame[then], lines[0], lines[1], part, edge
        )

    def _inside_mm(
        self, turn: NDArray[np.float64], radius: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the distance to the next open sector of places in a filled one."""
        nearest = np.full(turn.shape, np.inf)
        for number in np.flatnonzero(~self._is_filled):
            begin = self._angle[number]
            end = begin + self._gap[number]
            away = np.minimum((begin - turn) % 360, (turn - end) % 360)
            nearest = np.minimum(nearest, _across(radius, away))
        return nearest


def _across(
    radius: NDArray[np.float64], angle_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the distance from a half-plane; beyond 90° its edge is nearest."""
    distance: NDArray[np.float64] = radius * np.sin(
        np.deg2rad(np.minimum(angle_deg, 90))
    )
    return distance
