"""The training loop: one function, read from top to bottom."""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_microus.core.errors import CheckpointError, ConfigError
from napari_microus.core.events import (
    BatchReport,
    EpochReport,
    Event,
    Failed,
    Finished,
    Notice,
    Preview,
    RunStarted,
    StateChanged,
)
from napari_microus.core.files import written_whole
from napari_microus.core.models import create_model
from napari_microus.core.phantom.texture import TextureBank
from napari_microus.core.train import curves
from napari_microus.core.train.checkpoint import (
    Position,
    load_checkpoint,
    load_weights,
    restore_rng,
    rng_state,
    save_checkpoint,
)
from napari_microus.core.train.config import TrainConfig
from napari_microus.core.train.control import Control, StepAbandoned
from napari_microus.core.train.criterion import create_criterion
from napari_microus.core.train.export import export_model, start_network
from napari_microus.core.train.guard import (
    Comparison,
    compare_scores,
    read_scores,
    scores_from,
    write_scores,
)
from napari_microus.core.train.memory import memory_mib
from napari_microus.core.train.optimizer import (
    WeightAverage,
    create_optimizer,
    learning_rate,
)
from napari_microus.core.train.processes import (
    create_fabric,
    leave_processes,
    synchronise_batch_norm,
)
from napari_microus.core.train.runs import RunFolder, read_status
from napari_microus.core.train.sampler import Sampler
from napari_microus.core.train.sources import TrainingData, prepare
from napari_microus.core.train.step import Learner, make_step
from napari_microus.core.train.tensorboard import TensorBoardLog
from napari_microus.core.train.validate import (
    CaseScore,
    FramePreview,
    human_dice,
    score_case,
    summarise,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from lightning_fabric import Fabric


@dataclass(frozen=True)
class TrainResult:
    """What a run left behind.

    ``model`` is the finished model's folder, None if the run ended before its first
    validation. ``state`` is "finished" or "stopped". DSC and HD95 are those of the
    best epoch on the validation cases; ``comparison`` sets them beside the start
    model's.
    """

    run: Path
    model: Path | None
    state: str
    best_epoch: int
    dice: float | None
    hd95_mm: float | None
    comparison: Comparison | None = None


def train(config: TrainConfig) -> Generator[Event, None, TrainResult]:
    """Train a network and put the best one into a model folder.

    Parameters
    ----------
    config : TrainConfig
        Everything that decides how the run goes.

    Yields
    ------
    Event
        `RunStarted`, then a `BatchReport` a step and an `EpochReport` an epoch,
        with `Notice`, `Progress`, `Preview` and `StateChanged` between them.

    Returns
    -------
    TrainResult

    Raises
    ------
    MicroUSError
        If the data, the settings, the device or the folder cannot be used; the
        last good checkpoint stays whole.
    """
    fabric = create_fabric(config)
    run = RunFolder.create(config) if fabric.is_global_zero else None
    return (yield from _reported(run, config, _train(config, fabric, run, None)))


def resume(run: str | Path) -> Generator[Event, None, TrainResult]:
    """Go on with a run exactly where its last checkpoint was made; see `train`.

    Raises
    ------
    InputError
        If the folder holds no run.
    CheckpointError
        If there is no checkpoint, or it is broken or of another version.
    """
    path = Path(run)
    read_status(path)  # which says so where the folder is gone or holds no run
    config = TrainConfig.from_yaml(path / "config.yaml")
    config = dataclasses.replace(config, output=str(path))
    fabric = create_fabric(config)
    folder = RunFolder.reopen(path, config.name) if fabric.is_global_zero else None
    try:
        saved = load_checkpoint(path / "checkpoints" / "last.ckpt")
    except CheckpointError:
        if folder is not None:
            folder.close()
        raise
    work = _train(config, fabric, folder, saved)
    return (yield from _reported(folder, config, work))


def _reported(
    run: RunFolder | None,
    config: TrainConfig,
    work: Generator[Event, None, TrainResult],
) -> Generator[Event, None, TrainResult]:
    """Record every event in the run's folder, and how the run ended."""
    if run is None:
        try:
            return (yield from work)
        finally:
            leave_processes()
    log: TensorBoardLog | None = None
    try:
        if config.tensorboard:
            log = TensorBoardLog(run.path / "tensorboard")
        while True:
            try:
                event = next(work)
            except StopIteration as stop:
                result: TrainResult = stop.value
                return result
            run.record(event)
            if log is not None:
                log.write(event)
            if isinstance(event, Finished):  # told last: readers stop at this state
                run.set_status(state=event.result["state"])
            yield event
    except GeneratorExit:
        work.close()
        if run.is_alive:
            run.set_status(state="stopped", message="It can be resumed.")
        raise
    except BaseException as error:
        run.fail(Failed(str(error) or type(error).__name__, type(error).__name__))
        raise
    finally:
        if log is not None:
            log.close()
        run.close()
        leave_processes()


def _train(
    config: TrainConfig,
    fabric: Fabric,
    run: RunFolder | None,
    saved: dict[str, Any] | None,
) -> Generator[Event, None, TrainResult]:
    """Do the work of `train` and, where there is a ``saved`` state, of `resume`."""
    if run is not None:
        run.open_events(None if saved is None else saved["events_bytes"])
        run.set_status(state="preparing", epochs=config.epochs)
    with Control(run, fabric) as control:
        # --- data, network, optimiser
        torch.manual_seed(config.seed)
        if saved is None:
            network, config = start_network(config)
        else:
            network = create_model(config.model)
        if run is not None:
            config.to_yaml(run.path / "config.yaml", overwrite=True)
        data = yield from _prepare(config, fabric)
        torch.manual_seed(config.seed)
        learner = _create_learner(config, fabric, network, data)
        control.watch(learner.network)
        sampler = Sampler(
            len(data.frames),
            config.batch_size,
            config.seed,
            config.data.samples_per_epoch,
            fabric.global_rank,
            fabric.world_size,
        )
        position = Position()
        if saved is not None:
            position = _restore(learner, saved, Path(config.output))
        ceiling = human_dice(data.validation, config.data.val_frames_per_case)
        if run is not None:
            run.set_status(state="running", epoch=position.epoch)
        yield RunStarted(
            run=config.output,
            device=str(fabric.device),
            epochs=config.epochs,
            batches_per_epoch=sampler.batches,
            first_epoch=position.epoch,
            human_dice=ceiling,
        )

        # --- what the start model can do, to be compared with in the end
        if saved is None and config.start is not None and data.validation:
            scores = yield from _validate(run, learner, data, control)
            if run is not None and scores is not None:
                write_scores(run.path / "before.json", scores)

        # --- epochs
        if saved is None:
            _save(run, learner, position, "last.ckpt")
        state = "finished"
        steps = config.epochs * sampler.batches
        saved_at = time.monotonic()
        while position.epoch < config.epochs and not _is_over(config, position):
            order = sampler.order(position.epoch)
            learner.network.train()
            rate = 0.0
            while position.batch < sampler.batches and not _is_late(config, position):
                began = time.monotonic()
                fraction = _fraction(config, position, steps)
                rate = learning_rate(config.optimizer, fraction, position.step)
                for group in learner.optimizer.param_groups:
                    group["lr"] = rate * group["scale"]
                halved: list[int] = []
                indices, keys = sampler.share(order, position.epoch, position.batch)
                try:
                    loss, gamma = make_step(
                        learner, indices, keys, position.step, halved.append
                    )
                except StepAbandoned:
                    state = "abandoned"
                    break
                for micro_batch in halved:
                    yield Notice(
                        "Memory ran out: frames now pass the network "
                        f"{micro_batch} at a time; the batch stays {config.batch_size}."
                    )
                seconds = time.monotonic() - began
                position.batch += 1
                position.step += 1
                position.loss_sum += loss
                position.seconds += seconds
                yield BatchReport(
                    epoch=position.epoch,
                    batch=position.batch,
                    batches=sampler.batches,
                    loss=loss,
                    learning_rate=rate,
                    frames_per_s=config.batch_size / seconds,
                    memory_mib=memory_mib(fabric.device),
                    gamma=gamma,
                    remaining_s=_remaining(config, position, steps),
                )
                if control.all_agree(control.wants_pause()):
                    _save(run, learner, position, "last.ckpt")
                    yield from _pause(run, control)
                if control.all_agree(control.wants_stop()):
                    state = "stopped"
                    break
                due = time.monotonic() - saved_at > config.checkpoint_s
                if due and position.batch < sampler.batches:
                    _save(run, learner, position, "last.ckpt")
                    saved_at = time.monotonic()
            if state == "abandoned":  # the last checkpoint is from before this step
                state = "stopped"
                break
            _save(run, learner, position, "last.ckpt")
            saved_at = time.monotonic()
            if state == "stopped":
                break

            # --- validation, at full resolution
            began = time.monotonic()
            summary: dict[str, float] = {}
            scores = []
            if _validates(config, position) and data.validation:
                scores = yield from _validate(run, learner, data, control)
                if scores is None:
                    state = "stopped"
                    break
                summary = summarise(scores)
            position.seconds += time.monotonic() - began
            report = _close_epoch(config, position, sampler.batches, rate, summary)
            position.history.append(dataclasses.asdict(report))
            if report.is_best:
                _save_best(run, learner, position, scores)
            position.epoch += 1
            position.batch, position.loss_sum = 0, 0.0
            _save(run, learner, position, "last.ckpt")
            if run is not None:
                curves.write_table(run.path / "curves.csv", position.history)
                run.set_status(epoch=position.epoch, best_dice=_known(position))
            yield report

        # --- the model
        result = _finish(config, fabric, run, learner, position, data, state, ceiling)
        if result.comparison is not None:
            yield Notice(result.comparison.sentence)
        if result.comparison is not None and result.model == result.run / "model":
            yield Notice(
                f"The model is in {result.model} and not in the library"
                + (", as it is worse than its start." if config.to_library else ".")
            )
        yield StateChanged(state)
        yield Finished({k: _plain(v) for k, v in dataclasses.asdict(result).items()})
        return result


def _prepare(
    config: TrainConfig, fabric: Fabric
) -> Generator[Event, None, TrainingData]:
    """Prepare the data once and let the other processes wait for it."""
    size = config.model.image_size
    if not fabric.is_global_zero:
        fabric.barrier()
    data = yield from prepare(config.data, size)
    if fabric.is_global_zero:
        fabric.barrier()
    if config.data.unlabelled_batch and data.textures is None:
        raise ConfigError(
            "unlabelled_batch needs a folder of unlabelled frames; got none. Set "
            "data.unlabelled, or unlabelled_batch to 0."
        )
    if config.data.unlabelled_batch and config.optimizer.ema == 0:
        raise ConfigError(
            "unlabelled_batch needs a running average of the weights; got ema 0. "
            "Set optimizer.ema to 0.99."
        )
    return data


def _create_learner(
    config: TrainConfig, fabric: Fabric, network: torch.nn.Module, data: TrainingData
) -> Learner:
    if fabric.world_size > 1:
        synchronise_batch_norm(network)  # first: it renews what the optimiser holds
    optimizer = create_optimizer(network, config.optimizer)
    network = network.to(fabric.device)
    if config.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    ema = config.optimizer.ema
    average = WeightAverage(network, ema) if ema > 0 else None
    model, wrapped = fabric.setup(network, optimizer)
    bank, unlabelled = None, None
    if data.textures is not None:
        bank = TextureBank(data.textures) if config.augment.texture > 0 else None
        unlabelled = torch.from_numpy(data.textures).to(fabric.device).unsqueeze(1)
        unlabelled = unlabelled.to(torch.float32) / 255
    return Learner(
        config=config,
        fabric=fabric,
        network=network,
        model=model,
        optimizer=wrapped,
        criterion=create_criterion(config.loss).to(fabric.device),
        average=average,
        frames=data.frames,
        bank=bank,
        unlabelled=unlabelled,
        micro_batch=config.micro_batch or config.batch_size,
    )


def _is_late(config: TrainConfig, position: Position) -> bool:
    limit = config.time_limit_s
    return limit is not None and position.seconds >= limit


def _is_over(config: TrainConfig, position: Position) -> bool:
    """Tell whether the run ends before its last epoch: too late, or no better."""
    if position.batch == 0 and position.epoch > 0 and _is_late(config, position):
        return True
    patience = config.early_stop
    waited = position.epoch - 1 - position.best_epoch
    return patience is not None and position.best_epoch >= 0 and waited >= patience


def _fraction(config: TrainConfig, position: Position, steps: int) -> float:
    if config.time_limit_s is not None:
        return max(position.seconds / config.time_limit_s, position.step / steps)
    return position.step / steps


def _remaining(config: TrainConfig, position: Position, steps: int) -> float:
    remaining = (steps - position.step) * position.seconds / position.step
    if config.time_limit_s is not None:
        remaining = min(remaining, config.time_limit_s - position.seconds)
    return max(remaining, 0.0)


def _validates(config: TrainConfig, position: Position) -> bool:
    last = position.epoch + 1 == config.epochs or _is_late(config, position)
    return last or (position.epoch + 1) % config.validate_every == 0


def _pause(run: RunFolder | None, control: Control) -> Generator[Event, None, None]:
    if run is not None:
        run.set_status(state="paused")
    yield StateChanged("paused")
    while control.all_agree(control.wants_pause() and not control.wants_stop()):
        time.sleep(0.1)
    if run is not None:
        run.set_status(state="running")
    yield StateChanged("running")


@torch.no_grad()
def _score(
    learner: Learner,
    case: Any,
    control: Control,
    shown: list[FramePreview] | None,
    watched: int | None,
) -> CaseScore | None:
    try:
        with learner.fabric.autocast():
            return score_case(
                learner.evaluated,
                learner.criterion,
                case,
                size=learner.config.model.image_size,
                device=learner.fabric.device,
                frames=learner.config.data.val_frames_per_case,
                batch_size=min(8, learner.micro_batch),
                cancelled=control.wants_stop,
                previews=shown,
                watched=watched,
            )
    except StepAbandoned:
        return None


def _validate(
    run: RunFolder | None, learner: Learner, data: TrainingData, control: Control
) -> Generator[Event, None, list[CaseScore] | None]:
    """Score the validation cases, shared among the processes; None if cancelled."""
    fabric = learner.fabric
    learner.evaluated.eval()
    learner.criterion.eval()
    mine: list[CaseScore | None] = []
    cases = data.validation[fabric.global_rank :: fabric.world_size]
    # The first process has the folder, and shows one of its cases.
    number, frame = (0, None) if run is None else run.watched()
    for index, case in enumerate(cases):
        is_watched = run is not None and index == number % len(cases)
        shown: list[FramePreview] | None = [] if is_watched else None
        mine.append(_score(learner, case, control, shown, frame))
        if mine[-1] is None:
            break
        if run is not None and shown:
            yield _write_preview(run, shown[0])
    learner.network.train()
    learner.criterion.train()
    if control.all_agree(bool(mine) and mine[-1] is None):
        return None
    scores = [score for score in mine if score is not None]
    if fabric.world_size > 1:
        gathered: list[Any] = [None] * fabric.world_size
        torch.distributed.all_gather_object(gathered, scores)
        scores = [score for part in gathered for score in part]
    return sorted(scores, key=lambda score: score.case)


def _write_preview(run: RunFolder, shown: FramePreview) -> Preview:
    path = run.path / "preview.npz"
    with written_whole(path, overwrite=True) as temporary:
        np.savez_compressed(
            temporary,
            image=shown.image,
            expert=shown.expert.astype(np.uint8),
            probability=(shown.probability * 255).round().astype(np.uint8),
            spacing_mm=np.array(shown.spacing_mm),
        )
    return Preview(str(path), shown.case, shown.frame)


def _close_epoch(
    config: TrainConfig,
    position: Position,
    batches: int,
    rate: float,
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
        learning_rate=rate,
        seconds=position.seconds,
        is_best=is_best,
    )


def _save(
    run: RunFolder | None, learner: Learner, position: Position, name: str
) -> None:
    """Write all on which the rest of the run depends."""
    if run is None:
        return
    position.micro_batch = learner.micro_batch
    average = learner.average
    save_checkpoint(
        run.path / "checkpoints" / name,
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


def _save_best(
    run: RunFolder | None,
    learner: Learner,
    position: Position,
    scores: list[CaseScore],
) -> None:
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


def _restore(learner: Learner, saved: dict[str, Any], run: Path) -> Position:
    path = run / "checkpoints" / "last.ckpt"
    load_weights(learner.network, saved["model"], path)
    if learner.average is not None:
        load_weights(learner.average.network, saved["average"], path)
    learner.optimizer.load_state_dict(saved["optimizer"])
    learner.fabric.strategy.precision.load_state_dict(saved["scaler"])
    restore_rng(saved["rng"])
    position = Position(**saved["position"])
    learner.micro_batch = position.micro_batch
    return position


def _finish(
    config: TrainConfig,
    fabric: Fabric,
    run: RunFolder | None,
    learner: Learner,
    position: Position,
    data: TrainingData,
    state: str,
    ceiling: float | None,
) -> TrainResult:
    """Put the best network into a model folder and draw the curves."""
    model, comparison = None, None
    best = Path(config.output) / "checkpoints" / "best.ckpt"
    hd95_mm = None
    if position.best_epoch >= 0:
        hd95_mm = position.history[position.best_epoch]["val_hd95_mm"]
    if run is not None:
        if best.exists():
            kept = load_checkpoint(best)
            load_weights(learner.network, kept["model"], best)
            before = read_scores(run.path / "before.json")
            if before is not None:
                comparison = compare_scores(before, scores_from(kept["scores"]))
            model = export_model(
                config, learner.network, position, data, ceiling, comparison
            )
        if position.history:
            curves.draw(run.path / "curves.png", position.history, ceiling)
        run.set_status(epoch=position.epoch, best_dice=_known(position))
    fabric.barrier()
    return TrainResult(
        run=Path(config.output),
        model=model,
        state=state,
        best_epoch=position.best_epoch,
        dice=_known(position),
        hd95_mm=hd95_mm,
        comparison=comparison,
    )


def _known(position: Position) -> float | None:
    return position.best_dice if position.best_dice >= 0 else None


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
