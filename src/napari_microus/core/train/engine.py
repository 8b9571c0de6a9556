"""The training loop: one function, read from top to bottom."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from napari_microus.core.config.train import TrainConfig
from napari_microus.core.device import reports_memory
from napari_microus.core.errors import (
    ConfigError,
    LongRunError,
    OutputError,
    plain_words,
)
from napari_microus.core.events import (
    BatchReport,
    Estimated,
    Event,
    Failed,
    Finished,
    Notice,
    RunStarted,
    StateChanged,
    relay,
)
from napari_microus.core.models import create_model
from napari_microus.core.runs.folder import RunFolder, read_status
from napari_microus.core.train import curves
from napari_microus.core.train.checkpoint import TrainingState, load_checkpoint
from napari_microus.core.train.control import Control, StepAbandoned
from napari_microus.core.train.estimate import measure
from napari_microus.core.train.fingerprint import fingerprint_digest, take_fingerprint
from napari_microus.core.train.finish import TrainResult, finish
from napari_microus.core.train.learner import create_learner
from napari_microus.core.train.memory import memory_mib
from napari_microus.core.train.mlflow_log import check_mlflow, logged
from napari_microus.core.train.model_comparison import write_scores
from napari_microus.core.train.optimizer import learning_rate
from napari_microus.core.train.processes import create_fabric, destroy_process_group
from napari_microus.core.train.progress import (
    best_dice,
    close_epoch,
    fraction_done,
    is_late,
    is_over,
    remaining_s,
    validates,
)
from napari_microus.core.train.same_run import check_resumed
from napari_microus.core.train.sampler import Sampler
from napari_microus.core.train.saving import (
    restore,
    save_best,
    save_last,
    snapshot_step,
)
from napari_microus.core.train.sources import prepare_run
from napari_microus.core.train.start import start_network
from napari_microus.core.train.step import make_step
from napari_microus.core.train.tensorboard import TensorBoardLog
from napari_microus.core.train.validate import human_dice, summarise
from napari_microus.core.train.validation_round import validate_all

if TYPE_CHECKING:
    from collections.abc import Generator

    from lightning_fabric import Fabric

    from napari_microus.core.train.training_data import TrainingData


_reports_memory = reports_memory(
    "Network, frames and validation",
    "The last checkpoint is whole: close other programs and resume the run, or begin "
    "one with a smaller network, micro_batch or val_frames_per_case.",
)


@_reports_memory
def train(
    config: TrainConfig, *, stop_if_long: bool = False
) -> Generator[Event, None, TrainResult]:
    """Train a network and put the best one into a model folder.

    Parameters
    ----------
    config : TrainConfig
        Everything that decides how the run goes.
    stop_if_long : bool
        Measure before the first step how long the run will take, report it as
        `Estimated`, and end there with `LongRunError` if that is hours on a
        processor.

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
    check_mlflow(config)
    fabric = create_fabric(config)
    run = RunFolder.create(config) if fabric.is_global_zero else None
    work = _train(config, fabric, run, None, stop_if_long)
    return (yield from _reported(run, config, work))


