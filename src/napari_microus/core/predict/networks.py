"""Ask one or several networks about a batch of frames."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from napari_microus.core.errors import CheckpointError, ConfigError, InputError
from napari_microus.core.library import LoadedModel, require_frames
from napari_microus.core.models.fast import multiplies_bfloat16, prepare_for_inference
from napari_microus.core.models.network_mean import NetworkMean
from napari_microus.core.models.openvino_form import compiled_form
from napari_microus.core.models.transunet import TransUNet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
_DEFAULT_SIZE = 224
_WORTH_PREPARING = 16
# Frames by which a compiled form has earned the seconds that making it takes.
_WORTH_COMPILING = 100


@dataclass
class _Fast:
    """The fast form of a model for one device and number format."""

    key: tuple[torch.device, torch.dtype]
    form: nn.Module
    asked: int = 0
    was_compiled: bool = False


_fast: WeakKeyDictionary[LoadedModel, _Fast] = WeakKeyDictionary()
_preparing = threading.Lock()


class Panel:
    """Networks that answer as one: their mean probability, as log-odds.

    Parameters
    ----------
    models : sequence of Module or LoadedModel
        Each maps (B, 1, size, size) to logits of that shape, alone or first in a
        tuple; one network, or the folds of a cross-validation.
    device : torch.device
        Where they are moved.
    precision : str
        ``"auto"``: bfloat16 where the processor multiplies it natively, else
        float32; or one of ``"float32"``, ``"bfloat16"``, ``"float16"``.
    flip : bool
        Ask about the mirrored frame too.
    frames : int
        How many frames will be asked about; few are not worth preparing for.
    """

    def __init__(
        self,
        models: Sequence[nn.Module | LoadedModel],
        device: torch.device,
        *,
        precision: str = "auto",
        flip: bool = False,
        frames: int = 1,
    ) -> None:
        if not models:
            raise InputError(
                "There must be at least one model; got an empty list. Choose one.",
                plain="No model is chosen. Choose one.",
            )
        self.device = device
        self.dtype = _dtype(precision, device)
        self._flip = flip
        self._networks = [
            _ready(one, device, self.dtype, frames)
            for model in models
            for one in _members(model)
        ]
        sizes = {input_size(network) for network in self._networks}
        if len(sizes) > 1:
            raise InputError(
                f"Models asked together must see one size; got {sorted(sizes)} "
                "pixels. Choose folds of one training run.",
                plain=(
                    "These models see pictures of different sizes. Choose folds of "
                    "one training run."
                ),
            )
        self.size = sizes.pop()

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Switch the networks to evaluation, and back to what they were."""
        training = [n for n in self._networks if n.training]
        try:
            for network in training:
                network.eval()
            yield
        finally:
            for network in training:
                network.train()

    def __call__(self, frames: Tensor) -> Tensor:
        """Return float32 logits (B, 1, size, size) for frames of that shape."""
        answers = []
        with torch.inference_mode(), self._autocast():
            for network in self._networks:
                answers.append(self._ask(network, frames))
                if self._flip:
                    mirrored = self._ask(network, frames.flip(-1))
                    answers.append(mirrored.flip(-1))
        if len(answers) == 1:
            return answers[0]
        mean = torch.stack([torch.sigmoid(a) for a in answers]).mean(0)
        return torch.logit(mean, eps=1e-7)

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def _ask(self, network: nn.Module, frames: Tensor) -> Tensor:
        logits = _first(network(frames))
        if logits.shape != frames.shape:
            raise CheckpointError(
                "A network must answer with one logit a pixel; got "
                f"{tuple(logits.shape)} for frames of {tuple(frames.shape)}. "
                "Choose a model for two-dimensional frames.",
                plain=(
                    "This model does not give one answer a pixel. Choose a model "
                    "for two-dimensional frames."
                ),
            )
        return logits.float()


def _members(model: nn.Module | LoadedModel) -> list[nn.Module | LoadedModel]:
    """Return the networks of an ensemble, each of which has a fast form."""
    network = model.network if isinstance(model, LoadedModel) else model
    return list(network.members) if isinstance(network, NetworkMean) else [model]


def input_size(network: nn.Module) -> int:
    """Return the edge of the square a network expects, in pixels."""
    for holder in (getattr(network, "config", None), network):
        size = getattr(holder, "image_size", None)
        if isinstance(size, int):
            return size
    return _DEFAULT_SIZE


def _first(output: Any) -> Tensor:
    while isinstance(output, (tuple, list)):
        output = output[0]
    return output


def _dtype(precision: str, device: torch.device) -> torch.dtype:
    if precision not in PRECISIONS:
        raise ConfigError(
            f"precision must be one of {', '.join(PRECISIONS)}; got '{precision}'. "
            "Choose one.",
            plain=(
                f"There is no precision '{precision}'. Choose one of "
                f"{', '.join(PRECISIONS)}."
            ),
        )
    if precision != "auto":
        return {
            "float32": torch.float32,
            "bfloat16": torch.bfloat16,
            "float16": torch.float16,
        }[precision]
    if multiplies_bfloat16(device):
        return torch.bfloat16
    return torch.float16 if device.type == "cuda" else torch.float32


def _ready(
    model: nn.Module | LoadedModel,
    device: torch.device,
    dtype: torch.dtype,
    frames: int,
) -> nn.Module:
    """Return a network on the device, in its fast form where that pays.

    A model of the library does not change, so its fast form is kept with it; a
    module may be trained on before the next call.
    """
    if isinstance(model, LoadedModel):
        require_frames(model)
    network = model.network if isinstance(model, LoadedModel) else model
    if getattr(getattr(network, "config", None), "spatial_dims", 2) != 2:
        raise CheckpointError(
            "A network must see single frames; got one for volumes. "
            "Choose a model for two-dimensional frames.",
            plain=(
                "This model is for volumes, not for frames. Choose a model for "
                "two-dimensional frames."
            ),
        )
    if isinstance(model, LoadedModel) and isinstance(network, TransUNet):
        return _fast_form(model, network, (device, dtype), frames)
    network.to(device)
    if isinstance(network, TransUNet) and frames >= _WORTH_PREPARING:
        return prepare_for_inference(network, dtype)
    return network


def _fast_form(
    model: LoadedModel,
    network: TransUNet,
    key: tuple[torch.device, torch.dtype],
    frames: int,
) -> nn.Module:
    """Return the fast form that is kept with a model; the compiled one in long work."""
    with _preparing:
        fast = _fast.get(model)
        if fast is None or fast.key != key:
            fast = None
            _fast.pop(model, None)  # its weights go before others come
            form = prepare_for_inference(network.to(key[0]), key[1])
            fast = _fast[model] = _Fast(key, form)
        fast.asked += frames
        compiles = fast.asked >= _WORTH_COMPILING and not fast.was_compiled
        fast.was_compiled |= compiles
    if compiles:  # takes seconds, in which other threads use the other form
        fast.form = compiled_form(network.to(key[0]), key[1]) or fast.form
    return fast.form
