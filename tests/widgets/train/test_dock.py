import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMainWindow

from napari_microus.core.events import Preview
from napari_microus.core.library import ModelInfo
from napari_microus.core.runs.folder import read_status
from napari_microus.core.runs.workspace import Workspace
from napari_microus.widgets.segment.form import SegmentForm
from napari_microus.widgets.train.dock import RUNS, TrainWidget
from napari_microus.widgets.train.process_registry import (
    ProcessRegistry,
    TrainingGuard,
    guard_training,
)
from tiny_network import TINY

FAKE = str(Path(__file__).with_name("fake_trainer.py"))
MODEL = ModelInfo("microus-small", Path("nowhere") / "microus-small")
ESTIMATE = {"seconds": 600, "memory_mib": 1024, "parameters": 5e5, "advice": ""}
PATIENCE_MS = 60_000  # of a machine on which much else happens


class Command:
    """Turns the dock's words into a fake trainer's, and keeps them."""

    def __init__(self, mode="train", epochs=400, estimate=None):
        self.mode, self.epochs, self.words = mode, epochs, None
        self.figures = estimate or ESTIMATE

    def __call__(self, words):
        self.words = list(words)
        if words[0] == "resume":
            return [sys.executable, FAKE, "resume", words[1], str(self.epochs)]
        run = words[words.index("--output") + 1]
        stated = [json.dumps(self.figures)] if "--stop-if-long" in words else []
        return [sys.executable, FAKE, self.mode, run, str(self.epochs), *stated]


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "home")


@pytest.fixture
def answers():
    """What the user says when asked whether runs shall run on."""
    return {"asked": [], "answer": "stop"}


@pytest.fixture
def registry(answers):
    def ask(runs, waiting):
        answers["asked"].append((runs, waiting))
        return answers["answer"]

    registry = ProcessRegistry(ask)
    yield registry
    for process in registry._processes:
        process.kill()
        process.wait(10)


@pytest.fixture
def make(qtbot, workspace, registry, tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "models"))

    def make(command=None, viewer=None):
        widget = TrainWidget(
            PublicOnlyProxy(viewer) or ViewerModel(),
            list_models=lambda: [MODEL],
            make_command=command or Command(),
            workspace=workspace,
            registry=registry,
        )
        qtbot.addWidget(widget)
        widget.show()
        return widget

    return make


def wait(qtbot, condition):
    qtbot.waitUntil(condition, timeout=PATIENCE_MS)


def start(qtbot, dock):
    """Click *Train* and wait for the process."""
    dock.start_button.click()
    wait(qtbot, lambda: dock.panel.run is not None)


@pytest.fixture
def running(qtbot, make):
    """A dock that has started a run, some batches ago."""
    dock = make()
    start(qtbot, dock)
    wait(qtbot, lambda: len(dock.panel.history.epochs) >= 1)
    wait(qtbot, dock.panel.pause_button.isEnabled)
    return dock


def test_run_is_watched_while_it_continues(qtbot, running):
    panel = running.panel

    wait(qtbot, lambda: len(panel.curves.line("val_hd95_mm")[0]) >= 1)

    assert panel.curves.human.isVisible()
    assert panel.curves.human.value() == 0.95
    assert list(panel.curves.line("val_hd95_mm")[1])[:1] == [2.0]
    for part in ("12.5 frames/s", "512 MiB", "gamma 1.50", "0.950"):
        assert part in panel.figures.text()
    assert "of 400 epochs, 10 min left" in panel.epoch_bar.format()
    assert "running on cpu" in panel.title.text()


def test_a_page_is_seen_from_its_top(qtbot, running):
    """The run's page is long: scrolled down, its successor was out of sight."""
    running.resize(320, 400)
    running.show()
    bar = running.tabs.widget(0).verticalScrollBar()
    wait(qtbot, lambda: bar.maximum() > 0)
    for go in (running.show_choices, lambda: running.watch_button.click()):
        bar.setValue(bar.maximum())
        go()
        wait(qtbot, lambda: bar.value() == 0)


