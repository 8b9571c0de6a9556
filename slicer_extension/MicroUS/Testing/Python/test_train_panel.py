import sys
from pathlib import Path

import numpy as np
import pytest
import slicer
from MicroUSLib.process import Outcome, Runner
from panel import Child, choose, press

from napari_microus.core.events import Finished, Notice


@pytest.fixture
def study(compared, tmp_path):
    """The widget with a study of three patients, each the compared case."""
    ui = compared.ui
    ui.studyPathLineEdit.setProperty("currentPath", str(tmp_path / "study"))
    for patient in ("p1", "p2", "p3"):
        ui.patientLineEdit.setText(patient)
        array = slicer.util.arrayFromVolume(compared._parameterNode.volume)
        array[0, 0, 0] += 1  # cases must differ
        press(ui.addCaseButton)
        assert not ui.addCaseButton.isEnabled()
        Child.made.run_here()
    Child.made = None
    return compared


def test_cases_are_added_to_the_study(study, tmp_path, mask, shown):
    from napari_microus.core.study import Study

    opened = Study.open(tmp_path / "study")
    assert [case.patient for case in opened.cases] == ["p1", "p2", "p3"]
    scan, expert, nonexpert = opened.read(opened.cases[0])
    np.testing.assert_array_equal(expert.array, mask)
    assert nonexpert is not None
    assert scan.spacing_mm == pytest.approx((0.5, 0.1, 0.1))
    assert "3 cases of 3 patients, 3 of them" in study.ui.studyLabel.text()
    assert shown == []


def test_patient_needs_a_code(compared, tmp_path, shown, wait):
    compared.train._make_runner = lambda e, o: Runner(e, o, sys.executable)
    compared.ui.studyPathLineEdit.setProperty("currentPath", str(tmp_path / "study"))
    press(compared.ui.addCaseButton)
    wait(compared.ui.addCaseButton.isEnabled)
    assert "Take letters, digits" in shown[0]


def test_case_is_added_by_a_real_child(compared, tmp_path, shown, wait):
    from napari_microus.core.study import Study

    compared.train._make_runner = lambda e, o: Runner(e, o, sys.executable)
    ui = compared.ui
    ui.studyPathLineEdit.setProperty("currentPath", str(tmp_path / "study"))
    ui.patientLineEdit.setText("p7")
    press(ui.addCaseButton)
    wait(ui.addCaseButton.isEnabled)
    assert shown == []
    assert ui.trainStatusLabel.text() == "Added 'case001'."
    [case] = Study.open(tmp_path / "study").cases
    assert (case.case, case.patient) == ("case001", "p7")


def test_case_without_an_annotation_is_reported_and_changes_nothing(
    widget, make_volume, tmp_path, shown
):
    choose(widget, volume=make_volume())
    widget.ui.studyPathLineEdit.setProperty("currentPath", str(tmp_path / "study"))
    press(widget.ui.addCaseButton)
    assert "There is no expert annotation" in shown[0]
    assert widget.ui.addCaseButton.isEnabled()
    assert not (tmp_path / "study").exists()


def test_training_needs_a_study(widget, shown, tmp_path):
    press(widget.ui.trainButton)
    assert "No study's folder is chosen." in shown[0]
    widget.ui.studyPathLineEdit.setProperty("currentPath", str(tmp_path))
    press(widget.ui.trainButton)
    assert "manifest.csv" in shown[1]
    assert Child.made is None


def test_training_reports_and_its_model_appears_in_segment(
    study, library, tmp_path, shown
):
    import shutil

    from napari_microus.core.events import BatchReport, EpochReport, RunStarted

    ui = study.ui
    ui.modelNameLineEdit.setText("mine")
    choose(study, epochs=2, trainDevice="cpu")
    press(ui.trainButton)
    child = Child.made
    line = child.line
    assert line[0] == "train"
    assert line[line.index("--study") + 1] == str(tmp_path / "study")
    assert line[line.index("--epochs") + 1] == "2"
    assert "name=mine" in line
    child.on_event(RunStarted("run", "cpu", 2, 3, human_dice=0.93))
    child.on_event(BatchReport(0, 2, 3, 0.5, 0.01, remaining_s=120.0, gamma=0.8))
    words = ui.trainStatusLabel.text()
    assert words.startswith("Epoch 1, batch 2 of 3: loss 0.5000, 2 min left")
    child.on_event(EpochReport(0, 2, 0.5, 0.4, 0.8, 9.0, is_best=True))
    child.on_event(EpochReport(1, 2, 0.3, 0.35, 0.9, 5.0))
    child.on_event(Notice("a notice"))
    [table] = slicer.util.getNodesByClass("vtkMRMLTableNode")[1:]  # after the frames
    dice = slicer.util.arrayFromTableColumn(table, "DSC")
    np.testing.assert_allclose(dice, [0.8, 0.9])
    charts = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    assert [c.GetNumberOfPlotSeriesNodes() for c in charts] == [4, 1]

    shutil.copytree(library / "microus-small", library / "mine")
    child.on_event(Finished({"model": str(library / "mine"), "dice": 0.9}))
    child.on_outcome(
        Outcome("done", result={"model": str(library / "mine"), "dice": 0.9})
    )
    shutil.rmtree(library / "mine")

    assert ui.modelComboBox.currentText() == "mine"
    assert study._parameterNode.modelName == "mine"
    assert "DSC 0.900" in ui.trainStatusLabel.text()
    assert shown == []


