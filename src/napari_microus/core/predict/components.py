"""Largest component and filled holes of a frame, found on runs of pixels.

A capsule crosses a row once or twice, so a frame of 1.3 million pixels is a
thousand runs; joining those takes a tenth of the time of labelling pixels. The
result is that of ``scipy.ndimage.label`` and ``binary_fill_holes`` with their
default structures (neighbours share an edge), pixel for pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class _Runs:
    """Runs of set pixels in raster order: row, first column, column after the last."""

    row: NDArray[np.intp]
    start: NDArray[np.intp]
    stop: NDArray[np.intp]
    component: NDArray[np.int32]

    @property
    def length(self) -> NDArray[np.intp]:
        return self.stop - self.start


def keep_largest_component(mask: NDArray[np.bool_]) -> None:
    """Clear all but the largest component of a frame, in place.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        Of equally large components the one that begins first is kept.
    """
    runs = _runs(mask)
    if runs.component.size == 0:
        return
    size = np.bincount(runs.component, weights=runs.length)
    _paint(mask, runs, runs.component != size.argmax(), value=False)


def fill_holes(mask: NDArray[np.bool_]) -> None:
    """Set the background that the border cannot reach, in place.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        A hole open only across a corner counts as closed.
    """
    rows, columns = mask.shape
    runs = _runs(~mask)
    if runs.component.size == 0:
        return
    at_border = (
        (runs.row == 0)
        | (runs.row == rows - 1)
        | (runs.start == 0)
        | (runs.stop == columns)
    )
    is_open = np.zeros(runs.component.max() + 1, dtype=bool)
    is_open[runs.component[at_border]] = True
    _paint(mask, runs, ~is_open[runs.component], value=True)


def keep_one_piece(mask: NDArray[np.bool_]) -> None:
    """Keep the largest component of a frame and fill what it encloses, in place.

    Most frames are one piece already, which takes one look at their runs.
    """
    if not _is_one_piece(mask):
        keep_largest_component(mask)
        fill_holes(mask)


def _is_one_piece(mask: NDArray[np.bool_]) -> bool:
    """Return whether one run a row and its overlap with the next show it at once.

    Where each row from the first to the last has one run, and it shares a column with
    the one above, the runs are connected, and what is left of a row reaches the
    border on its side: one component without holes. False says nothing.
    """
    first, last = _edges(mask)
    width = mask.shape[1] + 1
    follows = np.diff(first // width) == 1
    overlaps = (first[1:] < last[:-1] + width) & (first[:-1] + width < last[1:])
    return bool((follows & overlaps).all())


def _edges(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where runs begin and end, counted in rows of one more than the columns."""
    rows, columns = mask.shape
    padded = np.zeros((rows, columns + 2), dtype=bool)
    padded[:, 1:-1] = mask
    # A change lies before each pixel and after the last.
    change = np.flatnonzero(padded[:, 1:] != padded[:, :-1])
    return change[::2], change[1::2]


def _runs(mask: NDArray[np.bool_]) -> _Runs:
    width = mask.shape[1] + 1
    first, last = _edges(mask)
    row, start, stop = first // width, first % width, last % width

    # Runs of the next row that overlap [start, stop): from the first that ends
    # after `start` to the last that begins before `stop`.
    low = np.searchsorted(last, first + width, side="right")
    high = np.searchsorted(first, last + width, side="left")
    count = np.maximum(high - low, 0)
    if len(first) == 0:
        return _Runs(row, start, stop, np.empty(0, dtype=np.int32))
    total = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    below = np.repeat(low - total[:-1], count) + np.arange(total[-1])
    # In the form and the types in which the graph is searched: half the time.
    graph = csr_array(
        (np.ones(len(below)), below.astype(np.int32), total), shape=(len(first),) * 2
    )
    component = connected_components(graph, directed=False)[1]
    return _Runs(row, start, stop, component)


def _paint(
    mask: NDArray[np.bool_], runs: _Runs, chosen: NDArray[np.bool_], *, value: bool
) -> None:
    for row, start, stop in zip(
        runs.row[chosen].tolist(),
        runs.start[chosen].tolist(),
        runs.stop[chosen].tolist(),
        strict=True,
    ):
        mask[row, start:stop] = value