def test_open_settings_do_not_stretch_the_run(qtbot, running):
    running.resize(320, 500)
    running.show()
    panel = running.panel
    closed = panel.height()
    running.form.fold.expand(animate=False)
    running.show_choices()
    qtbot.wait(100)
    running.watch_button.click()
    qtbot.wait(200)
    assert panel.height() <= max(closed, panel.heightForWidth(panel.width())) + 2


def test_each_validation_is_looked_at_anew(qtbot, running, monkeypatch):
    shown = []
    monkeypatch.setattr(running.panel.watched, "show_preview", shown.append)
    for _ in range(2):  # equal events: the same frame, predicted again
        running.panel._on_events([Preview("run/preview.npz", "case", 3)])

    assert len(shown) == 2


def test_run_waits_and_continues(qtbot, running):
    panel = running.panel
    panel.pause_button.click()
    wait(qtbot, lambda: panel.state == "paused")
    seen = len(panel.history.batch_loss.x)
    qtbot.wait(300)
    assert len(panel.history.batch_loss.x) == seen
    assert panel.pause_button.text() == "Continue"

    panel.pause_button.click()

    wait(qtbot, lambda: len(panel.history.batch_loss.x) > seen)
    assert panel.pause_button.text() == "Pause"


def test_cancelled_run_keeps_its_model_and_can_be_resumed(qtbot, running):
    panel = running.panel
    panel.cancel_button.click()
    wait(qtbot, lambda: not panel.is_active)

    assert panel.state == "stopped"
    assert panel.message.text().startswith("Stopped. The best model so far is kept")
    assert read_status(panel.run).state == "stopped"
    assert panel.resume_button.isVisible()
    assert panel.use_button.isVisible()
    assert not panel.cancel_button.isVisible()

    seen = len(panel.history.epochs)
    panel.resume_button.click()
    wait(qtbot, lambda: len(panel.history.epochs) > seen)
    assert panel.state == "running"


def test_end_is_reported_before_the_process_has_tidied_up(qtbot, make):
    dock = make(Command("lingers"))
    start(qtbot, dock)
    panel = dock.panel
    wait(qtbot, lambda: len(panel.history.epochs) >= 1)
    wait(qtbot, panel.pause_button.isEnabled)
    first = panel.process
    panel.cancel_button.click()
    wait(qtbot, lambda: not panel.is_active)
    assert panel.state == "stopped"
    assert first._process.poll() is None

    panel.resume_button.click()  # is not kept waiting either

    assert panel.process is not first
    assert panel.is_active, panel.message.text()


def test_resumed_run_is_cancelled_before_it_looks_for_the_flag(qtbot, running):
    panel = running.panel
    panel.cancel_button.click()
    wait(qtbot, lambda: not panel.is_active)
    epochs = len(panel.history.epochs)

    panel.resume_button.click()
    assert "starting the process" in panel.title.text()
    panel.cancel_button.click()  # Python itself is not up yet

    wait(qtbot, lambda: not panel.is_active)
    assert panel.state == "stopped"
    assert panel.resume_button.isVisible()
    assert len(panel.history.epochs) == epochs


def test_cancelled_pause_ends_the_run(qtbot, running):
    running.panel.pause_button.click()
    wait(qtbot, lambda: running.panel.state == "paused")

    running.panel.cancel_button.click()

    wait(qtbot, lambda: running.panel.state == "stopped")


def test_run_cancelled_before_its_first_step_leaves_nothing(qtbot, make):
    dock = make(Command("prepares"))
    start(qtbot, dock)
    run = dock.panel.run
    wait(qtbot, lambda: (run / "status.json").exists())

    dock.panel.cancel_button.click()

    wait(qtbot, lambda: not dock.panel.is_active)
    assert not run.exists()
    assert dock.panel.message.text().startswith("Cancelled before the first step")


