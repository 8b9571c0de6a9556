"""Split the ring between two contours into stretches of boundary.

Two annotators' difference is mostly one ring round the gland. What a person judges at
once is a stretch of it: it ends where the contours cross or come within a pixel, and
where it is long, after a sector.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage as ndi

from napari_microus.core.compare.surfaces import crop_to
from napari_microus.core.disagreement import BOTH, EXPERT_ONLY, NONEXPERT_ONLY

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A gap of a pixel or less is none that anybody would judge.
_NARROW_PX = 1.0
# A stretch whose widest gap is less goes to its neighbour.
_THIN_PX, _THIN_MM = 2.0, 0.25
# Of the way round the gland, so that long stretches are cut into sectors.
_LONGEST = 1 / 8
# Over how many steps along the boundary the gap is averaged.
_SMOOTH = 5
# The line between the contours needs no finer pixels.
_STEP_MM = 0.125


def boundary_between(
    codes: NDArray[np.uint8], pixel_mm: float = 1.0
) -> NDArray[np.float64]:
    """Return the line midway between two contours.

    Parameters
    ----------
    codes : ndarray of uint8, shape (Y, X)
        One frame of a `disagreement_map`.
    pixel_mm : float
        Width of a pixel; the line is found on pixels of about 0.125 mm.

    Returns
    -------
    ndarray, shape (N, 2)
        Rows and columns one such step apart along the longest line; empty where the
        annotators share no pixel.
    """
    from skimage.measure import find_contours

    nothing = np.empty((0, 2))
    step = _step(pixel_mm)
    coarse = codes[step // 2 :: step, step // 2 :: step]
    inner = coarse == BOTH
    outer = inner | (coarse == EXPERT_ONLY) | (coarse == NONEXPERT_ONLY)
    box = crop_to(outer, margin=1)
    if box is None or not inner.any():
        return nothing
    # With a margin, so that lines close where the gland meets the picture's border.
    depth = _signed(np.pad(outer[box], 1)) + _signed(np.pad(inner[box], 1))
    lines: list[Any] = find_contours(depth, 0.0)  # type: ignore[no-untyped-call]
    if not lines:
        return nothing
    origin = np.array([box[0].start - 1, box[1].start - 1])
    line: NDArray[np.float64] = (max(lines, key=len) + origin) * step + step // 2
    return line


def places_on(
    line: NDArray[np.float64],
    pixels: tuple[NDArray[np.int64], ...],
    pixel_mm: float = 1.0,
) -> NDArray[np.int64]:
    """Return which point of a line is nearest to each pixel (rows, columns)."""
    from scipy.spatial import cKDTree

    step = _step(pixel_mm)
    cells = np.column_stack(pixels) // step
    width = int(cells[:, 1].max(initial=0)) + 1
    keys, back = np.unique(cells[:, 0] * width + cells[:, 1], return_inverse=True)
    middles = np.column_stack(np.divmod(keys, width)) * step + step // 2
    places: NDArray[np.int64] = cKDTree(line).query(middles)[1][back.ravel()]
    return places


def _step(pixel_mm: float) -> int:
    return max(1, round(_STEP_MM / pixel_mm))


def split_stretches(
    labels: NDArray[np.int32], codes: NDArray[np.uint8], pixel_mm: float = 1.0
) -> NDArray[np.int32]:
    """Number the stretches of the ring between two contours in one frame.

    Parameters
    ----------
    labels : ndarray of int, shape (Y, X)
        Connected disputed regions, numbered from 1; 0 elsewhere.
    codes : ndarray of uint8, shape (Y, X)
        The `disagreement_map` of that frame.
    pixel_mm : float
        Width of a pixel; stretches with gaps of less than 0.25 mm (or two pixels)
        are joined with others.

    Returns
    -------
    ndarray of int, shape (Y, X)
        Stretches and other regions, numbered from 1. Specks along a stretch belong to
        it. What does not touch the pixels that both drew is no part of the ring, and
        stays as it is.
    """
    line = boundary_between(codes, pixel_mm)
    where = np.nonzero(labels)
    region = labels[where]
    piece = np.zeros_like(region)
    shared = ndi.binary_dilation(codes == BOTH, np.ones((3, 3), bool))
    on_ring = np.isin(region, np.unique(labels[shared & (labels > 0)]))
    if len(line) > 1 and on_ring.any():
        ring = tuple(axis[on_ring] for axis in where)
        position = places_on(line, ring, pixel_mm)
        drew_more = np.where(codes[ring] == EXPERT_ONLY, 1, -1)
        gap = np.bincount(position, weights=drew_more, minlength=len(line))
        thin = max(_THIN_PX, _THIN_MM / pixel_mm)
        cuts = _cuts(gap / _step(pixel_mm), thin)
        if len(cuts):
            after = np.searchsorted(cuts, position, side="right")
            piece[on_ring] = after % len(cuts)
        region[on_ring] = 0
    key = region.astype(np.int64) * (int(piece.max(initial=0)) + 1) + piece
    _, numbers = np.unique(key, return_inverse=True)
    split = np.zeros_like(labels)
    split[where] = numbers.ravel() + 1
    return split


def _cuts(gap: NDArray[np.float64], thin: float) -> NDArray[np.int64]:
    """Return where a closed line is cut, ascending.

    ``gap`` is the gap at each of its points in pixels, negative where the expert draws
    smaller; a piece whose widest gap is less than ``thin`` is joined with another.
    """
    length = len(gap)
    gap = ndi.uniform_filter1d(gap, _SMOOTH, mode="wrap")
    pieces = _merged(_runs_of_one_side(gap), gap, thin)
    if not pieces:
        return np.empty(0, np.int64)
    longest = max(8, math.ceil(length * _LONGEST))
    cuts: list[int] = []
    for start, stop in pieces:
        cuts += [start, *_sectors(gap, start, stop, longest)]
    found: NDArray[np.int64] = np.unique(np.array(cuts, np.int64) % length)
    return found if len(found) > 1 else np.empty(0, np.int64)


def _runs_of_one_side(gap: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return stretches of the closed line in which one annotator draws larger.

    They follow one another without a gap; each ends in the middle of what lies
    between it and the next. The last may end past the line's length.
    """
    side = np.where(np.abs(gap) > _NARROW_PX, np.sign(gap), 0).astype(int)
    length = len(side)
    on = np.flatnonzero(side)
    if not on.size:
        return []
    same = (np.diff(on) == 1) & (np.diff(side[on]) == 0)
    starts = on[np.r_[True, ~same]]
    stops = on[np.r_[~same, True]] + 1
    wraps = starts[0] == 0 and stops[-1] == length and side[0] == side[-1]
    if wraps and len(starts) > 1:
        starts, stops = starts[1:], np.r_[stops[1:-1], stops[0] + length]
    elif wraps:
        return [(0, length)]
    following = np.r_[starts[1:], starts[0] + length]
    middle = (stops + following) // 2
    begins = np.r_[middle[-1] - length, middle[:-1]]
    return [(int(a), int(b)) for a, b in zip(begins, middle, strict=True)]


