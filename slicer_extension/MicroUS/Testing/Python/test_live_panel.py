"""A volume node whose picture changes as OpenIGTLink's connector changes it."""

import sys
import time

import numpy as np
import pytest
import slicer
import vtk
from conftest import AFFINES
from MicroUSLib.process import Outcome, Runner
from MicroUSLib.scene import segments
from MicroUSLib.scene.nodes import ijk_to_ras
from panel import Child, choose, press
from vtk.util.numpy_support import numpy_to_vtk

from napari_microus.core.live import Exchange


class Connector:
    """Updates a volume as vtkMRMLIGTLConnectorNode does: place, picture, one event."""

    def __init__(self, volume):
        self.volume = volume

    def receive(self, frame, affine=None):
        volume = self.volume
        was_modifying = volume.StartModify()
        if affine is not None:
            volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
        image = vtk.vtkImageData()
        image.SetDimensions(frame.shape[1], frame.shape[0], 1)
        values = frame.reshape(-1, *frame.shape[2:])
        image.GetPointData().SetScalars(numpy_to_vtk(values, deep=True))
        volume.SetAndObserveImageData(image)
        volume.EndModify(was_modifying)

    def change_in_place(self, frame):
        """As a newer connector does, which keeps its buffer."""
        slicer.util.arrayFromVolume(self.volume)[0] = frame
        slicer.util.arrayFromVolumeModified(self.volume)


class Answering:
    """Plays the child's side of the exchange."""

    def __init__(self):
        self.frames = Exchange(Child.made.folder, "frame")
        self.capsules = Exchange(Child.made.folder, "capsule")

    def answer(self, change=lambda frame: (frame > 100).astype(np.uint8)):
        taken = self.frames.take()
        if taken is not None:
            number, frame = taken
            self.capsules.put(number, change(frame))
        return taken


@pytest.fixture
def live(widget, make_volume, blob):
    """The panel and a volume of one frame, which is the background of a view."""
    widget.live._make_runner = Child
    volume = make_volume(blob[:1], name="Image_Reference")
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    view.SetBackgroundVolumeID(volume.GetID())
    choose(widget, liveVolume=volume)
    return widget, volume, view


def overlays():
    return [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLLabelMapVolumeNode")
        if node.GetName().startswith("Live capsule")
    ]


def status(widget):
    return widget.ui.liveStatusLabel.text()


def test_nothing_is_followed_without_a_volume(widget):
    assert not widget.ui.liveStartButton.isEnabled()
    assert not widget.ui.liveStopButton.isEnabled()
    assert not widget.ui.liveKeepButton.isEnabled()


def test_the_newest_frame_is_answered_and_older_ones_counted(live, blob):
    widget, volume, view = live
    press(widget.ui.liveStartButton)
    assert Child.made.line[0] == "live-exchange"
    connector, child = Connector(volume), Answering()
    widget.live.look()
    assert child.answer()[0] == 1  # what was there when it began
    widget.live.look()

    for turn in range(3):  # two of them overtaken, however they came
        connector.receive(blob[turn])
    widget.live.look()
    connector.change_in_place(blob[3])
    widget.live.look()
    number, frame = child.answer()
    assert number == 5
    np.testing.assert_array_equal(frame, blob[3])
    widget.live.look()

    panel = widget.live
    assert (panel.received, panel.answered, panel.overtaken) == (5, 2, 3)
    [overlay] = overlays()
    np.testing.assert_array_equal(
        slicer.util.arrayFromVolume(overlay)[0], blob[3] > 100
    )
    np.testing.assert_allclose(ijk_to_ras(overlay), ijk_to_ras(volume))
    assert view.GetLabelVolumeID() == overlay.GetID()


def test_pictures_that_nobody_takes_are_not_kept(live, blob):
    """A model takes seconds to load: hundreds of megabytes at 30 pictures a second."""
    widget, volume, _view = live
    press(widget.ui.liveStartButton)
    connector = Connector(volume)
    for turn in range(20):
        connector.receive(blob[turn % 4])
        widget.live.look()
    assert len(widget.live._asked) == 1

    assert Answering().answer()[0] == widget.live.received
    widget.live.look()
    assert widget.live.answered == 1
    assert widget.live.overtaken == widget.live.received - 1


