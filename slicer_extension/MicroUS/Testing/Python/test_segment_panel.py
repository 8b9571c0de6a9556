import json
import sys
import time
from pathlib import Path

import MicroUS
import numpy as np
import pytest
import slicer
from conftest import AFFINES
from MicroUSLib.packages.install import Installer, InstallError
from MicroUSLib.process import Outcome, Runner
from MicroUSLib.scene import annotations, segments
from panel import Child, choose, press

from napari_microus.core.errors import InputError
from napari_microus.core.events import Progress


def test_every_parameter_has_its_widget(widget):
    named = {
        w.property("SlicerParameterName")
        for w in vars(widget.ui).values()
        if w.property("SlicerParameterName")
    }
    kinds = set(MicroUS.MicroUSParameterNode.__annotations__)
    assert kinds - named == {*("modelName", "expertPart", "nonexpertPart", "modelPart")}


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
    assert widget.ui.sizeLabel.text() == "Volume 0.01 mL, planimetry of parallel frames"
    assert widget.ui.applyButton.isEnabled()
    assert shown == []


def test_shown_slice_changes_one_frame(widget, make_volume, mask):
    from MicroUSLib.scene.nodes import jump_to_voxel

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
    assert [name for _, name in annotations.parts_of(node)] == ["Capsule"]
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


def test_volume_removed_during_a_run_is_reported(widget, make_volume, shown):
    volume = make_volume()
    choose(widget, volume=volume)
    press(widget.ui.applyButton)
    slicer.mrmlScene.RemoveNode(volume)

    Child.made.on_event(Progress(1, 5))

    assert Child.made.is_abandoned
    assert "was removed from the scene" in shown[0]
    assert not widget.segment.is_running


def test_scene_closed_during_a_run_is_reported(widget, make_volume, shown):
    choose(widget, volume=make_volume())
    press(widget.ui.applyButton)

    slicer.mrmlScene.Clear(0)

    assert Child.made.is_abandoned
    assert "The scene was closed" in shown[0]
    assert not widget.segment.is_running
    choose(widget, volume=make_volume())  # and a new scene works
    press(widget.ui.applyButton)
    assert widget.segment.is_running


def test_declined_installation_is_reported(widget, make_volume, shown, monkeypatch):
    def decline(self):
        raise InstallError("the installation was declined.")

    monkeypatch.setattr(Installer, "ensure", decline)
    choose(widget, volume=make_volume())
    press(widget.ui.applyButton)
    assert "was declined" in shown[0]
    assert Child.made is None


def test_wrong_model_is_reported(widget, make_volume, shown, library):
    choose(widget, volume=make_volume(), modelName="gone")
    widget._parameterNode.modelName = "gone"
    widget.segment.refresh_models = lambda: None
    press(widget.ui.applyButton)
    assert "There is no model 'gone'" in shown[0]
    assert Child.made is None


def test_models_are_listed_before_the_packages_are_there(
    widget, monkeypatch, make_volume
):
    monkeypatch.setitem(sys.modules, "napari_microus.core.library", None)
    widget.segment.refresh_models()
    assert "installed with the first Apply" in widget.ui.modelComboBox.currentText()


def test_what_a_model_learnt_from_stands_below_it(widget, monkeypatch):
    from napari_microus.core import library

    stated = {"version": "2", "learnt_from": "309 real frames"}
    models = [
        library.ModelInfo("echo", Path("echo"), is_bundled=True, config=stated),
        library.ModelInfo("mine", Path("mine"), config={"version": "1"}),
    ]
    monkeypatch.setattr(library, "list_models", lambda: models)
    widget.segment.refresh_models()
    origin = widget.ui.modelOriginLabel

    assert origin.text() == "Bundled v2 – learnt from 309 real frames"
    widget.ui.modelComboBox.setCurrentIndex(1)
    assert origin.text() == "Your library, v1"


def test_real_child_from_the_button(widget, library, blob, nifti, load_volume, wait):
    widget.segment._make_runner = lambda e, o: Runner(e, o, sys.executable)
    volume = load_volume(nifti(blob, AFFINES["oblique"]))
    choose(widget, volume=volume, device="cpu")
    press(widget.ui.applyButton)

    began = time.monotonic()
    longest = wait(lambda: not widget.segment.is_running)
    whole = time.monotonic() - began

    assert segments.own_capsule(widget._parameterNode.segmentation)
    assert longest < max(1.0, whole / 2)  # of it, reading the mask


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
        [(key, name)] = annotations.parts_of(shown)
        sizes.append(int(segments.segment_array(shown, key, volume).sum()))
    assert name == "Capsule"
    assert sizes == [20, 24, 28]


