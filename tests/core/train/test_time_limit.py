"""A run that ends by the clock, with a clock that the test winds."""

import types

import pytest

from napari_microus.core.errors import ConfigError
from napari_microus.core.events import BatchReport, EpochReport, Finished
from napari_microus.core.library import load_model
from napari_microus.core.train import engine, resume, train
from napari_microus.core.train.checkpoint import TrainingState
from napari_microus.core.train.progress import (
    fraction_done,
    is_late,
    is_over,
    remaining_s,
    validates,
)


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


@pytest.fixture
def clock(monkeypatch):
    """Make every step take ten seconds, and all else no time."""
    now = types.SimpleNamespace(seconds=1000.0, a_step=10.0)
    make_step = engine.make_step

    def timed(*args):
        result = make_step(*args)
        now.seconds += now.a_step
        return result

    monkeypatch.setattr(engine, "make_step", timed)
    monkeypatch.setattr(
        engine, "time", types.SimpleNamespace(monotonic=lambda: now.seconds)
    )
    return now


def limited(tiny, seconds, **changes):
    settings = {"learning_rate": 0.1, "schedule": "poly", "power": 1.0, "ema": 0.0}
    config = tiny(time_limit_s=seconds, **changes)
    return config.with_changes({"optimizer": settings})


def test_the_run_ends_with_the_step_that_passes_the_limit(tiny, drain, clock):
    # Three steps an epoch: 35 s are over after the first step of the second one.
    events, result = drain(train(limited(tiny, 35.0, epochs=9)))

    assert len(of(events, BatchReport)) == 4
    epochs = of(events, EpochReport)
    assert [e.epoch for e in epochs] == [0, 1]
    assert epochs[-1].seconds == pytest.approx(40)
    assert epochs[-1].val_dice is not None  # ended as if at its last epoch
    assert result.state == "finished"
    assert isinstance(events[-1], Finished)
    load_model(result.model)


def test_the_loss_of_the_epoch_cut_short_is_over_the_steps_made(tiny, drain, clock):
    events, _ = drain(train(limited(tiny, 35.0, epochs=9)))
    assert of(events, EpochReport)[-1].train_loss == pytest.approx(
        of(events, BatchReport)[-1].loss
    )


def test_the_rate_falls_by_the_clock(tiny, drain, clock):
    events, _ = drain(train(limited(tiny, 40.0, epochs=9)))
    rates = [e.learning_rate for e in of(events, BatchReport)]
    assert rates == pytest.approx([0.1, 0.075, 0.05, 0.025])  # 0.1 (1 - t / 40 s)
    left = [e.remaining_s for e in of(events, BatchReport)]
    assert left == pytest.approx([30, 20, 10, 0])


def test_where_the_epochs_end_sooner_the_rate_falls_by_the_steps(tiny, drain, clock):
    events, _ = drain(train(limited(tiny, 1000.0, epochs=1)))
    rates = [e.learning_rate for e in of(events, BatchReport)]
    assert rates == pytest.approx([0.1, 0.1 * 2 / 3, 0.1 / 3])
    left = [e.remaining_s for e in of(events, BatchReport)]
    assert left == pytest.approx([20, 10, 0])


def test_no_epoch_begins_when_the_time_is_up_at_the_end_of_one(tiny, drain, clock):
    events, _ = drain(train(limited(tiny, 30.0, epochs=9)))
    assert len(of(events, BatchReport)) == 3
    assert len(of(events, EpochReport)) == 1


def test_the_time_before_an_interruption_counts(tiny, drain, clock):
    work = train(limited(tiny, 35.0, epochs=9, checkpoint_s=0.0))
    made = 0
    for event in work:
        made += isinstance(event, BatchReport)
        if isinstance(event, EpochReport):
            break
    work.close()
    assert made == 3

    clock.seconds += 5000  # while nobody trained
    events, result = drain(resume(tiny().output))

    assert len(of(events, BatchReport)) == 1
    assert of(events, BatchReport)[0].learning_rate == pytest.approx(0.1 * 5 / 35)
    assert result.state == "finished"


def test_a_limit_that_leaves_no_time_is_refused(tiny):
    for seconds in (0.0, -5.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="time_limit_s"):
            tiny(time_limit_s=seconds)


def at(**place):
    return TrainingState(**place)


def test_what_is_late_and_over_by_hand(tiny):
    config = tiny(time_limit_s=60.0, epochs=10, validate_every=4)
    assert not is_late(config, at(seconds=59.9))
    assert is_late(config, at(seconds=60.0))
    assert not is_late(tiny(), at(seconds=1e9))  # without a limit

    assert not is_over(config, at(epoch=0, seconds=99))  # it keeps one epoch
    assert is_over(config, at(epoch=1, seconds=60))
    assert not is_over(config, at(epoch=1, batch=1, seconds=60))  # not validated yet

    assert not validates(config, at(epoch=2, seconds=0))
    assert validates(config, at(epoch=3, seconds=0))  # the fourth
    assert validates(config, at(epoch=2, seconds=60))  # the last, by the clock
    assert validates(config, at(epoch=9, seconds=0))  # the last, by count


def test_what_is_done_and_left_by_hand(tiny):
    config = tiny(time_limit_s=60.0)
    early, late = at(step=5, seconds=10.0), at(step=5, seconds=45.0)
    assert fraction_done(config, early, 20) == 0.25  # 5/20 is more than 10/60
    assert fraction_done(config, late, 20) == 0.75  # 45/60
    assert fraction_done(tiny(), late, 20) == 0.25
    assert remaining_s(config, early, 20) == 30  # 15 steps of 2 s
    assert remaining_s(config, late, 20) == 15  # and not 15 steps of 9 s
    assert remaining_s(config, at(step=5, seconds=70.0), 20) == 0
    assert remaining_s(tiny(), late, 20) == 135


def test_early_stopping_waits_as_long_as_it_was_stated(tiny):
    config = tiny(early_stop=2)
    assert not is_over(config, at(epoch=4, best_epoch=2))  # one epoch without a gain
    assert is_over(config, at(epoch=5, best_epoch=2))
    assert not is_over(config, at(epoch=5, best_epoch=-1))  # nothing was validated
    assert not is_over(tiny(), at(epoch=500, best_epoch=0))
