"""Who has decided how much of a work list, and which of its cases are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_microus.core.compare.work_list import annotators

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.compare.work_list import CaseState, ListedCase


@dataclass(frozen=True)
class Share:
    """How much of a work list one adjudicator decided.

    ``who`` is "" for decisions without a name.
    """

    who: str
    cases: int
    regions: int


def adjudicators(cases: Sequence[ListedCase]) -> list[Share]:
    """Return each adjudicator's share, the busiest first.

    Parameters
    ----------
    cases : sequence of ListedCase
        A work list. A case counts for everybody who decided a region of it.
    """
    names = {name for case in cases for name in case.decided_by}
    shares = []
    for name in names:
        regions = [case.decided_by.get(name, 0) for case in cases]
        shares.append(Share(name, sum(map(bool, regions)), sum(regions)))
    return sorted(shares, key=lambda share: (-share.regions, share.who))


def drawn_by(cases: Sequence[ListedCase]) -> dict[str, int]:
    """Return how many cases each annotator has drawn, the expert first."""
    return {
        name: sum(name in case.masks for case in cases) for name in annotators(cases)
    }


def matching(
    cases: Sequence[ListedCase],
    *,
    state: CaseState | None = None,
    name: str = "",
    who: str | None = None,
) -> list[ListedCase]:
    """Return the cases that are looked for, in their order.

    Parameters
    ----------
    cases : sequence of ListedCase
        A work list.
    state : CaseState, optional
        How far they are; None takes all.
    name : str
        Part of their name, in capitals or not.
    who : str, optional
        Adjudicator who decided a region of them.
    """
    part = name.strip().casefold()
    return [
        case
        for case in cases
        if state in (None, case.state)
        and part in case.case.casefold()
        and (who is None or who in case.decided_by)
    ]