def test_finished_model_is_chosen_for_segmenting(qtbot, make):
    dock = make(Command(epochs=1))
    form = SegmentForm(ViewerModel(), lambda: [MODEL, ModelInfo("fake", Path("fake"))])
    form.setParent(dock)
    assert form.model.name == "microus-small"

    start(qtbot, dock)
    wait(qtbot, lambda: not dock.panel.is_active)
    assert dock.panel.state == "finished"

    assert "DSC of 0.900. The model 'fake' is in the library" in (
        dock.panel.message.text()
    )
    assert form.model.name == "fake"
    assert not dock.panel.resume_button.isVisible()


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("fails", "The loss must be finite; got NaN in case 'c1'. Correct it."),
        ("refuses", "There must be masks; got none. Draw some."),
        ("exits", "Traceback: something odd"),
        ("dies", "The training process was killed (SIGKILL)"),
    ],
)
def test_end_in_trouble_is_one_sentence(mode, words, qtbot, make):
    dock = make(Command(mode))

    start(qtbot, dock)
    wait(qtbot, lambda: not dock.panel.is_active)

    assert dock.panel.message.text().startswith(words)
    assert dock.panel.state in ("failed", "interrupted")


def test_removed_run_is_named(qtbot, running):
    panel = running.panel
    process = panel.process
    process.kill()
    process.wait(10)
    for path in sorted(panel.run.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    panel.run.rmdir()

    wait(qtbot, lambda: not panel.is_active)

    assert panel.message.text() == f"The run's folder was removed: {panel.run}."
    assert not panel.resume_button.isVisible()


def test_unwritable_folder_is_named(qtbot, make, workspace):
    workspace.folder.mkdir()
    (workspace.folder / "runs").write_text("in the way")
    dock = make()

    dock.start_button.click()

    assert dock.message.text().startswith("Cannot write into the run's folder")
    assert not dock.panel.is_active


def test_closing_napari_asks_and_stops(qtbot, running, registry, answers):
    process = running.panel.process

    registry.close_down()

    assert answers["asked"] == [([running.panel.run], 0)]
    assert process.wait(30)
    assert read_status(running.panel.run).state == "stopped"


def test_run_that_continues_is_found_again(qtbot, running, registry, answers, make):
    answers["answer"] = "run on"
    run = running.panel.run
    registry.close_down()
    running.close()
    running.panel.leave()
    assert registry.running

    # As after a restart: another dock that knows nothing of the process.
    dock = TrainWidget(
        ViewerModel(),
        list_models=lambda: [MODEL],
        make_command=Command(),
        workspace=running._workspace,
        registry=ProcessRegistry(lambda runs, waiting: "run on"),
    )
    qtbot.addWidget(dock)
    dock.show()
    assert run.name in dock.watch_button.text()

    dock.watch_button.click()
    wait(qtbot, lambda: dock.panel.state == "running")
    wait(qtbot, lambda: len(dock.panel.history.epochs) >= 1)

    dock.panel.cancel_button.click()
    wait(qtbot, lambda: dock.panel.state == "stopped")


def test_no_run_no_question(registry, answers):
    registry.close_down()

    assert answers["asked"] == []


def test_dock_opened_again_shows_its_run(qtbot, running, make):
    running.panel.leave()

    dock = make()

    assert dock.panel.run == running.panel.run
    assert dock.panel.is_active
    assert dock.panel.process is not None


def test_several_runs_are_made_one_after_the_other(qtbot, running, registry):
    first = running.panel.run
    running.panel.back_button.click()
    assert running.start_button.text() == "Add to the queue"
    running.start_button.click()
    running.start_button.click()
    second, third = registry.waiting
    assert len({first, second, third}) == 3
    assert f"{second.name}, {third.name}" in running.queue_label.text()

    running.queue_button.click()
    assert registry.waiting == [second]
    assert not third.exists()
    assert first.exists()

    running.watch_button.click()
    running.panel.cancel_button.click()
    wait(qtbot, lambda: running.panel.run == second)
    wait(qtbot, lambda: bool(running.panel.history.epochs))
    assert [process.run for process in registry.running] == [second]
    assert not running.queue_row.isVisible()


def test_a_run_that_is_resumed_waits_for_its_turn_too(qtbot, make, registry):
    dock = make()
    start(qtbot, dock)
    wait(qtbot, lambda: bool(dock.panel.history.epochs))
    dock.panel.cancel_button.click()
    wait(qtbot, lambda: not dock.panel.is_active)
    stopped = dock.panel.run
    dock.panel.back_button.click()
    dock.start_button.click()
    dock.resume(stopped)
    assert registry.waiting == [stopped]
    dock.take_from_queue()
    assert (stopped / "checkpoints" / "last.ckpt").exists()


def test_a_window_asks_before_it_goes_and_stays_where_one_goes_back(
    qtbot, running, registry, answers
):
    window = QMainWindow()
    qtbot.addWidget(window)
    window.setCentralWidget(running)
    guard_training(running, registry)
    guard_training(running, registry)
    assert len(window.findChildren(TrainingGuard)) == 1
    window.show()
    answers["answer"] = "back"

    window.close()
    assert window.isVisible()
    assert answers["asked"] == [([running.panel.run], 0)]
    assert running.panel.is_active

    answers["answer"] = "stop"
    process = running.panel.process
    window.close()
    assert not window.isVisible()
    assert process.is_alive  # it is the application that stops it, last
    registry.close_down()
    assert len(answers["asked"]) == 2  # not asked a third time
    assert process.wait(30)


def test_runs_that_wait_are_named_and_not_started_after_closing(
    qtbot, running, registry, answers
):
    running.panel.back_button.click()
    running.start_button.click()
    (waiting,) = registry.waiting

    registry.close_down()

    assert answers["asked"] == [([running.panel.run], 1)]
    assert registry.waiting == []
    assert not waiting.exists()


def test_way_back_to_the_run_that_continues(running):
    running.panel.back_button.click()
    assert running.panel.isHidden()

    running.watch_button.click()

    assert running.choices.isHidden()
    assert running.panel.is_active


def test_list_shows_states_and_compares_curves(qtbot, make):
    dock = make(Command(epochs=2))
    start(qtbot, dock)
    wait(qtbot, lambda: not dock.panel.is_active)
    assert dock.panel.state == "finished"
    (dock.panel.run / "curves.csv").write_text(
        "epoch,train_loss,val_loss,val_dice,val_hd95_mm,learning_rate\n0,1,,0.5,,0.1\n"
    )
    dock.tabs.setCurrentIndex(RUNS)
    page = dock.runs_page
    page.refresh()
    item = page.table.topLevelItem(0)

    shown = [item.text(column) for column in range(4)]
    assert shown == ["fine-tuned-1", "finished", "2/2", "0.900"]
    item.setCheckState(0, Qt.CheckState.Checked)

    assert page.curves.isVisible()
    assert page.curves.others_count == 5
    page.refresh()
    assert page.ticked == [dock.panel.run]


def test_finished_run_cannot_be_resumed_from_the_list(qtbot, make):
    dock = make(Command(epochs=1))
    start(qtbot, dock)
    wait(qtbot, lambda: not dock.panel.is_active)
    assert dock.panel.state == "finished"
    dock.tabs.setCurrentIndex(RUNS)
    dock.runs_page.refresh()

    dock.runs_page.table.topLevelItem(0).setSelected(True)

    assert dock.runs_page.attach_button.isEnabled()
    assert not dock.runs_page.resume_button.isEnabled()


def test_folder_that_is_no_run_is_refused(make, tmp_path):
    dock = make()

    dock.runs_page.add_run(tmp_path)

    assert dock.runs_page.message.text().endswith("Choose one that training has made.")


def test_study_of_one_patient_is_refused_at_once(make, workspace, tmp_path):
    from napari_microus.core.study import Study, StudyCase

    study = Study.create(tmp_path / "study")
    study.add(StudyCase("a", "P001", "a.png", "b.png"))
    workspace.remember(tmp_path / "study")
    dock = make()
    assert dock.form.study == tmp_path / "study"
    assert dock.form.data_note.text().startswith("Training takes two patients or more")

    dock.start_button.click()

    assert dock.message.text().startswith("Training takes two patients or more")
    assert not (tmp_path / "study" / "runs").exists()


def test_command_on_the_clipboard_is_the_run(make, qapp):
    dock = make()
    dock.form.advanced.fields["epochs"].setText("3")

    dock.copy_button.click()

    words = qapp.clipboard().text()
    assert words.startswith("napari-microus train --preset fine-tune --output ")
    assert words.endswith("--set epochs=3")


def test_opening_the_dock_loads_no_torch():
    code = (
        "import sys; from napari.components import ViewerModel; "
        "from qtpy.QtWidgets import QApplication; app = QApplication([]); "
        "from napari_microus.widgets.train import TrainWidget; "
        "TrainWidget(ViewerModel()); assert 'torch' not in sys.modules"
    )
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


LONG = {"seconds": 36000, "memory_mib": 9000, "parameters": 105e6}
LONG |= {"advice": "This run would take about 10 hours on this processor."}


def test_run_of_hours_is_offered_the_small_network(qtbot, make):
    command = Command(estimate=LONG)
    dock = make(command)
    dock.start_button.click()
    wait(qtbot, dock.small_button.isVisible)
    assert dock.panel.isHidden()
    assert "About 10.0 h of training and 9,000 MiB" in dock.message.text()
    assert "10 hours on this processor" in dock.message.text()
    assert not dock.panel.run.exists()

    command.figures = ESTIMATE
    dock.small_button.click()
    wait(qtbot, lambda: dock.panel.history.estimate is not None)

    assert 'model="small"' in command.words
    assert not dock.small_button.isVisible()
    assert dock.panel.message.text().startswith("About 10 min of training")


def test_run_of_hours_starts_when_asked_to(qtbot, make):
    dock = make(Command(estimate=LONG))
    dock.start_button.click()
    wait(qtbot, dock.anyway_button.isVisible)

    dock.anyway_button.click()

    assert dock.panel.is_active
    wait(qtbot, lambda: bool(dock.panel.history.epochs))


def test_model_is_taken_back_and_put_in_again(qtbot, make, tmp_path):
    dock = make(Command(epochs=1))
    start(qtbot, dock)
    wait(qtbot, lambda: not dock.panel.is_active)
    for folder in (tmp_path / "models" / "fake", dock.panel.run / "model"):
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("version: '1'")
    dock.panel._show_buttons()
    assert dock.panel.library_button.text() == "Roll back"

    dock.panel.library_button.click()
    assert not (tmp_path / "models" / "fake").exists()
    assert not dock.panel.use_button.isVisible()

    dock.panel.library_button.click()
    assert (tmp_path / "models" / "fake" / "config.yaml").exists()
    assert dock.panel.use_button.isVisible()


@pytest.mark.slow
def test_real_run_is_started_stopped_and_resumed_to_its_end(
    qtbot, make, tmp_path, monkeypatch
):
    from napari_microus.core.runs.process import command

    def tiny(words):
        if words[0] == "train":
            model = {"architecture": "transunet", "transunet": TINY}
            data = {"phantom_frames": 8, "phantom_val_cases": 1}
            data |= {"phantom_val_frames": 1, "cache": str(tmp_path / "cache")}
            settings = {"model": model, "data": data, "channels_last": False}
            more = [f"{k}={json.dumps(v)}" for k, v in settings.items()]
            words = [*words, *(part for m in more for part in ("--set", m))]
        return command(words)

    dock = make(tiny)
    dock.form.choose_small()
    dock.form.name_edit.setText("tiny")
    for path, value in (("epochs", "8"), ("threads", "1"), ("early_stop", "")):
        dock.form.advanced.fields[path].setText(value)
    dock.start_button.click()
    panel = dock.panel
    assert panel.is_active, dock.message.text()
    qtbot.waitUntil(
        lambda: bool(panel.history.epochs) or not panel.is_active, timeout=300_000
    )
    assert panel.is_active, panel.message.text()
    assert panel.history.estimate.parameters > 0
    panel.cancel_button.click()
    qtbot.waitUntil(lambda: not panel.is_active, timeout=60_000)
    assert panel.state == "stopped", panel.message.text()

    panel.resume_button.click()
    qtbot.waitUntil(lambda: not panel.is_active, timeout=300_000)

    assert panel.state == "finished", panel.message.text()
    assert len(panel.history.epochs) == 8
    assert (tmp_path / "models" / "tiny" / "model.safetensors").exists()
    qtbot.waitUntil(lambda: panel.watched.shown is not None)
    assert not np.isnan(panel.history.best.val_dice)
