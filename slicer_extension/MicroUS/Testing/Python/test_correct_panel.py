"""Approve frames, and let the others follow, on real MRML."""

import numpy as np
import pytest
import slicer
from MicroUSLib.process import Outcome
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


def test_approving_continues_and_is_reported(case):
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
    assert "Two frames at least" in str(shown)
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
    assert "was drawn on" in str(shown)
    np.testing.assert_array_equal(capsule(volume, node), mask)


def test_approved_frames_outlive_a_scene(case, tmp_path):
    _, _, node, _ = case
    keep_approved(node, {2, 4})
    path = str(tmp_path / "scene.mrml")
    slicer.mrmlScene.SetURL(path)
    assert slicer.mrmlScene.Commit()
    text = (tmp_path / "scene.mrml").read_text(encoding="utf-8")
    assert "MicroUS.approvedFrames" in text


def test_a_broken_attribute_approves_nothing(case):
    _, _, node, _ = case
    node.SetAttribute("MicroUS.approvedFrames", "{broken")
    assert approved_frames(node) == set()


def test_learning_draws_the_frames_that_are_not_approved(case):
    widget, volume, node, mask = case
    keep_approved(node, {1, 3})
    press(widget.ui.learnButton)
    child = Child.made
    assert child.line[0] == "teach"
    assert child.line[child.line.index("--frames") + 1] == "1,3"
    assert not widget.ui.learnButton.isEnabled()
    assert widget.ui.cancelLearnButton.isEnabled()
    child.finish(np.zeros_like(mask))
    found = capsule(volume, node)
    np.testing.assert_array_equal(found[[1, 3]], mask[[1, 3]])
    assert not found[[0, 2, 4]].any()
    assert widget.ui.learnButton.isEnabled()
    assert "drawn again" in widget.ui.correctStatusLabel.text()


def test_a_real_child_learns(case, tmp_path):
    """The line that is started works in the command line of the package."""
    widget, volume, node, mask = case
    keep_approved(node, {2})
    press(widget.ui.learnButton)
    Child.made.run_here()
    np.testing.assert_array_equal(capsule(volume, node)[2], mask[2])
    assert "drawn again" in widget.ui.correctStatusLabel.text()


def test_learning_without_an_approved_frame_says_what_to_do(case, shown):
    widget, _, _, _ = case
    press(widget.ui.learnButton)
    assert "No frame is approved yet" in str(shown)
    assert widget.ui.learnButton.isEnabled()


def test_cancelled_learning_changes_nothing(case):
    widget, volume, node, mask = case
    keep_approved(node, {1})
    press(widget.ui.learnButton)
    press(widget.ui.cancelLearnButton)
    assert Child.made.is_cancelled
    Child.made.on_outcome(Outcome("cancelled"))
    np.testing.assert_array_equal(capsule(volume, node), mask)
    assert "Cancelled" in widget.ui.correctStatusLabel.text()


def test_a_capsule_that_left_the_scene_is_not_drawn_in(case):
    widget, _, node, mask = case
    keep_approved(node, {1})
    press(widget.ui.learnButton)
    slicer.mrmlScene.RemoveNode(node)
    Child.made.finish(mask)
    assert "left the scene" in widget.ui.correctStatusLabel.text()


def test_closing_the_scene_stops_the_child(case):
    widget, _, node, _ = case
    keep_approved(node, {1})
    press(widget.ui.learnButton)
    widget.onSceneStartClose(None, None)
    assert Child.made.is_abandoned
