"""Read weights from files, and see that they fit before they go in."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from napari_microus.core.errors import BROKEN_FILE, CheckpointError

if TYPE_CHECKING:
    from torch import nn

# What checkpoints are wrapped in: dictionaries of training scripts, and the modules
# of data parallelism and of torch.compile.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net", "weights")
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")
# Of our options alone; published checkpoints need not hold them.
_OPTIONAL = (".dilation.", ".attention.", "num_batches_tracked")


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors in a ``.pth``, ``.pt`` or ``.safetensors`` file by name.

    Wrapping dictionaries and prefixes such as ``module.`` are taken off. Nothing but
    tensors and plain containers is unpickled (``weights_only=True``).

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, holds other objects, or no tensors.
    """
    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            from safetensors import SafetensorError
            from safetensors.torch import load_file

            try:
                return unwrap(load_file(path))
            except SafetensorError as error:
                raise ValueError(str(error)) from error
        with warnings.catch_warnings():  # of files that are then refused
            warnings.simplefilter("ignore", UserWarning)
            return unwrap(torch.load(path, map_location="cpu", weights_only=True))
    except pickle.UnpicklingError as error:
        if not _is_pickle(path):
            raise damaged(path, "it is no PyTorch file") from error
        raise CheckpointError(
            f"A checkpoint must hold tensors only; got {path} with other objects, "
            "which could run code. Ask its author for the state_dict.",
            plain=(
                f"{path} holds more than weights, which could run code, and "
                "was not opened. Ask its author for the state_dict."
            ),
        ) from error
    except BROKEN_FILE as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise damaged(path, reason or type(error).__name__) from error


def unwrap(checkpoint: Any) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint without wrapping dictionary and prefixes.

    Raises
    ------
    CheckpointError
        If there are no tensors in it.
    """
    while isinstance(checkpoint, Mapping):
        tensors = {str(k): v for k, v in checkpoint.items() if isinstance(v, Tensor)}
        if tensors:
            return _without_prefix(tensors)
        inner = [checkpoint[name] for name in _WRAPPERS if name in checkpoint]
        inner += [v for v in checkpoint.values() if isinstance(v, Mapping)]
        checkpoint = next((v for v in inner if isinstance(v, Mapping)), None)
    raise CheckpointError(
        "A checkpoint must hold tensors by name; got none. "
        "Save the network's state_dict instead.",
        plain=(
            "The file holds no weights of a network. Save the network's "
            "state_dict, and choose that file."
        ),
    )


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load weights by name into any network; see `load_microsegnet`."""
    own = model.state_dict()
    required = [key for key in own if not any(part in key for part in _OPTIONAL)]
    missing = [key for key in required if key not in weights]
    unexpected = [key for key in weights if key not in own]
    misshapen = [
        f"{key} {tuple(weights[key].shape)} for {tuple(tensor.shape)}"
        for key, tensor in own.items()
        if key in weights and weights[key].shape != tensor.shape
    ]
    refuse(missing, unexpected, misshapen)
    for key, tensor in weights.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise not_finite(key)
    model.load_state_dict(dict(weights), strict=False)


def refuse(missing: list[str], unexpected: list[str], misshapen: list[str]) -> None:
    """Raise an error that names the first of each kind, if there is any."""
    kinds = {"missing": missing, "unexpected": unexpected, "misshapen": misshapen}
    found = [
        f"{kind} {keys[0]}" + (f" (and {len(keys) - 1} more)" if keys[1:] else "")
        for kind, keys in kinds.items()
        if keys
    ]
    if found:
        raise CheckpointError(
            f"The weights must fit the network; got {', '.join(found)}. "
            "Choose the file or the configuration that belongs to it.",
            plain=(
                f"The weights do not fit the network: {', '.join(found)}. "
                "Choose the file or the configuration that belongs to it."
            ),
        )


def damaged(path: Path, reason: str) -> CheckpointError:
    """Return the error for a file that cannot be read."""
    return CheckpointError(
        f"A checkpoint must be a whole and readable file; got {path} ({reason}). "
        "Check the path, or fetch the file again.",
        plain=(
            f"Cannot read the weights in {path} ({reason}). Check the "
            "path, or fetch the file again."
        ),
    )


def not_finite(key: str) -> CheckpointError:
    """Return the error for an entry with NaN or infinity."""
    return CheckpointError(
        f"Weights must be finite; got NaN or infinity in {key}. "
        "The training has diverged or the file is damaged: use another one.",
        plain=(
            f"Some of the weights are no numbers ({key}): the training has "
            "diverged, or the file is damaged. Use another file."
        ),
    )


def _without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in tensors):
            short = {key.removeprefix(prefix): v for key, v in tensors.items()}
            return _without_prefix(short)
    return tensors


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as stream:
        start = stream.read(2)
    return start == b"PK" or start[:1] == b"\x80"
