"""The ways in which several annotators become one, without the arithmetic.

Apart from `core.compare.consensus`, so that the command line can name them at once.
"""

from __future__ import annotations

from enum import StrEnum


class Consensus(StrEnum):
    """How the masks of several annotators become one."""

    union = "union"
    intersection = "intersection"
    majority = "majority"
    mean_distance = "mean_distance"
    staple = "staple"


def why_not(method: Consensus, annotators: int) -> str | None:
    """Return why ``method`` cannot serve so many annotators, or None if it can."""
    if annotators < 2:
        return "A consensus needs two or more annotators. Add a mask."
    if annotators < 3 and method is Consensus.majority:
        return "A majority needs three or more annotators: two can only tie."
    if annotators < 3 and method is Consensus.staple:
        return (
            "STAPLE needs three or more annotators: with two it cannot find who is "
            "right, and where they differ chance decides."
        )
    return None