@_reports_memory
def resume(
    run: str | Path, *, unchecked: bool = False
) -> Generator[Event, None, TrainResult]:
    """Continue with a run exactly where its last checkpoint was made; see `train`.

    Parameters
    ----------
    run : path
        Its folder.
    unchecked : bool
        Continue although the code is another, or the run carries no fingerprint of what
        it began with. The model's card then says so.

    Raises
    ------
    InputError
        If the folder holds no run, or settings, data, split or code are no longer
        those it began with; the difference is named.
    CheckpointError
        If there is no checkpoint, or it is broken or of another version.
    """
    path = Path(run)
    read_status(path)  # which says so where the folder is gone or holds no run
    config = TrainConfig.from_yaml(path / "config.yaml")
    config = dataclasses.replace(config, output=str(path))
    check_mlflow(config)
    fabric = create_fabric(config)
    folder = RunFolder.reopen(path, config.name) if fabric.is_global_zero else None
    try:
        saved = load_checkpoint(path / "checkpoints" / "last.ckpt")
        if folder is not None:  # before anything in it is changed
            yield from _see_it_is_the_same(config, folder, saved, unchecked)
    except BaseException:
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
            destroy_process_group()
    if config.mlflow:
        work = logged(work, config, run.path)
    log: TensorBoardLog | None = None
    ceiling: float | None = None
    try:
        if config.tensorboard:
            log = TensorBoardLog(run.path / "tensorboard")

        def record(event: Event) -> None:
            nonlocal ceiling
            run.record(event)
            if isinstance(event, RunStarted):
                ceiling = event.human_dice
            if log is not None:
                log.write(event)
            if isinstance(event, Finished):  # sent last: readers stop at this state
                run.set_status(state=event.result["state"])

        result = yield from relay(work, record)
    except GeneratorExit:
        work.close()
        if run.is_alive:
            run.set_status(state="stopped", message="It can be resumed.")
        raise
    except BaseException as error:
        run.fail(Failed(plain_words(error), type(error).__name__))
        raise
    finally:
        if log is not None:
            log.close()
        run.close()
        destroy_process_group()
    # Last: whoever stopped the run need not wait for a picture.
    with contextlib.suppress(OutputError):
        curves.draw(run.path, ceiling)
    return result


def _estimated(
    config: TrainConfig, fabric: Fabric, network: torch.nn.Module, frames: int
) -> Generator[Event, None, None]:
    """Report what the run will take; nobody who may say no is there for a long one."""
    found = measure(config, fabric, network.to(fabric.device), frames)
    yield Estimated(**dataclasses.asdict(found))
    if found.advice:
        raise LongRunError(found.advice)


