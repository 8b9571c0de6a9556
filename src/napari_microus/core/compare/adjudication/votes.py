"""Who drew a pixel, and what a mask holds there after a decision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.disagreement import (
    BOTH,
    EXPERT_ONLY,
    IGNORED,
    NONEXPERT_ONLY,
)
from napari_microus.core.errors import InputError
from napari_microus.core.mask import IGNORE_VALUE, check_same_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: As many annotators as the bits of a pixel's vote allow.
MOST_ANNOTATORS = 7
#: Code of a `vote_map` where any annotator left the pixel undecided.
UNDECIDED_VOTE = 128


class Decision(StrEnum):
    """What an adjudicator says about disputed pixels.

    ``between`` is a contour between the first two annotators' ones, ``majority``
    what most of three or more drew. ``parts`` is never chosen: it stands where the
    pixels of a region were decided in different ways.
    """

    expert = "expert"
    nonexpert = "nonexpert"
    third = "third"
    fourth = "fourth"
    fifth = "fifth"
    sixth = "sixth"
    seventh = "seventh"
    majority = "majority"
    between = "between"
    parts = "parts"
    undecided = "undecided"


#: Decisions for one annotator, in the order of the annotators.
ANNOTATORS = tuple(Decision)[:MOST_ANNOTATORS]

#: Codes of the provenance map; `IGNORE_VALUE` (255) is undecided.
AGREED = 0
FROM_EXPERT = 1
FROM_NONEXPERT = 2
HAND_DRAWN = 3
BETWEEN = 4
# Inside a contour between two others; the provenance map shows `BETWEEN`.
BETWEEN_INSIDE = 5
_FROM_THIRD = 6
MAJORITY = 11

CODE_OF_DECISION = {
    Decision.expert: FROM_EXPERT,
    Decision.nonexpert: FROM_NONEXPERT,
    **{d: _FROM_THIRD + n for n, d in enumerate(ANNOTATORS[2:])},
    Decision.majority: MAJORITY,
    Decision.undecided: IGNORE_VALUE,
}
_DECISION_OF_CODE = {code: decision for decision, code in CODE_OF_DECISION.items()}

PROVENANCE_NAMES = {
    AGREED: "agreed",
    FROM_EXPERT: "expert",
    FROM_NONEXPERT: "non-expert",
    HAND_DRAWN: "hand-drawn",
    BETWEEN: "between",
    IGNORE_VALUE: "undecided",
}


def decision_of(codes: NDArray[np.uint8]) -> Decision | None:
    """Return the decision that disputed pixels with these codes were given.

    None while any of them is undecided and another is not; `Decision.undecided`
    where all are.
    """
    found = set(np.unique(codes).tolist())
    if found <= {IGNORE_VALUE}:
        return Decision.undecided
    if IGNORE_VALUE in found:
        return None
    if found <= {BETWEEN, BETWEEN_INSIDE}:
        return Decision.between
    if len(found) == 1:
        return _DECISION_OF_CODE[found.pop()]
    return Decision.parts


@dataclass(frozen=True, eq=False)
class Coding:
    """What the codes of a map of two or more annotators' masks mean.

    Attributes
    ----------
    annotators : int
        How many there are; two are coded as by `disagreement_map`, more as by
        `vote_map`.
    drew : ndarray of bool, shape (256, annotators)
        Whether each annotator drew a pixel of that code.
    is_disputed, is_ignored : ndarray of bool, shape (256,)
        Whether annotators differ there, or any left the pixel undecided.
    implied : ndarray of uint8, shape (256, 256)
        Value of the adjudicated mask by code and by provenance.
    """

    annotators: int
    drew: NDArray[np.bool_]
    is_disputed: NDArray[np.bool_]
    is_ignored: NDArray[np.bool_]
    implied: NDArray[np.uint8]

    def names(self, annotators: Sequence[str] = ()) -> dict[int, str]:
        """Return what each code of the provenance map means.

        ``annotators`` are the names of the third and later ones.
        """
        more = {
            CODE_OF_DECISION[decision]: name
            for decision, name in zip(ANNOTATORS[2:], annotators[2:], strict=False)
        }
        if self.annotators > 2:
            more[MAJORITY] = "majority"
        return dict(sorted({**PROVENANCE_NAMES, **more}.items()))

    def decisions(self) -> tuple[Decision, ...]:
        """Return the decisions that give a pixel to annotators."""
        one = ANNOTATORS[: self.annotators]
        return one if self.annotators == 2 else (*one, Decision.majority)


@cache
def coding_of(annotators: int) -> Coding:
    """Return what codes mean for so many annotators.

    Raises
    ------
    InputError
        If there are fewer than two, or more than `MOST_ANNOTATORS`.
    """
    check_annotators(annotators)
    drew = np.zeros((256, annotators), bool)
    is_ignored = np.zeros(256, bool)
    if annotators == 2:
        drew[BOTH] = True
        drew[EXPERT_ONLY, 0] = drew[NONEXPERT_ONLY, 1] = True
        is_ignored[IGNORED] = True
    else:
        votes = np.arange(UNDECIDED_VOTE)[:, None] >> np.arange(annotators)
        drew[:UNDECIDED_VOTE] = votes & 1
        is_ignored[UNDECIDED_VOTE] = True
    count = drew.sum(axis=1)
    is_disputed = (count > 0) & (count < annotators)
    implied = np.zeros((256, 256), np.uint8)
    implied[count == annotators] = 1
    implied[is_disputed | is_ignored] = IGNORE_VALUE
    for decision, column in zip(ANNOTATORS, drew.T, strict=False):
        implied[is_disputed, CODE_OF_DECISION[decision]] = column[is_disputed]
    # Half of an even number is no majority.
    most = np.select([2 * count > annotators, 2 * count < annotators], [1, 0], 255)
    implied[is_disputed, MAJORITY] = most[is_disputed]
    implied[is_disputed, BETWEEN] = 0
    implied[is_disputed, BETWEEN_INSIDE] = 1
    return Coding(annotators, drew, is_disputed, is_ignored, implied)


def check_annotators(annotators: int) -> None:
    """Raise InputError unless so many can be adjudicated together."""
    if not 2 <= annotators <= MOST_ANNOTATORS:
        raise InputError(
            f"Between two and {MOST_ANNOTATORS} annotators can be adjudicated "
            f"together; got {annotators}. Choose fewer masks, or add one.",
            plain=(
                f"Two to {MOST_ANNOTATORS} annotators can be adjudicated together; "
                f"chosen are {annotators}. Choose fewer masks, or add one."
            ),
        )


def vote_map(masks: Sequence[NDArray[Any]]) -> NDArray[np.uint8]:
    """Return for every pixel which of three or more annotators drew it.

    Parameters
    ----------
    masks : sequence of ndarray, same shape
        0, 1 and 255 (undecided).

    Returns
    -------
    ndarray of uint8, same shape
        Bit k is set where mask k is 1; 128 where any is undecided.

    Raises
    ------
    InputError
        If the shapes differ or there are too many masks.
    """
    check_annotators(len(masks))
    check_same_shape(*masks)
    votes = np.zeros(masks[0].shape, np.uint8)
    for number, mask in enumerate(masks):
        votes |= (mask == 1).astype(np.uint8) << np.uint8(number)
    for mask in masks:
        votes[mask == IGNORE_VALUE] = UNDECIDED_VOTE
    return votes


def as_two(codes: NDArray[np.uint8], annotators: int) -> NDArray[np.uint8]:
    """Return a `vote_map` as the disagreement between all and any annotator.

    `BOTH` where all drew and `EXPERT_ONLY` where some did, so that what measures a
    `disagreement_map` measures the widest gap between the contours.
    """
    if annotators == 2:
        return codes
    coding = coding_of(annotators)
    table = np.zeros(256, np.uint8)
    table[coding.drew.all(axis=1)] = BOTH
    table[coding.is_disputed] = EXPERT_ONLY
    table[coding.is_ignored] = IGNORED
    two: NDArray[np.uint8] = table[codes]
    return two
