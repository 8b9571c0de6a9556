"""The weighted sum of focal cross-entropies that both annotation losses share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def weighted_focal(
    logits: Tensor,
    sign: Tensor,
    weight: Tensor,
    gamma: Tensor | None,
    *,
    epsilon: float = 1e-6,
    miss: Tensor | None = None,
) -> Tensor:
    """Return Σ weight · -(1 - pt)^gamma · log(pt + epsilon).

    pt is the probability given to the true class. With a ``gamma``, the
    probability is clamped to [epsilon, 1 - epsilon] and its gradient is zero
    outside, as in [1]_; with None there is no focusing and no clamp, as in [2]_.

    The gradient is written out and computed in the forward pass, in place: one
    tensor is kept for the backward pass instead of a dozen. It reaches
    ``logits`` alone, and only once (there is no second derivative).

    Parameters
    ----------
    logits : Tensor of float32 or float64, shape (B, 1, ...)
        Raw network output.
    sign : Tensor, shape of ``logits``
        +1 on foreground, -1 on background, 0 for no gradient.
    weight : Tensor, shape of ``logits``
        Weight of each pixel's term.
    gamma : Tensor of shape () or (B, 1, ...), or None
        Focusing exponent, a constant to the gradient.
    epsilon : float
        Keeps the logarithm finite.
    miss : Tensor, shape of ``logits``, optional
        `miss_probability` of the same arguments, clamped if there is a ``gamma``,
        where it is known already.

    Returns
    -------
    Tensor, shape ()

    References
    ----------
    .. [1] Fatema, Thakur, Mohammed, arXiv 2509.15595.
    .. [2] Jiang et al., "MicroSegNet", Comput. Med. Imaging Graph. 2024, 102326.
    """
    if miss is None:
        clamp = None if gamma is None else epsilon
        miss = miss_probability(logits, sign, clamp)
    loss: Tensor = _WeightedFocal.apply(logits, miss, sign, weight, gamma, epsilon)  # type: ignore[no-untyped-call]
    return loss


@torch.no_grad()
def miss_probability(
    logits: Tensor, sign: Tensor, clamp: float | None = None
) -> Tensor:
    """Return 1 - pt, the probability given to the wrong class.

    It is 1/2 where ``sign`` is 0; a ``clamp`` keeps it in [clamp, 1 - clamp].
    """
    miss = (logits * sign).neg_().sigmoid_()
    return miss if clamp is None else miss.clamp_(clamp, 1 - clamp)


class _WeightedFocal(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        miss: Tensor,
        sign: Tensor,
        weight: Tensor,
        gamma: Tensor | None,
        epsilon: float,
    ) -> Tensor:
        # Both probabilities by a sigmoid: 1 - miss is coarse where miss is near 1.
        hit = (logits * sign).sigmoid_()
        if gamma is not None:
            hit.clamp_(epsilon, 1 - epsilon)
        shifted = hit + epsilon
        log_hit = shifted.log()
        if gamma is None:
            factor = weight
        else:
            # miss ** gamma, at half the cost of torch.pow on a CPU
            factor = torch.log2(miss).mul_(gamma).exp2_().mul_(weight)
        loss = (factor * log_hit).sum().neg_()
        if not ctx.needs_input_grad[0]:
            return loss
        # d loss / d (sign · logit)
        #   = factor · hit · (gamma · log(hit + ε) - miss / (hit + ε))
        if gamma is None:
            slope = miss.div(shifted).neg_()
        else:
            slope = log_hit.mul_(gamma).addcdiv_(miss, shifted, value=-1)
        slope.mul_(hit).mul_(factor).mul_(sign)
        if gamma is not None:  # the clamp lets nothing through outside
            slope = torch.ops.aten.hardtanh_backward(slope, miss, epsilon, 1 - epsilon)
        ctx.save_for_backward(slope)
        return loss

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, upstream: Tensor
    ) -> tuple[Tensor, None, None, None, None, None]:
        (slope,) = ctx.saved_tensors
        return slope * upstream, None, None, None, None, None
