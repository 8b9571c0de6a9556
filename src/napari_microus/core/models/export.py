"""Write a network for programs that do not have this package."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from napari_microus.core.errors import InputError
from napari_microus.core.files import atomic_write
from napari_microus.core.models.factory import logits_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_microus.core.config import ModelConfig, TransUNetConfig

_OPSET = 18


class _LogitsOnly(nn.Module):
    """Full-size logits of any network, as one plain tensor."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> Tensor:
        return logits_of(self.model(frames))


def export_model(
    model: nn.Module, path: str | Path, *, overwrite: bool = False
) -> None:
    """Write a network that maps its input to logits, in float32 on the CPU.

    Parameters
    ----------
    model : nn.Module
        A network of `create_model`, on the CPU. Not changed.
    path : path
        ``.onnx`` (any number of inputs; ``frames``, or ``patches`` of volumes;
        output ``logits``) or ``.pt`` (TorchScript). Frames are (B, 1, size, size) in
        [0, 1], patches (B, C, *patch) of channels as `stack_channels` gives them.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    InputError
        If the suffix is neither.
    OutputError
        If the file exists and ``overwrite`` is False, or cannot be written.
    """
    with atomic_write(path, overwrite=overwrite) as temporary:
        if temporary.suffix not in (".onnx", ".pt"):
            raise InputError(
                f"A model is exported to .onnx or .pt; got '{temporary.name}'. "
                "Change the suffix.",
                plain=(
                    f"The file is called '{temporary.name}', and a model is "
                    "exported as .onnx or .pt. Change the ending."
                ),
            )
        if temporary.suffix == ".pt":
            save_script(trace(model), temporary)
        else:
            _write_onnx(model, temporary)


def input_size(model: nn.Module) -> int:
    """Return the edge in pixels of the frames that a network was made for."""
    return cast("ModelConfig | TransUNetConfig", model.config).image_size


def input_shape(model: nn.Module) -> tuple[int, ...]:
    """Return channels and edges of what a network sees at once."""
    config = cast("ModelConfig | TransUNetConfig", model.config)
    size = config.image_size
    return getattr(config, "input_shape", (1, size, size))


def trace(model: nn.Module) -> torch.jit.ScriptModule:
    """Return a network as TorchScript that maps its input to full-size logits."""
    with _ready(model) as (plain, inputs):
        traced: torch.jit.ScriptModule = torch.jit.trace(  # type: ignore[no-untyped-call]
            plain, inputs, check_trace=False
        )
        return traced


def save_script(script: torch.jit.ScriptModule, path: Path) -> None:
    """Write TorchScript.

    Raises
    ------
    OSError
        If the disk does not take it; PyTorch's own way would end the process then.
    """
    path.write_bytes(script.save_to_buffer())


def _write_onnx(model: nn.Module, path: Path) -> None:
    with _ready(model) as (plain, inputs):
        name = "frames" if inputs.ndim == 4 else "patches"
        torch.onnx.export(
            plain,
            (inputs,),
            str(path),
            input_names=[name],
            output_names=["logits"],
            dynamic_axes={name: {0: "batch"}, "logits": {0: "batch"}},
            opset_version=_OPSET,
            dynamo=False,
        )


@contextmanager
def _ready(model: nn.Module) -> Iterator[tuple[nn.Module, Tensor]]:
    """Give the network in evaluation mode, and an input to show it."""
    was_training = model.training
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # Tracing fixes the checks of the input's shape, as it should, and the
            # exporter without further packages is an older one.
            warnings.simplefilter("ignore")
            yield _LogitsOnly(model).eval(), torch.zeros(2, *input_shape(model))
    finally:
        model.train(was_training)
