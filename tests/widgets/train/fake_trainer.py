"""Stands in for ``napari-microus train``: a run's folder and events, no network.

Arguments: mode, run folder, how many epochs, and perhaps what the run would take, as
JSON: with advice in it, the run ends before its first step. Modes: "train" and
"resume" obey the flag files; "fails", "dies" and "exits" go wrong after the first
batch; "refuses" never makes a run; "prepares" never begins to train; "lingers" stays
for a minute after the run has ended.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from napari_microus.core.errors import ConfigError
from napari_microus.core.events import (
    BatchReport,
    EpochReport,
    Estimated,
    Failed,
    Finished,
    RunStarted,
    StateChanged,
    to_json,
)
from napari_microus.core.runs.folder import RunFolder
from napari_microus.core.train import TrainConfig

BATCHES = 5


def main(mode, path, epochs, figures=None):
    run_path = Path(path)
    if mode == "refuses":
        print(to_json(Failed("There must be masks; got none. Draw some.")), flush=True)
        sys.exit(2)
    if mode == "resume":
        run = RunFolder.reopen(run_path, "fake")
        first = len((run_path / "done").read_text(encoding="utf-8"))
    else:
        run = RunFolder.create(TrainConfig(output=path, name="fake", epochs=epochs))
        first = 0
    run.open_events()
    run.set_status(state="preparing", epochs=epochs)
    if figures is not None:
        run.record(Estimated(**figures))
        if figures["advice"]:
            run.fail(Failed(figures["advice"], "LongRunError"))
            run.close()
            sys.exit(2)
    if mode == "prepares":
        time.sleep(60)
    (run_path / "checkpoints" / "last.ckpt").touch()
    run.set_status(state="running", epoch=first)
    run.record(RunStarted(path, "cpu", epochs, BATCHES, first, human_dice=0.95))
    for epoch in range(first, epochs):
        for batch in range(1, BATCHES + 1):
            time.sleep(0.02)
            run.record(batch_report(epoch, batch))
            if mode == "fails":
                message = "The loss must be finite; got NaN in case 'c1'. Correct it."
                run.fail(Failed(message))
                print(to_json(Failed(message)), flush=True)
                raise ConfigError(message)
            if mode == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if mode == "exits":
                print("Traceback: something odd", file=sys.stderr, flush=True)
                os._exit(3)
            if run.wants("pause"):
                wait(run)
            if run.wants("stop"):
                end(run, "stopped")
                if mode == "lingers":
                    time.sleep(60)
                return
        run.record(epoch_report(epoch, epochs))
        (run_path / "done").write_text("x" * (epoch + 1))
        run.set_status(epoch=epoch + 1, best_dice=0.9)
    end(run, "finished")
    if mode == "lingers":
        time.sleep(60)


def batch_report(epoch, batch):
    done = epoch * BATCHES + batch
    return BatchReport(
        epoch, batch, BATCHES, 1 / done, 0.01, 12.5, 512, 1.5, remaining_s=600
    )


def epoch_report(epoch, epochs):
    return EpochReport(
        epoch, epochs, 0.5, 0.6, 0.8 + 0.01 * epoch, 2.0, 0.01, 1.0, is_best=True
    )


def wait(run):
    run.set_status(state="paused")
    run.record(StateChanged("paused"))
    while run.wants("pause") and not run.wants("stop"):
        time.sleep(0.02)
    run.set_status(state="running")
    run.record(StateChanged("running"))


def end(run, state):
    model = Path(os.environ["NAPARI_MICROUS_MODELS"]) / "fake"
    run.record(StateChanged(state))
    run.record(Finished({"state": state, "model": str(model), "run": str(run.path)}))
    run.set_status(state=state)
    run.close()


if __name__ == "__main__":
    stated = json.loads(sys.argv[4]) if len(sys.argv) > 4 else None
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), stated)
