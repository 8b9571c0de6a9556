"""Focal loss with a fixed exponent, the baseline of the adaptive one."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_microus.core.errors import ConfigError
from napari_microus.core.losses.annotation import Annotation, to_number
from napari_microus.core.losses.base import AnnotationLoss


def focal_cross_entropy(logits: Tensor, sign: Tensor, gamma: Tensor | float) -> Tensor:
    """Return -(1 - pt)^gamma log(pt) for each pixel, finite for any logit.

    Parameters
    ----------
    logits : Tensor
        Raw output.
    sign : Tensor
        +1 where the target is 1, -1 where it is 0; of the shape of ``logits``.
    gamma : Tensor or float
        Focusing exponent, broadcast over the pixels.
    """
    margin = logits * sign
    log_hit = F.logsigmoid(margin)
    return torch.exp(gamma * (log_hit - margin)) * -log_hit


class SigmoidFocalLoss(AnnotationLoss):
    """Mean of alpha (1 - pt)^gamma times the cross-entropy.

    Of the non-expert's mask only the ignored pixels have an effect.

    Parameters
    ----------
    alpha : float
        Weight of the foreground.
    gamma : float
        Focusing exponent; 0 gives cross-entropy.
    convention : {"published", "lin2017"}
        Weight of the background: ``alpha`` too, as in the capsule papers' code, or
        1 - alpha, as in [1]_.
    on_probabilities : bool
        Take the sigmoid of the logits first and use it as if it were the logit.
        The published baseline [2]_ is consistent with this mistake: its loss has
        a floor of 0.128 that no prediction gets under. For reproduction only.

    Raises
    ------
    ConfigError
        If a setting is out of range.

    References
    ----------
    .. [1] Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017.
    .. [2] Fatema, Thakur, Mohammed, arXiv 2509.15595, Table 1.
    """

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        convention: Literal["published", "lin2017"] = "published",
        on_probabilities: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < alpha <= 1:
            raise ConfigError(f"alpha must lie in (0, 1]; got {alpha}. Use 0.25.")
        if gamma < 0:
            raise ConfigError(f"gamma must not be negative; got {gamma}. Use 2.")
        if convention not in ("published", "lin2017"):
            raise ConfigError(
                'convention must be "published" or "lin2017"; got '
                f"{convention!r}. Choose one of the two."
            )
        self.alpha = alpha
        self.gamma = gamma
        self.convention = convention
        self.on_probabilities = on_probabilities

    def loss(self, logits: Tensor, annotation: Annotation) -> Tensor:
        """Return the loss of logits in full precision."""
        if self.on_probabilities:
            logits = logits.sigmoid()
        sign = annotation.sign(logits.dtype)
        counted = to_number(annotation.counted, logits.dtype)
        weight = counted * (self.alpha / counted.sum().clamp(min=1))
        if self.convention == "lin2017":
            weight = torch.where(
                annotation.foreground, weight, weight * (1 / self.alpha - 1)
            )
        return (weight * focal_cross_entropy(logits, sign, self.gamma)).sum()
