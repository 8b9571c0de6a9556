"""Choose regions of an adjudication: open, narrow, flagged or decided ones."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from napari_microus.core.compare.adjudication.history import Note

if TYPE_CHECKING:
    from napari_microus.core.compare.adjudication.session import Adjudication
    from napari_microus.core.compare.regions import DisputedRegion

#: Why annotators differ; a user may write others.
REASONS = ("shadow", "calcification", "midline", "apex", "base", "slip")


class Which(StrEnum):
    """A choice of regions."""

    all = "all"
    open = "open"
    decided = "decided"
    flagged = "flagged"
    of_others = "of_others"


def is_selected(work: Adjudication, region: DisputedRegion, which: Which) -> bool:
    """Return whether a region is one of a choice.

    ``of_others`` are those that somebody else than ``work.who`` has decided, as a
    second reader looks for.
    """
    verdict = work.verdicts.get(region.number)
    match which:
        case Which.open:
            return verdict is None
        case Which.decided:
            return verdict is not None
        case Which.flagged:
            return work.notes.get(region.number, Note()).is_flagged
        case Which.of_others:
            return verdict is not None and verdict.who != work.who
    return True


def open_regions(
    work: Adjudication, gap_mm: float | None = None
) -> list[DisputedRegion]:
    """Return the regions without a verdict, perhaps only those with a narrow gap.

    Parameters
    ----------
    work : Adjudication
        What was decided so far.
    gap_mm : float, optional
        Largest distance of the contours; one contour alone has none and is left out.
        In pixels where the pixel size is not known.
    """
    return [
        region
        for region in work.regions
        if region.number not in work.verdicts
        and (gap_mm is None or region.distance_mm <= gap_mm)
    ]
