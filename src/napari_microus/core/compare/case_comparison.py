"""What comparing the annotators of one case gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_microus.core.compare.frames import FrameAgreement
    from napari_microus.core.compare.place import PlaceShare
    from napari_microus.core.compare.totals import CaseAgreement


@dataclass(frozen=True)
class AnnotatorComparison:
    """One annotator against the first: totals, places and every frame."""

    file: str
    totals: CaseAgreement
    places: list[PlaceShare]
    frames: list[FrameAgreement]


@dataclass(frozen=True)
class CaseComparison:
    """One case with all its annotators.

    ``fleiss_kappa``, ``krippendorff_alpha`` and ``conformity_index`` are None where
    there are only two; ``has_geometry`` is False where lengths and the tolerance are
    in pixels, ``knows_frame_distance`` where there are no volumes.
    """

    case: str
    reference: str
    has_geometry: bool
    others: list[AnnotatorComparison]
    fleiss_kappa: float | None = None
    krippendorff_alpha: float | None = None
    conformity_index: float | None = None
    knows_frame_distance: bool = True
    patient: str = ""
