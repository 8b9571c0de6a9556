"""What cannot be worked on: a message through Slicer's error display, no change."""

import sys

import numpy as np
import pytest
import slicer
import vtk
from conftest import AFFINES
from MicroUSLib.packages.install import InstallError
from MicroUSLib.process import Outcome, Runner
from MicroUSLib.scene import segments
from panel import Child, choose, press

from napari_microus.core.errors import InputError

ROOMS = ("applyButton", "compareButton")


def scene_state():
    """Every node with its voxels, and every segment of every segmentation."""
    state = []
    for node in slicer.util.getNodesByClass("vtkMRMLNode"):
        if node.IsA("vtkMRMLScriptedModuleNode"):
            continue  # the panel's own choices
        stated = [node.GetID(), node.GetName(), node.GetClassName()]
        if node.IsA("vtkMRMLSegmentationNode"):
            inside = node.GetSegmentation()
            stated += [
                (key, inside.GetSegment(key).GetName())
                for key in inside.GetSegmentIDs()
            ]
        state.append(stated)
    return state


def series(make_volume):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMultiVolumeNode", "4D")
    if node is None:  # a module of its own in some builds
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "4D")
    return filled(node, 12)


def filled(node, components):
    image = vtk.vtkImageData()
    image.SetDimensions(4, 3, 2)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, components)
    node.SetAndObserveImageData(image)
    return node


def warped(make_volume):
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
        (series, "'4D' has 12 values per pixel"),
        (warped, "The transform 'warp' above"),
        (empty, "The volume 'empty' is empty"),
    ],
)
@pytest.mark.parametrize("panel", ROOMS)
def test_volume_that_cannot_be_used(make, words, panel, widget, make_volume, shown):
    volume = make(make_volume)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn")
    for name in ("a", "b"):
        node.GetSegmentation().AddEmptySegment(name, name)
    choose(widget, volume=volume, expert=node, nonexpert=node)
    before = scene_state()

    press(getattr(widget.ui, panel))

    assert words in shown[0]
    assert scene_state() == before
    assert Child.made is None


def test_no_volume(widget, shown):
    """Apply waits for one; Compare, which can find one by itself, says it."""
    assert not widget.ui.applyButton.isEnabled()
    assert "Load a scan" in widget.ui.applyButton.toolTip()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn")
    for name in ("a", "b"):
        node.GetSegmentation().AddEmptySegment(name, name)
    choose(widget, expert=node, nonexpert=node)
    before = scene_state()
    press(widget.ui.compareButton)
    press(widget.ui.resampleButton)
    assert len(shown) == 2
    assert all("No volume is chosen as the scan." in s for s in shown)
    assert scene_state() == before


def test_annotation_under_a_transform_that_is_not_linear(
    widget, make_volume, mask, shown
):
    volume = make_volume()
    node = segments.new_segmentation(volume, "drawn")
    for name in ("a", "b"):
        segments.add_segment(mask, node, volume, name=name)
    grid = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
    grid.SetAndObserveTransformFromParent(vtk.vtkBSplineTransform())
    node.SetAndObserveTransformNodeID(grid.GetID())
    choose(widget, volume=volume, expert=node, nonexpert=node, segmentation=node)
    before = scene_state()
    for button in (*ROOMS, "resampleButton"):
        press(getattr(widget.ui, button))
    assert len(shown) == 3
    assert all("The transform 'warp' above" in text for text in shown)
    assert scene_state() == before


@pytest.mark.parametrize("panel", ROOMS)
def test_segmentation_of_another_geometry(panel, widget, make_volume, mask, shown):
    drawn_on = make_volume(name="other", affine=AFFINES["oblique"])
    node = segments.new_segmentation(drawn_on, "drawn")
    for name in ("a", "b"):
        segments.add_segment(mask, node, drawn_on, name=name)
    choose(widget, volume=make_volume(), segmentation=node)
    choose(widget, expert=node, nonexpert=node)
    before = scene_state()

    press(getattr(widget.ui, panel))

    assert "was not drawn on 'scan'" in shown[0]
    assert scene_state() == before
    assert Child.made is None


def test_segmentation_removed_during_a_run(widget, make_volume, mask, shown):
    volume = make_volume()
    node = segments.new_segmentation(volume, "drawn")
    segments.add_segment(mask, node, volume)
    choose(widget, volume=volume, segmentation=node)
    press(widget.ui.applyButton)
    slicer.mrmlScene.RemoveNode(node)
    before = scene_state()
    with pytest.raises(InputError):  # which Slicer logs
        Child.made.finish(mask)
    assert "was removed from the scene" in shown[0]
    assert scene_state() == before
    assert widget.ui.applyButton.isEnabled()


