"""One mask from several annotators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage as ndi

from napari_microus.core.compare.surfaces import crop_to
from napari_microus.core.consensus_rules import Consensus, why_not
from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Progress, drain
from napari_microus.core.mask import IGNORE_VALUE, check_same_shape

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

__all__ = ["Consensus", "Staple", "consensus", "staple", "why_not"]

_BACKGROUND, _FOREGROUND, _ABSENT = 0, 1, 2
# That of ITK's STAPLEImageFilter, so that its numbers are met.
_TOLERANCE = 1e-7
_MOST_ROUNDS = 10_000


@dataclass(frozen=True, eq=False)
class Staple:
    """What STAPLE estimates.

    Attributes
    ----------
    probability : ndarray of float32
        Probability that a pixel is foreground, in the shape of the masks.
    sensitivity, specificity : tuple of float
        One per annotator.
    """

    probability: NDArray[np.float32]
    sensitivity: tuple[float, ...]
    specificity: tuple[float, ...]


def consensus(
    masks: Sequence[NDArray[np.uint8]],
    method: Consensus | str,
    spacing_mm: tuple[float, float, float],
) -> Generator[Event, None, NDArray[np.uint8]]:
    """Fuse masks; a pixel that an annotator left undecided is not a vote.

    Parameters
    ----------
    masks : sequence of ndarray of uint8, shape (Z, Y, X)
        0, 1 and 255 (undecided), on one grid.
    method : Consensus
        ``majority`` takes what more than half of the votes say (a tie is
        background); ``mean_distance`` averages signed distances inside each frame
        [1]_; ``staple`` weighs annotators by their estimated performance.
    spacing_mm : tuple of float
        Voxel size (z, y, x) in mm.

    Returns
    -------
    ndarray of uint8, shape (Z, Y, X)
        0, 1, and 255 where nobody decided.

    Raises
    ------
    InputError
        If the shapes differ or the method needs more annotators; see `why_not`.

    References
    ----------
    .. [1] T. Rohlfing, C. R. Maurer, "Shape-based averaging", 2007,
       doi:10.1109/TIP.2006.884936.
    """
    method = Consensus(method)
    reason = why_not(method, len(masks))
    if reason is not None:
        raise InputError(reason)
    check_same_shape(*masks)
    truth = None
    if method is Consensus.staple:
        truth, _, _ = yield from _weighed(masks)
    fused = np.empty_like(masks[0])
    for number, frames in enumerate(zip(*masks, strict=True)):
        if method is Consensus.mean_distance:
            fused[number] = _mean_distance(frames, spacing_mm[1:])
        elif truth is not None:
            fused[number] = truth[_patterns(frames)] > 0.5
            fused[number][_votes(frames)[1] == 0] = IGNORE_VALUE
        else:
            fused[number] = _counted(frames, method)
        yield Progress(number + 1, len(fused), message="Building the consensus")
    return fused


def staple(masks: Sequence[NDArray[np.uint8]]) -> Staple:
    """Estimate the hidden truth and each annotator's performance.

    Expectation maximisation over the distinct vote patterns, whose counts are all
    that the algorithm uses of the pixels: the result equals the per-pixel form and
    takes the same time for a frame as for a sweep.

    Parameters
    ----------
    masks : sequence of ndarray of uint8, same shape
        0, 1 and 255; an undecided pixel is left out of that annotator's votes.

    References
    ----------
    .. [1] S. K. Warfield, K. H. Zou, W. M. Wells, "Simultaneous truth and
       performance level estimation (STAPLE)", 2004, doi:10.1109/TMI.2004.828354.
    """
    truth, sensitivity, specificity = drain(_weighed(masks))
    probability = np.stack([truth[_patterns(f)] for f in zip(*masks, strict=True)])
    return Staple(probability, tuple(sensitivity), tuple(specificity))


def _weighed(
    masks: Sequence[NDArray[np.uint8]],
) -> Generator[Event, None, tuple[NDArray[np.float32], list[float], list[float]]]:
    """Return STAPLE's probability of each vote pattern, see `_patterns`."""
    check_same_shape(*masks)
    if len(masks) > 12:
        raise InputError(
            f"STAPLE takes up to 12 annotators; got {len(masks)}. Choose fewer.",
            plain=(
                f"STAPLE takes up to 12 annotators, and {len(masks)} are "
                "ticked. Choose fewer."
            ),
        )
    size = 3 ** len(masks)
    number = np.zeros(size)
    for done, frames in enumerate(zip(*masks, strict=True), start=1):
        number += np.bincount(_patterns(frames).ravel(), minlength=size)
        yield Progress(done, len(masks[0]), message="Counting the votes")
    present = np.flatnonzero(number)
    votes = np.array([present // 3**power % 3 for power in reversed(range(len(masks)))])
    truth, sensitivity, specificity = _maximise(votes, number[present])
    table = np.zeros(size, np.float32)
    table[present] = truth
    return table, sensitivity, specificity


def _patterns(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint32]:
    """Return for every pixel the votes of all annotators as one number."""
    key = np.zeros(frames[0].shape, np.uint32)
    for frame in frames:
        key *= 3
        key += _vote(frame)
    return key


def _maximise(
    votes: NDArray[np.int64], number: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[float], list[float]]:
    """Run STAPLE on vote patterns (R, K) that occur ``number`` (K,) times."""
    yes, no = votes == _FOREGROUND, votes == _BACKGROUND
    cast = yes | no
    prior = float((yes @ number).sum() / max(float((cast @ number).sum()), 1))
    # As in ITK, the mean of the votes is the first guess of the truth.
    truth = _divided(yes.sum(axis=0), cast.sum(axis=0))
    sensitivity = specificity = np.full(len(votes), np.inf)
    for _ in range(_MOST_ROUNDS):
        before = sensitivity, specificity
        sensitivity = _share(yes, no, truth * number)
        specificity = _share(no, yes, (1 - truth) * number)
        p, q = sensitivity[:, None], specificity[:, None]
        inside = prior * np.where(yes, p, np.where(no, 1 - p, 1)).prod(axis=0)
        outside = (1 - prior) * np.where(no, q, np.where(yes, 1 - q, 1)).prod(axis=0)
        truth = _divided(inside, inside + outside)
        change = max(
            float(np.abs(sensitivity - before[0]).max()),
            float(np.abs(specificity - before[1]).max()),
        )
        if change <= _TOLERANCE:
            break
    return truth, sensitivity.tolist(), specificity.tolist()


def _divided(
    part: NDArray[np.floating | np.integer], whole: NDArray[np.floating | np.integer]
) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)


def _share(
    right: NDArray[np.bool_], wrong: NDArray[np.bool_], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    hits, all_votes = right @ weight, (right | wrong) @ weight
    return np.divide(hits, all_votes, out=np.ones_like(hits), where=all_votes > 0)


def _vote(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    vote = (mask == 1).view(np.uint8)
    vote[mask == IGNORE_VALUE] = _ABSENT
    return vote


def _votes(
    frames: Sequence[NDArray[np.uint8]],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return how many drew each pixel and how many decided about it."""
    yes = np.zeros(frames[0].shape, np.uint8)
    cast = np.zeros(frames[0].shape, np.uint8)
    for frame in frames:
        yes += frame == 1
        cast += frame != IGNORE_VALUE
    return yes, cast


def _counted(
    frames: Sequence[NDArray[np.uint8]], method: Consensus
) -> NDArray[np.uint8]:
    yes, cast = _votes(frames)
    if method is Consensus.union:
        fused = yes > 0
    elif method is Consensus.intersection:
        fused = yes == cast
    else:
        fused = 2 * yes > cast
    return np.where(cast == 0, IGNORE_VALUE, fused).astype(np.uint8)


def _mean_distance(
    frames: Sequence[NDArray[np.uint8]], spacing_mm: tuple[float, float]
) -> NDArray[np.uint8]:
    """Average signed distances; half of the annotators must have drawn here."""
    fused = np.zeros(frames[0].shape, np.uint8)
    drawn = [frame == 1 for frame in frames if (frame == 1).any()]
    if drawn and 2 * len(drawn) >= len(frames):
        box = crop_to(np.logical_or.reduce(drawn))
        if box is None:
            raise AssertionError("drawn masks have pixels")
        total = np.zeros(drawn[0][box].shape)
        for mask in drawn:
            total += _to_boundary_mm(mask[box], spacing_mm)
        fused[box] = total < 0
    fused[_votes(frames)[1] == 0] = IGNORE_VALUE
    return fused


def _to_boundary_mm(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float]
) -> NDArray[np.float64]:
    """Signed distance to the line between in- and outside, symmetric in both."""
    if mask.all():  # only where the picture's edges cut the mask on all sides
        height, width = np.multiply(mask.shape, spacing_mm)
        return np.full(mask.shape, -float(np.hypot(height, width)))
    outside = ndi.distance_transform_edt(~mask, sampling=spacing_mm)
    inside = ndi.distance_transform_edt(mask, sampling=spacing_mm)
    return outside - inside
