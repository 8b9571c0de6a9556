"""Ask one or several networks about a batch of frames."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch

from napari_microus.core.errors import CheckpointError, ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor, nn

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
_DEFAULT_SIZE = 224


class Panel:
    """Networks that answer as one: their mean probability, as log-odds.

    Parameters
    ----------
    networks : sequence of Module
        Each maps (B, 1, size, size) to logits of that shape, alone or first in a
        tuple; one network, or the folds of a cross-validation.
    device : torch.device
        Where they are moved.
    precision : str
        ``"auto"``: bfloat16 where the processor multiplies it natively, else
        float32; or one of ``"float32"``, ``"bfloat16"``, ``"float16"``.
    flip : bool
        Ask about the mirrored frame too.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        device: torch.device,
        *,
        precision: str = "auto",
        flip: bool = False,
    ) -> None:
        if not networks:
            raise InputError(
                "There must be at least one model; got an empty list. Choose one."
            )
        sizes = {input_size(network) for network in networks}
        if len(sizes) > 1:
            raise InputError(
                f"Models asked together must see one size; got {sorted(sizes)} "
                "pixels. Choose folds of one training run."
            )
        self.size = sizes.pop()
        self.device = device
        self.dtype = _dtype(precision, device)
        self._flip = flip
        self._networks = [network.to(device) for network in networks]

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
                "Choose a model for two-dimensional frames."
            )
        return logits.float()


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
            "Choose one."
        )
    if precision != "auto":
        return {
            "float32": torch.float32,
            "bfloat16": torch.bfloat16,
            "float16": torch.float16,
        }[precision]
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    if device.type == "cpu" and cpu_multiplies_bfloat16():
        return torch.bfloat16
    return torch.float32


def cpu_multiplies_bfloat16() -> bool:
    """Tell whether this processor has AVX512-BF16 or AMX; False if unknown."""
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    checks = [getattr(torch.cpu, name, None) for name in names]
    return any(check is not None and check() for check in checks)
