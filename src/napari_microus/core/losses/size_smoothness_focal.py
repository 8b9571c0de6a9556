"""Focal loss that follows the size and the smoothness of the target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor

from napari_microus.core.errors import ConfigError
from napari_microus.core.losses.base import AnnotationLoss
from napari_microus.core.losses.sigmoid_focal import focal_cross_entropy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.losses.annotation import Annotation

TERMS = ("alpha_va", "gamma_va", "gamma_mSa")


class SizeSmoothness(NamedTuple):
    """The three factors of each sample, as tensors of shape (B,).

    Attributes
    ----------
    alpha_va : Tensor
        Weight of the foreground: the background's share of the pixels.
    gamma_va : Tensor
        The foreground's share of the pixels.
    gamma_mSa : Tensor
        Mean length of the mask's gradient by central differences, per pixel.
    """

    alpha_va: Tensor
    gamma_va: Tensor
    gamma_mSa: Tensor  # the paper's name


class SizeSmoothnessFocalLoss(AnnotationLoss):
    """Focal loss with factors of the target's size and smoothness, in 2D and 3D.

    ``-alpha_t (1 - pt)^(gamma_va + gamma_mSa) log(pt)``, averaged [1]_.

    The paper's formula, our default, takes all factors per sample and gives the
    foreground the weight alpha_va, the background 1 - alpha_va. The published
    code swaps the two weights, so that the rare class gets the small one, takes
    the sizes over the whole batch and the smoothness from its first sample.

    With one logit per pixel the weight goes by the pixel's class. With two
    (background, foreground), as in the published code, each channel is a sigmoid
    of its own against its own mask, the weight goes by channel, and the mean is
    over both.

    Of the non-expert's mask only the ignored pixels have an effect.

    By the paper's formula a sample of one class alone weighs that class 0: with one
    logit, nothing is learnt from an empty mask.

    Parameters
    ----------
    form : {"paper", "published_code"}
        Which of the two.
    terms : sequence of str
        Which of the three factors take part, for ablations. Without alpha_va both
        classes weigh 1; gamma is the sum of its terms, 0 without any, where the
        loss is a (weighted) cross-entropy.

    Attributes
    ----------
    last_factors : SizeSmoothness or None
        Factors of each sample of the last call, on the device.

    Raises
    ------
    ConfigError
        If ``form`` or a term is unknown.

    References
    ----------
    .. [1] Islam et al., "Size and Smoothness Aware Adaptive Focal Loss for Small
       Tumor Segmentation", arXiv 2407.09828.
    """

    channels = (1, 2)

    def __init__(
        self,
        form: Literal["paper", "published_code"] = "paper",
        terms: Sequence[str] = TERMS,
    ) -> None:
        super().__init__()
        if form not in ("paper", "published_code"):
            raise ConfigError(
                'form must be "paper" or "published_code"; got '
                f"{form!r}. Choose one of the two."
            )
        check_terms(terms)
        self.form = form
        self.terms = tuple(terms)
        self.last_factors: SizeSmoothness | None = None

    def loss(self, logits: Tensor, annotation: Annotation) -> Tensor:
        """Return the loss of logits in full precision."""
        factors = size_smoothness(annotation, logits.dtype)
        self.last_factors = factors
        alpha, gamma_va, gamma_mSa = factors
        counted = annotation.counted.to(logits.dtype)
        if self.form == "published_code":
            gamma_va = annotation.foreground.sum() / counted.sum().clamp(min=1)
            gamma_va = gamma_va.to(logits.dtype).expand_as(alpha)
            gamma_mSa = gamma_mSa[:1].expand_as(alpha)
            alpha = gamma_va
        to_pixels = (-1, *[1] * (logits.ndim - 1))
        foreground, background = alpha.view(to_pixels), (1 - alpha).view(to_pixels)
        if "alpha_va" not in self.terms:
            foreground = background = torch.ones_like(foreground)
        by_name = {"gamma_va": gamma_va, "gamma_mSa": gamma_mSa}
        gamma = torch.zeros_like(gamma_va)
        for name in self.terms:
            gamma = gamma + by_name.get(name, 0)
        gamma = gamma.view(to_pixels)
        sign = annotation.sign(logits.dtype)
        if logits.shape[1] == 1:
            weight = torch.where(annotation.foreground, foreground, background)
        else:
            sign = torch.cat([-sign, sign], dim=1)
            weight = torch.cat([background, foreground], dim=1)
        focal = weight * focal_cross_entropy(logits, sign, gamma) * counted
        return focal.sum() / (counted.sum() * logits.shape[1]).clamp(min=1)


def check_terms(terms: Sequence[str]) -> None:
    """Refuse factors that the loss does not have.

    Raises
    ------
    ConfigError
        If one is unknown or named twice.
    """
    if len(set(terms)) != len(terms) or not set(terms) <= set(TERMS):
        raise ConfigError(
            f"terms must be some of {', '.join(TERMS)}, each once; got "
            f"{', '.join(terms)}. Leave out the others."
        )


@torch.no_grad()
def size_smoothness(
    annotation: Annotation, dtype: torch.dtype = torch.float32
) -> SizeSmoothness:
    """Measure the size and the smoothness of each sample's mask.

    Ignored pixels count in no mean, and a difference that would need one is zero.
    A mask with no counted pixel has alpha_va 1 and gammas 0.
    """
    counted = annotation.counted.to(dtype).flatten(1)
    pixels = counted.sum(1).clamp(min=1)
    gamma_va = annotation.foreground.to(dtype).flatten(1).sum(1) / pixels
    foreground = annotation.foreground.to(dtype)
    squares = torch.zeros_like(foreground)
    for axis in range(2, foreground.ndim):
        squares += _central_difference(foreground, annotation.counted, axis) ** 2
    gradient = squares.sqrt_().flatten(1).mul_(counted)
    return SizeSmoothness(1 - gamma_va, gamma_va, gradient.sum(1) / pixels)


def _central_difference(mask: Tensor, counted: Tensor, axis: int) -> Tensor:
    """Return `numpy.gradient` along one axis, zero beside ignored pixels."""
    length = mask.shape[axis]
    here = torch.arange(length, device=mask.device)
    after = (here + 1).clamp_(max=length - 1)
    before = (here - 1).clamp_(min=0)
    known = counted.index_select(axis, after) & counted.index_select(axis, before)
    rise = mask.index_select(axis, after) - mask.index_select(axis, before)
    shape = [1] * mask.ndim
    shape[axis] = length
    run = (after - before).clamp_(min=1).view(shape)
    return rise.mul_(known) / run
