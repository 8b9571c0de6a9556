"""The end of a run: its best network becomes a model, compared with its start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.train.checkpoint import load_checkpoint, load_weights
from napari_microus.core.train.export import export_model
from napari_microus.core.train.fingerprint import Fingerprint
from napari_microus.core.train.model_comparison import (
    Comparison,
    compare_scores,
    read_scores,
    scores_from,
)
from napari_microus.core.train.progress import best_dice

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.runs.folder import RunFolder
    from napari_microus.core.train.checkpoint import TrainingState
    from napari_microus.core.train.learner import Learner
    from napari_microus.core.train.training_data import TrainingData


@dataclass(frozen=True)
class TrainResult:
    """What a run left behind.

    ``model`` is the finished model's folder, None if the run ended before its first
    validation. ``state`` is "finished" or "stopped". DSC and HD95 are those of the
    best epoch on the validation cases; ``comparison`` sets them beside the start
    model's. ``interrupt`` is the signal that stopped it, 0 where none did.
    """

    run: Path
    model: Path | None
    state: str
    best_epoch: int
    dice: float | None
    hd95_mm: float | None
    comparison: Comparison | None = None
    interrupt: int = 0


def finish(
    config: TrainConfig,
    fabric: Fabric,
    run: RunFolder | None,
    learner: Learner,
    position: TrainingState,
    data: TrainingData,
    state: str,
    ceiling: float | None,
) -> TrainResult:
    """Put the best network into a model folder."""
    model, comparison = None, None
    best = Path(config.output) / "checkpoints" / "best.ckpt"
    hd95_mm = None
    if position.best_epoch >= 0:
        hd95_mm = position.history[position.best_epoch]["val_hd95_mm"]
    if run is not None:
        if best.exists():
            kept = load_checkpoint(best)
            load_weights(learner.network, kept["model"], best)
            scores = scores_from(kept["scores"])
            before = read_scores(run.path / "before.json")
            if before is not None:
                comparison = compare_scores(before, scores)
            model = export_model(
                config,
                learner.network,
                position,
                data,
                ceiling,
                scores,
                comparison,
                Fingerprint.read(run.path),
            )
        run.set_status(epoch=position.epoch, best_dice=best_dice(position))
    fabric.barrier()
    return TrainResult(
        run=Path(config.output),
        model=model,
        state=state,
        best_epoch=position.best_epoch,
        dice=best_dice(position),
        hd95_mm=hd95_mm,
        comparison=comparison,
    )
