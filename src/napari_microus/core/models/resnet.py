"""The hybrid's convolutional encoder: ResNetv2 with standardised convolutions."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 32


class StdConv2d(nn.Conv2d):
    """Convolution whose filters are brought to zero mean and unit variance.

    References
    ----------
    .. [1] Qiao et al., Micro-batch training with batch-channel normalization and
       weight standardization, 2019, arXiv 1903.10520.
    """

    eps = 1e-5

    def standardised_weight(self) -> Tensor:
        """Return the filters as they are applied, shape of ``weight``."""
        variance, mean = torch.var_mean(
            self.weight, dim=(1, 2, 3), keepdim=True, correction=0
        )
        return (self.weight - mean) / torch.sqrt(variance + self.eps)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, C, H, W) with the standardised filters."""
        weight = self.standardised_weight()
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> StdConv2d:
    padding = kernel // 2
    return StdConv2d(inputs, outputs, kernel, stride, padding, bias=False)


class GroupNorm(nn.GroupNorm):
    """Group normalisation that trains in bfloat16 on a CPU at full speed."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) over each group."""
        slow = x.dtype == torch.bfloat16 and x.device.type == "cpu" and x.requires_grad
        if slow and self.num_channels < 16 * self.num_groups:
            # For groups narrower than a vector register, torch's backward takes three
            # to five times longer in bfloat16 than in float32, casts included.
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float()).to(x.dtype)
        return super().forward(x)


def _group_norm(channels: int) -> GroupNorm:
    # 32 groups as published; narrow networks have fewer, of two channels or more.
    groups = math.gcd(GROUPS, max(1, channels // 2))
    return GroupNorm(groups, channels, eps=1e-6)


class PreActBottleneck(nn.Module):
    """Residual unit of 1×1, 3×3 and 1×1 convolutions, named as in the weights."""

    def __init__(self, inputs: int, outputs: int, inner: int, stride: int) -> None:
        super().__init__()
        self.gn1 = _group_norm(inner)
        self.conv1 = _conv(inputs, inner, 1)
        self.gn2 = _group_norm(inner)
        self.conv2 = _conv(inner, inner, 3, stride)
        self.gn3 = _group_norm(outputs)
        self.conv3 = _conv(inner, outputs, 1)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: StdConv2d | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = _conv(inputs, outputs, 1, stride)
            # One group a channel, and torch's epsilon: as published.
            self.gn_proj = GroupNorm(outputs, outputs, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H / stride, W / stride)."""
        residual = x if self.downsample is None else self.gn_proj(self.downsample(x))
        y = self.relu(self.gn1(self.conv1(x)))
        y = self.relu(self.gn2(self.conv2(y)))
        return self.relu(self.gn3(self.conv3(y)) + residual)


class ResNetV2(nn.Module):
    """Encode images to 1/16, keeping the features at 1/8, 1/4 and 1/2 on the way.

    Parameters
    ----------
    in_channels, width : int
        Channels of the image and after the first convolution.
    expansion : int
        Output over inner channels of a unit; inner ones are width, 2 and 4 times it.
    block_units : tuple of int
        Residual units of the three stages.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        expansion: int,
        block_units: tuple[int, int, int],
    ) -> None:
        super().__init__()
        root = StdConv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        self.root = nn.Sequential(
            OrderedDict(conv=root, gn=_group_norm(width), relu=nn.ReLU(inplace=True))
        )
        # Without padding, as published: 112 becomes 55, and the skip is padded below.
        self.pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=0)
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        inputs = width
        for index, units in enumerate(block_units):
            inner = width * 2**index
            outputs = inner * expansion
            unit_modules: OrderedDict[str, nn.Module] = OrderedDict()
            for number in range(1, units + 1):
                stride = 2 if index > 0 and number == 1 else 1
                unit = PreActBottleneck(inputs, outputs, inner, stride)
                unit_modules[f"unit{number}"] = unit
                inputs = outputs
            blocks[f"block{index + 1}"] = nn.Sequential(unit_modules)
        self.body = nn.Sequential(blocks)
        self.out_channels = inputs
        #: Channels of the skips, from 1/8 to 1/2.
        self.skip_channels = (2 * width * expansion, width * expansion, width)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return features at 1/16, and the skips at 1/8, 1/4 and 1/2."""
        size = x.shape[-1]
        x = self.root(x)
        skips = [x]
        x = self.pool(x)
        for index, block in enumerate(list(self.body)[:-1]):
            x = block(x)
            # The unpadded pooling loses a row and a column; the skip gets them back
            # as zeros at the bottom and the right, the next block does not.
            missing = size // (4 * (index + 1)) - x.shape[-1]
            skips.append(F.pad(x, (0, missing, 0, missing)) if missing else x)
        return self.body[-1](x), skips[::-1]
