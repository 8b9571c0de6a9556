"""What happens to the module's work when scene, window and module come and go."""

import os
import subprocess
import sys

import numpy as np
import pytest
import qt
import slicer
from MicroUSLib import process
from MicroUSLib.process import Runner
from MicroUSLib.scene import nodes, segments
from panel import Child, choose, press


def visible():
    return [
        node.GetName()
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        if node.GetDisplayVisibility() and node.GetAttribute("MicroUS.Result")
    ]


# --- scenes ----------------------------------------------------------------------
def test_selectors_show_what_a_loaded_scene_holds(widget, make_volume, tmp_path):
    choose(widget, volume=make_volume(name="A"))
    bundle = tmp_path / "scene.mrml"
    slicer.mrmlScene.SetURL(str(bundle))
    assert slicer.mrmlScene.Commit()
    slicer.mrmlScene.Clear(0)
    assert widget.ui.volumeSelector.currentNode() is None
    slicer.mrmlScene.SetURL(str(bundle))
    slicer.mrmlScene.Import()
    assert widget.ui.volumeSelector.currentNode() is slicer.util.getNode("A")
    assert widget._parameterNode.volume is slicer.util.getNode("A")


def test_mask_that_comes_first_is_not_the_scan(widget, make_volume, mask):
    widget.exit()
    slicer.mrmlScene.Clear(0)
    first = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "mask")
    slicer.util.updateVolumeFromArray(first, mask)
    scan = make_volume()
    widget.enter()
    assert widget._parameterNode.volume is scan


def test_frames_of_a_left_handed_file_keep_their_order_in_a_saved_scene(
    widget, nifti, load_volume, pixels, tmp_path
):
    """Slicer turns them when it reads, and saves them turned."""
    from conftest import AFFINES

    node = load_volume(nifti(pixels, AFFINES["left-handed"]))
    choose(widget, volume=node)
    assert not np.array_equal(slicer.util.arrayFromVolume(node), pixels)
    bundle = tmp_path / "scene.mrb"
    assert slicer.mrmlScene.WriteToMRB(str(bundle))
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-e", bundle, tmp_path / "out"], check=True
    )
    slicer.mrmlScene.Clear(0)
    [unpacked] = (tmp_path / "out").rglob("*.mrml")
    slicer.mrmlScene.SetURL(str(unpacked))
    assert slicer.mrmlScene.Import()
    [again] = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert again is not node
    np.testing.assert_array_equal(nodes.volume_from_node(again).array, pixels)


def test_sequence_adds_no_node_that_nobody_asked_for(widget, make_volume, pixels, mask):
    from test_segment_panel import leave_capsules

    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "cine")
    for number in range(2):
        node = make_volume(pixels[number : number + 1])
        sequence.SetDataNodeAtValue(node, str(number))
        slicer.mrmlScene.RemoveNode(node)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    choose(widget, volume=browser.GetProxyNode(sequence), scope="Whole sequence")
    press(widget.ui.applyButton)
    leave_capsules(Child.made, mask)
    Child.made.finish()
    [shown] = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert browser.GetProxyNode(browser.GetSequenceNode(shown)) is shown
    assert len(slicer.util.getNodesByClass("vtkMRMLSequenceNode")) == 2


# --- results ---------------------------------------------------------------------
def test_comparing_again_replaces_the_older_result(compared):
    names = visible()
    before = slicer.mrmlScene.GetNumberOfNodes()
    for _ in range(2):
        press(compared.ui.compareButton)
    assert visible() == names
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert len(slicer.util.getNodesByClass("vtkMRMLTableNode")) == 1


def test_older_adjudication_is_hidden_and_kept(compared):
    press(compared.ui.expertButton)
    [first] = [n for n in visible() if "adjudicated" in n]
    press(compared.ui.compareButton)
    press(compared.ui.expertButton)
    [second] = [n for n in visible() if "adjudicated" in n]
    assert first != second
    assert slicer.util.getNode(first) is not None


def test_result_lies_in_the_study_of_its_scan(widget, make_volume, mask):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(
        slicer.mrmlScene
    )
    volume = make_volume()
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    if not hierarchy.GetItemByDataNode(volume):
        hierarchy.CreateItem(study, volume)
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volume), study)
    node = segments.new_segmentation(volume, "capsule")
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_output_of_a_run_is_chosen_on_return(widget, make_volume, mask):
    choose(widget, volume=make_volume())
    press(widget.ui.applyButton)
    widget.exit()
    Child.made.finish(mask)
    widget.enter()
    [made] = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert widget._parameterNode.segmentation is made


def test_module_left_while_a_mask_is_loaded_shows_it_on_return(
    widget, make_volume, mask, nifti, shown, monkeypatch
):
    from conftest import AFFINES
    from MicroUSLib.scene import resampling

    choose(widget, volume=make_volume())
    path = nifti(mask, AFFINES["axis-aligned"], "mask.nii.gz")
    widget.compare.ask_mask = lambda: str(path)
    load = resampling.load_mask

    def leave_and_load(*arguments):
        widget.exit()
        return load(*arguments)

    monkeypatch.setattr(resampling, "load_mask", leave_and_load)
    press(widget.ui.loadExpertButton)
    assert shown == []
    widget.enter()
    assert widget._parameterNode.expert.GetName() == "mask"
    assert widget.compare.expert.annotator.part == "1"


# --- the editor ------------------------------------------------------------------
def paint(node, key, volume, box):
    array = segments.segment_array(node, key, volume)
    array[box] = 1
    frames = list(range(len(array)))
    segments.change_frames(array, frames, node, key, volume)