@_reports_memory
def _train(
    config: TrainConfig,
    fabric: Fabric,
    run: RunFolder | None,
    saved: dict[str, Any] | None,
    stop_if_long: bool = False,
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
        if run is not None and saved is None:
            fingerprint = yield from take_fingerprint(config)
            fingerprint.write(run.path)
        data = yield from _prepare(config, fabric)
        if stop_if_long:
            yield from _estimated(config, fabric, network, len(data.frames))
        torch.manual_seed(config.seed)
        learner = create_learner(config, fabric, network, data)
        control.watch(learner.network)
        if learner.average is not None:
            control.watch(learner.average.network)
        sampler = Sampler(
            len(data.frames),
            config.batch_size,
            config.seed,
            config.data.samples_per_epoch,
            fabric.global_rank,
            fabric.world_size,
            extra=0 if data.phantoms is None else len(data.phantoms),
            extra_share=config.data.phantom_share,
        )
        position = TrainingState()
        if saved is not None:
            position = restore(learner, saved, Path(config.output))
        if run is not None:
            position.fingerprint = fingerprint_digest(run.path)
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
        state = "finished"
        if position.step == 0 and config.start is not None and data.validation:
            scores = yield from validate_all(run, learner, data, control)
            if scores is None:
                state = "stopped"
            elif run is not None:
                write_scores(run.path / "before.json", scores)

        # --- epochs
        begun_as = None if saved is None else saved["position"].get("fingerprint")
        if begun_as != position.fingerprint:
            save_last(run, learner, position)
        steps = config.epochs * sampler.batches
        saved_at = time.monotonic()
        while state != "stopped" and position.epoch < config.epochs:
            if is_over(config, position):
                break
            order = sampler.order(position.epoch)
            learner.network.train()
            while position.batch < sampler.batches and not is_late(config, position):
                began = time.monotonic()
                fraction = fraction_done(config, position, steps)
                rate = learning_rate(config.optimizer, fraction, position.step)
                for group in learner.optimizer.param_groups:
                    group["lr"] = rate * group["scale"]
                halved: list[int] = []
                undo = snapshot_step(learner)
                indices, keys = sampler.share(order, position.epoch, position.batch)
                try:
                    loss, gamma = make_step(
                        learner, indices, keys, position.step, halved.append
                    )
                except StepAbandoned:
                    undo()
                    if control.wants_pause():
                        save_last(run, learner, position)
                        yield from control.wait_while_paused()
                    if control.wants_stop():
                        state = "stopped"
                        break
                    continue
                for micro_batch in halved:
                    yield Notice(
                        "Memory ran out: frames now pass the network "
                        f"{micro_batch} at a time; the batch stays {config.batch_size}."
                    )
                seconds = time.monotonic() - began
                position.batch += 1
                position.step += 1
                position.learning_rate = rate
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
                    remaining_s=remaining_s(config, position, steps),
                )
                if control.any_process(control.wants_pause()):
                    save_last(run, learner, position)
                    yield from control.wait_while_paused()
                if control.any_process(control.wants_stop()):
                    state = "stopped"
                    break
                due = time.monotonic() - saved_at > config.checkpoint_s
                if due and position.batch < sampler.batches:
                    save_last(run, learner, position)
                    saved_at = time.monotonic()
            save_last(run, learner, position)
            saved_at = time.monotonic()
            if state == "stopped":
                break

            # --- validation, at full resolution
            began, held = time.monotonic(), control.paused_s
            summary: dict[str, float] = {}
            scores = []
            if validates(config, position) and data.validation:
                found = yield from validate_all(run, learner, data, control)
                if found is None:
                    state = "stopped"
                    break
                scores = found
                summary = summarise(scores)
            position.seconds += time.monotonic() - began - (control.paused_s - held)
            report = close_epoch(config, position, summary)
            position.history.append(dataclasses.asdict(report))
            if report.is_best:
                save_best(run, learner, position, scores)
            position.epoch += 1
            position.batch, position.loss_sum = 0, 0.0
            save_last(run, learner, position)
            if run is not None:
                curves.write_table(run.path / "curves.csv", position.history)
                run.set_status(epoch=position.epoch, best_dice=best_dice(position))
            yield report

        # --- the model
        result = dataclasses.replace(
            finish(config, fabric, run, learner, position, data, state, ceiling),
            interrupt=control.interrupt,
        )
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


def _see_it_is_the_same(
    config: TrainConfig, run: RunFolder, saved: dict[str, Any], unchecked: bool
) -> Generator[Event, None, None]:
    """Refuse to continue with other settings or data than the run began with."""
    now = yield from take_fingerprint(config, with_start=False)
    begun_as = saved["position"].get("fingerprint", "")
    found = check_resumed(run.path, begun_as, now, unchecked=unchecked)
    found.write(run.path)


def _prepare(
    config: TrainConfig, fabric: Fabric
) -> Generator[Event, None, TrainingData]:
    """Prepare the data once and let the other processes wait for it."""
    if not fabric.is_global_zero:
        fabric.barrier()
    data = yield from prepare_run(config)
    if fabric.is_global_zero:
        fabric.barrier()
    if config.data.unlabelled_batch and data.textures is None:
        raise ConfigError(
            "unlabelled_batch needs a folder of unlabelled frames; got none. Set "
            "data.unlabelled, or unlabelled_batch to 0.",
            plain=(
                "unlabelled_batch is set, and there is no folder of "
                "unlabelled frames. Set data.unlabelled, or unlabelled_batch "
                "to 0."
            ),
        )
    if config.data.unlabelled_batch and config.optimizer.ema == 0:
        raise ConfigError(
            "unlabelled_batch needs a running average of the weights; got ema 0. "
            "Set optimizer.ema to 0.99.",
            plain=(
                "unlabelled_batch is set, and there is no running average of "
                "the weights. Set optimizer.ema to 0.99."
            ),
        )
    return data


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
