import json
import sys
import tempfile
from pathlib import Path

import MicroUS
import numpy as np
import pytest
import slicer
import standins
from conftest import AFFINES
from MicroUSLib import segments
from MicroUSLib.install import Installer, InstallError
from MicroUSLib.runner import Outcome, Runner

from napari_microus.core.events import Finished, Notice, Progress


class Child:
    """Plays the child process: reports what it is told, and leaves a mask."""

    made = None

    def __init__(self, on_event, on_outcome):
        self.on_event, self.on_outcome = on_event, on_outcome
        self.folder = Path(tempfile.mkdtemp(dir=Child.home))
        self.is_cancelled = self.is_abandoned = False
        Child.made = self

    def start(self, line, environment=None):
        self.line = line

    def cancel(self):
        self.is_cancelled = True

    def abandon(self):
        self.is_abandoned = True

    def finish(self, mask=None):
        from napari_microus.core.io import read_volume, write_mask

        if mask is not None:
            scan = read_volume(self.folder / "scan.nii")
            write_mask(scan.like(mask), self.folder / "capsule.nii", overwrite=True)
        self.on_outcome(Outcome("done"))


@pytest.fixture
def nothing_missing(monkeypatch):
    monkeypatch.setattr(Installer, "missing", lambda self: [])


@pytest.fixture
def widget(library, nothing_missing, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    widget = MicroUS.MicroUSWidget()
    widget.setup()
    Child.home, Child.made = tmp_path, None
    widget.segment._make_runner = widget.train._make_runner = Child
    yield widget
    widget.cleanup()
    widget.parent.deleteLater()


def choose(widget, **choices):
    for name, value in choices.items():
        setattr(widget._parameterNode, name, value)
    standins.Application().processEvents()


def press(button):
    assert button.isEnabled()
    button.click()


# --- Segment ---------------------------------------------------------------------
def test_every_parameter_has_its_widget(widget):
    named = {
        w.property("SlicerParameterName")
        for w in vars(widget.ui).values()
        if w.property("SlicerParameterName")
    }
    kinds = set(MicroUS.MicroUSParameterNode.__mro__[1].__annotations__)
    assert kinds - named == {"modelName", "expertPart", "nonexpertPart"}


def test_apply_waits_for_a_volume(widget, make_volume):
    assert not widget.ui.applyButton.isEnabled()
    choose(widget, volume=make_volume())
    assert widget.ui.applyButton.isEnabled()


def test_apply_makes_a_capsule(widget, make_volume, mask, shown):
    volume = make_volume()
    choose(widget, volume=volume)
    press(widget.ui.applyButton)
    child = Child.made
    assert child.line[0] == "segment"
    assert not widget.ui.applyButton.isEnabled()
    assert widget.ui.cancelButton.isEnabled()
    child.on_event(Progress(2, 5, "frames"))
    assert widget.ui.segmentStatusLabel.text() == "2 of 5 frames"

    child.finish(mask)

    node = widget._parameterNode.segmentation
    key = segments.own_capsule(node)
    np.testing.assert_array_equal(segments.segment_array(node, key, volume), mask)
    # 1800 voxels of 0.1 × 0.1 × 0.5 mm
    assert widget.ui.sizeLabel.text() == "Volume 0.01 mL"
    assert widget.ui.applyButton.isEnabled()
    assert shown == []


def test_shown_slice_changes_one_frame(widget, make_volume, mask):
    from MicroUSLib.nodes import jump_to_voxel

    volume = make_volume()
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    view.SetLayoutName("Red")
    choose(widget, volume=volume)
    press(widget.ui.applyButton)
    Child.made.finish(mask)
    node = widget._parameterNode.segmentation
    jump_to_voxel(volume, 4, 10, 10)
    choose(widget, scope="Shown slice")

    press(widget.ui.applyButton)
    assert "--frames" in Child.made.line
    assert Child.made.line[Child.made.line.index("--frames") + 1] == "4"
    Child.made.finish(np.ones_like(mask))

    expected = mask.copy()
    expected[4] = 1
    key = segments.own_capsule(node)
    assert [name for _, name in segments.parts_of(node)] == ["Capsule"]
    np.testing.assert_array_equal(segments.segment_array(node, key, volume), expected)


def test_range_is_sent_in_order(widget, make_volume):
    choose(
        widget, volume=make_volume(), scope="Range of frames", firstFrame=3, lastFrame=1
    )
    assert widget.ui.firstFrameSpinBox.isEnabled()
    press(widget.ui.applyButton)
    assert Child.made.line[Child.made.line.index("--frames") + 1] == "1,2,3"


def test_cancel_leaves_the_scene(widget, make_volume):
    choose(widget, volume=make_volume())
    press(widget.ui.applyButton)
    press(widget.ui.cancelButton)
    assert Child.made.is_cancelled
    Child.made.on_outcome(Outcome("cancelled"))
    assert "the scene is as it was" in widget.ui.segmentStatusLabel.text()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_failure_is_shown_and_the_next_run_works(widget, make_volume, shown):
    choose(widget, volume=make_volume())
    press(widget.ui.applyButton)
    Child.made.on_outcome(
        Outcome("failed", "The job must fit into memory; it ran out.")
    )
    assert shown == ["The job must fit into memory; it ran out."]
    press(widget.ui.applyButton)
    assert widget.segment.is_running


def test_volume_removed_during_a_run_is_told(widget, make_volume, shown):
    volume = make_volume()
    choose(widget, volume=volume)
    press(widget.ui.applyButton)
    slicer.mrmlScene.RemoveNode(volume)

    Child.made.on_event(Progress(1, 5))

    assert Child.made.is_abandoned
    assert "it was removed" in shown[0]
    assert not widget.segment.is_running


def test_scene_closed_during_a_run_is_told(widget, make_volume, shown):
    choose(widget, volume=make_volume())
    press(widget.ui.applyButton)

    slicer.mrmlScene.Clear(0)

    assert Child.made.is_abandoned
    assert "it was closed" in shown[0]
    assert not widget.segment.is_running
    choose(widget, volume=make_volume())  # and a new scene works
    press(widget.ui.applyButton)
    assert widget.segment.is_running


def test_declined_installation_is_told(widget, make_volume, shown, monkeypatch):
    def decline(self):
        raise InstallError("the installation was declined.")

    monkeypatch.setattr(Installer, "ensure", decline)
    choose(widget, volume=make_volume())
    press(widget.ui.applyButton)
    assert "was declined" in shown[0]
    assert Child.made is None


def test_wrong_model_is_told(widget, make_volume, shown, library):
    choose(widget, volume=make_volume(), modelName="gone")
    widget._parameterNode.modelName = "gone"
    widget.segment.refresh_models = lambda: None
    press(widget.ui.applyButton)
    assert "got 'gone'" in shown[0]
    assert Child.made is None


def test_models_are_listed_before_the_packages_are_there(
    widget, monkeypatch, make_volume
):
    monkeypatch.setitem(sys.modules, "napari_microus.core.library", None)
    widget.segment.refresh_models()
    assert "installed with the first Apply" in widget.ui.modelComboBox.currentText()


def test_real_child_from_the_button(widget, library, blob, nifti, load_volume, wait):
    widget.segment._make_runner = lambda e, o: Runner(e, o, sys.executable)
    volume = load_volume(nifti(blob, AFFINES["oblique"]))
    choose(widget, volume=volume, device="cpu")
    press(widget.ui.applyButton)

    longest = wait(lambda: not widget.segment.is_running)

    assert segments.own_capsule(widget._parameterNode.segmentation)
    assert longest < 1.0  # reading the mask; on an idle machine a tenth of it


def test_sequence_gets_a_sequence_of_capsules(widget, make_volume, pixels, mask):
    from napari_microus.core.io import read_volume, write_mask

    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "cine")
    for number in range(3):
        node = make_volume(pixels[number : number + 1], name=f"item{number}")
        sequence.SetDataNodeAtValue(node, str(number))
        slicer.mrmlScene.RemoveNode(node)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    logic = slicer.modules.sequences.logic()
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    logic.UpdateProxyNodesFromSequences(browser)
    volume = browser.GetProxyNode(sequence)
    choose(widget, volume=volume, scope="Whole sequence")
    press(widget.ui.applyButton)
    line = Child.made.line
    scans = [Path(x) for x in line if x.endswith(".nii")]
    assert [read_volume(p).array[0, 3, 5] for p in scans] == list(pixels[:3, 3, 5])
    for number, scan in enumerate(scans):
        one = mask[:1].copy()
        one[0, 5 : 10 + number, 5:9] = 1
        out = Path(line[line.index("--output") + 1]) / f"{scan.stem}_capsule.nii.gz"
        write_mask(read_volume(scan).like(one), out)

    Child.made.on_outcome(Outcome("done"))

    shown = widget._parameterNode.segmentation
    sizes = []
    for number in range(3):
        browser.SetSelectedItemNumber(number)
        logic.UpdateProxyNodesFromSequences(browser)
        [(key, name)] = segments.parts_of(shown)
        sizes.append(int(segments.segment_array(shown, key, volume).sum()))
    assert name == "Capsule"
    assert sizes == [20, 24, 28]


