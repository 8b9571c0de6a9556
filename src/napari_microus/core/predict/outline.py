"""Draw one closed, smooth outline through a network's evidence, as a person would.

Along each of many rays from the middle of the gland, the log-odds summed from the
middle outwards are largest where the capsule ends: inside, each pixel stands for the
gland, beyond, against it. The best closed path over all rays, found by dynamic
programming, weighs that evidence against sudden changes of radius, so that a shadow or
a bright echo at one place cannot notch the outline. Where the gland leaves the
picture there is no evidence beyond the border, and the outline follows the border.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from napari_microus.core.mask import fill_polygon
from napari_microus.core.predict.components import keep_one_piece

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANGLES = 128
_STEPS = 96  # along a ray
_REACH = 4  # steps by which the radius may change from ray to ray
_ARCS = 4  # into which the turn is cut, to find the path of all at once
_LEAD = 16  # rays walked before an arc: enough to forget where a walk began
_STIFFNESS = 0.2  # price of a step's square, in log-odds times pixels
_SURE = 4.0  # log-odds beyond which a pixel is no more certain
_HARMONICS = 10  # of the radius that are kept; higher ones fade out
_AGREEMENT = 0.93  # Dice with the network's own mask below which a shape is no star
_FALLBACK_SIGMA = 2.0  # pixels of the network
_COSTS = (_STIFFNESS * np.arange(-_REACH, _REACH + 1) ** 2).astype(np.float32)
_TURNS = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
_WAYS = np.stack([np.sin(_TURNS), np.cos(_TURNS)], axis=1)


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
    evidence = logits - np.float32(cut)
    np.clip(evidence, -_SURE, _SURE, out=evidence)
    own = evidence > 0
    keep_one_piece(own)
    if not own.any():
        return np.zeros(shape, dtype=bool)
    # Other pieces and holes do not count.
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
    keep_one_piece(full)
    return full


def best_path(
    evidence: NDArray[np.float32], own: NDArray[np.bool_], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the best closed outline as points (ANGLES, 2): row, column of the frame.

    Points are in pixels of the frame, with pixel centres at whole numbers.
    """
    scale = np.divide(shape, own.shape)
    middle = (_centroid(own) + 0.5) * scale
    border = _to_border(middle, _WAYS, shape)
    # The farthest pixel is the first or the last of its row.
    rows = np.flatnonzero(own.any(axis=1))
    first = own[rows].argmax(axis=1)
    last = own.shape[1] - 1 - own[rows, ::-1].argmax(axis=1)
    ends = np.stack([np.tile(rows, 2), np.concatenate([first, last])], axis=1)
    corners = (ends + 0.5) * scale - middle
    longest = np.hypot(*corners.T).max() * 1.15 + 2 * scale.max()
    step = longest / _STEPS
    radii = (np.arange(_STEPS) + 0.5) * step
    extent = np.divide(2, shape)
    values = _along_rays(evidence, middle * extent - 1, _WAYS * extent, radii)
    # In pixels of the network, so that a price means the same at any size.
    score = np.cumsum(values, axis=1)
    score *= step / scale.mean()
    beyond = radii > border[:, None]
    last = np.maximum((~beyond).sum(axis=1) - 1, 0)
    score[beyond] = -np.inf
    radius = _closed_path(score)
    edge = radius >= last  # the picture ends here
    found = (radius + 1.0) * step
    found += _between(score, radius) * step
    if edge.any() and not edge.all():
        # The gland continues behind the border: smooth it there, then cut it.
        rays = np.arange(ANGLES)
        seen = rays[~edge]
        behind = np.interp(rays[edge], seen, found[seen], period=ANGLES)
        found[edge] = np.maximum(behind, border[edge])
    found = np.minimum(_low_pass(found), border)
    found[edge] = border[edge]
    outline: NDArray[np.float64] = middle + found[:, None] * _WAYS - 0.5
    return outline


