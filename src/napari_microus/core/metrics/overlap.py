"""How far two masks cover each other.

All functions take (prediction, reference), masks of 0 and 1 with two or three
dimensions, and raise `InputError` for anything else. A ratio whose denominator is
zero is NaN, as in MedPy: two empty masks have no Dice, an empty reference no
sensitivity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_microus.core.metrics.masks import read_pair

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Overlap(NamedTuple):
    """Counts of voxels: foreground in both, in each, and all that count."""

    both: int
    prediction: int
    reference: int
    total: int

    @property
    def dice(self) -> float:
        """2 |P ∩ R| / (|P| + |R|)."""
        return _ratio(2 * self.both, self.prediction + self.reference)

    @property
    def jaccard(self) -> float:
        """|P ∩ R| / |P ∪ R|."""
        return _ratio(self.both, self.prediction + self.reference - self.both)

    @property
    def sensitivity(self) -> float:
        """|P ∩ R| / |R|."""
        return _ratio(self.both, self.reference)

    @property
    def precision(self) -> float:
        """|P ∩ R| / |P|."""
        return _ratio(self.both, self.prediction)

    @property
    def specificity(self) -> float:
        """Share of the background of R that is background in P."""
        union = self.prediction + self.reference - self.both
        return _ratio(self.total - union, self.total - self.reference)


def count_overlap(
    prediction: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    ignored: NDArray[np.bool_] | None = None,
) -> Overlap:
    """Count voxels of two boolean masks; ``ignored`` ones count nowhere."""
    total = prediction.size
    if ignored is not None:
        prediction, reference = prediction & ~ignored, reference & ~ignored
        total -= int(np.count_nonzero(ignored))
    return Overlap(
        int(np.count_nonzero(prediction & reference)),
        int(np.count_nonzero(prediction)),
        int(np.count_nonzero(reference)),
        total,
    )


def dice(prediction: ArrayLike, reference: ArrayLike) -> float:
    """Return the Dice coefficient, 0 to 1; NaN if both masks are empty.

    Parameters
    ----------
    prediction, reference : array_like of bool, shape (Y, X) or (Z, Y, X)
        Masks on one grid.

    Raises
    ------
    InputError
        If the shapes differ or a mask holds anything but 0 and 1.
    """
    return count_overlap(*read_pair(prediction, reference)).dice


def jaccard(prediction: ArrayLike, reference: ArrayLike) -> float:
    """Return intersection over union, 0 to 1; NaN if both are empty. See `dice`."""
    return count_overlap(*read_pair(prediction, reference)).jaccard


def sensitivity(prediction: ArrayLike, reference: ArrayLike) -> float:
    """Return how much of the reference was found; NaN if it is empty. See `dice`."""
    return count_overlap(*read_pair(prediction, reference)).sensitivity


def specificity(prediction: ArrayLike, reference: ArrayLike) -> float:
    """Return how much background was left alone; NaN if there is none. See `dice`."""
    return count_overlap(*read_pair(prediction, reference)).specificity


def precision(prediction: ArrayLike, reference: ArrayLike) -> float:
    """Return how much of the prediction is right; NaN if it is empty. See `dice`."""
    return count_overlap(*read_pair(prediction, reference)).precision


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else float("nan")
