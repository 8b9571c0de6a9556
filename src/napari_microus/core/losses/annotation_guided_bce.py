"""Annotation-guided cross-entropy: disputed pixels weigh more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_microus.core.errors import ConfigError
from napari_microus.core.hard_region import check_kernel_size
from napari_microus.core.losses.annotation import (
    Annotation,
    region_weight,
    to_number,
)
from napari_microus.core.losses.base import AnnotationLoss
from napari_microus.core.losses.weighted_focal import weighted_focal

if TYPE_CHECKING:
    from torch import Tensor


class AnnotationGuidedBCE(AnnotationLoss):
    """Cross-entropy that weighs the hard region ``hard_weight`` times the easy one.

    With w the weight, p the probability and N the counted pixels [1]_::

        bce  = -beta y log(p + epsilon) - (1 - beta) (1 - y) log(1 - p + epsilon)
        loss = (w / (1 + w) Σ_hard bce + 1 / (1 + w) Σ_easy bce) / N

    Parameters
    ----------
    hard_weight : float
        How many easy pixels a hard pixel weighs.
    kernel_size : int
        Edge in pixels of the square that widens the hard region.
    beta : float
        Weight of the foreground; the background has 1 - beta.
    epsilon : float
        Shift inside the logarithm.

    Raises
    ------
    ConfigError
        If a setting is out of range.

    References
    ----------
    .. [1] Jiang et al., "MicroSegNet: A deep learning approach for prostate
       segmentation on micro-ultrasound images", Comput. Med. Imaging Graph.
       2024, 102326, arXiv 2305.19956.
    """

    def __init__(
        self,
        hard_weight: float = 4.0,
        kernel_size: int = 4,
        beta: float = 0.5,
        epsilon: float = 1e-6,
    ) -> None:
        super().__init__()
        check_kernel_size(kernel_size)
        if hard_weight <= 0:
            raise ConfigError(
                f"hard_weight must be positive; got {hard_weight}. Use 4."
            )
        if not 0 <= beta <= 1:
            raise ConfigError(f"beta must lie between 0 and 1; got {beta}. Use 0.5.")
        if epsilon <= 0:
            raise ConfigError(f"epsilon must be positive; got {epsilon}. Use 1e-6.")
        self.hard_weight = hard_weight
        self.kernel_size = kernel_size
        self.beta = beta
        self.epsilon = epsilon

    def loss(self, logits: Tensor, annotation: Annotation) -> Tensor:
        """Return the loss of logits in full precision."""
        sign = annotation.sign(logits.dtype)
        counted = to_number(annotation.counted, logits.dtype)
        pixels = counted.sum().clamp_(min=1)
        easy_weight = 0.5 / (1 + self.hard_weight) / pixels
        weight = region_weight(
            counted,
            annotation.hard(self.kernel_size),
            hard_weight=self.hard_weight * easy_weight,
            easy_weight=easy_weight,
        )
        if self.beta != 0.5:
            weight.mul_(1 + (2 * self.beta - 1) * sign)
        return weighted_focal(logits, sign, weight, None, epsilon=self.epsilon)
