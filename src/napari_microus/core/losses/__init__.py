"""Losses that learn from where annotators differ, and their baselines.

Each is called as ``criterion(logits, expert, nonexpert)`` on (B, 1, H, W) and
returns a scalar. ``nonexpert`` may be None (the second annotator is taken to
agree), and a pixel that is 255 in either mask counts nowhere.
"""

from napari_microus.core.losses.adaptive_focal import AdaptiveFocalLoss
from napari_microus.core.losses.annotation_guided_bce import AnnotationGuidedBCE
from napari_microus.core.losses.deep_supervision import DeepSupervision
from napari_microus.core.losses.overlap import OverlapLoss
from napari_microus.core.losses.sigmoid_focal import SigmoidFocalLoss
from napari_microus.core.losses.size_smoothness_focal import SizeSmoothnessFocalLoss
from napari_microus.core.losses.with_dice import WithDice

__all__ = [
    "AdaptiveFocalLoss",
    "AnnotationGuidedBCE",
    "DeepSupervision",
    "OverlapLoss",
    "SigmoidFocalLoss",
    "SizeSmoothnessFocalLoss",
    "WithDice",
]
