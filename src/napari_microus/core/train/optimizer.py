"""Which weights learn, how fast, and their running average."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_microus.core.errors import ConfigError

if TYPE_CHECKING:
    from napari_microus.core.config.optimizer import OptimizerConfig


def create_optimizer(
    network: nn.Module, config: OptimizerConfig, *, fused: bool = False
) -> torch.optim.Optimizer:
    """Return the optimiser, with frozen modules left out and layer-wise rates.

    Each group keeps ``scale``, its learning rate over the configured one.
    Normalisation weights and biases have no weight decay where ``adamw`` is used.
    ``fused`` changes all that belongs to a weight in one pass.

    Raises
    ------
    ConfigError
        If a frozen module's name fits nothing, or nothing is left to learn.
    """
    freeze(network, config.freeze)
    scales = _layer_scales(network, config.layer_decay)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        bare = config.name == "adamw" and parameter.ndim <= 1
        decay = 0.0 if bare else config.weight_decay
        groups.setdefault((scales[name], decay), []).append(parameter)
    if not groups:
        raise ConfigError(
            f"Some weights must be left to learn; got freeze: {config.freeze}, which "
            "fits them all. Freeze fewer modules.",
            plain=(
                f"freeze: {config.freeze} leaves nothing to learn. Freeze "
                "fewer modules."
            ),
        )
    parameters = [
        {"params": members, "scale": scale, "weight_decay": decay}
        for (scale, decay), members in groups.items()
    ]
    rate = config.learning_rate
    if config.name == "sgd":
        return torch.optim.SGD(
            parameters, lr=rate, momentum=config.momentum, fused=fused
        )
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return kind(parameters, lr=rate, fused=fused)


def freeze(network: nn.Module, prefixes: tuple[str, ...]) -> None:
    """Stop the parameters whose names begin with one of ``prefixes`` from learning.

    Raises
    ------
    ConfigError
        If a prefix fits no parameter.
    """
    names = dict(network.named_parameters())
    for prefix in prefixes:
        fitting = [p for name, p in names.items() if name.startswith(prefix)]
        if not fitting:
            blocks = list(dict.fromkeys(name.split(".")[0] for name in names))
            raise ConfigError(
                f"A frozen module must be one of the network's; got '{prefix}'. Its "
                f"outermost ones are {', '.join(blocks)}.",
                plain=(
                    f"The network has no module '{prefix}' to freeze. Its "
                    f"outermost ones are {', '.join(blocks)}."
                ),
            )
        for parameter in fitting:
            parameter.requires_grad_(False)


def _layer_scales(network: nn.Module, decay: float) -> dict[str, float]:
    """Return each parameter's share of the learning rate, by depth of its block.

    A block is what the first numbered level of a parameter's name distinguishes, such
    as one transformer layer or one residual stage, in the order of definition.
    """
    blocks = {name: _block(name) for name, _ in network.named_parameters()}
    order = {block: i for i, block in enumerate(dict.fromkeys(blocks.values()))}
    last = len(order) - 1
    return {name: decay ** (last - order[block]) for name, block in blocks.items()}


def _block(name: str) -> str:
    parts = name.split(".")[:-1]
    for index, part in enumerate(parts):
        if part.isdigit():
            return ".".join(parts[: index + 1])
    return ".".join(parts[:2])


def learning_rate(config: OptimizerConfig, fraction: float, step: int) -> float:
    """Return the rate at ``step``, when ``fraction`` of the run is done."""
    fraction = min(max(fraction, 0.0), 1.0)
    rate = config.learning_rate
    if config.schedule == "poly":
        rate *= (1 - fraction) ** config.power
    elif config.schedule == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * fraction))
    if step < config.warmup_steps:
        rate *= (step + 1) / config.warmup_steps
    return rate


class WeightAverage:
    """A running average of a network's weights, which often segments better."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay
        self._pairs = [
            (mine, theirs)
            for mine, theirs in zip(
                self.network.state_dict(keep_vars=True).values(),
                network.state_dict(keep_vars=True).values(),
                strict=True,
            )
        ]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the current weights; early steps count for more."""
        decay = min(self._decay, (1 + step) / (10 + step))
        floats = [(a, b.detach()) for a, b in self._pairs if a.is_floating_point()]
        torch._foreach_lerp_(
            [a.detach() for a, _ in floats], [b for _, b in floats], 1 - decay
        )
        for mine, theirs in self._pairs:
            if not mine.is_floating_point():
                mine.copy_(theirs)