def test_sequence_is_asked_for(widget, make_volume, shown):
    choose(widget, volume=make_volume(), scope="Whole sequence")
    press(widget.ui.applyButton)
    assert "is a single volume without a sequence" in shown[0]


# --- what becomes of the user's own work -----------------------------------------
@pytest.fixture
def editor(widget):
    return widget.editor.widget


def surface_of(node, key):
    node.CreateClosedSurfaceRepresentation()
    mesh = node.GetClosedSurfaceInternalRepresentation(key)
    return mesh.GetNumberOfPoints(), mesh.GetBounds()


@pytest.mark.parametrize("kind", AFFINES)
def test_single_slice_is_segmented_with_one_undo(
    kind, widget, pixels, mask, nifti, load_volume, editor, shown
):
    volume = load_volume(nifti(pixels[1:2], AFFINES[kind]))
    choose(widget, volume=volume)
    press(widget.ui.applyButton)
    assert "--frames" not in Child.made.line
    Child.made.finish(mask[1:2])

    node = widget._parameterNode.segmentation
    key = segments.own_capsule(node)
    np.testing.assert_array_equal(segments.segment_array(node, key, volume), mask[1:2])
    # 600 pixels of 0.1 × 0.1 mm
    assert widget.ui.sizeLabel.text() == "Area 6.0 mm²"
    assert editor.saves == 1
    editor.undo()
    assert annotations.parts_of(node) == []
    assert shown == []


def test_users_segments_stay_voxel_for_voxel_through_every_scope(
    widget, make_volume, mask, editor
):
    volume = make_volume()
    node = segments.new_segmentation(volume, "mine")
    drawn = np.roll(mask, 7, axis=2)
    for name in ("Capsule", "tumour"):
        node.GetSegmentation().AddEmptySegment(name, name)
        slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, node, name, volume)
    choose(widget, volume=volume, segmentation=node)
    saves = []
    for scope in ("All frames", "Range of frames", "Shown slice", "All frames"):
        choose(widget, scope=scope, firstFrame=1, lastFrame=2)
        press(widget.ui.applyButton)
        Child.made.finish(mask)
        saves.append(editor.saves)

    assert saves == [1, 2, 3, 4]  # one state per action, before it
    for name in ("Capsule", "tumour"):
        np.testing.assert_array_equal(segments.segment_array(node, name, volume), drawn)
    names = [name for _, name in annotations.parts_of(node)]
    assert names == ["Capsule", "tumour", "Capsule 2", "Capsule 3"]
    for left in (3, 3, 3, 2):
        editor.undo()
        assert len(annotations.parts_of(node)) == left
    np.testing.assert_array_equal(segments.segment_array(node, "tumour", volume), drawn)


def test_closed_surface_follows_the_change(widget, make_volume, mask):
    volume = make_volume()
    choose(widget, volume=volume)
    press(widget.ui.applyButton)
    Child.made.finish(mask)
    node = widget._parameterNode.segmentation
    key = segments.own_capsule(node)
    before = surface_of(node, key)

    choose(widget, scope="Range of frames", firstFrame=1, lastFrame=1)
    press(widget.ui.applyButton)
    larger = np.zeros_like(mask)
    larger[1, 5:40, 10:60] = 1
    Child.made.finish(larger)

    assert node.GetSegmentation().ContainsRepresentation("Closed surface")
    mesh = node.GetClosedSurfaceInternalRepresentation(key)
    after = mesh.GetNumberOfPoints(), mesh.GetBounds()
    assert after[0] > before[0]
    # Rows 5 to 39 of 0.1 mm where there were 10 to 29.
    assert after[1][3] - after[1][2] == pytest.approx(3.5, abs=0.25)
    assert before[1][3] - before[1][2] == pytest.approx(2.0, abs=0.25)


# --- sequences -------------------------------------------------------------------
@pytest.fixture
def cine(make_volume, pixels):
    """A browser over three single slices, and the volume that shows them."""
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "cine")
    for number in range(3):
        node = make_volume(pixels[number : number + 1], name=f"item{number}")
        sequence.SetDataNodeAtValue(node, str(number))
        slicer.mrmlScene.RemoveNode(node)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    logic = slicer.modules.sequences.logic()
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    logic.UpdateProxyNodesFromSequences(browser)
    browser.SetSelectedItemNumber(1)
    logic.UpdateProxyNodesFromSequences(browser)
    return browser, browser.GetProxyNode(sequence)


