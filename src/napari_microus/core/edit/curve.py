"""A capsule's outline as a closed curve through a few handles, and back to a mask.

The curve is the periodic cubic spline through the handles, parametrised by the length
of the chords between them (centripetal parametrisation would cut corners less, but a
capsule has none). A point is (row, column); the centre of the first pixel is (0, 0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicSpline
from skimage.measure import find_contours

from napari_microus.core.errors import InputError
from napari_microus.core.mask import fill_polygon

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A curve has at least and at most as many handles as these.
FEWEST, MOST = 8, 24
#: Handles are added until the curve's mask has this Dice with the mask.
ENOUGH = 0.997
_POINTS = 360
_ROUNDS = 3
# Evenness and detail of other placements, tried where the first gives too little.
_GATHERED = ((0.2, 60), (0.2, 100), (0.4, 60))


def outline_of(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the outer border of a mask's largest piece, closed, at half pixels.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        The capsule of one frame.

    Returns
    -------
    ndarray, shape (n, 2)
        Rows and columns; the first point is not repeated.

    Raises
    ------
    InputError
        If the mask is empty.
    """
    if not mask.any():
        raise InputError(
            "A frame must show a capsule to be outlined; got an empty one. Segment it "
            "or paint a first shape.",
            plain=(
                "There is no capsule in this frame. Segment it, or paint a first shape."
            ),
        )
    padded = np.pad(mask, 1).astype(np.float32)
    contours = find_contours(padded, 0.5)  # type: ignore[no-untyped-call]
    longest = max(contours, key=lambda points: abs(_area(points)))
    return longest[:-1] - 1


def handles_of(
    mask: NDArray[np.bool_], count: int | None = None
) -> NDArray[np.float64]:
    """Return handles whose curve follows a mask's outline.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        The capsule of one frame; its largest piece is taken.
    count : int, optional
        Handles to place; None: as few as give back the mask with a Dice of `ENOUGH`,
        `FEWEST` to `MOST`.

    Returns
    -------
    ndarray, shape (count, 2)
        Closer together where the outline bends.

    Raises
    ------
    InputError
        If the mask is empty.
    """
    outline = resample(outline_of(mask), _POINTS)
    if count is not None:
        return _placed(outline, count)
    for number in range(FEWEST, MOST + 1, 2):
        handles = _placed(outline, number)
        if _likeness(handles, mask) >= ENOUGH:
            return handles
    # A shape of sharp bends: the most handles, gathered there as far as it pays.
    tries = [handles, *(_placed(outline, MOST, *how) for how in _GATHERED)]
    return max(tries, key=lambda handles: _likeness(handles, mask))


def curve_through(
    handles: NDArray[np.float64], points: int = _POINTS
) -> NDArray[np.float64]:
    """Return points (points, 2) along the closed curve through handles (n, 2).

    Raises
    ------
    InputError
        If there are fewer than three different handles.
    """
    handles = np.asarray(handles, dtype=np.float64)
    chords = np.linalg.norm(np.diff(handles, axis=0, append=handles[:1]), axis=1)
    handles, chords = handles[chords > 1e-9], chords[chords > 1e-9]
    if len(handles) < 3:
        raise InputError(
            f"A curve needs at least three handles; got {len(handles)}. Add some, or "
            "clear the frame.",
            plain=(
                "The outline needs three handles at least. Add some, or "
                "clear the frame."
            ),
        )
    along = np.concatenate([[0.0], np.cumsum(chords)])
    closed = np.vstack([handles, handles[:1]])
    spline = CubicSpline(along, closed, bc_type="periodic")
    # As many points between any two handles: moving one leaves the far side alone.
    shares = np.linspace(0, len(handles), points, endpoint=False)
    return np.asarray(spline(np.interp(shares, np.arange(len(along)), along)))


