"""ImageNet's weights for the ResNet50 of the size-and-smoothness paper's U-Net."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from napari_microus.core.config import ModelConfig
from napari_microus.core.config.published_weights import (
    RESNET50,
    is_resnet50_unet,
)
from napari_microus.core.download import download
from napari_microus.core.errors import CheckpointError
from napari_microus.core.models.factory import Baseline, create_model
from napari_microus.core.models.weights import load_weights, read_checkpoint, unwrap

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from torch import Tensor

    from napari_microus.core.events import Event

# How the colours of the images it was trained on were brought to one scale.
_MEAN = (0.485, 0.456, 0.406)
_SD = (0.229, 0.224, 0.225)
_CLASSIFIER = ("fc.weight", "fc.bias")


def load_resnet50(network: Baseline, state_dict: Mapping[str, Any]) -> None:
    """Load torchvision's ResNet50 into the encoder of "resnet50_unet", all or nothing.

    A grey frame in [0, 1] then gives the features that the published network gives for
    the same frame in three colours, scaled as its training images were: the filters are
    divided by the colours' standard deviations and summed, and the colours' means go
    into the first normalisation.

    Parameters
    ----------
    network : Baseline
        "resnet50_unet" for frames; changed in place, its decoder stays as it is.
    state_dict : mapping of str to Tensor
        By torchvision's names; the classifier is left out.

    Raises
    ------
    CheckpointError
        If the network is another, an entry is missing or of another shape, or values
        are not finite.
    """
    if not is_resnet50_unet(network.config):
        raise CheckpointError(
            "ResNet50's weights are for resnet50_unet on frames; got "
            f"{network.config.architecture} in {network.config.spatial_dims}D. Choose "
            "that network, or leave the weights out.",
            plain=(
                "ResNet50's weights fit resnet50_unet on frames, and the "
                f"network is {network.config.architecture} in "
                f"{network.config.spatial_dims}D. Choose that network, or "
                "leave the weights out."
            ),
        )
    weights = {
        name: tensor
        for name, tensor in unwrap(state_dict).items()
        if name not in _CLASSIFIER
    }
    first = weights.get("conv1.weight")
    if first is not None and first.ndim == 4 and first.shape[1] == len(_MEAN):
        weights["conv1.weight"], shift = _grey(first)
        mean = weights.get("bn1.running_mean")
        if mean is not None and mean.shape == shift.shape:
            weights["bn1.running_mean"] = mean + shift
    encoder = network.network.encoder
    assert isinstance(encoder, nn.Module)  # MONAI's FlexibleUNet has one
    load_weights(encoder, weights)


def _grey(filters: Tensor) -> tuple[Tensor, Tensor]:
    """Return filters of one channel, and what they give more than those of three."""
    scaled = filters / torch.tensor(_SD).view(1, 3, 1, 1)
    mean = torch.tensor(_MEAN).view(1, 3, 1, 1)
    return scaled.sum(1, keepdim=True), (scaled * mean).sum((1, 2, 3))


def fetch_resnet50(folder: str | Path) -> Generator[Event, None, Path]:
    """Fetch `RESNET50` into a folder, check that it fits, and return its path.

    Raises
    ------
    DownloadError
        If the file cannot be fetched.
    CheckpointError
        If what came does not fit the network; it is then removed.
    """
    path = yield from download(RESNET50, folder)
    network = create_model(ModelConfig(architecture="resnet50_unet"))
    assert isinstance(network, Baseline)  # it is one of them
    try:
        load_resnet50(network, read_checkpoint(path))
    except CheckpointError:
        path.unlink()
        raise
    return path