def prepare_a_real_run(compared, folder, name, epochs):
    """Fill in the panel for a real child on two small phantom patients; return it."""
    from napari_microus.core.phantom import make_phantom
    from napari_microus.core.study import Study

    study = Study.create(folder)
    for number in range(2):
        case = make_phantom(number, frames=1, shape=(96, 128))
        masks = case.expert, case.nonexpert
        study.add_case(f"case{number}", f"p{number}", case.scan, *masks)
    ui = compared.ui
    ui.studyPathLineEdit.setProperty("currentPath", str(study.folder))
    ui.modelNameLineEdit.setText(name)
    ui.startComboBox.setCurrentText("random weights, small network")
    ui.presetComboBox.setCurrentText("paper")
    choose(compared, epochs=epochs, trainDevice="cpu")
    compared.train._make_runner = lambda e, o: Runner(e, o, sys.executable)
    return ui


@pytest.mark.slow
def test_real_child_trains_and_its_model_segments(
    compared, library, tmp_path, wait, shown
):
    from napari_microus.core.library import load_model

    ui = prepare_a_real_run(compared, tmp_path / "study", "trained", epochs=1)
    press(ui.trainButton)
    wait(lambda: not compared.train.is_running, seconds=500)

    assert shown == []
    assert "'trained' can be chosen in Segment" in ui.trainStatusLabel.text()
    assert ui.modelComboBox.currentText() == "trained"
    assert load_model("trained").config["architecture"] == "transunet"


def test_stop_asks_the_run_itself(study, tmp_path):
    press(study.ui.trainButton)
    run = Path(Child.made.line[Child.made.line.index("--output") + 1])
    run.mkdir(parents=True)
    press(study.ui.stopButton)
    assert (run / "stop").exists()
    assert not Child.made.is_cancelled


def test_training_continues_when_the_scene_is_closed(study, shown):
    from napari_microus.core.events import EpochReport, RunStarted

    press(study.ui.trainButton)
    Child.made.on_event(RunStarted("run", "cpu", 2, 3))
    slicer.mrmlScene.Clear(0)
    Child.made.on_event(EpochReport(0, 2, 0.5, 0.4, 0.8, 9.0))
    assert study.train.is_running
    assert "DSC 0.800" in study.ui.trainStatusLabel.text()
    assert shown == []


# --- runs ------------------------------------------------------------------------
@pytest.fixture
def live_run(study, tmp_path):
    """A run that this process plays at training, in the folder of the study."""
    from napari_microus.core.config.train import TrainConfig
    from napari_microus.core.events import EpochReport, RunStarted
    from napari_microus.core.runs.folder import RunFolder

    path = tmp_path / "study" / "runs" / "elsewhere"
    config = TrainConfig.preset("demo", output=str(path))
    run = RunFolder.create(config.with_changes({"name": "mine"}))
    run.set_status(state="running", epoch=1, epochs=3, best_dice=0.8)
    run.record(RunStarted(str(path), "cpu", 3, 2, human_dice=0.9))
    run.record(EpochReport(0, 3, 0.5, 0.4, 0.8, 9.0, is_best=True))
    yield run
    run.close()


def texts(table, row):
    return [table.item(row, column).text() for column in range(4)]


def choose_run(widget):
    widget.train.refresh()
    widget.ui.runsTable.setCurrentCell(0, 0)


def curve(name):
    table = slicer.util.getNodesByClass("vtkMRMLTableNode")[-1]
    return slicer.util.arrayFromTableColumn(table, name).tolist()


