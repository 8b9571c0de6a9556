"""A run's settings, figures and model in MLflow, where that is installed.

They go to ``MLFLOW_TRACKING_URI``, else into a folder ``mlruns`` beside the run, and
from a thread: a server that is slow or goes away holds nothing up. What could not be
sent is tried again, and is in the run's own folder in any case.
"""

from __future__ import annotations

import json
import math
import os
import time
from importlib.util import find_spec
from threading import Event as Flag
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import ConfigError
from napari_microus.core.events import BatchReport, EpochReport, Event, Finished, Notice
from napari_microus.core.files import atomic_write
from napari_microus.core.train.export import shareable
from napari_microus.core.train.fingerprint import flat

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from napari_microus.core.config.train import TrainConfig

EXPERIMENT = "napari-microus"
RUN_ID = "mlflow.json"
# Between two messages, so that quick steps go together; and after one that failed.
_PAUSE_S, _RETRY_S = 1.0, 30.0
# How long the end of a run waits for its last figures, and for its model.
_LAST_FIGURES_S, _MODEL_S = 15.0, 120.0
# The most that one message may hold.
_MOST_FIGURES, _MOST_PARAMETERS, _LONGEST = 1000, 100, 500
# Of MLflow's own settings: fewer tries than its seven, which take minutes; no word to
# its makers of how it is used; folders, which its newer versions refuse else; and
# nothing printed among the events on standard output.
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_ENDED = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
_OF_STEPS = ("loss", "learning_rate", "gamma", "frames_per_s")
_OF_EPOCHS = ("train_loss", "val_loss", "val_dice", "val_hd95_mm")


def check_mlflow(config: TrainConfig) -> None:
    """See that MLflow is there where it is asked for, before anything is made.

    Raises
    ------
    ConfigError
        If it is not installed.
    """
    if config.mlflow and find_spec("mlflow") is None:
        raise ConfigError(
            "An MLflow log needs the package mlflow; got none. Install it (pip install "
            "'napari-microus[mlflow]'), or set mlflow to false.",
            plain="MLflow is not installed. Install it (pip install "
            "'napari-microus[mlflow]'), or switch the MLflow log off.",
        )


def logged(
    work: Generator[Event, None, Any], config: TrainConfig, run: Path
) -> Generator[Event, None, Any]:
    """Pass a run's events on and log them; a notice says where MLflow fails."""
    log = MlflowLog(config, run)
    state = "failed"
    try:
        while True:
            try:
                event = next(work)
            except StopIteration as stop:
                return stop.value
            log.write(event)
            if isinstance(event, Finished):
                state = str(event.result["state"])
                log.close(state, with_model=state == "finished")
            yield from log.news()
            yield event
    except GeneratorExit:
        state = "stopped"
        raise
    finally:
        work.close()
        log.close(state)