def _to_border(
    middle: NDArray[np.float64], ways: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return how far each ray goes until it leaves the picture."""
    far = np.where(ways > 0, np.asarray(shape) - middle, middle)
    with np.errstate(divide="ignore"):
        reach: NDArray[np.float64] = (far / np.abs(ways)).min(axis=1)
    return reach


def _along_rays(
    evidence: NDArray[np.float32],
    middle: NDArray[np.float64],
    ways: NDArray[np.float64],
    radii: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return the evidence along each ray, in a frame that reaches from -1 to 1."""
    grid = np.empty((2, len(ways), len(radii)), dtype=np.float32)
    steps, turned = radii.astype(np.float32), ways.T.astype(np.float32)
    # torch asks for the column first.
    for places, way, start in zip(grid, turned[::-1], middle[::-1], strict=True):
        np.multiply.outer(way, steps, out=places)
        places += np.float32(start)
    values = F.grid_sample(
        torch.from_numpy(evidence)[None, None],
        torch.from_numpy(grid).permute(1, 2, 0)[None],
        padding_mode="border",
        align_corners=False,
    )
    found: NDArray[np.float32] = values[0, 0].numpy()
    return found


def _closed_path(score: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the step of each ray on the best closed path.

    The turn is cut into arcs. Two walkers share each: they set out some rays before it
    and behind it, so that the path of one arc continues in the next, and meet halfway.
    """
    rays, steps = score.shape
    half = rays // _ARCS // 2
    ahead = np.arange(_LEAD + half)[:, None] - _LEAD
    first = np.arange(_ARCS) * 2 * half
    ways = np.concatenate([first + ahead, first + 2 * half - 1 - ahead], axis=1) % rays
    # Best sums up to each step of each ray, with room on both sides.
    sums = np.full((*ways.shape, steps + 2 * _REACH), -np.inf, dtype=np.float32)
    inner = sums[:, :, _REACH:-_REACH]
    # The best of each ray is 0, where float32 is finest.
    inner[:] = (score - score.max(axis=1, keepdims=True))[ways]
    windows = np.lib.stride_tricks.sliding_window_view(sums, steps, axis=2)
    windows = windows.transpose(0, 2, 1, 3)  # the shifts first: quick to compare
    price = _COSTS[:, None, None]
    offers, best = np.empty_like(windows[0]), np.empty_like(inner[0])
    for before, here in zip(windows[:-1], inner[1:], strict=True):
        np.subtract(before, price, out=offers)
        np.maximum.reduce(offers, axis=0, out=best)
        here += best
    others = (windows[-1, :, _ARCS:] - price).max(axis=0)
    places = (inner[-1, :_ARCS] + others).argmax(axis=1)
    places = np.concatenate([places, _came_from(sums[-1, _ARCS:], places)])
    path = np.empty((half, 2 * _ARCS), dtype=np.intp)
    path[-1] = places
    for index in range(half - 2, -1, -1):
        path[index] = places = _came_from(sums[_LEAD + index], places)
    arcs = [path[:, :_ARCS], path[::-1, _ARCS:]]
    return np.concatenate(arcs).T.ravel()


def _came_from(sums: NDArray[np.float32], places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return, for each walker, the step from which its place was reached best."""
    width = sums.shape[1]
    walkers = np.arange(len(sums)) * width
    around = (walkers + places)[:, None] + np.arange(len(_COSTS))
    shift: NDArray[np.intp] = (sums.take(around) - _COSTS).argmax(axis=1) - _REACH
    return (places + shift).clip(0, width - 2 * _REACH - 1)


def _centroid(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean row and column of the set pixels."""
    pixels, ones = mask.astype(np.float32), np.ones(max(mask.shape), np.float32)
    rows, columns = pixels @ ones[: mask.shape[1]], ones[: len(mask)] @ pixels
    sums = [float(n @ np.arange(len(n))) for n in (rows, columns)]
    return np.array(sums) / np.count_nonzero(mask)


def _between(
    score: NDArray[np.float32], radius: NDArray[np.intp]
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
    return mask[rows][:, columns]


def _dice(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    both = np.count_nonzero(one) + np.count_nonzero(two)
    return 2 * np.count_nonzero(one & two) / both if both else 1.0
