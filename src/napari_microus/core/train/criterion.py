"""The loss a configuration asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from napari_microus.core.config.loss import LOSS_NAMES
from napari_microus.core.errors import ConfigError
from napari_microus.core.extensions import LOSSES, build
from napari_microus.core.losses import (
    AdaptiveFocalLoss,
    AnnotationGuidedBCE,
    DeepSupervision,
    OverlapLoss,
    SigmoidFocalLoss,
    SizeSmoothnessFocalLoss,
    WithDice,
)
from napari_microus.core.losses.base import AnnotationLoss
from napari_microus.core.train.processes import mean_over_processes

if TYPE_CHECKING:
    from napari_microus.core.config.loss import LossConfig


class SharedAdaptiveFocalLoss(AdaptiveFocalLoss):
    """Adaptive focal loss whose gamma is that of the batch over all processes.

    In evaluation mode a process is alone with its cases, and so is its gamma.
    """

    def _gamma(self, *arguments: Any) -> Tensor:
        gamma: Tensor = super()._gamma(*arguments)
        if self.per_sample or not self.training:
            return gamma
        return mean_over_processes(gamma)


class ForeignLoss(nn.Module):
    """A loss of another package, seen to give one number."""

    def __init__(self, name: str, criterion: nn.Module) -> None:
        super().__init__()
        self.name = name
        self.criterion = criterion

    def forward(
        self, logits: Tensor, expert: Tensor, nonexpert: Tensor | None = None
    ) -> Tensor:
        """Return the loss.

        Raises
        ------
        ConfigError
            If it is no tensor of one number.
        """
        loss = self.criterion(logits, expert, nonexpert)
        if not isinstance(loss, Tensor) or loss.ndim != 0:
            got = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            raise ConfigError(
                f"A loss must give one number, a tensor of no axes; got {got} from "
                f"'{self.name}'. Correct its package.",
                plain=(
                    f"The loss '{self.name}' gives {got} instead of one number. "
                    "Correct its package."
                ),
            )
        return loss


class FinestOnly(nn.Module):
    """Take a criterion on the full-resolution logits of a network's output."""

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__()
        self.criterion = criterion

    def forward(
        self, outputs: Any, expert: Tensor, nonexpert: Tensor | None = None
    ) -> Tensor:
        """Return the loss; shapes as in the criterion."""
        logits = outputs if isinstance(outputs, Tensor) else outputs[0]
        loss: Tensor = self.criterion(logits, expert, nonexpert)
        return loss


def create_criterion(config: LossConfig) -> nn.Module:
    """Return the loss, called as ``criterion(outputs, expert, nonexpert)``.

    ``outputs`` is what a network returns: logits, or logits at several scales.
    """
    criterion = _single_scale(config)
    if isinstance(criterion, AnnotationLoss):
        criterion.refuses_raw = False
    if config.dice_weight > 0:
        criterion = WithDice(criterion, config.dice_weight)
    if not config.deep_supervision:
        return FinestOnly(criterion)
    return DeepSupervision(criterion, config.kernel_sizes, config.label_downsampling)


def _single_scale(config: LossConfig) -> nn.Module:
    if config.name not in LOSS_NAMES:
        made = build(LOSSES, config.name, {}, config.options)
        if isinstance(made, AnnotationLoss):
            made.refuses_raw = False
        return ForeignLoss(config.name, made)
    kernel_size = config.kernel_sizes[0]
    if config.name == "adaptive_focal":
        return SharedAdaptiveFocalLoss(
            kernel_size=kernel_size,
            variability=config.variability,
            per_sample=config.per_sample,
        )
    if config.name == "ag_bce":
        return AnnotationGuidedBCE(config.hard_weight, kernel_size=kernel_size)
    if config.name == "size_smoothness":
        return SizeSmoothnessFocalLoss(form=config.form, terms=config.terms)
    if config.name == "dice":
        return OverlapLoss()
    if config.name == "tversky":
        return OverlapLoss(1 - config.tversky_beta, config.tversky_beta)
    if config.name == "bce":
        return SigmoidFocalLoss(1.0, 0.0)  # every weight 1: the cross-entropy
    return SigmoidFocalLoss(
        config.alpha,
        config.gamma,
        convention=config.convention,
        on_probabilities=config.name == "focal_as_published",
    )


def last_gamma(criterion: nn.Module) -> float | None:
    """Return the gamma of the last call at full resolution, None if it has none."""
    for module in criterion.modules():
        gamma = getattr(module, "last_gamma", None)
        if isinstance(gamma, Tensor):
            return float(gamma.float().mean())
    return None
