"""Refinements of Algorithm 1: dilated bottleneck, attention on the skips.

The paper [1]_ names the steps without their dimensions; the bottleneck follows
MONAI's atrous spatial pyramid and the attention follows CBAM [2]_.

References
----------
.. [1] Fatema et al., Prostate capsule segmentation from micro-ultrasound images
   using adaptive focal loss, 2025, arXiv 2509.15595, Algorithm 1.
.. [2] Woo et al., CBAM: convolutional block attention module, ECCV 2018,
   arXiv 1807.06521.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelSpatialAttention(nn.Module):
    """Weigh features by channel, then by place.

    Parameters
    ----------
    channels : int
        Channels of the features.
    reduction : int
        Channels over the width of the shared perceptron.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        inner = max(4, channels // reduction)
        self.perceptron = nn.Sequential(
            nn.Conv2d(channels, inner, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, channels, 1),
        )
        self.place = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, H, W) to the same shape."""
        mean = self.perceptron(x.mean((2, 3), keepdim=True))
        peak = self.perceptron(x.amax((2, 3), keepdim=True))
        x = x * torch.sigmoid(mean + peak)
        summary = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.place(summary))


class DilatedBottleneck(nn.Module):
    """See the bottleneck at several dilations and add what they find to it.

    Parameters
    ----------
    channels : int
        Channels of the bottleneck; each of the four branches has a quarter.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        from monai.networks.blocks.aspp import SimpleASPP

        # MONAI's default dilations 1, 2, 4, 6 cover a 14 × 14 grid.
        self.pyramid = SimpleASPP(2, channels, max(1, channels // 4))
        branches = 4 * max(1, channels // 4)
        self.project = nn.Conv2d(branches, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, H, W) to the same shape."""
        return x + self.project(self.pyramid(x))