def test_a_capsule_lies_where_its_frame_lay(live, blob, transform):
    """A tracked probe moves on while a frame is segmented."""
    widget, volume, _view = live
    volume.SetAndObserveTransformNodeID(transform.GetID())
    press(widget.ui.liveStartButton)
    connector, child = Connector(volume), Answering()
    connector.receive(blob[1], AFFINES["oblique"])
    widget.live.look()
    child.answer()
    connector.receive(blob[2], AFFINES["axis-aligned"])

    widget.live.look()

    [overlay] = overlays()
    np.testing.assert_allclose(ijk_to_ras(overlay), AFFINES["oblique"], atol=1e-6)
    assert overlay.GetTransformNodeID() == transform.GetID()


def test_frames_may_change_their_size_and_be_of_colour(live, blob):
    widget, volume, _view = live
    press(widget.ui.liveStartButton)
    connector, child = Connector(volume), Answering()
    widget.live.look()
    child.answer()
    widget.live.look()

    connector.receive(np.ascontiguousarray(blob[1][:40, :50]))
    widget.live.look()
    assert child.answer()[1].shape == (40, 50)
    widget.live.look()

    [overlay] = overlays()
    assert overlay.GetImageData().GetDimensions() == (50, 40, 1)
    np.testing.assert_array_equal(
        slicer.util.arrayFromVolume(overlay)[0], blob[1][:40, :50] > 100
    )


def test_colour_becomes_grey(live, blob):
    widget, _volume, _view = live
    colour = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "rgb")
    grey = np.repeat(blob[1][..., None], 3, axis=2)
    Connector(colour).receive(grey)
    choose(widget, liveVolume=colour)
    press(widget.ui.liveStartButton)
    widget.live.look()

    _number, frame = Answering().answer()

    np.testing.assert_array_equal(frame, blob[1])


def test_a_kept_frame_and_its_capsule_belong_together(live, blob):
    widget, volume, _view = live
    press(widget.ui.liveStartButton)
    connector, child = Connector(volume), Answering()
    (Child.made.folder / "provenance.json").write_text('{"model": "ours"}')
    connector.receive(blob[1], AFFINES["oblique"])
    widget.live.look()
    child.answer()
    widget.live.look()
    connector.receive(blob[2])  # on the screen; its capsule is not there yet
    widget.live.look()
    before = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")

    press(widget.ui.liveKeepButton)
    connector.receive(blob[3])

    kept = slicer.util.getNode("Live frame")
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(kept)[0], blob[1])
    np.testing.assert_allclose(ijk_to_ras(kept), AFFINES["oblique"], atol=1e-6)
    node = slicer.util.getNode("Live frame capsule")
    key = segments.own_capsule(node)
    np.testing.assert_array_equal(
        segments.segment_array(node, key, kept)[0], blob[1] > 100
    )
    now = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    assert now == before + 1
    assert widget.live.is_running
    press(widget.ui.liveKeepButton)
    assert slicer.util.getNode("Live frame_1")


def test_stop_leaves_the_views_as_they_were(live, blob, make_volume):
    widget, volume, view = live
    own = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "own")
    view.SetLabelVolumeID(own.GetID())
    view.SetLabelOpacity(0.9)
    count = slicer.mrmlScene.GetNumberOfNodes()
    press(widget.ui.liveStartButton)
    child = Answering()
    widget.live.look()
    child.answer()
    widget.live.look()
    assert view.GetLabelVolumeID() != own.GetID()

    press(widget.ui.liveStopButton)
    assert Child.made.is_cancelled
    Child.made.on_outcome(Outcome("cancelled"))

    assert view.GetLabelVolumeID() == own.GetID()
    assert view.GetLabelOpacity() == pytest.approx(0.9)
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert status(widget) == "Stopped."
    assert widget.ui.liveStartButton.isEnabled()
    received = widget.live.received
    Connector(volume).receive(blob[2])
    assert widget.live.received == received
    # The last frame can still be kept.
    press(widget.ui.liveKeepButton)
    assert slicer.util.getNode("Live frame")


