"""Draw one closed, smooth outline through a network's evidence, as a person would.

Along each of many rays from the middle of the gland, the log-odds summed from the
middle outwards are largest where the capsule ends: inside, each pixel speaks for the
gland, beyond, against it. The best closed path over all rays, found by dynamic
programming, weighs that evidence against sudden changes of radius, so that a shadow or
a bright echo at one place cannot notch the outline. Where the gland leaves the
picture there is no evidence beyond the border, and the outline follows the border.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_microus.core.mask import fill_polygon
from napari_microus.core.predict.components import fill_holes, keep_largest_component

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANGLES = 128
_STEPS = 96  # along a ray
_REACH = 4  # steps by which the radius may change from ray to ray
_STIFFNESS = 0.2  # price of a step's square, in log-odds times pixels
_SURE = 4.0  # log-odds beyond which a pixel is no more certain
_HARMONICS = 10  # of the radius that are kept; higher ones fade out
_AGREEMENT = 0.93  # Dice with the network's own mask below which a shape is no star
_FALLBACK_SIGMA = 2.0  # pixels of the network


def smooth_mask(
    logits: NDArray[np.float32], shape: tuple[int, int], cut: float = 0.0
) -> NDArray[np.bool_]:
    """Return the inside of a smooth outline through a frame's log-odds.

    Parameters
    ----------
    logits : ndarray of float32, shape (S, S)
        Log-odds of the capsule at the network's size.
    shape : tuple of int
        Rows and columns of the frame.
    cut : float
        Log-odds of the threshold.

    Returns
    -------
    ndarray of bool, shape ``shape``
        One piece without holes; empty where no pixel is above the threshold. A shape
        that cannot be seen whole from its middle keeps the network's own outline,
        smoothed.
    """
    evidence = np.clip(logits - cut, -_SURE, _SURE)
    own = evidence > 0
    keep_largest_component(own)
    fill_holes(own)
    if not own.any():
        return np.zeros(shape, dtype=bool)
    # Other pieces and holes have no say.
    evidence = np.where(own, np.maximum(evidence, 0.1), np.minimum(evidence, -0.1))
    path = best_path(evidence, own, shape)
    inside = fill_polygon(path, shape)
    if _dice(_at_network(inside, own.shape), own) >= _AGREEMENT:
        return inside
    softened = ndimage.gaussian_filter(evidence, _FALLBACK_SIGMA, mode="nearest")
    rows, columns = (
        (np.arange(n) + 0.5) * s / n - 0.5
        for n, s in zip(shape, own.shape, strict=True)
    )
    grid = np.meshgrid(rows, columns, indexing="ij")
    full: NDArray[np.bool_] = (
        ndimage.map_coordinates(softened, grid, order=1, mode="nearest") > 0
    )
    keep_largest_component(full)
    fill_holes(full)
    return full


def best_path(
    evidence: NDArray[np.float32], own: NDArray[np.bool_], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the best closed outline as points (ANGLES, 2): row, column of the frame.

    Points are in pixels of the frame, with pixel centres at whole numbers.
    """
    scale = np.divide(shape, own.shape)
    middle = (np.argwhere(own).mean(axis=0) + 0.5) * scale
    turns = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    ways = np.stack([np.sin(turns), np.cos(turns)], axis=1)
    border = _to_border(middle, ways, shape)
    corners = (np.argwhere(own) + 0.5) * scale - middle
    longest = np.hypot(*corners.T).max() * 1.15 + 2 * scale.max()
    step = longest / _STEPS
    radii = (np.arange(_STEPS) + 0.5) * step
    places = (middle + radii[:, None] * ways[:, None]) / scale - 0.5
    values = ndimage.map_coordinates(
        evidence, np.moveaxis(places, -1, 0), order=1, mode="nearest"
    )
    # In pixels of the network, so that a price means the same at any size.
    score = np.cumsum(values, axis=1) * (step / scale.mean())
    beyond = radii > border[:, None]
    last = np.maximum((~beyond).sum(axis=1) - 1, 0)
    score[beyond] = -np.inf
    radius = _closed_path(score)
    edge = radius >= last  # the picture ends here
    found = (radius + 1.0) * step
    found += _between(score, radius) * step
    if edge.any() and not edge.all():
        # The gland goes on behind the border: smooth it there, then cut it.
        rays = np.arange(ANGLES)
        seen = rays[~edge]
        behind = np.interp(rays[edge], seen, found[seen], period=ANGLES)
        found[edge] = np.maximum(behind, border[edge])
    found = np.minimum(_low_pass(found), border)
    found[edge] = border[edge]
    outline: NDArray[np.float64] = middle + found[:, None] * ways - 0.5
    return outline


def _to_border(
    middle: NDArray[np.float64], ways: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return how far each ray goes until it leaves the picture."""
    far = np.where(ways > 0, np.asarray(shape) - middle, middle)
    with np.errstate(divide="ignore"):
        reach: NDArray[np.float64] = (far / np.abs(ways)).min(axis=1)
    return reach


def _closed_path(score: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the step of each ray on the best closed path."""
    rays, steps = score.shape
    # Half a turn before and behind: the turn in the middle is closed.
    order = np.arange(-(rays // 2), rays + rays // 2) % rays
    shifts = np.arange(-_REACH, _REACH + 1)
    price = (_STIFFNESS * shifts.astype(np.float64) ** 2)[:, None]
    padded = np.full(steps + 2 * _REACH, -np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, steps)
    came = np.empty((len(order), steps), dtype=np.intp)
    offers = np.empty((len(shifts), steps))
    middle = padded[_REACH:-_REACH]
    middle[:] = score[order[0]]
    for number, ray in enumerate(order[1:], start=1):
        np.subtract(windows, price, out=offers)
        offers.argmax(axis=0, out=came[number])
        np.add(offers.max(axis=0), score[ray], out=middle)
    place = int(middle.argmax())
    path = np.empty(len(order), dtype=np.intp)
    moves = (came - _REACH).tolist()
    for number in range(len(order) - 1, 0, -1):
        path[number] = place
        place = min(max(place + moves[number][place], 0), steps - 1)
    path[0] = place
    return path[rays // 2 : rays // 2 + rays]


def _between(
    score: NDArray[np.float64], radius: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return by how much of a step each ray's best radius lies off the whole step."""
    rays = np.arange(len(radius))
    inner, outer = np.maximum(radius - 1, 0), np.minimum(radius + 1, score.shape[1] - 1)
    before, here, after = (score[rays, r] for r in (inner, radius, outer))
    with np.errstate(invalid="ignore", divide="ignore"):
        bend = before - 2 * here + after
        off = np.where(bend < 0, (before - after) / (2 * bend), 0.0)
    return np.nan_to_num(off, nan=0.0, posinf=0.0, neginf=0.0).clip(-0.5, 0.5)


def _low_pass(radius: NDArray[np.float64]) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(radius)
    number = np.arange(len(spectrum))
    spectrum *= np.exp(-((number / _HARMONICS) ** 4))
    smoothed: NDArray[np.float64] = np.fft.irfft(spectrum, len(radius))
    return smoothed


def _at_network(mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    rows, columns = (
        ((np.arange(s) + 0.5) * n / s).astype(int)
        for n, s in zip(mask.shape, shape, strict=True)
    )
    return mask[np.ix_(rows, columns)]


def _dice(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    both = int(one.sum()) + int(two.sum())
    return 2 * int((one & two).sum()) / both if both else 1.0