def test_undo_of_the_editor_takes_decisions_back_in_the_sidecar_too(compared):
    editor = compared.editor.widget
    press(compared.ui.expertButton)
    case = compared.compare.adjudicating._case
    volume = compared._parameterNode.volume
    key = case._ids[1]
    assert editor.segmentationNode() is case.node
    editor.saveStateForUndo()
    paint(case.node, key, volume, np.s_[0, :2, :2])
    press(compared.ui.nonexpertButton)
    assert case.work.decided_count == 2

    editor.undo()  # the stroke, and the decision after it
    case.take_drawing()

    assert case.work.decided_count == 1
    assert [r.number for r in case.reopened] == [case.work.regions[1].number]
    for value, segment_id in case._ids.items():
        shown = segments.segment_array(case.node, segment_id, volume) == 1
        np.testing.assert_array_equal(case.work.mask == value, shown)
    open_region = case.work.regions[1]
    inside = case.work.mask[open_region.box][open_region.mask]
    assert (inside == 255).all()


def test_apply_leaves_the_editor_with_what_is_edited_there(widget, make_volume, mask):
    volume = make_volume()
    mine = segments.new_segmentation(volume, "mine")
    segments.add_segment(mask, mine, volume)
    module = slicer.util.getModuleWidget("SegmentEditor")
    module.selectParameterNode()
    module.setSegmentationNode(mine)
    module.saveStateForUndo()
    key = mine.GetSegmentation().GetSegmentIDs()[0]
    paint(mine, key, volume, np.s_[0, :2, :2])

    choose(widget, volume=volume)
    press(widget.ui.applyButton)
    Child.made.finish(mask)

    assert module.segmentationNode() is mine
    module.undo()
    np.testing.assert_array_equal(segments.segment_array(mine, key, volume), mask)


# --- keys ------------------------------------------------------------------------
def test_keys_belong_to_the_window_while_the_module_is_shown(compared):
    window = slicer.util.mainWindow()

    def keys():
        return {s.key().toString() for s in window.findChildren(qt.QShortcut)}

    assert keys() == {",", ".", "1", "2", "3", "U"}
    assert not keys() & {"[", "]"}  # the slice views' own
    at = compared.ui.regionLabel.text()
    [following] = [
        s for s in window.findChildren(qt.QShortcut) if s.key().toString() == "."
    ]
    following.activated.emit()
    assert compared.ui.regionLabel.text() != at
    compared.exit()
    assert keys() == set()
    compared.enter()
    assert len(window.findChildren(qt.QShortcut)) == 6


# --- leaving nothing behind ------------------------------------------------------
def test_quitting_during_a_run_leaves_no_pixel(widget, tmp_path, monkeypatch):
    monkeypatch.setattr(type(slicer.app), "temporaryPath", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    script = tmp_path / "child.py"
    script.write_text(
        "import os, time\n"
        "while not os.path.exists(os.environ['NAPARI_MICROUS_CANCEL']):\n"
        "    time.sleep(0.02)\n"
    )
    outcomes = []
    runner = Runner(lambda _: None, outcomes.append, sys.executable, "child")
    (runner.folder / "scan.nii").write_bytes(b"a patient")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    runner.start([], {"PYTHONPATH": str(tmp_path)})
    runner.close()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert outcomes == []


def test_folders_of_a_session_that_crashed_are_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(type(slicer.app), "temporaryPath", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for owner in (ended.pid, os.getpid()):
        (tmp_path / f"MicroUS-{owner}-abc").mkdir()
    (tmp_path / "MicroUS-notes").mkdir()
    assert process.delete_left_folders() == [f"MicroUS-{ended.pid}-abc"]
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted([f"MicroUS-{os.getpid()}-abc", "MicroUS-notes"])


@pytest.mark.parametrize("goes_on", [True, False])
def test_quitting_during_training_asks(widget, tmp_path, monkeypatch, goes_on):
    run = tmp_path / "run"
    run.mkdir()
    asked = []
    monkeypatch.setattr(
        slicer.util,
        "confirmYesNoDisplay",
        lambda text, *_: asked.append(text) or goes_on,
    )
    widget.train._follow(Child(None, None), run)
    widget.train.release()
    assert "'run' is still being trained" in asked[0]
    assert (run / "stop").exists() is not goes_on


def test_colour_cine_as_dicom_ultrasound_is_loaded(widget, mask):
    """A sequence of one-frame vector volumes: every item becomes its own scan."""
    from test_segment_panel import leave_capsules

    from napari_microus.core.io import read_volume

    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "cine")
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 255, (3, 1, 48, 64, 3), dtype=np.uint8)
    for number, frame in enumerate(frames):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "item")
        slicer.util.updateVolumeFromArray(node, frame)
        node.SetSpacing(0.1, 0.1, 1)
        sequence.SetDataNodeAtValue(node, str(number))
        slicer.mrmlScene.RemoveNode(node)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    volume = browser.GetProxyNode(sequence)
    assert volume.IsA("vtkMRMLVectorVolumeNode")
    choose(widget, volume=volume, scope="Whole sequence")
    press(widget.ui.applyButton)
    weights = np.array([0.299, 0.587, 0.114])
    for number, frame in enumerate(frames):
        scan = read_volume(Child.made.folder / f"item{number:05d}.nii").array
        np.testing.assert_allclose(scan, frame @ weights, atol=0.51)
    leave_capsules(Child.made, mask)
    Child.made.finish()
    [shown] = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert browser.GetProxyNode(browser.GetSequenceNode(shown)) is shown
