"""Published weights: MicroSegNet's checkpoints and ImageNet-21k's encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_microus.core.models.imagenet21k import (
    IMAGENET21K,
    fetch_imagenet21k,
    load_imagenet21k,
    read_imagenet21k,
)
from napari_microus.core.models.weights import load_weights, read_checkpoint, unwrap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_microus.core.models.transunet import TransUNet

__all__ = [
    "IMAGENET21K",
    "fetch_imagenet21k",
    "load_imagenet21k",
    "load_microsegnet",
    "read_checkpoint",
    "read_imagenet21k",
]


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
