"""Compare the masks of two or more annotators, adjudicate them, and learn from it."""

from napari_microus.core.compare.adjudication import Adjudication, Decision
from napari_microus.core.compare.agreement import cohen_kappa, fleiss_kappa
from napari_microus.core.compare.bland_altman import BlandAltman, bland_altman
from napari_microus.core.compare.consensus import Consensus, consensus, staple, why_not
from napari_microus.core.compare.frames import (
    FrameAgreement,
    compare_frame,
    compare_frames,
)
from napari_microus.core.compare.place import disagreement_by_place
from napari_microus.core.compare.regions import (
    DisputedRegion,
    RankBy,
    disputed_regions,
)
from napari_microus.core.compare.several import (
    conformity_index,
    krippendorff_alpha,
    tally_votes,
)
from napari_microus.core.compare.totals import CaseAgreement, summarise
from napari_microus.core.compare.weights import loss_weights
from napari_microus.core.disagreement import disagreement_map
from napari_microus.core.hard_region import hard_region
from napari_microus.core.io.pairing import pair
from napari_microus.core.mask import IGNORE_VALUE, as_mask, foreground_value

__all__ = [
    "IGNORE_VALUE",
    "Adjudication",
    "BlandAltman",
    "CaseAgreement",
    "Consensus",
    "Decision",
    "DisputedRegion",
    "FrameAgreement",
    "RankBy",
    "as_mask",
    "bland_altman",
    "cohen_kappa",
    "compare_frame",
    "compare_frames",
    "conformity_index",
    "consensus",
    "disagreement_by_place",
    "disagreement_map",
    "disputed_regions",
    "fleiss_kappa",
    "foreground_value",
    "hard_region",
    "krippendorff_alpha",
    "loss_weights",
    "pair",
    "staple",
    "summarise",
    "tally_votes",
    "why_not",
]
