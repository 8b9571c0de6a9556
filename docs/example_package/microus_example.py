"""A loss and a network of one's own, which napari-microus finds by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_microus.core.losses.base import AnnotationLoss

if TYPE_CHECKING:
    from napari_microus.core.losses.annotation import Annotation


class SquaredError(AnnotationLoss):
    """Mean squared error of the probability, with a weight on the capsule's pixels.

    Parameters
    ----------
    inside : float
        Weight of a pixel of the capsule; any other weighs 1.
    """

    def __init__(self, inside: float = 1.0) -> None:
        super().__init__()
        self.inside = inside

    def loss(self, logits: Tensor, annotation: Annotation) -> Tensor:
        """Return the loss of the pixels that count."""
        expert = annotation.foreground.float()
        weight = annotation.counted.float() * (1 + (self.inside - 1) * expert)
        error = (logits.sigmoid() - expert) ** 2
        return (error * weight).sum() / weight.sum().clamp(min=1)


class PlainUNet(nn.Module):
    """A U-Net of two scales.

    Parameters
    ----------
    spatial_dims : int
        2 for frames, 3 for volumes.
    in_channels, out_channels : int
        Channels of the input; logits of a pixel, which is 1.
    width : int
        Channels at full size; below there are twice as many.
    """

    def __init__(
        self, spatial_dims: int, in_channels: int, out_channels: int, width: int = 8
    ) -> None:
        super().__init__()
        convolution = nn.Conv2d if spatial_dims == 2 else nn.Conv3d
        pooling = nn.MaxPool2d if spatial_dims == 2 else nn.MaxPool3d
        self.fine = convolution(in_channels, width, 3, padding=1)
        self.down = pooling(2)
        self.coarse = convolution(width, 2 * width, 3, padding=1)
        self.up = nn.Upsample(scale_factor=2)
        self.answer = convolution(3 * width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of the size of ``x``."""
        fine = torch.relu(self.fine(x))
        coarse = torch.relu(self.coarse(self.down(fine)))
        logits: Tensor = self.answer(torch.cat([fine, self.up(coarse)], 1))
        return logits
