"""Map for every pixel who drew it: both, one, the other, or nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.mask import IGNORE_VALUE, check_same_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

AGREED_BACKGROUND = 0
BOTH = 1
EXPERT_ONLY = 2
NONEXPERT_ONLY = 3
#: At least one annotator left the pixel undecided: neither agreed nor disputed.
IGNORED = 4

# Index: expert foreground + 2 × non-expert foreground.
_CODES = np.array([AGREED_BACKGROUND, EXPERT_ONLY, NONEXPERT_ONLY, BOTH], np.uint8)


def disagreement_map(
    expert: NDArray[Any],
    nonexpert: NDArray[Any],
    *,
    expert_value: int = 1,
    nonexpert_value: int = 1,
) -> NDArray[np.uint8]:
    """Compare two masks pixel by pixel.

    Parameters
    ----------
    expert, nonexpert : ndarray, same shape
        Masks as they are stored; 255 is undecided unless it is the value asked for.
    expert_value, nonexpert_value : int
        Value that means foreground in each.

    Returns
    -------
    ndarray of uint8, same shape
        0 agreed background, 1 both, 2 expert only, 3 non-expert only,
        4 undecided in at least one.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    check_same_shape(expert, nonexpert)
    first = (expert == expert_value).view(np.uint8)
    second = (nonexpert == nonexpert_value).view(np.uint8)
    codes: NDArray[np.uint8] = _CODES[first + 2 * second]
    for mask, value in ((expert, expert_value), (nonexpert, nonexpert_value)):
        if value != IGNORE_VALUE and mask.dtype != np.bool_:
            codes[mask == IGNORE_VALUE] = IGNORED
    return codes


def disputed(codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where a `disagreement_map` says that exactly one annotator drew."""
    return (codes == EXPERT_ONLY) | (codes == NONEXPERT_ONLY)


@dataclass(frozen=True)
class Counts:
    """How many pixels of a `disagreement_map` carry each code."""

    both: int
    expert_only: int
    nonexpert_only: int
    ignored: int
    background: int

    @property
    def disputed(self) -> int:
        """Pixels that exactly one annotator drew."""
        return self.expert_only + self.nonexpert_only

    @property
    def dice(self) -> float:
        """Dice coefficient over the decided pixels; NaN where nobody drew."""
        drawn = 2 * self.both + self.disputed
        return 2 * self.both / drawn if drawn else float("nan")


def count_codes(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return per frame how many pixels carry each code.

    Parameters
    ----------
    codes : ndarray of uint8, shape (Z, Y, X)
        A `disagreement_map`.

    Returns
    -------
    ndarray of int, shape (Z, 5)
        Column c counts code c.
    """
    return np.stack([np.bincount(frame.ravel(), minlength=5)[:5] for frame in codes])


def counts(per_frame: NDArray[np.int64]) -> Counts:
    """Sum the rows of `count_codes`, or read one of them, as `Counts`."""
    total = np.atleast_2d(per_frame).sum(axis=0)
    return Counts(
        both=int(total[BOTH]),
        expert_only=int(total[EXPERT_ONLY]),
        nonexpert_only=int(total[NONEXPERT_ONLY]),
        ignored=int(total[IGNORED]),
        background=int(total[AGREED_BACKGROUND]),
    )
