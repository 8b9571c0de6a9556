"""What of a run goes into its checkpoints, and back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import torch

from napari_microus.core.train.checkpoint import (
    TrainingState,
    load_weights,
    restore_rng,
    rng_state,
    save_checkpoint,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_microus.core.runs.folder import RunFolder
    from napari_microus.core.train.learner import Learner
    from napari_microus.core.train.validate import CaseScore


def save_last(run: RunFolder | None, learner: Learner, position: TrainingState) -> None:
    """Write all on which the rest of the run depends."""
    if run is None:
        return
    position.micro_batch = learner.micro_batch
    average = learner.average
    save_checkpoint(
        run.path / "checkpoints" / "last.ckpt",
        {
            "config": learner.config.to_dict(),
            "position": dataclasses.asdict(position),
            "model": learner.network.state_dict(),
            "average": None if average is None else average.network.state_dict(),
            "optimizer": learner.optimizer.state_dict(),
            "scaler": learner.fabric.strategy.precision.state_dict(),
            "rng": rng_state(),
            "events_bytes": run.events_bytes,
        },
    )


def save_best(
    run: RunFolder | None,
    learner: Learner,
    position: TrainingState,
    scores: list[CaseScore],
) -> None:
    """Write the weights of the best epoch so far, and what they were worth."""
    if run is None:
        return
    save_checkpoint(
        run.path / "checkpoints" / "best.ckpt",
        {
            "config": learner.config.to_dict(),
            "epoch": position.epoch,
            "scores": [dataclasses.asdict(score) for score in scores],
            "model": learner.evaluated.state_dict(),
        },
    )


def restore(learner: Learner, saved: dict[str, Any], run: Path) -> TrainingState:
    """Put everything back as it was saved, and return where the run was."""
    path = run / "checkpoints" / "last.ckpt"
    load_weights(learner.network, saved["model"], path)
    if learner.average is not None:
        load_weights(learner.average.network, saved["average"], path)
    learner.optimizer.load_state_dict(saved["optimizer"])
    learner.fabric.strategy.precision.load_state_dict(saved["scaler"])
    restore_rng(saved["rng"])
    position = TrainingState(**saved["position"])
    learner.micro_batch = position.micro_batch
    return position


def snapshot_step(learner: Learner) -> Callable[[], None]:
    """Return what takes back the traces of a step that was left midway.

    Such a step has drawn random numbers and moved the statistics of batch
    normalisation; weights change at its end only.
    """
    rng = rng_state()
    buffers = [buffer.clone() for buffer in learner.network.buffers()]

    def undo() -> None:
        restore_rng(rng)
        with torch.no_grad():
            for buffer, old in zip(learner.network.buffers(), buffers, strict=True):
                buffer.copy_(old)

    return undo