def test_sequence_is_asked_for(widget, make_volume, shown):
    choose(widget, volume=make_volume(), scope="Whole sequence")
    press(widget.ui.applyButton)
    assert "A sequence must stand behind the volume" in shown[0]


# --- Compare ---------------------------------------------------------------------
@pytest.fixture
def compared(widget, make_volume, mask):
    """The widget after Compare on two segments of one node, two regions apart."""
    volume = make_volume()
    node = segments.new_segmentation(volume, "annotations")
    second = mask.copy()
    second[1, 10:30, 50:55] = 1
    second[3, 10:14, 20:50] = 0
    for name, array in (("expert", mask), ("student", second)):
        segments.add_segment(array, node, volume, name=name)
    choose(widget, volume=volume, expert=node, nonexpert=node)
    press(widget.ui.compareButton)
    return widget


def test_two_segments_of_one_node_are_the_first_guess(compared):
    assert compared.ui.expertPartComboBox.currentText() == "expert"
    assert compared.ui.nonexpertPartComboBox.currentText() == "student"


def test_compare_shows_table_totals_and_region(compared, shown):
    ui = compared.ui
    assert shown == []
    assert ui.frameTable.rowCount() == 5
    assert "2 disputed regions in 5 frames" in ui.totalsLabel.text()
    assert "Region 1 of 2" in ui.regionLabel.text()
    node = slicer.util.getFirstNodeByClassByName(
        "vtkMRMLSegmentationNode", "scan differences"
    )
    assert [name for _, name in segments.parts_of(node)] == [
        *("Both", "Expert only", "Non-expert only", "Hard region (4 px)")
    ]