class MlflowLog:
    """One run of MLflow's, written to by a thread.

    Parameters
    ----------
    config : TrainConfig
        Becomes the parameters, without paths.
    run : Path
        The run's folder; remembers the run of MLflow's, which continues with it.
    """

    def __init__(self, config: TrainConfig, run: Path) -> None:
        self._run = run
        self._name = config.name
        self._parameters = {
            name: str(value)[:_LONGEST]
            for name, value in flat(shareable(config)).items()
        }
        own = (run.resolve().parent / "mlruns").as_uri()
        self._uri = os.environ.get("MLFLOW_TRACKING_URI") or own
        self._client: Any = None
        self._id = ""
        self._figures: list[Any] = []
        self._lock = Lock()
        self._wakes, self._closes, self._ended = Flag(), Flag(), Flag()
        self._state, self._with_model = "failed", False
        self._problem, self._reported = "", ""
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        # A daemon: nobody waits longer for a server than `close` does.
        self._thread = Thread(target=self._work, name="MLflow", daemon=True)
        self._thread.start()

    def write(self, event: Event) -> None:
        """Take up what ``event`` measured; most events measure nothing."""
        if isinstance(event, BatchReport):
            step = event.epoch * event.batches + event.batch
            self._add("step", _OF_STEPS, event, step)
        elif isinstance(event, EpochReport):
            self._add("epoch", _OF_EPOCHS, event, event.epoch + 1)

    def _add(self, group: str, names: tuple[str, ...], event: Event, at: int) -> None:
        now = int(time.time() * 1000)
        values = [(f"{group}/{name}", getattr(event, name)) for name in names]
        with self._lock:
            self._figures += [
                (name, value, now, at)
                for name, value in values
                if value is not None and math.isfinite(value)
            ]
        self._wakes.set()

    def news(self) -> list[Notice]:
        """Return a notice where MLflow has failed since the last call, or is back."""
        if self._problem == self._reported:
            return []
        self._reported = self._problem
        if not self._problem:
            return [Notice("MLflow has taken what was waiting.")]
        return [
            Notice(
                f"MLflow takes no figures now ({self._problem}); the run continues, "
                "and its folder holds them all."
            )
        ]

    def close(self, state: str, *, with_model: bool = False) -> None:
        """Send what is left and end MLflow's run, or give it up after a while."""
        if self._closes.is_set():
            return
        self._state, self._with_model = state, with_model
        self._closes.set()
        self._wakes.set()
        if not self._ended.wait(_MODEL_S if with_model else _LAST_FIGURES_S):
            self._problem = self._problem or "it has not answered in time"

    def _work(self) -> None:
        """Send what there is until the end; a failure is tried again later."""
        while True:
            closing = self._closes.is_set()
            try:
                self._send(closing)
            except Exception as error:  # noqa: BLE001  whatever it is, the run continues
                self._problem = _in_short(error)
            else:
                self._problem = ""
            if closing:
                break
            self._closes.wait(_RETRY_S if self._problem else _PAUSE_S)
            if not self._problem:
                self._wakes.wait()
            self._wakes.clear()
        self._ended.set()

    def _send(self, closing: bool) -> None:
        from mlflow.entities import Metric

        if not self._id:
            self._begin()
        while self._figures:
            with self._lock:
                part = self._figures[:_MOST_FIGURES]
            metrics = [Metric(name, v, when, step) for name, v, when, step in part]
            self._client.log_batch(self._id, metrics=metrics)
            with self._lock:
                del self._figures[: len(part)]
        if closing:
            for path in self._artifacts():
                self._client.log_artifact(self._id, str(path), _place(path))
            self._client.set_terminated(self._id, _ENDED[self._state])

    def _begin(self) -> None:
        """Open MLflow's run: the one that this run began with, else a new one."""
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=self._uri)
        known = self._remembered()
        if known and self._reopen(known):
            self._id = known
            return
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = self._client.get_experiment_by_name(name)
        experiment = (
            self._client.create_experiment(name)
            if found is None
            else found.experiment_id
        )
        created = self._client.create_run(experiment, run_name=self._name)
        identity = created.info.run_id
        parameters = [Param(name, value) for name, value in self._parameters.items()]
        for start in range(0, len(parameters), _MOST_PARAMETERS):
            part = parameters[start : start + _MOST_PARAMETERS]
            self._client.log_batch(identity, params=part)
        self._remember(identity)
        self._id = identity

    def _reopen(self, identity: str) -> bool:
        """Continue with MLflow's run; return False where somebody has removed it."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.update_run(identity, status="RUNNING")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False
        return True

    def _remembered(self) -> str:
        """Return MLflow's run of this folder on this server, "" where there is none."""
        try:
            kept = json.loads((self._run / RUN_ID).read_text(encoding="utf-8"))
            return str(kept["run_id"]) if kept["tracking_uri"] == self._uri else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _remember(self, identity: str) -> None:
        kept = {"tracking_uri": self._uri, "run_id": identity}
        with atomic_write(self._run / RUN_ID, overwrite=True) as path:
            path.write_text(json.dumps(kept, indent=1), encoding="utf-8")

    def _artifacts(self) -> list[Path]:
        """Return the files to keep: the curves, and of a finished run the model."""
        model = self._run / "model"
        files = [self._run / "curves.csv"]
        if self._with_model:
            files += sorted(model.glob("*")) if model.is_dir() else []
        return [path for path in files if path.is_file()]


def _place(path: Path) -> str | None:
    return "model" if path.parent.name == "model" else None


def _in_short(error: Exception) -> str:
    """Return the first line of an error, without what may follow of an answer."""
    first = (str(error).splitlines() or [""])[0].strip()
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__
