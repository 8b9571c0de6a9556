"""Carry an outline from frame to frame through a sweep, by what the images show.

From one frame to the next, each point of the outline looks along its normal for the
place whose grey levels, from inside to outside, are most like those it had: the best
closed path over all normals, found by dynamic programming, keeps neighbours together.
Where the likeness is lost, or the outline changes its size at once, it stops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

from napari_microus.core.edit.curve import mask_of, outline_of, resample
from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

_POINTS = 96
# Of the outline's diameter: profile to either side, and how far a point may move.
_PROFILE, _MOVE = 0.09, 0.06
_SAMPLES, _PLACES = 13, 15
_STIFFNESS = 0.35  # price of a place's square between neighbours, in likenesses
#: Mean correlation of the profiles below which the gland is lost.
LEAST_LIKENESS = 0.45
_LARGEST_CHANGE = 0.25  # of the area, from frame to frame


@dataclass(frozen=True)
class Propagated:
    """The frames that were reached.

    Attributes
    ----------
    masks : dict of int to ndarray of bool, shape (Y, X)
        By frame, without the one it began from.
    stopped_at : int, optional
        The frame where the gland was lost; None where the last one was reached.
    """

    masks: dict[int, NDArray[np.bool_]]
    stopped_at: int | None

    @property
    def sentence(self) -> str:
        """What happened, for the user."""
        done = f"The outline was carried through {len(self.masks)} frames"
        if self.stopped_at is None:
            return f"{done}."
        return (
            f"{done} and stopped before frame {self.stopped_at}, where the image no "
            "longer looks like the frame before. Correct that one, and continue there."
        )


def propagate(
    scan: NDArray[np.generic], mask: NDArray[np.bool_], start: int, end: int
) -> Generator[Event, None, Propagated]:
    """Carry the outline of frame ``start`` to frame ``end``.

    Parameters
    ----------
    scan : ndarray, shape (Z, Y, X)
        Intensities.
    mask : ndarray of bool, shape (Y, X)
        The capsule in frame ``start``.
    start, end : int
        Frames; ``end`` may lie before ``start``.

    Yields
    ------
    Event
        `Progress` after every frame.

    Raises
    ------
    InputError
        If the frames do not exist or are the same, or the mask is empty.
    """
    count = len(scan)
    if start == end or not (0 <= start < count and 0 <= end < count):
        raise InputError(
            f"An outline is carried to another frame of 0 to {count - 1}; got {start} "
            f"to {end}. Choose a frame before or after.",
            plain=(
                "There is no frame in that direction. Choose a frame before or after."
            ),
        )
    curve = resample(outline_of(mask), _POINTS)
    step = 1 if end > start else -1
    frames = range(start + step, end + step, step)
    shown = _prepared(scan[start], curve)
    found: dict[int, NDArray[np.bool_]] = {}
    for done, frame in enumerate(frames):
        yield Progress(done, len(frames), "frames", "Carrying the outline")
        target = _prepared(scan[frame], curve)
        moved, likeness = _followed(shown, target, curve, mask.shape)
        change = _area(moved) / _area(curve) - 1
        if likeness < LEAST_LIKENESS or abs(change) > _LARGEST_CHANGE:
            return Propagated(found, frame)
        curve, shown = moved, target
        found[frame] = mask_of(curve, mask.shape)
    yield Progress(len(frames), len(frames), "frames", "Carrying the outline")
    return Propagated(found, None)


def _prepared(
    frame: NDArray[np.generic], curve: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return a frame in which speckle is smaller than a profile's samples."""
    sigma = _diameter(curve) * _PROFILE / _SAMPLES
    return np.asarray(gaussian_filter(frame.astype(np.float32), sigma))


def _followed(
    before: NDArray[np.float32],
    now: NDArray[np.float32],
    curve: NDArray[np.float64],
    shape: tuple[int, int],
) -> tuple[NDArray[np.float64], float]:
    """Return the curve in the next frame, and how alike the profiles are there."""
    diameter = _diameter(curve)
    normals = _normals(curve)
    profile = np.linspace(-1, 1, _SAMPLES) * _PROFILE * diameter
    places = np.linspace(-1, 1, _PLACES) * _MOVE * diameter
    model = _profiles(before, curve, normals, profile)
    likeness = np.stack(
        [
            _correlation(model, _profiles(now, curve + p * normals, normals, profile))
            for p in places
        ],
        axis=1,
    )
    # At the picture's border there is nothing to compare with: stay.
    rows, columns = curve.T
    margin = 0.01 * diameter
    is_border = (rows < margin) | (rows > shape[0] - 1 - margin)
    is_border |= (columns < margin) | (columns > shape[1] - 1 - margin)
    likeness[is_border] = 0.0
    path = _best_closed_path(1 - likeness, _STIFFNESS)
    mean = (
        likeness[np.arange(len(path)), path][~is_border].mean()
        if (~is_border).any()
        else 0.0
    )
    offset = gaussian_filter1d(places[path], 1.5, mode="wrap")
    moved = curve + offset[:, None] * normals
    moved = gaussian_filter1d(moved, 0.7, axis=0, mode="wrap")
    moved = np.clip(moved, -0.5, np.array(shape) - 0.5)
    return resample(moved, len(curve)), float(mean)


def _profiles(
    frame: NDArray[np.float32],
    curve: NDArray[np.float64],
    normals: NDArray[np.float64],
    along: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return the grey levels (points, samples) across a curve."""
    at = curve[:, None, :] + along[None, :, None] * normals[:, None, :]
    return np.asarray(
        map_coordinates(frame, at.transpose(2, 0, 1), order=1, mode="nearest")
    )


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the correlation of each row's neighbourhood of three with the other's."""
    a, b = (np.concatenate([np.roll(x, k, 0) for k in (-1, 0, 1)], 1) for x in (a, b))
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    size = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return np.asarray((a * b).sum(1) / np.maximum(size, 1e-6))


def _best_closed_path(cost: NDArray[np.float32], stiffness: float) -> NDArray[np.intp]:
    """Return the place (n,) at each point of the cheapest path, nearly closed.

    The path is found over two rounds and read from the middle of them, where its ends
    do not count.
    """
    count, places = cost.shape
    steps = np.arange(places)
    price = stiffness * ((steps[:, None] - steps[None]) / places * 4) ** 2
    total, back = cost[0].copy(), []
    for row in np.concatenate([cost[1:], cost]):
        ways = total[:, None] + price
        back.append(ways.argmin(0))
        total = ways.min(0) + row
    path = [int(total.argmin())]
    for choices in reversed(back):
        path.append(int(choices[path[-1]]))
    whole = np.array(path[::-1])
    half = count // 2
    return np.roll(whole[half : half + count], half)


def _normals(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit normals that point outwards."""
    smooth = gaussian_filter1d(curve, 2.0, axis=0, mode="wrap")
    tangent = np.roll(smooth, -1, 0) - np.roll(smooth, 1, 0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    outwards = ((curve - curve.mean(0)) * normal).sum() >= 0
    return np.asarray(normal if outwards else -normal)


def _diameter(curve: NDArray[np.float64]) -> float:
    return max(8.0, float(np.sqrt(4 * _area(curve) / np.pi)))


def _area(curve: NDArray[np.float64]) -> float:
    rows, columns = curve.T
    return 0.5 * abs(
        float(rows @ np.roll(columns, 1)) - float(columns @ np.roll(rows, 1))
    )
