"""Adaptive focal loss: focus set by difficulty and by the annotators."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from napari_microus.core.errors import ConfigError
from napari_microus.core.hard_region import check_kernel_size
from napari_microus.core.losses.annotation import (
    Annotation,
    region_weight,
    to_number,
)
from napari_microus.core.losses.base import AnnotationLoss
from napari_microus.core.losses.weighted_focal import inner, odds_of, weighted_focal

Variability = Literal["nonexpert_mean", "disagreement"]


class AdaptiveFocalLoss(AnnotationLoss):
    """Focal loss whose exponent and region weights follow difficulty and annotators.

    With p the clamped probability, N the counted pixels of the batch, and pt the
    probability given to the expert's class [1]_::

        gamma = (1 - mean(p)) + variability          (no gradient through it)
        f     = -beta (1 - pt)^gamma log(pt + epsilon)
        loss  = (gamma Σ_hard f + Σ_easy f / gamma) / N

    gamma tends to 1 as mean(p) approaches the non-expert's mean: at convergence
    the published loss weighs hard and easy pixels alike. ``beta`` scales both
    classes. Without a non-expert's mask the expert's takes its place in gamma.

    Parameters
    ----------
    kernel_size : int
        Edge in pixels of the square that widens the hard region.
    beta : float
        Scale of both classes.
    epsilon : float
        Clamp of the probability, shift inside the logarithm, and least gamma.
    variability : {"nonexpert_mean", "disagreement"}
        Mean of the non-expert's mask, as published, or the fraction of pixels on
        which the annotators differ.
    per_sample : bool
        One gamma for each sample instead of one for the batch.

    Attributes
    ----------
    last_gamma : Tensor, shape () or (B,), or None
        gamma of the last call, detached, on the device it was computed on.

    Raises
    ------
    ConfigError
        If a setting is out of range.

    References
    ----------
    .. [1] Fatema, Thakur, Mohammed, "Prostate Capsule Segmentation from
       Micro-Ultrasound Images using Adaptive Focal Loss", arXiv 2509.15595.
    """

    def __init__(
        self,
        kernel_size: int = 4,
        beta: float = 0.5,
        epsilon: float = 1e-6,
        variability: Variability = "nonexpert_mean",
        per_sample: bool = False,
    ) -> None:
        super().__init__()
        check_kernel_size(kernel_size)
        if beta <= 0:
            raise ConfigError(f"beta must be positive; got {beta}. Use 0.5.")
        if not 0 < epsilon < 0.5:
            raise ConfigError(
                f"epsilon must lie between 0 and 0.5; got {epsilon}. Use 1e-6."
            )
        if variability not in ("nonexpert_mean", "disagreement"):
            raise ConfigError(
                'variability must be "nonexpert_mean" or "disagreement"; got '
                f"{variability!r}. Choose one of the two."
            )
        self.kernel_size = kernel_size
        self.beta = beta
        self.epsilon = epsilon
        self.variability = variability
        self.per_sample = per_sample
        self.last_gamma: Tensor | None = None

    def loss(self, logits: Tensor, annotation: Annotation) -> Tensor:
        """Return the loss of logits in full precision."""
        sign = annotation.sign(logits.dtype)
        counted = to_number(annotation.counted, logits.dtype)
        odds = odds_of(logits, sign, clamp=self.epsilon)
        pixels = self._total(counted)
        gamma = self._gamma(odds.miss, sign, annotation, pixels)
        self.last_gamma = gamma.flatten() if self.per_sample else gamma
        scale = self.beta / pixels.sum().clamp_(min=1)
        weight = region_weight(
            counted,
            annotation.hard(self.kernel_size),
            hard_weight=gamma * scale,
            easy_weight=scale / gamma,
        )
        return weighted_focal(
            logits, sign, weight, gamma, epsilon=self.epsilon, odds=odds
        )

    def _total(self, values: Tensor, times: Tensor | None = None) -> Tensor:
        """Sum products over the batch, or over each sample."""
        if not self.per_sample:
            return values.sum() if times is None else inner(values, times)
        products = values if times is None else values * times
        return products.sum(list(range(1, values.ndim)), keepdim=True)

    @torch.no_grad()
    def _gamma(
        self, miss: Tensor, sign: Tensor, annotation: Annotation, pixels: Tensor
    ) -> Tensor:
        """Return gamma, of shape () or (B, 1, ...)."""
        if self.variability == "disagreement":
            varies = annotation.foreground ^ annotation.nonexpert
        else:
            varies = annotation.nonexpert
        # p is 1 - miss on the foreground and miss on the background.
        foreground = (pixels + self._total(sign)) / 2
        probability = foreground - self._total(miss, sign)
        excess = probability - self._total(to_number(varies, miss.dtype))
        excess = excess / pixels.clamp(min=1)
        # Exact arithmetic keeps gamma at epsilon or more; rounding may not.
        return (1 - excess).clamp_(min=self.epsilon)
