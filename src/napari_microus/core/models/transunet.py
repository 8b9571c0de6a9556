"""TransUNet with deep supervision: convolutions, a transformer, and a decoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from napari_microus.core.config import TransUNetConfig
from napari_microus.core.errors import InputError
from napari_microus.core.models.attention import DilatedBottleneck
from napari_microus.core.models.decoder import DecoderCup, SegmentationHead
from napari_microus.core.models.dropout import Dropout
from napari_microus.core.models.efficientnet import EfficientNetLite
from napari_microus.core.models.resnet import ResNetV2
from napari_microus.core.models.vit import Encoder

__all__ = ["TransUNet", "TransUNetConfig", "TransUNetOutput"]


class TransUNetOutput(NamedTuple):
    """Logits at four scales; ``logits`` is the prediction, the rest supervises.

    Attributes
    ----------
    logits : Tensor, shape (B, 1, H, W)
        Full resolution.
    half, quarter, eighth : Tensor
        The same at 1/2, 1/4 and 1/8 of it.
    """

    logits: Tensor
    half: Tensor
    quarter: Tensor
    eighth: Tensor


class Embeddings(nn.Module):
    """Turn an image into one token per 16 × 16 pixels, with its position added."""

    def __init__(self, config: TransUNetConfig) -> None:
        super().__init__()
        self.hybrid_model: ResNetV2 | EfficientNetLite
        if config.encoder.startswith("efficientnet"):
            self.hybrid_model = EfficientNetLite(config.encoder)
        else:
            self.hybrid_model = ResNetV2(
                config.in_channels,
                config.width,
                config.bottleneck_expansion,
                config.block_units,
            )
        channels = self.hybrid_model.out_channels
        self.dilation = (
            DilatedBottleneck(channels) if config.bottleneck_dilation else None
        )
        self.patch_embeddings = nn.Conv2d(channels, config.hidden_size, 1)
        tokens = (config.image_size // 16) ** 2
        self.position_embeddings = nn.Parameter(
            torch.zeros(1, tokens, config.hidden_size)
        )
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return tokens (B, N, hidden_size) and the encoder's skips."""
        x, skips = self.hybrid_model(x)
        if self.dilation is not None:
            x = self.dilation(x)
        x = self.patch_embeddings(x).flatten(2).transpose(1, 2)
        return self.dropout(x + self.position_embeddings), skips


class Transformer(nn.Module):
    """Embeddings and the transformer over them, named as in the weights."""

    def __init__(self, config: TransUNetConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(
            config.hidden_size,
            config.mlp_dim,
            config.num_heads,
            config.num_layers,
            config.dropout,
            config.attention_dropout,
        )

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return tokens (B, N, hidden_size) and the encoder's skips."""
        tokens, skips = self.embeddings(x)
        return self.encoder(tokens), skips


class TransUNet(nn.Module):
    """Segment square frames; `TransUNetConfig.base` meets the published numbers.

    The names in ``state_dict`` are MicroSegNet's [2]_, so that its weights fit.

    Parameters
    ----------
    config : TransUNetConfig
        Dimensions and options.

    References
    ----------
    .. [1] Chen et al., TransUNet: transformers make strong encoders for medical
       image segmentation, 2021, arXiv 2102.04306.
    .. [2] Jiang et al., MicroSegNet, Comput. Med. Imaging Graph. 2024, 102326,
       arXiv 2305.19956.
    """

    def __init__(self, config: TransUNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TransUNetConfig()
        self.transformer = Transformer(config)
        encoder = self.transformer.embeddings.hybrid_model
        self.decoder = DecoderCup(config, encoder.skip_channels)
        self.segmentation_head = SegmentationHead(config.decoder_channels[-1])
        _initialise(self)

    def forward(self, x: Tensor) -> TransUNetOutput:
        """Return logits at four scales.

        Parameters
        ----------
        x : Tensor, shape (B, 1, H, W)
            Frames in [0, 1] with H = W = ``config.image_size``. Grey is repeated to
            ``config.in_channels``, which are also taken as they are.

        Raises
        ------
        InputError
            If the frames have another shape.
        """
        features, skips = self.encode(x)
        x, eighth, quarter, half = self.decoder(features, skips)
        return TransUNetOutput(self.segmentation_head(x), half, quarter, eighth)

    def encode(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return what the decoder works on; takes and refuses what `forward` does.

        Returns
        -------
        features : Tensor, shape (B, hidden_size, H / 16, W / 16)
            The transformer's tokens, laid out as an image.
        skips : list of Tensor
            The convolutional features at 1/8, 1/4 and 1/2.
        """
        size, channels = self.config.image_size, self.config.in_channels
        fits = x.ndim == 4 and x.shape[1] in (1, channels)
        if not fits or x.shape[2:] != (size, size):
            raise InputError(
                f"Frames must have shape (B, 1, {size}, {size}); got "
                f"{tuple(x.shape)}. Resize them with core.preprocess.to_network."
            )
        if x.shape[1] != channels:
            x = x.expand(-1, channels, -1, -1)
        tokens, skips = self.transformer(x)
        return tokens.transpose(1, 2).unflatten(2, (size // 16, size // 16)), skips


def _initialise(model: nn.Module) -> None:
    """Prepare training from scratch; loaded weights replace all of this."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            # For a StdConv2d only the shape counts: its size is standardised away.
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5)
            nn.init.zeros_(module.bias)
        elif isinstance(module, Embeddings):
            nn.init.trunc_normal_(module.position_embeddings, std=0.02)
    for name, parameter in model.named_parameters():
        if "segmentation_head" in name and parameter.ndim > 1:
            # Logits near zero: the first loss is that of an even guess.
            nn.init.normal_(parameter, std=0.01)
