"""Predict where annotators will differ, from where a model is uncertain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.disagreement import disputed
from napari_microus.core.events import Event, Progress
from napari_microus.core.mask import check_same_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from numpy.typing import NDArray

    from napari_microus.core.compare.regions import DisputedRegion
    from napari_microus.core.volume import Volume

    Predictor = Callable[[Volume], Generator[Event, None, Any]]
    Change = Callable[[NDArray[Any]], NDArray[Any]]

# Bends of the grey scale that stand for another gain setting.
_GAMMAS = (0.8, 1.25)
_SHIFT_PX = 6


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation of predicted difficulty with real disagreement.

    ``per_pixel`` correlates entropy with the XOR over all pixels, ``per_frame`` the
    mean entropy of a frame with its disputed area. NaN where one of them is
    constant or there are fewer than three frames.
    """

    per_pixel: float
    per_frame: float


def difficulty(
    predictor: Predictor, scan: Volume
) -> Generator[Event, None, NDArray[np.float32]]:
    """Return the entropy of a model's mean answer to changed copies of a scan.

    The copies are mirrored, brighter, darker and shifted by a few pixels.

    Parameters
    ----------
    predictor : callable
        Takes a Volume; a generator that returns something with ``probability``, a
        Volume of 0 to 1, such as `core.predict.predict` with its model bound.
    scan : Volume
        What to look at.

    Returns
    -------
    ndarray of float32, shape (Z, Y, X)
        Entropy in bits: 0 is certain, 1 a coin's toss.
    """
    total = np.zeros(scan.shape, np.float32)
    changes = _changes()
    for done, (change, back) in enumerate(changes, start=1):
        changed = np.ascontiguousarray(change(scan.array))
        result = yield from predictor(scan.like(changed))
        total += back(np.asarray(result.probability.array, np.float32))
        yield Progress(done, len(changes), "copies", "Predicting difficulty")
    total /= len(changes)
    return entropy_bits(total)


def entropy_bits(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the entropy of a yes/no answer given with ``probability``, in bits."""
    p = np.clip(probability, 1e-7, 1 - 1e-7)
    bits = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return np.asarray(bits, np.float32)


def frame_difficulty(entropy: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean entropy of each frame in bits, shape (Z,)."""
    return np.asarray(entropy.mean(axis=(1, 2), dtype=np.float64))


def hardest_first(
    regions: Sequence[DisputedRegion], per_frame: Sequence[float]
) -> list[DisputedRegion]:
    """Return regions by the difficulty of their frame; within a frame as they were.

    Parameters
    ----------
    regions : sequence of DisputedRegion
        In any order.
    per_frame : sequence of float
        From `frame_difficulty`.
    """
    return sorted(regions, key=lambda region: -per_frame[region.frame])


def rank_correlation(
    entropy: NDArray[np.float32], codes: NDArray[np.uint8]
) -> RankCorrelation:
    """Correlate predicted difficulty with the disagreement of two annotators.

    Parameters
    ----------
    entropy : ndarray of float32, shape (Z, Y, X)
        From `difficulty`.
    codes : ndarray of uint8, same shape
        `disagreement_map`; undecided pixels do not count.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    check_same_shape(entropy, codes)
    valid = codes <= 3
    real = disputed(codes)
    frames_entropy = [float(e[v].mean()) for e, v in zip(entropy, valid, strict=True)]
    return RankCorrelation(
        per_pixel=_spearman(entropy[valid], real[valid]),
        per_frame=_spearman(np.array(frames_entropy), real.sum(axis=(1, 2)))
        if len(codes) > 2
        else float("nan"),
    )


def _spearman(first: NDArray[Any], second: NDArray[Any]) -> float:
    from scipy.stats import rankdata

    if first.size < 3 or first.min() == first.max() or second.min() == second.max():
        return float("nan")
    one, two = rankdata(first), rankdata(second)
    return float(np.corrcoef(one, two)[0, 1])


def _changes() -> tuple[tuple[Change, Change], ...]:
    """Pairs of a change to a scan and what brings its answer back."""

    def same(array: NDArray[Any]) -> NDArray[Any]:
        return array

    def mirror(array: NDArray[Any]) -> NDArray[Any]:
        return array[:, :, ::-1]

    darker, brighter = (partial(_bent, gamma=gamma) for gamma in _GAMMAS)
    there, back = partial(_shifted, by=_SHIFT_PX), partial(_shifted, by=-_SHIFT_PX)
    return (
        (same, same),
        (mirror, mirror),
        (darker, same),
        (brighter, same),
        (there, back),
    )


def _bent(array: NDArray[Any], gamma: float) -> NDArray[Any]:
    low, high = float(array.min()), float(array.max())
    if high <= low:
        return array
    bent = ((array - low) / (high - low)) ** gamma * (high - low) + low
    if array.dtype.kind in "iu":
        bent = np.round(bent)
    return bent.astype(array.dtype)


def _shifted(array: NDArray[Any], by: int) -> NDArray[Any]:
    """Move frames along rows; the edge that comes in repeats the last column."""
    columns = np.clip(np.arange(array.shape[2]) - by, 0, array.shape[2] - 1)
    moved: NDArray[Any] = array[:, :, columns]
    return moved
