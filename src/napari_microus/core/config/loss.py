"""Which loss a run minimises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from napari_microus.core.config.base import (
    CHANCE,
    Bounds,
    Config,
    check_bounds,
    require,
)
from napari_microus.core.extensions import LOSSES, check_offered, offered
from napari_microus.core.hard_region import KERNEL_SIZES

# The losses that come with this package.
LOSS_NAMES = (
    "adaptive_focal",
    "ag_bce",
    "focal",
    "focal_as_published",
    "size_smoothness",
    "bce",
    "dice",
    "tversky",
)


def loss_names() -> tuple[str, ...]:
    """Return every loss that can be chosen, those of other packages last."""
    theirs = tuple(name for name in offered(LOSSES) if name not in LOSS_NAMES)
    return (*LOSS_NAMES, *theirs)


@dataclass(frozen=True)
class LossConfig(Config):
    """Which loss, and how it is spread over scales and combined with Dice.

    Attributes
    ----------
    name : str
        One of `LOSS_NAMES`, or the name under which an installed package offers one,
        see `core.extensions`.
    options : dict
        Of a loss of another package: its keyword arguments.
    variability : str
        Of the adaptive loss: "nonexpert_mean" as published, or "disagreement".
    per_sample : bool
        Of the adaptive loss: a gamma for each frame instead of one for the batch.
    hard_weight : float
        Of "ag_bce": weight of the hard region over the easy one.
    alpha, gamma : float
        Of the focal losses.
    convention : str
        Of "focal": alpha on both classes as published, or as Lin et al. (2017).
    form : str
        Of "size_smoothness": the paper's formula or its published code.
    terms : tuple of str
        Of "size_smoothness": which of "alpha_va", "gamma_va" and "gamma_mSa" take
        part; fewer are for ablations.
    tversky_beta : float
        Of "tversky": weight of what is missed; what is too much weighs 1 less it.
    dice_weight : float
        Weight of a Dice loss added to the loss; 0 adds none.
    deep_supervision : bool
        Take the loss at full, 1/2, 1/4 and 1/8 resolution.
    kernel_sizes : tuple of int
        Dilation of the hard region at full, 1/2, 1/4 and 1/8 resolution.
    label_downsampling : str
        How labels reach the coarser scales: by "area", or "published".
    """

    name: str = "adaptive_focal"
    options: dict[str, Any] = field(default_factory=dict, hash=False)
    variability: Literal["nonexpert_mean", "disagreement"] = "nonexpert_mean"
    per_sample: bool = False
    hard_weight: float = 4.0
    alpha: float = 0.25
    gamma: float = 2.0
    convention: Literal["published", "lin2017"] = "published"
    form: Literal["paper", "published_code"] = "paper"
    terms: tuple[Literal["alpha_va", "gamma_va", "gamma_mSa"], ...] = (
        "alpha_va",
        "gamma_va",
        "gamma_mSa",
    )
    tversky_beta: float = 0.7
    dice_weight: float = 0.0
    deep_supervision: bool = True
    kernel_sizes: tuple[int, int, int, int] = KERNEL_SIZES
    label_downsampling: Literal["area", "published"] = "area"

    def __post_init__(self) -> None:
        check_offered(LOSSES, self.name, "loss.name", LOSS_NAMES)
        ok = not self.options or self.name not in LOSS_NAMES
        what = "loss.options are for a loss of another package"
        require(ok, what, self.name, "Leave them out.")
        ok = self.dice_weight >= 0
        require(ok, "dice_weight must not be negative", self.dice_weight, "Use 0.")
        ok = self.hard_weight > 0
        require(ok, "hard_weight must be positive", self.hard_weight, "Raise it.")
        object.__setattr__(self, "kernel_sizes", tuple(self.kernel_sizes))
        object.__setattr__(self, "terms", tuple(self.terms))
        once = len(set(self.terms)) == len(self.terms)
        require(once, "terms must name each once", self.terms, "Leave one out.")
        check_bounds(
            self,
            {
                "hard_weight": Bounds(0, 1e6, is_low_open=True),
                "alpha": CHANCE,
                "gamma": Bounds(0, 20),
                "tversky_beta": Bounds(0, 1, is_low_open=True, is_high_open=True),
                "dice_weight": Bounds(0, 1000),
                "kernel_sizes": Bounds(1, 224),
            },
        )
