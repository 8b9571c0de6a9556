"""Where in the patient two annotators differ most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.disagreement import BOTH, EXPERT_ONLY, NONEXPERT_ONLY
from napari_microus.core.events import Event, Progress, drain

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

# Nearer to another axis than this (cosine of 30 degrees) an oblique axis has no name.
_STRAIGHT = 0.866
_OF_PICTURE = (
    ("upper half of the picture", "lower half of the picture"),
    ("left half of the picture", "right half of the picture"),
)
# Ends of the world axes of RAS, as seen from the middle of the patient.
_ENDS = (("left", "right"), ("posterior", "anterior"), ("foot", "head"))


@dataclass(frozen=True)
class PlaceShare:
    """How much of the disagreement lies in one place.

    ``share`` is of all disputed pixels; ``disputed_of_drawn`` is disputed pixels
    of this place over all pixels drawn here by anyone. NaN where nobody drew.
    """

    place: str
    expert_only_px: int
    nonexpert_only_px: int
    both_px: int
    share: float
    disputed_of_drawn: float


def axis_ends(
    affine: NDArray[np.float64] | None,
) -> tuple[tuple[str, str], tuple[str, str]]:
    """Name the first and last row, and the first and last column.

    Parameters
    ----------
    affine : ndarray, shape (4, 4), or None
        Voxel index (column, row, frame) to RAS mm; None where the file states no
        orientation (`Volume.patient_affine`). Halves of the picture are named then,
        and where an axis lies more than 30 degrees from the patient's.

    Returns
    -------
    tuple of two (str, str)
        For rows and for columns, the direction of lower and of higher index.
    """
    if affine is None:
        return _OF_PICTURE
    directions = affine[:3, [1, 0]] / np.linalg.norm(affine[:3, [1, 0]], axis=0)
    rows, columns = (int(np.abs(d).argmax()) for d in directions.T)
    if rows == columns or (np.abs(directions).max(axis=0) < _STRAIGHT).any():
        return _OF_PICTURE

    def ends(axis: int, direction: float) -> tuple[str, str]:
        low, high = _ENDS[axis]
        return (low, high) if direction > 0 else (high, low)

    return ends(rows, directions[rows, 0]), ends(columns, directions[columns, 1])


def disagreement_by_place(
    codes: NDArray[np.uint8], affine: NDArray[np.float64] | None
) -> list[PlaceShare]:
    """Split the disagreement by direction and by third of the sweep.

    Rows and columns are split frame by frame at the centre of all that anyone drew
    there, so the halves follow the gland and not the picture. The thirds are those
    of the frames in which anyone drew.

    Parameters
    ----------
    codes : ndarray of uint8, shape (Z, Y, X)
        A `disagreement_map`.
    affine : ndarray, shape (4, 4), or None
        Names the directions; see `axis_ends`.

    Returns
    -------
    list of PlaceShare
        Columns' two ends, rows' two ends, then first, middle and last third.
    """
    return drain(places_of_disagreement(codes, affine))


def places_of_disagreement(
    codes: NDArray[np.uint8], affine: NDArray[np.float64] | None
) -> Generator[Event, None, list[PlaceShare]]:
    """Do what `disagreement_by_place` does; yields after each frame."""
    rows, columns = axis_ends(affine)
    names = (*columns, *rows)
    table = {name: np.zeros(5, np.int64) for name in names}
    per_frame: dict[int, NDArray[np.int64]] = {}
    for number, frame in enumerate(codes):
        for name, part in _halves(frame, rows, columns):
            table[name] += np.bincount(part.ravel(), minlength=5)[:5]
        count = np.bincount(frame.ravel(), minlength=5)[:5]
        if count[BOTH] + count[EXPERT_ONLY] + count[NONEXPERT_ONLY]:
            per_frame[number] = count
        yield Progress(number + 1, len(codes), message="Looking where they differ")
    thirds = np.array_split(np.array(sorted(per_frame), int), 3)
    for name, third in zip(("first", "middle", "last"), thirds, strict=True):
        total = np.zeros(5, np.int64)
        for number in third:
            total += per_frame[int(number)]
        table[f"{name} third"] = total
    everything = sum(
        int(count[EXPERT_ONLY] + count[NONEXPERT_ONLY]) for count in per_frame.values()
    )
    return [_share(name, count, everything) for name, count in table.items()]


def _halves(
    frame: NDArray[np.uint8], rows: tuple[str, str], columns: tuple[str, str]
) -> Generator[tuple[str, NDArray[np.uint8]], None, None]:
    drawn = (frame >= BOTH) & (frame <= NONEXPERT_ONLY)
    if not drawn.any():
        return
    y = _centre(drawn.sum(axis=1))
    x = _centre(drawn.sum(axis=0))
    yield columns[0], frame[:, :x]
    yield columns[1], frame[:, x:]
    yield rows[0], frame[:y]
    yield rows[1], frame[y:]


def _centre(profile: NDArray[np.int64]) -> int:
    """Return the first index right of the profile's centre of mass."""
    position = float((profile * np.arange(len(profile))).sum() / profile.sum())
    return int(np.floor(position + 0.5))


def _share(name: str, count: NDArray[np.int64], everything: int) -> PlaceShare:
    disputed = int(count[EXPERT_ONLY] + count[NONEXPERT_ONLY])
    drawn = disputed + int(count[BOTH])
    return PlaceShare(
        place=name,
        expert_only_px=int(count[EXPERT_ONLY]),
        nonexpert_only_px=int(count[NONEXPERT_ONLY]),
        both_px=int(count[BOTH]),
        share=disputed / everything if everything else float("nan"),
        disputed_of_drawn=disputed / drawn if drawn else float("nan"),
    )
