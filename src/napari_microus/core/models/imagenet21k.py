"""The encoder's weights from ImageNet-21k, as Google published them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_microus.core.config import TransUNetConfig
from napari_microus.core.config.published_weights import IMAGENET21K
from napari_microus.core.download import download
from napari_microus.core.errors import BROKEN_FILE, CheckpointError
from napari_microus.core.models.transunet import TransUNet
from napari_microus.core.models.weights import damaged, not_finite, refuse

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from numpy.typing import NDArray

    from napari_microus.core.events import Event


def load_imagenet21k(model: TransUNet, npz_mapping: Mapping[str, Any]) -> None:
    """Load ImageNet-21k's R50+ViT weights into the encoder, all of them or nothing.

    TrainingState embeddings of another grid are resized as published: without the class
    token, by linear interpolation with `scipy.ndimage.zoom`.

    Parameters
    ----------
    model : TransUNet
        Changed in place; decoder and heads stay as they are.
    npz_mapping : mapping of str to ndarray
        The entries of ``R50+ViT-B_16.npz``; see `read_imagenet21k`.

    Raises
    ------
    CheckpointError
        If an entry is missing, has another shape or is not finite.

    References
    ----------
    .. [1] Dosovitskiy et al., An image is worth 16x16 words, ICLR 2021,
       arXiv 2010.11929; https://github.com/google-research/vision_transformer.
    """
    own = model.transformer.state_dict()
    names = _imagenet21k_names(model)
    missing = [name for name in names.values() if name not in npz_mapping]
    refuse(missing, [], [])
    converted: dict[str, NDArray[Any]] = {}
    misshapen = []
    for key, name in names.items():
        array = np.asarray(npz_mapping[name])
        if not np.isfinite(array).all():
            raise not_finite(name)
        shape = tuple(own[key].shape)
        fitted = _fitted(array, key, shape)
        if fitted is None:
            misshapen.append(f"{name} {array.shape} for {shape}")
        else:
            converted[key] = fitted
    refuse([], [], misshapen)
    with torch.no_grad():
        for key, array in converted.items():
            own[key].copy_(torch.from_numpy(np.ascontiguousarray(array)))


def read_imagenet21k(path: str | Path) -> dict[str, NDArray[Any]]:
    """Return the entries of an ``.npz`` of ImageNet-21k weights by name.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or no such file.
    """
    try:
        # Opened here, because NumPy leaves a broken file open.
        with Path(path).open("rb") as stream, np.load(stream) as stored:
            arrays = dict(stored)
    except (OSError, ValueError, EOFError, TypeError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise damaged(Path(path), reason) from error
    except BROKEN_FILE as error:
        raise damaged(Path(path), "its archive is broken") from error
    return arrays


def fetch_imagenet21k(folder: str | Path) -> Generator[Event, None, Path]:
    """Fetch `IMAGENET21K` into a folder, check that it fits, and return its path.

    Raises
    ------
    DownloadError
        If the file cannot be fetched.
    CheckpointError
        If what came does not fit the base network; it is then removed.
    """
    path = yield from download(IMAGENET21K, folder)
    try:
        load_imagenet21k(TransUNet(TransUNetConfig.base()), read_imagenet21k(path))
    except CheckpointError:
        path.unlink()
        raise
    return path


def _imagenet21k_names(model: TransUNet) -> dict[str, str]:
    """Return the entry of the ``.npz`` for each tensor of the encoder."""
    names = {
        "embeddings.position_embeddings": "Transformer/posembed_input/pos_embedding",
        "embeddings.hybrid_model.root.conv.weight": "conv_root/kernel",
        "embeddings.hybrid_model.root.gn.weight": "gn_root/scale",
        "embeddings.hybrid_model.root.gn.bias": "gn_root/bias",
        "embeddings.patch_embeddings.weight": "embedding/kernel",
        "embeddings.patch_embeddings.bias": "embedding/bias",
        "encoder.encoder_norm.weight": "Transformer/encoder_norm/scale",
        "encoder.encoder_norm.bias": "Transformer/encoder_norm/bias",
    }
    layer_names = {
        "attention_norm": "LayerNorm_0",
        "attn.query": "MultiHeadDotProductAttention_1/query",
        "attn.key": "MultiHeadDotProductAttention_1/key",
        "attn.value": "MultiHeadDotProductAttention_1/value",
        "attn.out": "MultiHeadDotProductAttention_1/out",
        "ffn_norm": "LayerNorm_2",
        "ffn.fc1": "MlpBlock_3/Dense_0",
        "ffn.fc2": "MlpBlock_3/Dense_1",
    }
    for index in range(len(model.transformer.encoder.layer)):
        for ours, theirs in layer_names.items():
            entry = f"Transformer/encoderblock_{index}/{theirs}"
            kind = "scale" if "norm" in ours else "kernel"
            names[f"encoder.layer.{index}.{ours}.weight"] = f"{entry}/{kind}"
            names[f"encoder.layer.{index}.{ours}.bias"] = f"{entry}/bias"
    body = "embeddings.hybrid_model.body."
    for key in model.transformer.state_dict():
        if key.startswith(body):
            # body.block1.unit1.conv1.weight is block1/unit1/conv1/kernel
            block, unit, layer, leaf = key.removeprefix(body).split(".")
            kind = "kernel" if not layer.startswith("gn") else "scale"
            theirs = layer.replace("downsample", "conv_proj")
            entry = kind if leaf == "weight" else leaf
            names[key] = f"{block}/{unit}/{theirs}/{entry}"
    return names


def _fitted(
    array: NDArray[Any], key: str, shape: tuple[int, ...]
) -> NDArray[Any] | None:
    """Return an entry in torch's layout and ``shape``, or None if it cannot be."""
    if key.endswith("position_embeddings"):
        return _resized_positions(array, shape)
    if len(shape) == 4:  # height, width, in, out
        array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
    elif len(shape) == 2 and array.ndim > 1 and array.size:
        # (in, heads, width), (heads, width, out) or (in, out): the heads are flattened.
        flat = (-1, array.shape[-1]) if ".attn.out." in key else (array.shape[0], -1)
        array = array.reshape(flat).T
    else:
        array = array.reshape(-1)
    return array if array.shape == shape else None


def _resized_positions(
    array: NDArray[Any], shape: tuple[int, ...]
) -> NDArray[Any] | None:
    from scipy.ndimage import zoom

    if array.ndim != 3 or array.shape[-1] != shape[-1]:
        return None
    if array.shape == shape:
        return array
    tokens = array[0, 1:]  # without the class token
    old, new = round(len(tokens) ** 0.5), round(shape[1] ** 0.5)
    if old < 1 or old * old != len(tokens):
        return None
    grid = tokens.reshape(old, old, -1)
    if old != new:
        grid = zoom(grid, (new / old, new / old, 1), order=1)
    return grid.reshape(shape)
