"""Stops and pauses that come in the middle of a step or of a validation."""

import threading
import time

import pytest
import torch

from napari_microus.core.events import (
    BatchReport,
    EpochReport,
    Notice,
    Preview,
    StateChanged,
)
from napari_microus.core.library import save_model
from napari_microus.core.models import create_model
from napari_microus.core.runs.folder import read_status, request
from napari_microus.core.train import control, resume, step, train, validation_round
from napari_microus.core.train.checkpoint import load_checkpoint
from napari_microus.core.train.training_data import ValidationCase
from napari_microus.core.train.validate import score_case


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def going_on(run, work):
    """Give the events of a run, and let it continue as soon as it has paused."""
    for event in work:
        if event == StateChanged("paused"):
            request(run, "pause", on=False)
        yield event


def weights(run):
    saved = load_checkpoint(run / "checkpoints" / "last.ckpt")
    return saved["model"] | {f"average.{k}": v for k, v in saved["average"].items()}


def assert_same_bits(run, other):
    expected, found = weights(run), weights(other)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name


@pytest.fixture
def whole(tiny, drain, tmp_path):
    """A run that nobody disturbs."""
    events, result = drain(train(tiny(output=str(tmp_path / "whole"))))
    return events, result.run


@pytest.fixture
def at_step(monkeypatch):
    """Do something as a step begins; every layer then looks for the flags."""

    def arrange(number, action):
        made, make_batch = [], step.make_batch

        def counted(*args):
            made.append(None)
            if len(made) == number:
                action()
            return make_batch(*args)

        monkeypatch.setattr(step, "make_batch", counted)
        monkeypatch.setattr(control, "_LOOK_EVERY_S", 0)

    return arrange


def test_a_step_left_midway_leaves_no_trace(tiny, drain, whole, at_step, tmp_path):
    run = tmp_path / "stopped"
    at_step(5, lambda: request(run, "stop"))
    events, result = drain(train(tiny(output=str(run))))
    assert result.state == "stopped"
    assert len(of(events, BatchReport)) == 4
    position = load_checkpoint(run / "checkpoints" / "last.ckpt")["position"]
    assert (position["epoch"], position["batch"]) == (1, 1)  # nothing to do twice

    events, _ = drain(resume(run))

    assert len(of(events, BatchReport)) == 2
    assert_same_bits(whole[1], run)


def test_a_pause_comes_in_the_middle_of_a_step(tiny, drain, whole, at_step, tmp_path):
    run = tmp_path / "paused"

    at_step(5, lambda: request(run, "pause"))
    events = list(going_on(run, train(tiny(output=str(run)))))

    states = [event.state for event in of(events, StateChanged)]
    assert states == ["paused", "running", "finished"]
    losses = [[e.loss for e in of(part, BatchReport)] for part in (whole[0], events)]
    assert losses[0] == losses[1]
    assert_same_bits(whole[1], run)


def test_a_pause_comes_in_the_middle_of_a_validation(
    tiny, drain, whole, monkeypatch, tmp_path
):
    run, asked = tmp_path / "paused", []
    score = validation_round.score_case

    def slow(*args, cancelled, **more):
        if not asked:
            asked.append(True)
            request(run, "pause")
        return score(*args, cancelled=cancelled, **more)

    monkeypatch.setattr(validation_round, "score_case", slow)
    events = list(going_on(run, train(tiny(output=str(run)))))

    states = [event.state for event in of(events, StateChanged)]
    assert states == ["paused", "running", "finished"]
    found = [[e.val_dice for e in of(part, EpochReport)] for part in (whole[0], events)]
    assert found[0] == found[1]
    assert_same_bits(whole[1], run)


def test_resumed_at_the_end_of_an_epoch_it_reports_the_rate_of_its_last_step(
    tiny, drain, whole, tmp_path
):
    run = tmp_path / "ended"
    work = train(tiny(output=str(run)))
    for event in work:
        if isinstance(event, Preview):  # every step is made, the validation is not
            break
    work.close()

    events, _ = drain(resume(run))

    assert not [e for e in of(events, BatchReport) if e.epoch == 0]
    rates = [
        [e.learning_rate for e in of(part, EpochReport)] for part in (whole[0], events)
    ]
    assert rates[0] == rates[1]
    assert min(rates[0]) > 0


def test_stopped_while_its_start_is_measured_it_measures_it_again(
    tiny, drain, monkeypatch, tmp_path
):
    settings = tiny()
    described = {
        "architecture": "transunet",
        "options": settings.model.transunet.to_dict(),
        "input": {"size": 32},
    }
    network = create_model(settings.model)
    parts = {"config": described, "card": "", "metrics": {}}
    start = save_model(tmp_path / "start", network, **parts)
    run = tmp_path / "run"
    score = validation_round.score_case

    def interrupted(*args, **more):
        request(run, "stop")
        return score(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(validation_round, "score_case", interrupted)
        events, result = drain(train(tiny(start=str(start))))
    assert result.state == "stopped"
    assert not of(events, BatchReport)

    events, result = drain(resume(run))

    assert result.comparison is not None
    assert any("DSC went from" in event.message for event in of(events, Notice))


@pytest.fixture
def case(tiny):
    from napari_microus.core.phantom import make_phantom

    phantom = make_phantom(0, frames=3)
    volumes = phantom.scan, phantom.expert, None
    return ValidationCase("c", "p", lambda: volumes)


def score(case, cancelled):
    return score_case(
        lambda x: (x - 0.3) * 20,
        lambda output, expert, nonexpert: torch.zeros(()),
        case,
        size=32,
        device=torch.device("cpu"),
        frames=None,
        batch_size=8,
        cancelled=cancelled,
    )


def test_a_score_cut_short_is_none(case):
    answers = iter([False, False, True])  # cancelled among the distances
    assert score(case, lambda: next(answers, True)) is None
    assert score(case, lambda: False).frames == 3


def test_a_scan_that_takes_long_to_read_is_left(case):
    go_on = threading.Event()
    slow = ValidationCase("c", "p", lambda: go_on.wait(60) and case.load())
    began = time.monotonic()
    assert score(slow, lambda: True) is None
    assert time.monotonic() - began < 10
    go_on.set()


def test_a_scan_that_cannot_be_read_raises_in_the_run(case):
    def load():
        raise ValueError("no such scan")

    with pytest.raises(ValueError, match="no such scan"):
        score(ValidationCase("c", "p", load), lambda: False)


def test_a_stopped_run_says_so_after_its_lock_is_free(tiny, drain, monkeypatch):
    from napari_microus.core.train import curves

    seen = []
    monkeypatch.setattr(
        curves, "draw", lambda run, _: seen.append(read_status(run).state)
    )
    drain(train(tiny(epochs=1)))
    assert seen == ["finished"]
