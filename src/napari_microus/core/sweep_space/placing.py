"""Where each frame of a sweep lies.

The affine of a scan states one plane and a direction from frame to frame. Parallel
frames follow each other along it. Of a rotational sweep, that plane is the frame of
angle 0, whether or not there is a frame of this angle; the others are turned about the
axis, so that what lies beyond it (to the right, or below) moves in the affine's
direction from frame to frame; what lies before it does, where the axis is beyond three
quarters of the picture. The sign of the angles does not count: rising and falling mean
the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.sweep import Sweep, sweep_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume

# Rows and columns that are less than a thousandth off a right angle can be turned.
_RIGHT_ANGLE = 1e-3
# Of the picture: where the axis lies further, what is before it leads the turn. Few
# axes are near this place: they are beside the picture, close to its border or in its
# middle.
_LEADS_BEFORE = 0.75


@dataclass(frozen=True, eq=False)
class Axes:
    """The directions of a scan: of the lines of a frame, along them, and across.

    Parameters
    ----------
    origin : ndarray, shape (3,)
        The first pixel of the plane that the affine states, in RAS mm.
    along, across, between : ndarray, shape (3,)
        Unit vectors. Lines are rows, and ``along`` runs from column to column; where
        the axis of a rotation runs along rows, lines are columns. ``across`` runs from
        line to line, ``between`` from frame to frame.
    line_mm, step_mm, frame_mm : float
        Distance of two lines, of two pixels of a line, and of two frames.
    lines_are_rows : bool
        Whether lines are rows.
    """

    origin: NDArray[np.float64]
    along: NDArray[np.float64]
    across: NDArray[np.float64]
    between: NDArray[np.float64]
    line_mm: float
    step_mm: float
    frame_mm: float
    lines_are_rows: bool

    def of_frames(self, frames: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return a frame, or frames, with lines as the axis before the last."""
        return frames if self.lines_are_rows else np.swapaxes(frames, -1, -2)


def known_sweep(volume: Volume, sweep: Sweep | None = None) -> Sweep:
    """Return a scan's sweep as "parallel" or "rotational".

    Raises
    ------
    InputError
        If the scan states no pixel size or has one frame, if neither a distance of the
        frames nor a sweep is known, or the angles are not one for each frame.
    """
    if not volume.has_geometry:
        raise InputError(
            "To lie in space, a scan must state its pixel size; got none. Set the "
            "pixel size.",
            plain=("The pixel size is not known. State it under Scan properties."),
        )
    count = len(volume.array)
    if count < 2:
        raise InputError(
            "To lie in space, a sweep must have two or more frames; got one. Open the "
            "whole sweep.",
            plain="One frame is no sweep. Open the whole sweep.",
        )
    sweep = sweep_of(volume.metadata) if sweep is None else sweep
    if sweep.kind == "rotational":
        if len(sweep.angles_deg or ()) != count:
            raise InputError(
                "A rotational sweep must have an angle for each frame; got "
                f"{len(sweep.angles_deg or ())} angles and {count} frames. Correct the "
                "angles.",
                plain=(
                    f"The scan has {count} frames and its sweep "
                    f"{len(sweep.angles_deg or ())} angles. Correct the angles."
                ),
            )
        return sweep
    if not volume.knows_frame_distance:
        raise InputError(
            "To lie in space, a scan must state the distance of its frames or the "
            "angles of a sweep; got neither. Set one of them as a scan property.",
            plain=(
                "It is not known how the frames lie to each other. State "
                "their distance or angles under Scan properties."
            ),
        )
    return Sweep("parallel")


def axes_of(volume: Volume, sweep: Sweep) -> Axes:
    """Return the directions of a scan.

    Raises
    ------
    InputError
        If the frames of a rotational sweep have rows and columns that are not at a
        right angle.
    """
    frame_mm, row_mm, column_mm = volume.spacing_mm
    right, down, between = (volume.affine[:3, :3] / volume.spacing_mm[::-1]).T
    if sweep.kind == "rotational":
        if abs(right @ down) > _RIGHT_ANGLE:
            raise InputError(
                "Rows and columns of a rotational sweep must be at a right angle; got "
                f"{np.degrees(np.arccos(right @ down)):.1f}°. Remove the layer's "
                "shear.",
                plain=(
                    "The layer is sheared, so that its sweep cannot be laid into "
                    "space. Remove the layer's shear."
                ),
            )
        normal = np.cross(right, down)
        between = normal if normal @ between > 0 else -normal
    lines_are_rows = sweep.axis_along != "rows"
    along, across = (right, down) if lines_are_rows else (down, right)
    line_mm, step_mm = (row_mm, column_mm) if lines_are_rows else (column_mm, row_mm)
    origin = volume.affine[:3, 3]
    return Axes(
        origin, along, across, between, line_mm, step_mm, frame_mm, lines_are_rows
    )


def turning(
    sweep: Sweep, line_mm: float, lines: int
) -> tuple[NDArray[np.float64], int]:
    """Return each frame's angle, rising, and the part that leads the turn.

    Parameters
    ----------
    sweep : Sweep
        A rotational one.
    line_mm : float
        Distance of two lines.
    lines : int
        How many lines a frame has.

    Returns
    -------
    angles_deg : ndarray, shape (frames,)
        Rising.
    side : int
        1 where the part of the picture beyond the axis, in the direction from line to
        line, leads the turn; -1 where the part before it does.
    """
    angles = np.asarray(sweep.angles_deg, dtype=np.float64)
    if angles[-1] < angles[0]:
        angles = -angles
    place = float(sweep.axis_at_mm or 0.0) / line_mm
    return angles, 1 if place <= _LEADS_BEFORE * (lines - 1) else -1


def frame_affines(volume: Volume, *, sweep: Sweep | None = None) -> NDArray[np.float64]:
    """Return where the pixels of each frame lie.

    Parameters
    ----------
    volume : Volume
        Scan or mask with its pixel size; its metadata may state the sweep.
    sweep : Sweep, optional
        Instead of the one that the metadata states.

    Returns
    -------
    ndarray, shape (frames, 4, 4)
        (column, row, 0, 1) of a pixel's centre to RAS mm. The third column is the
        frame's normal, towards the next frame, 1 mm long for a rotational sweep and
        the way to the next frame for a parallel one.

    Raises
    ------
    InputError
        If the geometry is not known; see `known_sweep`.
    """
    sweep = known_sweep(volume, sweep)
    count = len(volume.array)
    affines = np.tile(volume.affine, (count, 1, 1))
    if sweep.kind == "parallel":
        affines[:, :3, 3] += np.arange(count)[:, np.newaxis] * volume.affine[:3, 2]
        return affines
    axes = axes_of(volume, sweep)
    line_axis = 1 if axes.lines_are_rows else 0
    lines = volume.shape[1 if axes.lines_are_rows else 2]
    angles, side = turning(sweep, axes.line_mm, lines)
    at_mm = float(sweep.axis_at_mm or 0.0)
    cos, sin = np.cos(np.deg2rad(angles)), side * np.sin(np.deg2rad(angles))
    across = np.outer(cos, axes.across) + np.outer(sin, axes.between)
    affines[:, :3, line_axis] = across * axes.line_mm
    affines[:, :3, 2] = np.outer(cos, axes.between) - np.outer(sin, axes.across)
    affines[:, :3, 3] = axes.origin + at_mm * (axes.across - across)
    return affines
