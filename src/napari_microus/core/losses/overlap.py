"""Losses of the overlap as a whole: Dice and Tversky."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_microus.core.errors import ConfigError
from napari_microus.core.losses.base import AnnotationLoss

if TYPE_CHECKING:
    from torch import Tensor

    from napari_microus.core.losses.annotation import Annotation

_SMOOTHING = 1e-5


class OverlapLoss(AnnotationLoss):
    """One minus Tversky's index of each sample, averaged over the batch [1]_.

    With MONAI's smoothing of 1e-5: the value of its ``TverskyLoss``, which
    ``torch.compile`` cannot take as one graph. Ignored pixels are background in both
    masks.
    Of the non-expert's mask only the ignored pixels have an effect.

    Parameters
    ----------
    false_positives, false_negatives : float
        Their weights; 0.5 and 0.5 make it Dice, more on the second forgives a missed
        lesion less.

    Raises
    ------
    ConfigError
        If a weight is not positive.

    References
    ----------
    .. [1] Salehi et al., "Tversky loss function for image segmentation using 3D fully
       convolutional deep networks", MLMI 2017.
    """

    def __init__(
        self, false_positives: float = 0.5, false_negatives: float = 0.5
    ) -> None:
        super().__init__()
        for name, weight in (
            ("false_positives", false_positives),
            ("false_negatives", false_negatives),
        ):
            if weight <= 0:
                raise ConfigError(f"{name} must be positive; got {weight}. Use 0.5.")
        self.false_positives = false_positives
        self.false_negatives = false_negatives

    def loss(self, logits: Tensor, annotation: Annotation) -> Tensor:
        """Return the loss of logits in full precision."""
        probability = (logits.sigmoid() * annotation.counted).flatten(1)
        truth = annotation.foreground.to(probability).flatten(1)
        hit = (probability * truth).sum(1)
        too_much = self.false_positives * (probability.sum(1) - hit)
        missed = self.false_negatives * (truth.sum(1) - hit)
        index = (hit + _SMOOTHING) / (hit + too_much + missed + _SMOOTHING)
        return (1 - index).mean()