def test_transform_changed_during_a_run(widget, make_volume, mask, shown, transform):
    volume = make_volume()
    node = segments.new_segmentation(volume, "drawn")
    segments.add_segment(mask, node, volume)
    choose(widget, volume=volume, segmentation=node)
    press(widget.ui.applyButton)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    before = scene_state()
    with pytest.raises(InputError):  # which Slicer logs
        Child.made.finish(mask)
    assert "and 'scan' lie under different transforms" in shown[0]
    assert scene_state() == before


@pytest.mark.parametrize(
    "button", ["applyButton", "compareButton", "trainButton", "consensusButton"]
)
def test_missing_packages(button, widget, make_volume, shown, monkeypatch):
    def decline(self):
        raise InstallError("MicroUS needs 3 Python packages; it was declined.")

    from MicroUSLib.packages.install import Installer

    monkeypatch.setattr(Installer, "ensure", decline)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn")
    choose(widget, volume=make_volume(), expert=node, nonexpert=node)
    before = scene_state()
    press(getattr(widget.ui, button))
    assert "was declined" in shown[0]
    assert scene_state() == before
    assert Child.made is None


def test_package_missing_in_the_child(widget, make_volume, shown, wait):
    choose(widget, volume=make_volume())
    before = scene_state()
    widget.segment._make_runner = lambda e, o: Runner(
        e, o, sys.executable, "no_such_module_of_ours"
    )
    press(widget.ui.applyButton)
    wait(lambda: not widget.segment.is_running)
    assert "Press Apply to install it" in shown[0]
    assert scene_state() == before


def test_no_gpu(widget, library, blob, nifti, load_volume, shown, wait):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has the device that must be missing")
    widget.segment._make_runner = lambda e, o: Runner(e, o, sys.executable)
    choose(widget, volume=load_volume(nifti(blob, AFFINES["oblique"])), device="cuda")
    before = scene_state()
    press(widget.ui.applyButton)
    wait(lambda: not widget.segment.is_running, seconds=300)
    assert "Choose Automatic (auto)" in shown[0]
    assert scene_state() == before
    choose(widget, device="cpu")  # which is always there
    press(widget.ui.applyButton)
    wait(lambda: not widget.segment.is_running, seconds=300)
    assert len(shown) == 1
    assert segments.own_capsule(widget._parameterNode.segmentation)


@pytest.mark.parametrize("model", ["gone", "broken"])
def test_wrong_model(model, widget, make_volume, shown, library, tmp_path):
    name = model
    if model == "broken":
        name = str(tmp_path / "broken")
        (tmp_path / "broken").mkdir()
        (tmp_path / "broken" / "config.yaml").write_text("architecture: transunet\n")
    choose(widget, volume=make_volume())
    widget.segment.refresh_models = lambda: None
    widget._parameterNode.modelName = name
    before = scene_state()
    press(widget.ui.applyButton)
    assert model in shown[0]
    assert scene_state() == before
    assert Child.made is None


def test_child_that_is_killed_or_runs_out_of_memory(widget, make_volume, shown):
    choose(widget, volume=make_volume())
    before = scene_state()
    press(widget.ui.applyButton)
    message = "The memory was too small for this. Choose a smaller batch size"
    Child.made.on_outcome(Outcome("failed", message))
    assert shown == [message]
    assert scene_state() == before


def test_mask_of_the_child_that_does_not_fit(widget, make_volume, mask, shown):
    choose(widget, volume=make_volume())
    before = scene_state()
    press(widget.ui.applyButton)
    volume = widget._parameterNode.volume
    child = Child.made
    slicer.util.updateVolumeFromArray(volume, np.zeros((2, 8, 8), np.uint8))
    with pytest.raises(InputError):  # which Slicer logs
        child.finish(mask)
    assert "has changed while it was segmented" in shown[0]
    assert scene_state() == before


def test_loaded_mask_has_the_values_that_are_stored(make_volume, tmp_path):
    """An 8-bit TIFF with an inverted grey scale: the object is what is 255."""
    import tifffile
    from MicroUSLib.scene.resampling import load_mask

    array = np.zeros((48, 64), np.uint8)
    array[10:20, 30:50] = 255
    path = tmp_path / "mask.tif"
    tifffile.imwrite(path, array, photometric="miniswhite")
    volume = make_volume(np.zeros((1, 48, 64), np.uint8))
    node = load_mask(str(path), volume, lambda event: None)
    stored = slicer.util.arrayFromVolume(node)
    assert set(np.unique(stored)) == {0, 255}
    assert (stored[0] == array).all()