def mask_of(curve: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie inside a closed curve (n, 2).

    What lies outside the picture is cut off.
    """
    return fill_polygon(curve, shape)


def push(
    curve: NDArray[np.float64],
    start: tuple[float, float],
    end: tuple[float, float],
    reach: float,
) -> NDArray[np.float64]:
    """Return a curve (n, 2) moved from ``start`` towards ``end``, softly.

    Points move by the full way where the curve is nearest to ``start``, and by less
    along it: by exp(−½ (s / reach)²) at a distance of s pixels along the curve.
    """
    nearest = int(np.argmin(((curve - start) ** 2).sum(1)))
    steps = np.linalg.norm(np.diff(curve, axis=0, append=curve[:1]), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    apart = np.abs(along[:-1] - along[nearest])
    apart = np.minimum(apart, along[-1] - apart)
    weight = np.exp(-0.5 * (apart / max(reach, 1e-6)) ** 2)
    way = np.asarray(end, dtype=np.float64) - np.asarray(start, dtype=np.float64)
    return np.asarray(curve + weight[:, None] * way)


def nudge(
    curve: NDArray[np.float64],
    start: tuple[float, float],
    end: tuple[float, float],
    radius: float,
) -> NDArray[np.float64]:
    """Return a curve (n, 2) pushed by a soft circle that goes from start to end.

    What lies in the middle of the circle goes all the way with it, what lies at its
    border stays; a point at a distance of d takes (1 − (d / radius)²)² of each step.
    The steps are short enough that the curve can never cross itself.

    Raises
    ------
    InputError
        If the radius is not positive.
    """
    if not radius > 0:
        raise InputError(
            f"The circle's radius must be positive; got {radius}. Try 20 pixels.",
            plain=f"A circle of radius {radius} has no size. Try 20 pixels.",
        )
    begin = np.asarray(start, dtype=np.float64)
    way = np.asarray(end, dtype=np.float64) - begin
    count = max(1, int(np.ceil(4 * np.linalg.norm(way) / radius)))
    for number in range(count):
        apart = ((curve - (begin + way * number / count)) ** 2).sum(1) / radius**2
        curve = curve + (np.maximum(0, 1 - apart) ** 2)[:, None] * way / count
    return np.asarray(curve)


def resample(curve: NDArray[np.float64], points: int) -> NDArray[np.float64]:
    """Return ``points`` points at equal distances along a closed polygon (n, 2)."""
    closed = np.vstack([curve, curve[:1]])
    steps = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    places = np.linspace(0, along[-1], points, endpoint=False)
    return np.stack([np.interp(places, along, closed[:, k]) for k in (0, 1)], axis=1)


def evened(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a curve (n, 2) resampled if a part of it was stretched threefold.

    New points change pixels all round; a curve that was hardly stretched keeps its own.
    """
    gaps = np.linalg.norm(np.diff(curve, axis=0, append=curve[:1]), axis=1)
    return resample(curve, len(curve)) if gaps.max() > 3 * np.median(gaps) else curve


def _likeness(handles: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
    """Return the Dice of a mask with what a curve through handles encloses."""
    again = mask_of(curve_through(handles), mask.shape)
    return float(2 * (again & mask).sum() / max(1, int(again.sum() + mask.sum())))


def _placed(
    outline: NDArray[np.float64], count: int, evenness: float = 0.7, detail: int = 60
) -> NDArray[np.float64]:
    """Return ``count`` handles for an evenly sampled outline, denser where it bends."""
    # Half a pixel's steps are no bends: smooth before the second derivative is taken.
    smooth = _smoothed(outline, sigma=len(outline) / detail)
    bend = np.linalg.norm(
        np.roll(smooth, 1, 0) - 2 * smooth + np.roll(smooth, -1, 0), axis=1
    )
    weight = np.sqrt(bend) + evenness * np.sqrt(bend).mean() + 1e-9
    share = np.concatenate([[0.0], np.cumsum(weight)]) / weight.sum()
    size = len(outline)
    at = np.interp((np.arange(count) + 0.5) / count, share, np.arange(size + 1))
    # The spline is linear in its handles: those of least squares miss the steps.
    return _fitted(outline, at, size)


def _fitted(
    outline: NDArray[np.float64], at: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Return handles at the places ``at`` whose curve is nearest to the outline."""
    count, places = len(at), np.arange(size, dtype=np.float64)
    unit = np.vstack([np.eye(count), np.eye(count)[:1]])
    knots = np.append(at, at[0] + size)
    for _ in range(_ROUNDS):
        basis = CubicSpline(knots, unit, bc_type="periodic")
        handles, *_ = np.linalg.lstsq(basis(places), outline, rcond=None)
        # The curve is drawn by the lengths of its chords: take them as knots.
        chords = np.linalg.norm(np.diff(handles, axis=0, append=handles[:1]), axis=1)
        later = np.concatenate([[0.0], np.cumsum(chords)]) * size / chords.sum()
        around = knots[0] + (places - knots[0]) % size
        places = np.interp(around, knots, later)
        knots = later
    return np.asarray(handles)


def _smoothed(curve: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(curve, sigma, axis=0, mode="wrap"))


def _area(points: NDArray[np.float64]) -> float:
    rows, columns = points[:, 0], points[:, 1]
    return float(np.dot(rows, np.roll(columns, 1)) - np.dot(columns, np.roll(rows, 1)))
