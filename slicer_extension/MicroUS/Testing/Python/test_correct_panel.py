"""Approve frames, and let the others follow, on real MRML."""

import numpy as np
import pytest
import slicer
from MicroUSLib.scene import segments
from MicroUSLib.scene.nodes import jump_to_voxel, shown_frame
from MicroUSLib.segment.correct_panel import approved_frames, keep_approved
from panel import Child, choose, press

SHAPE = (5, 48, 64)


def disc(radius, middle=(24, 32)):
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    return np.hypot(y - middle[0], x - middle[1]) <= radius


@pytest.fixture
def red():
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    view.SetLayoutName("Red")
    return view


@pytest.fixture
def case(widget, make_volume, red):
    """A scan with a capsule: discs that grow from frame to frame."""
    volume = make_volume()
    choose(widget, volume=volume)
    press(widget.ui.applyButton)
    mask = np.stack([disc(8 + 2 * k) for k in range(SHAPE[0])]).astype(np.uint8)
    Child.made.finish(mask)
    node = widget._parameterNode.segmentation
    widget.correct.refresh()
    return widget, volume, node, mask


def capsule(volume, node):
    return segments.segment_array(node, segments.own_capsule(node), volume)


def go(volume, frame):
    jump_to_voxel(volume, frame, 24, 32)
    assert shown_frame(volume) == frame


def test_nothing_can_be_pressed_without_a_capsule(widget, make_volume):
    choose(widget, volume=make_volume())
    assert not widget.ui.approveFrameButton.isEnabled()
    assert not widget.ui.interpolateFramesButton.isEnabled()


def test_approving_goes_on_and_is_told(case):
    widget, volume, node, _ = case
    go(volume, 1)
    press(widget.ui.approveFrameButton)
    assert approved_frames(node) == {1}
    assert shown_frame(volume) == 2
    assert "Approved frames: 1" in widget.ui.correctStatusLabel.text()
    go(volume, 0)
    press(widget.ui.nextFrameButton)
    assert shown_frame(volume) == 2


def test_interpolation_fills_between_approved_frames_alone(case):
    widget, volume, node, mask = case
    changed = mask.copy()
    changed[2] = 0
    segments.change_frames(changed, [2], node, segments.own_capsule(node), volume)
    keep_approved(node, {0, 4})
    count = slicer.mrmlScene.GetNumberOfNodes()

    press(widget.ui.interpolateFramesButton)

    found = capsule(volume, node)
    for frame in (1, 2, 3):
        both = 2 * (found[frame] & mask[frame]).sum()
        assert both / (found[frame].sum() + mask[frame].sum()) > 0.95
    np.testing.assert_array_equal(found[[0, 4]], mask[[0, 4]])
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert "Interpolated 3 frames" in widget.ui.correctStatusLabel.text()


def test_one_approved_frame_is_too_few(case, shown):
    widget, volume, node, mask = case
    keep_approved(node, {1})
    press(widget.ui.interpolateFramesButton)
    assert "at least two frames" in str(shown)
    np.testing.assert_array_equal(capsule(volume, node), mask)


def test_carrying_stops_before_an_approved_frame(case):
    widget, volume, node, mask = case
    keep_approved(node, {3})
    go(volume, 1)
    press(widget.ui.carryOnButton)
    found = capsule(volume, node)
    np.testing.assert_array_equal(found[[0, 1, 3, 4]], mask[[0, 1, 3, 4]])
    assert widget.ui.correctStatusLabel.text().startswith("Approved frames: 3")


def test_another_patients_capsule_is_refused(case, make_volume, shown):
    widget, volume, node, mask = case
    other = make_volume()
    choose(widget, volume=other)
    choose(widget, segmentation=node)
    widget.correct.refresh()
    go(other, 1)
    press(widget.ui.carryOnButton)
    assert "must belong to" in str(shown)
    np.testing.assert_array_equal(capsule(volume, node), mask)


def test_approved_frames_outlive_a_scene(case, tmp_path):
    _, _, node, _ = case
    keep_approved(node, {2, 4})
    path = str(tmp_path / "scene.mrml")
    slicer.mrmlScene.SetURL(path)
    assert slicer.mrmlScene.Commit()
    text = (tmp_path / "scene.mrml").read_text()
    assert "MicroUS.approvedFrames" in text


def test_a_broken_attribute_approves_nothing(case):
    _, _, node, _ = case
    node.SetAttribute("MicroUS.approvedFrames", "{broken")
    assert approved_frames(node) == set()