def test_runs_of_the_study_are_listed(study, live_run):
    assert not study.ui.watchRunButton.isEnabled()
    choose_run(study)
    table = study.ui.runsTable
    assert table.rowCount() == 1
    assert texts(table, 0) == ["elsewhere", "running", "1 of 3", "0.800"]
    assert study.ui.watchRunButton.isEnabled()
    assert not study.ui.resumeRunButton.isEnabled()  # it continues


def test_run_of_another_process_is_watched_paused_and_ends(
    study, live_run, wait, shown, library
):
    from napari_microus.core.events import EpochReport, StateChanged

    ui = study.ui
    choose_run(study)
    press(ui.watchRunButton)
    wait(lambda: "DSC 0.800" in ui.trainStatusLabel.text())
    assert not ui.trainButton.isEnabled()
    assert curve("DSC") == [0.8]

    press(ui.pauseButton)
    assert live_run.wants("pause")
    live_run.record(StateChanged("paused"))
    wait(lambda: "paused" in ui.trainStatusLabel.text())
    assert ui.pauseButton.text() == "Continue"
    press(ui.pauseButton)
    assert not live_run.wants("pause")
    live_run.record(StateChanged("running"))
    live_run.record(EpochReport(1, 3, 0.3, 0.3, 0.9, 5.0, is_best=True))
    wait(lambda: "DSC 0.900" in ui.trainStatusLabel.text())
    assert curve("DSC") == [0.8, 0.9]

    press(ui.stopButton)
    assert live_run.wants("stop")
    live_run.set_status(state="stopped", best_dice=0.9)
    live_run.close()
    wait(lambda: not study.train.is_running)
    assert "stopped, best DSC 0.900" in ui.trainStatusLabel.text()
    assert ui.trainButton.isEnabled()
    assert shown == []


def test_stopped_run_continues_in_a_child_with_the_curves_it_had(study, live_run):
    from napari_microus.core.events import EpochReport, RunStarted

    live_run.set_status(state="stopped")
    live_run.close()
    choose_run(study)
    press(study.ui.resumeRunButton)
    child = Child.made
    assert child.line == ["resume", str(live_run.path), "--progress", "json"]
    child.on_event(RunStarted(str(live_run.path), "cpu", 3, 2, first_epoch=1))
    child.on_event(EpochReport(1, 3, 0.3, 0.3, 0.7, 5.0))
    assert curve("DSC") == [0.8, 0.7]
    charts = slicer.util.getNodesByClass("vtkMRMLPlotChartNode")
    assert len(charts) == 2


def test_finished_run_is_shown_and_not_resumed(study, live_run, wait):
    live_run.set_status(state="finished", best_dice=0.8)
    live_run.close()
    choose_run(study)
    assert not study.ui.resumeRunButton.isEnabled()
    press(study.ui.watchRunButton)
    wait(lambda: not study.train.is_running)
    assert curve("DSC") == [0.8]


def test_run_whose_folder_vanishes_is_reported(study, live_run, wait):
    import shutil

    choose_run(study)
    press(study.ui.watchRunButton)
    live_run.close()
    shutil.rmtree(live_run.path)
    wait(lambda: not study.train.is_running)
    assert "is no folder of a run" in study.ui.trainStatusLabel.text()


def test_module_that_goes_away_leaves_the_run(study, live_run):
    choose_run(study)
    press(study.ui.watchRunButton)
    study.cleanup()
    assert not study.train.is_running
    assert not live_run.wants("stop")


@pytest.mark.slow
def test_real_run_is_paused_stopped_and_resumed(
    compared, library, tmp_path, wait, shown
):
    from napari_microus.core.runs.folder import read_status

    ui = prepare_a_real_run(compared, tmp_path / "study", "paused", epochs=3)
    press(ui.trainButton)
    wait(lambda: "Epoch" in ui.trainStatusLabel.text(), seconds=500)
    run = compared.train._run
    press(ui.pauseButton)
    wait(lambda: read_status(run).state == "paused", seconds=500)
    press(ui.pauseButton)
    wait(lambda: read_status(run).state == "running", seconds=500)
    press(ui.stopButton)
    wait(lambda: not compared.train.is_running, seconds=500)
    assert read_status(run).state == "stopped"

    choose(compared)
    ui.runsTable.setCurrentCell(0, 0)
    press(ui.resumeRunButton)
    wait(lambda: not compared.train.is_running, seconds=500)

    assert shown == []
    assert read_status(run).state == "finished"
    assert len(curve("training loss")) == 3
