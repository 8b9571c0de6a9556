"""Published weights: MicroSegNet's checkpoints and ImageNet's encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_microus.core.config.published_weights import (
    IMAGENET21K,
    is_resnet50_unet,
)
from napari_microus.core.errors import CheckpointError
from napari_microus.core.models.efficientnet import (
    EfficientNetLite,
    load_efficientnet_lite,
)
from napari_microus.core.models.factory import Baseline
from napari_microus.core.models.imagenet21k import (
    fetch_imagenet21k,
    load_imagenet21k,
    read_imagenet21k,
)
from napari_microus.core.models.resnet50 import fetch_resnet50, load_resnet50
from napari_microus.core.models.transunet import TransUNet
from napari_microus.core.models.weights import load_weights, read_checkpoint, unwrap

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from torch import nn

    from napari_microus.core.events import Event

__all__ = [
    "FETCH",
    "IMAGENET21K",
    "fetch_imagenet21k",
    "fetch_resnet50",
    "load_encoder",
    "load_imagenet21k",
    "load_microsegnet",
    "load_resnet50",
    "read_checkpoint",
    "read_imagenet21k",
]

#: What fetches published weights into a folder, by their name.
FETCH: dict[str, Callable[[str | Path], Generator[Event, None, Path]]] = {
    "imagenet21k": fetch_imagenet21k,
    "resnet50": fetch_resnet50,
}


def load_encoder(network: nn.Module, path: str | Path) -> None:
    """Load published ImageNet weights into a network's encoder, all or nothing.

    Parameters
    ----------
    network : nn.Module
        A `TransUNet` or "resnet50_unet", changed in place; its decoder stays as it is.
    path : str or Path
        ``R50+ViT-B_16.npz`` for the encoder "resnet_v2" of `base`'s dimensions,
        EfficientNet-Lite's ``.pth`` of that size for "efficientnet_lite0" or "…2", or
        torchvision's ResNet50 ``.pth``.

    Raises
    ------
    CheckpointError
        If the network is none of them, or the file is missing, damaged or of another
        network.
    """
    if isinstance(network, Baseline) and is_resnet50_unet(network.config):
        load_resnet50(network, read_checkpoint(path))
        return
    if not isinstance(network, TransUNet):
        name = type(network).__name__
        if isinstance(network, Baseline):
            name = network.config.architecture
        raise CheckpointError(
            "encoder_weights are for the encoder of a TransUNet or of resnet50_unet; "
            f"got a network of {name}. Leave them out.",
            plain=(
                "These encoder weights fit a TransUNet or resnet50_unet, and "
                f"the network is {name}. Leave them out."
            ),
        )
    encoder = network.transformer.embeddings.hybrid_model
    if isinstance(encoder, EfficientNetLite):
        load_efficientnet_lite(encoder, read_checkpoint(path))
    else:
        load_imagenet21k(network, read_imagenet21k(path))


def load_microsegnet(model: TransUNet, state_dict: Mapping[str, Any]) -> None:
    """Load a MicroSegNet checkpoint into a network, all of it or nothing.

    Parameters
    ----------
    model : TransUNet
        Changed in place. Its options of Algorithm 1 keep their values where the
        checkpoint has none.
    state_dict : mapping of str to Tensor
        As read by `read_checkpoint`; may also still be wrapped.

    Raises
    ------
    CheckpointError
        If names or shapes differ (the first missing, unexpected and misshapen ones
        are named) or values are not finite.

    References
    ----------
    .. [1] Jiang et al., MicroSegNet, Comput. Med. Imaging Graph. 2024, 102326;
       weights and names of https://github.com/mirthAI/MicroSegNet.
    """
    load_weights(model, unwrap(state_dict))
