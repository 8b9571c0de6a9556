"""Where a run is in its course: what is left, when it validates, when it ends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_microus.core.events import EpochReport

if TYPE_CHECKING:
    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.train.checkpoint import TrainingState


def is_late(config: TrainConfig, position: TrainingState) -> bool:
    """Return whether the run's time is up."""
    limit = config.time_limit_s
    return limit is not None and position.seconds >= limit


def is_over(config: TrainConfig, position: TrainingState) -> bool:
    """Return whether the run ends before its last epoch: too late, or no better."""
    if position.batch == 0 and position.epoch > 0 and is_late(config, position):
        return True
    patience = config.early_stop
    waited = position.epoch - 1 - position.best_epoch
    return patience is not None and position.best_epoch >= 0 and waited >= patience


def fraction_done(config: TrainConfig, position: TrainingState, steps: int) -> float:
    """Return how much of the run lies behind, by which the learning rate falls."""
    if config.time_limit_s is not None:
        return max(position.seconds / config.time_limit_s, position.step / steps)
    return position.step / steps


def remaining_s(config: TrainConfig, position: TrainingState, steps: int) -> float:
    """Return the seconds that are left, at the speed so far."""
    remaining = (steps - position.step) * position.seconds / position.step
    if config.time_limit_s is not None:
        remaining = min(remaining, config.time_limit_s - position.seconds)
    return max(remaining, 0.0)


def validates(config: TrainConfig, position: TrainingState) -> bool:
    """Return whether the epoch under way ends with a validation."""
    last = position.epoch + 1 == config.epochs or is_late(config, position)
    return last or (position.epoch + 1) % config.validate_every == 0


def close_epoch(
    config: TrainConfig,
    position: TrainingState,
    summary: dict[str, float],
) -> EpochReport:
    """Return the epoch's report and remember whether it was the best so far."""
    known = {k: v for k, v in summary.items() if math.isfinite(v)}
    dice = known.get("dice")
    is_best = dice is not None and dice > position.best_dice
    # Without anything to measure on, the last weights are the ones to keep.
    if dice is None and position.best_dice < 0:
        is_best = True
    if is_best:
        position.best_epoch = position.epoch
        position.best_dice = -1.0 if dice is None else dice
    return EpochReport(
        epoch=position.epoch,
        epochs=config.epochs,
        train_loss=position.loss_sum / max(position.batch, 1),
        val_loss=known.get("loss"),
        val_dice=dice,
        val_hd95_mm=known.get("hd95_mm"),
        learning_rate=position.learning_rate,
        seconds=position.seconds,
        is_best=is_best,
    )


def best_dice(position: TrainingState) -> float | None:
    """Return the best epoch's DSC, None where none was measured."""
    return position.best_dice if position.best_dice >= 0 else None
