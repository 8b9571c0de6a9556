"""Published ImageNet weights by name, and which networks can begin with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_microus.core.config.model import ModelConfig, TransUNetConfig
from napari_microus.core.download import RemoteFile

if TYPE_CHECKING:
    from collections.abc import Callable


#: Google's R50+ViT-B/16, pre-trained on ImageNet-21k (Apache-2.0). Google publishes no
#: digest beside it; this one is that of two unrelated public copies (a Git LFS pointer
#: and a download record), and a third project gives the size for Google's address.
IMAGENET21K = RemoteFile(
    url="https://storage.googleapis.com/vit_models/imagenet21k/R50%2BViT-B_16.npz",
    name="R50+ViT-B_16.npz",
    size=461_217_452,
    checksum="sha256:ff009bf39bb4f9198b834cfe46aba2bfdaf730e933ab3e3c4b1edf4226eaafbe",
)


#: torchvision's ResNet50, trained on ImageNet-1k (its first weights; BSD-3-Clause). The
#: digest begins with the one in the file's name.
RESNET50 = RemoteFile(
    url="https://download.pytorch.org/models/resnet50-0676ba61.pth",
    name="resnet50-0676ba61.pth",
    size=102_530_333,
    checksum="sha256:0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
)

# What of a TransUNet the encoder's weights decide; positions are resized.
_ENCODER = (
    "encoder",
    "hidden_size",
    "mlp_dim",
    "num_heads",
    "num_layers",
    "in_channels",
    "width",
    "bottleneck_expansion",
    "block_units",
)


@dataclass(frozen=True)
class PublishedWeights:
    """Weights that a new network can begin with.

    Attributes
    ----------
    name : str
        As in ``--start`` and ``models fetch``.
    about : str
        What they are, in a few words.
    file : RemoteFile
        Where they are published, and how the file is recognised.
    fits : callable
        Whether a network of a configuration takes them.
    network : ModelConfig
        The network that takes them where another one was asked for.
    """

    name: str
    about: str
    file: RemoteFile
    fits: Callable[[ModelConfig], bool]
    network: ModelConfig


def published_weights() -> dict[str, PublishedWeights]:
    """Return the weights that are known by name."""
    known = (
        PublishedWeights(
            "imagenet21k",
            "R50+ViT-B/16 of ImageNet-21k, for base",
            IMAGENET21K,
            _is_base_encoder,
            ModelConfig.base(),
        ),
        PublishedWeights(
            "resnet50",
            "ResNet50 of ImageNet-1k, for resnet50_unet",
            RESNET50,
            is_resnet50_unet,
            ModelConfig(architecture="resnet50_unet"),
        ),
    )
    return {one.name: one for one in known}


def is_resnet50_unet(config: ModelConfig) -> bool:
    """Return whether ResNet50's weights fit the network of a configuration."""
    return config.architecture == "resnet50_unet" and config.spatial_dims == 2


def _is_base_encoder(config: ModelConfig) -> bool:
    base = TransUNetConfig.base()
    own = config.transunet
    return config.architecture == "transunet" and all(
        getattr(own, name) == getattr(base, name) for name in _ENCODER
    )
