"""The weighted sum of focal cross-entropies that both annotation losses share."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Beyond it a float32's exponential would overflow.
_LARGEST = 80.0


class Odds(NamedTuple):
    """Probabilities given to the true class and to the wrong one.

    Each for itself: ``1 - miss`` is coarse where ``miss`` is near 1.
    """

    hit: Tensor
    miss: Tensor


def weighted_focal(
    logits: Tensor,
    sign: Tensor,
    weight: Tensor,
    gamma: Tensor | None,
    *,
    epsilon: float = 1e-6,
    odds: Odds | None = None,
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
    odds : Odds, optional
        Those of the same arguments, clamped if there is a ``gamma``, where they are
        known already. They are used up.

    Returns
    -------
    Tensor, shape ()

    References
    ----------
    .. [1] Fatema, Thakur, Mohammed, arXiv 2509.15595.
    .. [2] Jiang et al., "MicroSegNet", Comput. Med. Imaging Graph. 2024, 102326.
    """
    if odds is None:
        odds = odds_of(logits, sign, None if gamma is None else epsilon)
    loss: Tensor = _WeightedFocal.apply(logits, *odds, sign, weight, gamma, epsilon)  # type: ignore[no-untyped-call]
    return loss


@torch.no_grad()
def odds_of(logits: Tensor, sign: Tensor, clamp: float | None = None) -> Odds:
    """Return the probabilities of the true class and of the wrong one.

    They are 1/2 where ``sign`` is 0; a ``clamp`` keeps them in [clamp, 1 - clamp].
    """
    bound = _LARGEST if clamp is None else _logit(clamp)
    ratio = (logits * sign).clamp_(-bound, bound).exp_()
    miss = (ratio + 1).reciprocal_()
    return Odds(ratio.mul_(miss), miss)


def inner(first: Tensor, second: Tensor) -> Tensor:
    """Return the sum of all products."""
    return torch.dot(first.flatten(), second.flatten())


def _logit(epsilon: float) -> float:
    """Return the logit of ``1 - epsilon``."""
    return math.log1p(-epsilon) - math.log(epsilon)


class _WeightedFocal(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        hit: Tensor,
        miss: Tensor,
        sign: Tensor,
        weight: Tensor,
        gamma: Tensor | None,
        epsilon: float,
    ) -> Tensor:
        shifted = hit + epsilon
        log_hit = shifted.log()
        if gamma is None:
            factor = weight
        else:
            # miss ** gamma, at a fraction of the cost of torch.pow on a CPU
            factor = miss.log().mul_(gamma).exp_().mul_(weight)
        loss = inner(factor, log_hit).neg_()
        if not ctx.needs_input_grad[0]:
            return loss
        # d loss / d (sign · logit)
        #   = factor · hit · (gamma · log(hit + ε) - miss / (hit + ε))
        if gamma is None:
            slope = hit.div_(shifted).mul_(miss).mul_(factor).mul_(sign).neg_()
        else:
            slope = log_hit.mul_(gamma).addcdiv_(miss, shifted, value=-1)
            slope.mul_(hit).mul_(factor).mul_(sign)
            # the clamp lets nothing through outside
            bound = _logit(epsilon)
            torch.ops.aten.hardtanh_backward.grad_input(
                slope, logits, -bound, bound, grad_input=slope
            )
        ctx.save_for_backward(slope)
        return loss

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, upstream: Tensor
    ) -> tuple[Tensor, None, None, None, None, None, None]:
        (slope,) = ctx.saved_tensors
        # On a CPU a look costs nothing; elsewhere it would wait for the device, and a
        # compiler would end its graph.
        is_free = upstream.device.type == "cpu" and not torch.compiler.is_compiling()
        if not is_free or upstream.item() != 1:
            slope = slope * upstream
        return slope, None, None, None, None, None, None
