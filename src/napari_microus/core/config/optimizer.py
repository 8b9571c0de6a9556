"""How a run changes its network's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_microus.core.config.base import (
    NOT_NEGATIVE,
    Bounds,
    Config,
    check_bounds,
    require,
)


@dataclass(frozen=True)
class OptimizerConfig(Config):
    """How the weights are changed.

    Attributes
    ----------
    name : str
        "sgd", "adam" or "adamw".
    learning_rate, momentum, weight_decay : float
        Momentum is SGD's.
    schedule : str
        "poly" decays as (1 − step/steps)^power, "cosine" to zero, "constant" stays.
    power : float
        Exponent of the polynomial decay.
    warmup_steps : int
        Steps over which the learning rate rises from zero.
    layer_decay : float
        Each block nearer to the input learns at this fraction of the next one's
        rate; 1 gives all one rate.
    freeze : tuple of str
        Names (or their beginnings) of modules that keep their weights.
    clip_norm : float, optional
        Largest gradient norm; None clips nothing.
    ema : float
        Decay of a running average of the weights that is validated and kept in
        their stead; 0 keeps the weights themselves.
    """

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Literal["poly", "cosine", "constant"] = "poly"
    power: float = 0.9
    warmup_steps: int = 0
    layer_decay: float = 1.0
    freeze: tuple[str, ...] = ()
    clip_norm: float | None = None
    ema: float = 0.0

    def __post_init__(self) -> None:
        rate = self.learning_rate
        require(rate > 0, "learning_rate must be positive", rate, "Try 0.01.")
        ok = 0 < self.layer_decay <= 1
        what = "layer_decay must be above 0 and at most 1"
        require(ok, what, self.layer_decay, "Use 1 for one rate.")
        ok = 0 <= self.ema < 1
        require(ok, "ema must be at least 0 and below 1", self.ema, "Try 0.99.")
        ok = self.clip_norm is None or self.clip_norm > 0
        require(ok, "clip_norm must be positive or null", self.clip_norm, "Try 1.")
        object.__setattr__(self, "freeze", tuple(self.freeze))
        check_bounds(
            self,
            {
                "learning_rate": Bounds(0, 10, is_low_open=True),
                "momentum": Bounds(0, 1, is_high_open=True),
                "weight_decay": Bounds(0, 10),
                "power": Bounds(0, 20),
                "warmup_steps": NOT_NEGATIVE,
                "layer_decay": Bounds(0, 1, is_low_open=True),
                "clip_norm": Bounds(0, 1e9, is_low_open=True),
                "ema": Bounds(0, 1, is_high_open=True),
            },
        )