def leave_capsules(child, mask):
    from napari_microus.core.io import read_volume, write_mask

    line = child.line
    folder = Path(line[line.index("--output") + 1])
    for scan in (Path(x) for x in line if x.endswith(".nii")):
        write_mask(
            read_volume(scan).like(mask[1:2]), folder / f"{scan.stem}_capsule.nii.gz"
        )


def test_item_that_was_shown_is_shown_again(widget, cine, mask):
    browser, volume = cine
    choose(widget, volume=volume, scope="Whole sequence")
    press(widget.ui.applyButton)
    assert browser.GetSelectedItemNumber() == 1
    leave_capsules(Child.made, mask)
    Child.made.on_outcome(Outcome("done"))
    assert browser.GetSelectedItemNumber() == 1
    assert browser.GetNumberOfSynchronizedSequenceNodes(True) == 2


def test_shown_item_alone_is_a_scan_like_any(widget, cine, mask, shown):
    _, volume = cine
    choose(widget, volume=volume)
    press(widget.ui.applyButton)
    Child.made.finish(mask[1:2])
    node = widget._parameterNode.segmentation
    key = segments.own_capsule(node)
    assert segments.segment_array(node, key, volume).sum() == 600
    assert shown == []


@pytest.mark.parametrize("act", ["cancel", "remove the volume"])
def test_sequence_is_all_or_nothing(act, widget, cine, mask, monkeypatch, shown):

    browser, volume = cine
    choose(widget, volume=volume, scope="Whole sequence")
    press(widget.ui.applyButton)
    leave_capsules(Child.made, mask)
    from MicroUSLib import event_pump

    monkeypatch.setattr(event_pump, "_WINDOW_EVERY_S", 0.0)

    def live(self):
        if act == "cancel":
            widget.ui.cancelButton.click()
        else:
            slicer.mrmlScene.RemoveNode(volume)

    monkeypatch.setattr(type(slicer.app), "processEvents", live)
    if act == "cancel":
        Child.made.on_outcome(Outcome("done"))
        assert "Cancelled" in widget.ui.segmentStatusLabel.text()
    else:
        with pytest.raises(InputError, match="must stay in the scene"):
            Child.made.on_outcome(Outcome("done"))
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSequenceNode") == 1
    assert browser.GetNumberOfSynchronizedSequenceNodes(True) == 1
    assert not widget.segment.is_running


@pytest.mark.parametrize(("smooth", "stated"), [(True, False), (False, True)])
def test_raw_mask_can_be_asked_for(widget, make_volume, smooth, stated):
    choose(widget, volume=make_volume(), smoothOutline=smooth)
    press(widget.ui.applyButton)
    line = Child.made.line
    assert ("--outline" in line) is stated
    assert not stated or line[line.index("--outline") + 1] == "raw"


@pytest.mark.parametrize(("leaves", "stated"), [(True, False), (False, True)])
def test_a_contour_in_every_frame_can_be_asked_for(widget, make_volume, leaves, stated):
    choose(widget, volume=make_volume(), leaveUnsureEmpty=leaves)
    press(widget.ui.applyButton)
    line = Child.made.line
    assert ("--min-confidence" in line) is stated
    assert not stated or line[line.index("--min-confidence") + 1] == "0"


@pytest.mark.parametrize(("frames", "words"), [([3, 1], "first: 3, 1."), ([], "")])
def test_frames_to_look_at_first_are_reported(widget, make_volume, mask, frames, words):
    choose(widget, volume=make_volume())
    press(widget.ui.applyButton)
    stated = {"frames": dict.fromkeys("01234", 0.9), "look_first": frames}
    (Child.made.folder / "capsule.json").write_text(
        json.dumps({"generator": "napari-microus", "confidence": stated}),
        encoding="utf-8",
    )
    Child.made.finish(mask)
    said = widget.ui.segmentStatusLabel.text()
    assert words in said
    assert ("Look at these frames" in said) is bool(frames)


def test_probe_is_handed_to_the_child(widget, make_volume):
    choose(widget, volume=make_volume(), probe="automatic")
    press(widget.ui.applyButton)
    line = Child.made.line
    assert line[line.index("--probe") + 1] == "automatic"
