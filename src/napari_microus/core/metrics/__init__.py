"""Overlap, surface distance and contour agreement of two masks, one case or many.

All take ``(prediction, reference, ...)`` of two or three dimensions;
``spacing_mm`` is in the order of the array's axes.
"""

from napari_microus.core.metrics.case import (
    CaseScores,
    FrameScores,
    Scores,
    evaluate_case,
    mean_scores,
)
from napari_microus.core.metrics.overlap import (
    dice,
    jaccard,
    precision,
    sensitivity,
    specificity,
)
from napari_microus.core.metrics.surface_distance import assd_mm, hausdorff_mm
from napari_microus.core.metrics.tolerance import added_path_length_mm, surface_dice

__all__ = [
    "CaseScores",
    "FrameScores",
    "Scores",
    "added_path_length_mm",
    "assd_mm",
    "dice",
    "evaluate_case",
    "hausdorff_mm",
    "jaccard",
    "mean_scores",
    "precision",
    "sensitivity",
    "specificity",
    "surface_dice",
]
