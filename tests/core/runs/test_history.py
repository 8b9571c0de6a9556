import pytest

from napari_microus.core.events import (
    BatchReport,
    EpochReport,
    Failed,
    Notice,
    Progress,
    RunStarted,
    StateChanged,
)
from napari_microus.core.runs.history import RunHistory, Trace, read_curves
from napari_microus.core.runs.texts import duration, figures, phase
from napari_microus.core.train import curves


def batch(epoch, number, loss=1.0, **more):
    return BatchReport(epoch, number, 4, loss, 0.01, **more)


def filled(*events):
    history = RunHistory()
    for event in events:
        history.take(event)
    return history


def test_long_trace_keeps_its_shape_in_few_points():
    trace = Trace(most_points=100)
    for step in range(10_000):
        trace.add(step, step)

    assert 50 <= len(trace.x) <= 100
    assert trace.x == trace.y == sorted(trace.x)
    assert trace.x[-1] > 9_700


def test_batches_lie_between_the_epochs():
    history = filled(batch(0, 1, 3.0), batch(0, 4, 2.0), batch(1, 2, 1.0, gamma=1.5))

    assert history.batch_loss.x == [0.25, 1.0, 1.5]
    assert history.batch_loss.y == [3.0, 2.0, 1.0]
    assert history.gamma.y == [1.5]


def test_loss_that_is_no_number_is_not_drawn():
    assert filled(batch(0, 1, None)).batch_loss.y == []


def test_measures_leave_out_epochs_without_validation():
    history = filled(
        EpochReport(0, 3, 0.9), EpochReport(1, 3, 0.8, 0.7, 0.5, is_best=True)
    )

    assert history.measure("train_loss") == ([1.0, 2.0], [0.9, 0.8])
    assert history.measure("val_dice") == ([2.0], [0.5])
    assert history.best.epoch == 1


def test_repeated_epoch_replaces_the_first():
    history = filled(EpochReport(0, 3, 0.9), EpochReport(1, 3, 0.8))
    history.take(EpochReport(1, 3, 0.7))

    assert history.measure("train_loss")[1] == [0.9, 0.7]


def test_preparing_ends_when_the_run_begins():
    history = filled(Progress(3, 9, "cases"), Notice("3 cases have one mask."))
    assert history.progress.done == 3

    history.take(RunStarted("run", "cpu", 2, 4, human_dice=0.9))

    assert history.progress is None
    assert history.notices == ["3 cases have one mask."]
    assert phase(history.state, history) == "running on cpu"


def test_states_and_failures_are_kept():
    assert filled(StateChanged("paused")).state == "paused"
    assert filled(Failed("No.")).failure == "No."


def test_fraction_counts_batches():
    history = filled(RunStarted("run", "cpu", 2, 4), batch(1, 2))

    assert history.done_fraction == pytest.approx(0.75)


def test_figures_name_speed_memory_best_and_ceiling():
    words = figures(
        filled(
            RunStarted("run", "cpu", 2, 4, human_dice=0.9512),
            batch(0, 4, frames_per_s=12.5, memory_mib=2048, gamma=1.25),
            EpochReport(0, 2, 0.5, 0.6, 0.8, 2.0, is_best=True),
        )
    )

    for part in ("12.5 frames/s", "2,048 MiB", "gamma 1.25", "DSC 0.800", "0.951"):
        assert part in words


@pytest.mark.parametrize(
    ("seconds", "words"), [(5, "5 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_durations_read_as_people_say_them(seconds, words):
    assert duration(seconds) == words


def test_curves_of_another_run_come_from_its_table(tmp_path):
    rows = [
        {"epoch": 0, "train_loss": 0.9, "val_dice": None, "learning_rate": 0.1},
        {"epoch": 1, "train_loss": 0.8, "val_dice": 0.7, "learning_rate": 0.1},
    ]
    curves.write_table(tmp_path / "curves.csv", rows)

    found = read_curves(tmp_path)

    assert found["train_loss"] == ([1.0, 2.0], [0.9, 0.8])
    assert found["val_dice"] == ([2.0], [0.7])


@pytest.mark.parametrize("content", [None, "", "epoch,train_loss\nx,y\n"])
def test_no_or_broken_table_gives_no_curves(tmp_path, content):
    if content is not None:
        (tmp_path / "curves.csv").write_text(content)

    assert read_curves(tmp_path) == {}
