"""Build any of the networks from its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from napari_microus.core.config import BaselineConfig, ModelConfig, TransUNetConfig
from napari_microus.core.errors import InputError
from napari_microus.core.extensions import NETWORKS, build
from napari_microus.core.models.transunet import TransUNet

if TYPE_CHECKING:
    from collections.abc import Callable


class Baseline(nn.Module):
    """A network of others behind our convention: frames in, one logit a pixel out.

    Parameters
    ----------
    network : nn.Module
        Maps the channels to one channel of logits of the same size.
    config : ModelConfig
        What it was built from.
    """

    def __init__(self, network: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 1, ...) of the size of ``x``.

        Parameters
        ----------
        x : Tensor, shape (B, 1, H, W) or (B, C, D, H, W)
            Frames in [0, 1], or volumes; edges are multiples of ``config.edge_step``.

        Raises
        ------
        InputError
            If ``x`` has another number of axes or of channels, or edges that the
            network cannot halve often enough.
        """
        dims = self.config.baseline.spatial_dims
        channels = self.config.baseline.in_channels
        fits = x.ndim == dims + 2 and x.shape[1] == channels
        step = self.config.edge_step
        if not fits or any(n % step or n == 0 for n in x.shape[2:]):
            axes = "H, W" if dims == 2 else "D, H, W"
            raise InputError(
                f"Input must have shape (B, {channels}, {axes}) with edges that are "
                f"multiples of {step}; got {tuple(x.shape)}. Resize or pad it."
            )
        return self.network(x)


def create_model(config: ModelConfig | TransUNetConfig) -> nn.Module:
    """Return the network a configuration asks for, with random weights.

    Parameters
    ----------
    config : ModelConfig or TransUNetConfig
        Architecture and dimensions.

    Returns
    -------
    nn.Module
        A `TransUNet`, whose output is a `TransUNetOutput`, or a `Baseline`, whose
        output is a tensor of logits; `logits_of` gives the logits of either. Both
        carry their ``config``.
    """
    if isinstance(config, TransUNetConfig):
        return TransUNet(config)
    if config.architecture == "transunet":
        return TransUNet(config.transunet)
    if config.is_foreign:
        return Baseline(_of_package(config.architecture, config.baseline), config)
    return Baseline(_BASELINES[config.architecture](config.baseline), config)


def _of_package(name: str, config: BaselineConfig) -> nn.Module:
    # The keywords of MONAI's networks, so that those can be offered as they are.
    given = {
        "spatial_dims": config.spatial_dims,
        "in_channels": config.in_channels,
        "out_channels": 1,
    }
    network: nn.Module = build(NETWORKS, name, given, config.options)
    return network


def logits_of(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Return the full-size logits in what any of the networks returned."""
    return output if isinstance(output, Tensor) else output[0]


def _resnet50_unet(config: BaselineConfig) -> nn.Module:
    # The size-and-smoothness paper's network (arXiv 2407.09828): a U-Net decoder over
    # ResNet50; the weights start at random because ImageNet's are three-channel.
    from monai.networks.nets.flexible_unet import FlexibleUNet

    return FlexibleUNet(
        in_channels=config.in_channels,
        out_channels=1,
        backbone="resnet50",
        pretrained=False,
        spatial_dims=config.spatial_dims,
    )


def _basic_unet(config: BaselineConfig) -> nn.Module:
    from monai.networks.nets.basic_unet import BasicUNet

    finest = config.width or 32
    return BasicUNet(
        config.spatial_dims,
        in_channels=config.in_channels,
        out_channels=1,
        features=(finest, finest, 2 * finest, 4 * finest, 8 * finest, finest),
    )


def _attention_unet(config: BaselineConfig) -> nn.Module:
    from monai.networks.nets.attentionunet import AttentionUnet

    return AttentionUnet(
        config.spatial_dims,
        in_channels=config.in_channels,
        out_channels=1,
        channels=[(config.width or 32) * 2**scale for scale in range(5)],
        strides=(2, 2, 2, 2),
    )


def _segresnet(config: BaselineConfig) -> nn.Module:
    from monai.networks.nets.segresnet import SegResNet

    return SegResNet(
        config.spatial_dims,
        init_filters=config.width or 16,
        in_channels=config.in_channels,
        out_channels=1,
    )


def _swin_unetr(config: BaselineConfig) -> nn.Module:
    from monai.networks.nets.swin_unetr import SwinUNETR

    return SwinUNETR(
        in_channels=config.in_channels,
        out_channels=1,
        spatial_dims=config.spatial_dims,
        feature_size=24,
    )


_BASELINES: dict[str, Callable[[BaselineConfig], nn.Module]] = {
    "resnet50_unet": _resnet50_unet,
    "basic_unet": _basic_unet,
    "attention_unet": _attention_unet,
    "segresnet": _segresnet,
    "swin_unetr": _swin_unetr,
}