def test_table_sorts_as_numbers_and_jumps(compared):
    from MicroUSLib.nodes import shown_frame

    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    view.SetLayoutName("Red")
    table = compared.ui.frameTable
    table.sortItems(6, standins.QtCore.Qt.DescendingOrder)
    assert [table.item(i, 0).text() for i in range(2)] == ["3", "1"]
    table.cellClicked.emit(1, 0)
    assert shown_frame(compared._parameterNode.volume) == 1


def test_decisions_move_on_and_undo_comes_back(compared):
    ui = compared.ui
    press(ui.expertButton)
    assert "Region 2 of 2" in ui.regionLabel.text()
    assert "Settled 1 of 2" in ui.regionLabel.text()
    press(ui.nonexpertButton)
    assert "Settled 2 of 2" in ui.regionLabel.text()
    press(ui.undoButton)
    assert "Settled 1 of 2" in ui.regionLabel.text()
    assert "open" in ui.regionLabel.text()


def test_saved_case_is_resumed_after_the_scene_was_closed(
    compared, tmp_path, make_volume, mask, shown
):
    ui, path = compared.ui, str(tmp_path / "case.nii.gz")
    ui.whoLineEdit.setText("ab")
    press(ui.expertButton)
    compared.compare._ask_save = lambda: path
    press(ui.saveAdjudicationButton)
    assert (
        json.loads((tmp_path / "case.json").read_text(encoding="utf-8"))["who"] == "ab"
    )
    slicer.mrmlScene.Clear(0)
    assert ui.frameTable.rowCount() == 0
    assert not ui.expertButton.isEnabled()

    volume = make_volume()
    node = segments.new_segmentation(volume, "annotations")
    second = mask.copy()
    second[1, 10:30, 50:55] = 1
    second[3, 10:14, 20:50] = 0
    for name, array in (("expert", mask), ("student", second)):
        segments.add_segment(array, node, volume, name=name)
    choose(compared, volume=volume, expert=node, nonexpert=node)
    compared.compare._ask_open = lambda: path
    press(ui.loadAdjudicationButton)

    assert shown == []
    assert "Settled 1 of 2" in ui.regionLabel.text()
    assert "Region 2 of 2" in ui.regionLabel.text()