def test_a_volume_that_goes_ends_it_with_a_sentence(live, shown):
    widget, volume, _view = live
    press(widget.ui.liveStartButton)
    slicer.mrmlScene.RemoveNode(volume)

    widget.live.look()

    assert "was removed from the scene" in shown[0]
    assert Child.made.is_abandoned
    assert not widget.live.is_running


def test_a_closed_scene_ends_it_with_a_sentence(live, shown):
    widget, _volume, _view = live
    press(widget.ui.liveStartButton)
    child = Answering()
    widget.live.look()
    child.answer()
    widget.live.look()

    slicer.mrmlScene.Clear(0)

    assert "was closed" in shown[0]
    assert not widget.live.is_running
    assert overlays() == []


def test_a_sweep_is_refused(widget, make_volume, shown):
    widget.live._make_runner = Child
    choose(widget, liveVolume=make_volume())
    press(widget.ui.liveStartButton)
    assert "has 5 frames, and a live volume has one" in shown[0]
    assert Child.made is None


def test_what_the_child_says_is_shown(live, shown):
    widget, _volume, _view = live
    press(widget.ui.liveStartButton)
    Child.made.on_outcome(Outcome("failed", "The model has gone."))
    assert shown == ["The model has gone."]
    assert status(widget) == "The model has gone."
    assert widget.ui.liveStartButton.isEnabled()


def test_leaving_the_module_stops_the_child(live):
    widget, _volume, _view = live
    press(widget.ui.liveStartButton)
    widget.cleanup()
    assert Child.made.is_abandoned


def test_another_module_may_be_shown_meanwhile(live, blob):
    widget, volume, _view = live
    press(widget.ui.liveStartButton)
    child = Answering()
    widget.exit()
    Connector(volume).receive(blob[1])
    widget.live.look()
    np.testing.assert_array_equal(child.answer()[1], blob[1])
    widget.live.look()
    assert widget.live.answered == 1
    widget.enter()
    assert widget.ui.liveStopButton.isEnabled()


def test_a_real_child_follows_thirty_pictures_a_second(live, library, blob, wait):
    """Every picture is answered, overtaken, or the one that is being answered."""
    from napari_microus.core.events import drain
    from napari_microus.core.library import load_model
    from napari_microus.core.predict import predict
    from napari_microus.core.volume import Volume

    widget, volume, _view = live
    widget.live._make_runner = lambda e, o: Runner(e, o, sys.executable)
    choose(widget, device="cpu")
    connector, panel = Connector(volume), widget.live
    press(widget.ui.liveStartButton)
    folder = panel._runner.folder
    wait(lambda: panel.answered >= 1)

    began, sent = time.monotonic(), 0
    while time.monotonic() - began < 3:
        if time.monotonic() - began >= sent / 30:
            connector.receive(np.roll(blob[sent % 4], sent, axis=1))
            sent += 1
        slicer.app.processEvents()
        time.sleep(0.001)
    wait(lambda: panel.answered + panel.overtaken == panel.received)

    assert panel.received == sent + 1
    assert panel.answered >= 5
    press(widget.ui.liveKeepButton)
    kept = slicer.util.getNode("Live frame")
    frame = slicer.util.arrayFromVolume(kept)
    np.testing.assert_array_equal(frame[0], np.roll(blob[(sent - 1) % 4], sent - 1, 1))
    node = slicer.util.getNode("Live frame capsule")
    found = segments.segment_array(node, segments.own_capsule(node), kept)
    alone = drain(predict(load_model(), Volume(frame.copy()), device="cpu"))
    # Another number of threads rounds otherwise; another picture differs by a fifth.
    assert (found != alone.mask.array).mean() < 0.01

    press(widget.ui.liveStopButton)
    wait(lambda: not panel.is_running)
    assert not folder.exists()  # patients' pixels
