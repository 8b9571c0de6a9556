"""The cascaded upsampler that turns tokens and skips into logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_microus.core.models.attention import ChannelSpatialAttention

if TYPE_CHECKING:
    from napari_microus.core.config import TransUNetConfig


class Conv2dReLU(nn.Sequential):
    """3×3 convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class DecoderBlock(nn.Module):
    """Double the resolution, join the skip, convolve twice."""

    def __init__(self, inputs: int, skip: int, outputs: int, attend: bool) -> None:
        super().__init__()
        self.conv1 = Conv2dReLU(inputs + skip, outputs)
        self.conv2 = Conv2dReLU(outputs, outputs)
        self.up = nn.UpsamplingBilinear2d(scale_factor=2)  # aligns the corners
        self.attention = ChannelSpatialAttention(skip) if attend and skip else None

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, 2 H, 2 W)."""
        x = self.up(x)
        if skip is not None:
            if self.attention is not None:
                skip = self.attention(skip)
            x = torch.cat([x, skip], dim=1)
        return self.conv2(self.conv1(x))


class SegmentationHead(nn.Sequential):
    """3×3 convolution to one logit a pixel."""

    def __init__(self, inputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, 1, 3, padding=1))


class DecoderCup(nn.Module):
    """Four decoder blocks, with a head after each of the first three."""

    def __init__(
        self, config: TransUNetConfig, skip_channels: tuple[int, int, int]
    ) -> None:
        super().__init__()
        self.conv_more = Conv2dReLU(config.hidden_size, config.conv_more_channels)
        outputs = config.decoder_channels
        inputs = (config.conv_more_channels, *outputs[:-1])
        self.num_skips = config.num_skips
        skips = [n if i < config.num_skips else 0 for i, n in enumerate(skip_channels)]
        self.blocks = nn.ModuleList(
            DecoderBlock(*channels, attend=config.skip_attention)
            for channels in zip(inputs, [*skips, 0], outputs, strict=True)
        )
        self.segmentation_head0 = SegmentationHead(outputs[0])
        self.segmentation_head1 = SegmentationHead(outputs[1])
        self.segmentation_head2 = SegmentationHead(outputs[2])

    def forward(
        self, x: Tensor, skips: list[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return full-size features, and logits at 1/8, 1/4 and 1/2.

        Parameters
        ----------
        x : Tensor, shape (B, hidden_size, H / 16, W / 16)
            The transformer's tokens, laid out as an image.
        skips : list of Tensor
            The encoder's features at 1/8, 1/4 and 1/2.
        """
        first, second, third, last = self.stages(x, skips)
        eighth = self.segmentation_head0(first)
        quarter = self.segmentation_head1(second)
        half = self.segmentation_head2(third)
        return last, eighth, quarter, half

    def stages(self, x: Tensor, skips: list[Tensor]) -> list[Tensor]:
        """Return the features of the four blocks, at 1/8, 1/4, 1/2 and full size."""
        x = self.conv_more(x)
        features = []
        for index, block in enumerate(self.blocks):
            x = block(x, skips[index] if index < self.num_skips else None)
            features.append(x)
        return features