def test_unsaved_decisions_survive_a_crash(compared, shown):
    press(compared.ui.expertButton)
    press(compared.ui.compareButton)  # a new comparison of the same masks
    standins.ctkMessageBox.answer = standins.QtWidgets.QMessageBox.Yes
    press(compared.ui.nextButton)
    press(compared.ui.undecidedButton)
    standins.ctkMessageBox.answer = standins.QtWidgets.QMessageBox.Ok
    assert "unsaved decisions" in shown[0]
    assert "Settled 2 of 2" in compared.ui.regionLabel.text()


def test_missing_annotation_is_told(widget, make_volume, shown):
    choose(widget, volume=make_volume())
    press(widget.ui.compareButton)
    assert "Choose the expert annotation; got none" in shown[0]


def test_identical_annotations_have_no_region(widget, make_volume, mask, shown):
    volume = make_volume()
    node = segments.new_segmentation(volume, "annotations")
    for name in ("a", "b"):
        segments.add_segment(mask, node, volume, name=name)
    choose(widget, volume=volume, expert=node, nonexpert=node)
    press(widget.ui.compareButton)
    assert shown == []
    assert "0 disputed regions" in widget.ui.totalsLabel.text()
    assert not widget.ui.expertButton.isEnabled()


def test_empty_annotations_are_compared(widget, make_volume, mask, shown):
    volume = make_volume()
    node = segments.new_segmentation(volume, "annotations")
    for name, array in (("a", mask), ("b", np.zeros_like(mask))):
        segments.add_segment(array, node, volume, name=name)
    choose(widget, volume=volume, expert=node, nonexpert=node)
    press(widget.ui.compareButton)
    assert shown == []
    assert "drawn by one only" in widget.ui.regionLabel.text()


def test_consensus_of_the_ticked(compared, shown):
    compared.ui.consensusComboBox.setCurrentText("union")
    press(compared.ui.consensusButton)
    assert "scan consensus" in compared.ui.compareStatusLabel.text()
    compared.ui.consensusComboBox.setCurrentText("staple")
    press(compared.ui.consensusButton)
    assert "three or more annotators" in shown[0]


# --- Train -----------------------------------------------------------------------
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


def test_patient_needs_a_code(compared, tmp_path, shown):
    compared.ui.studyPathLineEdit.setProperty("currentPath", str(tmp_path / "study"))
    press(compared.ui.addCaseButton)
    assert "patient's name must consist of letters" in shown[0]


def test_training_needs_a_study(widget, shown, tmp_path):
    press(widget.ui.trainButton)
    assert "A study's folder must be chosen" in shown[0]
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


@pytest.mark.slow
def test_real_child_trains_and_its_model_segments(
    compared, library, tmp_path, wait, shown
):
    from napari_microus.core.library import load_model
    from napari_microus.core.phantom import make_phantom
    from napari_microus.core.study import Study

    study = Study.create(tmp_path / "study")
    for number in range(2):
        case = make_phantom(number, frames=1, shape=(96, 128))
        masks = case.expert, case.nonexpert
        study.add_case(f"case{number}", f"p{number}", case.scan, *masks)
    ui = compared.ui
    ui.studyPathLineEdit.setProperty("currentPath", str(study.folder))
    ui.modelNameLineEdit.setText("trained")
    ui.startComboBox.setCurrentText("random weights, small network")
    ui.presetComboBox.setCurrentText("paper")
    choose(compared, epochs=1, trainDevice="cpu")
    compared.train._make_runner = lambda e, o: Runner(e, o, sys.executable)

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


def test_training_goes_on_when_the_scene_is_closed(study, shown):
    from napari_microus.core.events import EpochReport, RunStarted

    press(study.ui.trainButton)
    Child.made.on_event(RunStarted("run", "cpu", 2, 3))
    slicer.mrmlScene.Clear(0)
    Child.made.on_event(EpochReport(0, 2, 0.5, 0.4, 0.8, 9.0))
    assert study.train.is_running
    assert "DSC 0.800" in study.ui.trainStatusLabel.text()
    assert shown == []


# --- packages --------------------------------------------------------------------
def test_missing_packages_are_listed(widget, monkeypatch):
    monkeypatch.setattr(Installer, "missing", lambda self: ["monai>=1.4"])
    widget.packages.refresh()
    assert widget.ui.packagesLabel.text() == "Missing: monai>=1.4."


