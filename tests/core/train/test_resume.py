import dataclasses
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from napari_microus.core.errors import CheckpointError, InputError, OutputError
from napari_microus.core.events import BatchReport, from_json
from napari_microus.core.models import create_model
from napari_microus.core.runs.folder import read_status, request
from napari_microus.core.train import TrainConfig, resume, train
from napari_microus.core.train.checkpoint import load_checkpoint, load_weights

# Trains, or resumes where there is a checkpoint, as the command line does.
CHILD = """
import sys
from pathlib import Path
from napari_microus.core.train import TrainConfig, resume, train
config = TrainConfig.from_yaml(sys.argv[1])
begun = (Path(config.output) / "checkpoints" / "last.ckpt").exists()
for event in resume(config.output) if begun else train(config):
    pass
"""


@pytest.fixture
def spawn(tmp_path):
    children = []

    def start(config):
        path = tmp_path / "settings.yaml"
        config.to_yaml(path, overwrite=True)
        command = [sys.executable, "-c", CHILD, str(path)]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
        child.stderr.close()


def weights(run, name="last.ckpt"):
    saved = load_checkpoint(run / "checkpoints" / name)
    return saved["model"] | {f"average.{k}": v for k, v in saved["average"].items()}


def count_batches(run):
    path = run / "events.jsonl"
    return path.read_text(encoding="utf-8").count("BatchReport") if path.exists() else 0


@pytest.mark.slow
def test_killed_at_any_moment_a_run_ends_with_the_same_bits(
    tiny, drain, spawn, tmp_path
):
    shape = {"epochs": 4, "checkpoint_s": 0.0}
    _, whole = drain(train(tiny(output=str(tmp_path / "whole"), **shape)))
    killed = tiny(output=str(tmp_path / "killed"), **shape)
    run = tmp_path / "killed"
    draw = random.Random(0)
    for after in sorted(draw.sample(range(1, 12), 3)):
        child = spawn(killed)
        while count_batches(run) < after:
            assert child.poll() is None, child.stderr.read()
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.15))  # inside a step, a save, a validation
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert read_status(run).state in ("interrupted", "finished")
    drain(resume(run))

    expected, found = weights(whole.run), weights(run)
    assert expected.keys() == found.keys()
    for name in expected:
        assert torch.equal(expected[name], found[name]), name
    best = "best.ckpt"
    for name, value in load_checkpoint(whole.run / "checkpoints" / best)[
        "model"
    ].items():
        other = load_checkpoint(run / "checkpoints" / best)["model"][name]
        assert torch.equal(value, other), name
    lines = [
        (r / "events.jsonl").read_text(encoding="utf-8").splitlines()
        for r in (whole.run, run)
    ]
    curves = [
        [(e.epoch, e.batch, e.loss) for e in map(from_json, part) if of_batch(e)]
        for part in lines
    ]
    assert curves[0] == curves[1]  # nothing twice, nothing left out


def of_batch(event):
    return isinstance(event, BatchReport)


def test_stopped_by_its_flag_a_run_keeps_its_best_model_and_continues(
    tiny, drain, tmp_path
):
    _, whole = drain(train(tiny(output=str(tmp_path / "whole"))))
    config = tiny(output=str(tmp_path / "stopped"))
    events, work = [], train(config)
    for event in work:
        events.append(event)
        if of_batch(event) and (event.epoch, event.batch) == (1, 1):
            request(config.output, "stop")
    run = tmp_path / "stopped"
    assert read_status(run).state == "stopped"
    assert (run / "model" / "model.safetensors").exists()
    assert sum(map(of_batch, events)) == 4

    drain(resume(run))

    for name, value in weights(whole.run).items():
        assert torch.equal(value, weights(run)[name]), name
    assert read_status(run).state == "finished"


def test_a_pause_holds_the_run_until_its_flag_is_gone(tiny, spawn, tmp_path):
    run = tmp_path / "run"
    child = spawn(tiny(epochs=200))
    while count_batches(run) < 2:
        assert child.poll() is None, child.stderr.read()
        time.sleep(0.01)
    request(run, "pause")
    deadline = time.monotonic() + 120
    while read_status(run).state != "paused":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    held = count_batches(run)
    time.sleep(0.3)
    assert count_batches(run) == held
    with pytest.raises(OutputError, match="one process at a time"):
        next(resume(run))
    request(run, "pause", on=False)
    while count_batches(run) == held:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=120) == 0  # an interrupt is an orderly stop
    assert read_status(run).state == "stopped"


def test_a_closed_generator_leaves_a_run_that_can_be_resumed(tiny, drain):
    work = train(tiny())
    for event in work:
        if of_batch(event):
            break
    work.close()
    run = tiny().output
    assert read_status(run).state == "stopped"
    _, result = drain(resume(run))
    assert result.state == "finished"


def test_a_run_without_a_checkpoint_says_so(tiny, drain):
    _, result = drain(train(tiny(epochs=1)))
    (result.run / "checkpoints" / "last.ckpt").unlink()
    with pytest.raises(CheckpointError, match="start it again"):
        drain(resume(result.run))


def test_a_truncated_checkpoint_is_refused(tiny, drain):
    _, result = drain(train(tiny(epochs=1)))
    path = result.run / "checkpoints" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="must be whole"):
        drain(resume(result.run))


def test_a_checkpoint_of_another_version_is_refused(tiny, drain):
    _, result = drain(train(tiny(epochs=1)))
    path = result.run / "checkpoints" / "last.ckpt"
    torch.save(load_checkpoint(path) | {"format": 99}, path)
    with pytest.raises(CheckpointError, match="format 1; got 99"):
        drain(resume(result.run))


def test_a_checkpoint_of_another_architecture_names_the_first_difference(tiny, drain):
    _, result = drain(train(tiny(epochs=1)))
    config = TrainConfig.from_yaml(result.run / "config.yaml")
    network = dataclasses.replace(config.model.transunet, num_layers=2)
    model = dataclasses.replace(config.model, transunet=network)
    changed = dataclasses.replace(config, model=model)
    changed.to_yaml(result.run / "config.yaml", overwrite=True)
    with pytest.raises(InputError, match=r"num_layers is 2 and was 1"):
        drain(resume(result.run))
    path = result.run / "checkpoints" / "last.ckpt"
    with pytest.raises(CheckpointError, match=r"lacks transformer\.encoder"):
        load_weights(create_model(model), load_checkpoint(path)["model"], path)


def test_resuming_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="must hold a config"):
        next(resume(tmp_path / "nowhere"))