def _merged(
    pieces: list[tuple[int, int]], gap: NDArray[np.float64], thin: float
) -> list[tuple[int, int]]:
    """Join pieces too thin to be judged with the wider of their neighbours."""
    pieces = list(pieces)
    while len(pieces) > 1:
        widths = [_widest(gap, piece) for piece in pieces]
        thinnest = int(np.argmin(widths))
        if widths[thinnest] >= thin:
            break
        before, after = thinnest - 1, (thinnest + 1) % len(pieces)
        other = before if widths[before] >= widths[after] else after
        start, stop = pieces[thinnest]
        if other == before:
            pieces[before] = (pieces[before][0], _past(stop, pieces[before][0], gap))
        else:
            pieces[after] = (start, _past(pieces[after][1], start, gap))
        del pieces[thinnest]
    return pieces


def _past(stop: int, start: int, gap: NDArray[np.float64]) -> int:
    """Return ``stop`` at the first time round after ``start``."""
    return start + (stop - start - 1) % len(gap) + 1


def _widest(gap: NDArray[np.float64], piece: tuple[int, int]) -> float:
    return float(np.abs(gap.take(range(*piece), mode="wrap")).max(initial=0.0))


def _sectors(
    gap: NDArray[np.float64], start: int, stop: int, longest: int
) -> list[int]:
    """Return where a long piece is cut: where the gap is narrow, about evenly."""
    parts = -(-(stop - start) // longest)
    cuts = []
    for part in range(1, parts):
        even = start + (stop - start) * part // parts
        near = (stop - start) // parts // 4
        window = np.abs(gap.take(range(even - near, even + near + 1), mode="wrap"))
        cuts.append(even - near + int(window.argmin()))
    return cuts


def _signed(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance to the edge in pixels, negative inside."""
    outside = ndi.distance_transform_edt(~mask)
    inside = ndi.distance_transform_edt(mask)
    signed: NDArray[np.float64] = outside - inside
    return signed