def test_downloads_are_deleted_and_trained_models_stay(widget, library, shown):
    import shutil

    weights = library.parent / "imagenet21k.npz"
    weights.write_bytes(b"0" * 1000)
    imported = library / "imported"
    shutil.copytree(library / "microus-small", imported)
    config = imported / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "source: published.pth\n")
    widget.packages.refresh()

    press(widget.ui.deleteWeightsButton)

    assert not weights.exists()
    assert not imported.exists()
    assert (library / "microus-small").is_dir()
    assert str(weights) in shown[0]


# --- module ----------------------------------------------------------------------
def test_module_registers_its_sample_data(monkeypatch):
    import hashlib
    import types

    given = {}
    sample = types.ModuleType("SampleData")
    sample.SampleDataLogic = types.SimpleNamespace(
        registerCustomSampleDataSource=lambda **k: given.update(k)
    )
    monkeypatch.setitem(sys.modules, "SampleData", sample)
    MicroUS.MicroUS(types.SimpleNamespace(path="."))

    slicer.app.started()

    for uri, checksum in zip(given["uris"], given["checksums"], strict=True):
        path = Path(uri.removeprefix("file://"))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert checksum == f"SHA256:{digest}"
    assert len(given["fileNames"]) == len(given["nodeNames"]) == 3


def test_leaving_and_coming_back_keeps_the_choices(widget, make_volume):
    volume = make_volume()
    choose(widget, volume=volume, kernelSize=7)
    widget.exit()
    widget.enter()
    assert widget.ui.volumeSelector.currentNode() is volume
    assert widget.ui.kernelSizeSpinBox.value() == 7


def test_cleanup_stops_what_runs_and_observes_no_more(widget, make_volume):
    choose(widget, volume=make_volume())
    press(widget.ui.applyButton)
    widget.cleanup()
    assert Child.made.is_abandoned
    assert widget.Observations == []


def test_panel_opens_before_anything_is_installed(
    widget, make_volume, mask, monkeypatch, shown
):
    for name in [n for n in sys.modules if n.partition(".")[0] == "napari_microus"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(Installer, "missing", lambda self: ["torch>=2.4", "monai>=1.4"])
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_: False)

    fresh = MicroUS.MicroUSWidget()
    fresh.setup()
    volume = make_volume()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    choose(fresh, volume=volume, expert=node, nonexpert=node)
    for button in ("applyButton", "compareButton", "trainButton", "installButton"):
        press(getattr(fresh.ui, button))
    fresh.cleanup()

    assert len(shown) == 4
    assert all("declined" in text for text in shown)


# --- bad input -------------------------------------------------------------------
def vector(make_volume):
    import vtk

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "colour")
    image = vtk.vtkImageData()
    image.SetDimensions(4, 3, 2)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    node.SetAndObserveImageData(image)
    return node


def warped(make_volume):
    import vtk

    node = make_volume()
    grid = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
    grid.SetAndObserveTransformFromParent(vtk.vtkBSplineTransform())
    node.SetAndObserveTransformNodeID(grid.GetID())
    return node


def empty(make_volume):
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (vector, "one grey value per pixel; got 3"),
        (warped, "must be linear; got 'warp'"),
        (empty, "empty volume 'empty'"),
    ],
)
@pytest.mark.parametrize("room", ["applyButton", "compareButton"])
def test_volume_that_cannot_be_used_is_told_and_nothing_changes(
    make, words, room, widget, make_volume, shown
):
    volume = make(make_volume)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn")
    for name in ("a", "b"):
        node.GetSegmentation().AddEmptySegment(name, name)
    choose(widget, volume=volume, expert=node, nonexpert=node)
    before = slicer.mrmlScene.GetNumberOfNodes()

    press(getattr(widget.ui, room))

    assert words in shown[0]
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert Child.made is None


def test_segmentation_of_another_grid_is_told_and_nothing_changes(
    widget, make_volume, mask, shown
):
    drawn_on = make_volume(name="other", affine=AFFINES["oblique"])
    node = segments.new_segmentation(drawn_on, "drawn")
    segments.add_segment(mask, node, drawn_on)
    choose(widget, volume=make_volume(), segmentation=node)
    before = slicer.mrmlScene.GetNumberOfNodes()

    press(widget.ui.applyButton)

    assert "must share the grid of 'scan'" in shown[0]
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert Child.made is None
