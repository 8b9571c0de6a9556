"""Layers with fixed weights, in the layout of a CPU's fastest kernels."""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_ONEDNN_ACTIVATION: dict[str, tuple[str, list[float]]] = {
    "none": ("none", []),
    "relu": ("relu", []),
    "relu6": ("hardtanh", [0.0, 6.0]),
}


class FoldedConv(nn.Module):
    """Convolution, bias and activation in one step, with weights that stay as they are.

    Parameters
    ----------
    weight, bias : Tensor
        After folding; ``bias`` may be None.
    like : nn.Conv2d
        Whose stride, padding and groups are kept.
    dtype : torch.dtype
        In which the products are formed.
    activation : str
        "none", "relu", or "relu6", which ends at 6.
    packed : bool
        Keep the weights in the layout of oneDNN's kernel, on a CPU only.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        like: nn.Conv2d,
        dtype: torch.dtype,
        *,
        activation: Literal["none", "relu", "relu6"] = "none",
        packed: bool = False,
    ) -> None:
        super().__init__()
        self.stride, self.padding = list(like.stride), [int(n) for n in like.padding]
        self.groups, self.dtype, self.activation = like.groups, dtype, activation
        weight = weight.detach().to(dtype).contiguous(memory_format=torch.channels_last)
        self.register_buffer("bias", None if bias is None else bias.detach().to(dtype))
        self.bias: Tensor | None
        # A packed tensor cannot be moved or cast, so the module does not register it.
        self._packed: Tensor | None = None
        if packed:
            self._packed = torch.ops.mkldnn._reorder_convolution_weight(
                weight, self.padding, self.stride, [1, 1], self.groups, None
            )
        else:
            self.register_buffer("weight", weight)
        self.weight: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, C, H, W) of any format."""
        x = x.to(self.dtype)
        if self._packed is not None:
            return torch.ops.mkldnn._convolution_pointwise(
                x,
                self._packed,
                self.bias,
                self.padding,
                self.stride,
                [1, 1],
                self.groups,
                *_ONEDNN_ACTIVATION[self.activation],
                "",
            )
        y = F.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, groups=self.groups
        )
        match self.activation:
            case "relu":
                return y.relu_()
            case "relu6":
                return y.clamp_(0, 6)
        return y


class FoldedLinear(nn.Module):
    """Linear layer with an exact GELU on request, packed like `FoldedConv`."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        dtype: torch.dtype,
        *,
        gelu: bool = False,
        packed: bool = False,
    ) -> None:
        super().__init__()
        self.gelu = gelu
        weight = weight.detach().to(dtype).contiguous()
        self.register_buffer("bias", bias.detach().to(dtype))
        self.bias: Tensor
        self._packed: Tensor | None = None
        if packed:
            self._packed = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        else:
            self.register_buffer("weight", weight)
        self.weight: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Map the last axis."""
        if self._packed is not None:
            kind, form = ("gelu", "none") if self.gelu else ("none", "")
            return torch.ops.mkldnn._linear_pointwise(
                x, self._packed, self.bias, kind, [], form
            )
        y = F.linear(x, self.weight, self.bias)
        return F.gelu(y) if self.gelu else y


@cache
def can_pack(dtype: torch.dtype) -> bool:
    """Return whether oneDNN's fused kernels pay here and this build of torch has them.

    With AVX-512 and AMX they take 0.54 to 0.65 of the time of torch's public operators,
    with AVX2 alone they take as long (docs/performance.md): there nothing private runs.
    """
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return False
    conv, linear = nn.Conv2d(16, 16, 3, padding=1), nn.Linear(16, 16)
    try:
        with torch.inference_mode():
            folded = FoldedConv(conv.weight, conv.bias, conv, dtype, packed=True)
            folded(torch.zeros(1, 16, 4, 4, dtype=dtype))
            weights = linear.weight, linear.bias
            product = FoldedLinear(*weights, dtype, gelu=True, packed=True)
            product(torch.zeros(1, 4, 16, dtype=dtype))
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        # Private operators, made for torch's compiler: other builds lack them.
        return False
    return True
