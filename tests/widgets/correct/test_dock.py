from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QLabel

from disc_frames import disc
from napari_microus.core.edit.autosave import autosave, find_autosave, fingerprint
from napari_microus.core.events import Progress
from napari_microus.widgets._shared.drawn import begin_notes
from napari_microus.widgets._shared.layers import METADATA_KEY, volume_from_layer
from napari_microus.widgets._shared.saving import save
from napari_microus.widgets.correct import CorrectWidget
from napari_microus.widgets.correct import other_frames as module
from napari_microus.widgets.correct.jobs import Frames


def capsule(viewer):
    return viewer.layers["capsule"]


def wait(qtbot, widget):
    qtbot.waitUntil(lambda: not widget.is_running)


def test_the_capsule_over_the_scan_is_chosen(widget, viewer):
    assert widget.capsule.layer is capsule(viewer)
    assert widget.capsule.scan is viewer.layers["scan"]
    assert "0 of 6 frames approved" in widget.progress_label.text()


def test_a_click_beyond_the_outline_adds_and_one_inside_takes_away(widget, viewer):
    widget.go_to(2)
    layer = capsule(viewer)
    widget.pointer.click(layer.data_to_world((2, 40, 75)))
    assert layer.data[2, 40, 75] == 1
    assert np.flatnonzero(layer.data[2, 40]).max() == pytest.approx(79, abs=1)
    widget.pointer.click(layer.data_to_world((2, 40, 34)))
    assert layer.data[2, 40, 34] == 0
    assert layer.data[2, 40, 75] == 1  # the first click still holds
    assert widget.capsule.review.edited == {2}
    assert (layer.data[[0, 1, 3, 4, 5]] == disc()).all()
    layer.undo()
    layer.undo()
    assert (layer.data == disc()).all()


def test_a_click_beside_the_picture_is_reported(widget, viewer):
    before = capsule(viewer).data.copy()
    widget.pointer.click(capsule(viewer).data_to_world((0, -9, 5)))
    assert "outside the picture" in widget.message.text()
    assert np.array_equal(capsule(viewer).data, before)


def test_painting_counts_as_an_edit_and_undo_takes_it_back(qtbot, widget, viewer):
    layer = capsule(viewer)
    layer.data_setitem((np.array([4]), np.array([2]), np.array([3])), 1)
    qtbot.waitUntil(lambda: widget.capsule.review.edited == {4})
    layer.undo()
    qtbot.waitUntil(lambda: widget.capsule.review.edited == set())


def test_moving_about_is_no_edit(qtbot, widget, viewer):
    for frame in (3, 1, 5):
        widget.go_to(frame)
    capsule(viewer).visible = False
    capsule(viewer).visible = True
    qtbot.wait(50)
    assert widget.capsule.review.edited == set()


def test_approving_goes_to_the_next_and_is_saved(widget, viewer, tmp_path):
    widget.go_to(5)
    widget.approve()
    assert widget.frame == 0
    assert "1 of 6" in widget.progress_label.text()
    widget.ask_path = lambda layer: str(tmp_path / "capsule.nii.gz")
    widget.save()
    from napari_microus.core.io import read_provenance

    made = read_provenance(tmp_path / "capsule.nii.gz")
    assert made["review"] == {"edited": [], "approved": [5]}


def test_least_sure_frames_come_first_until_they_are_touched(widget):
    widget.go_to_doubtful()
    assert widget.frame == 3
    widget.approve()
    widget.go_to_doubtful()
    assert widget.frame == 1


def test_interpolation_keeps_what_a_person_drew(qtbot, widget, viewer):
    layer = capsule(viewer)
    for frame, radius in ((0, 20), (4, 32)):
        widget.go_to(frame)
        widget.frame_tools.change(lambda mask, radius=radius: disc(radius=radius))
    widget.go_to(0)
    widget.approve()
    widget.other_frames.interpolate()
    wait(qtbot, widget)
    assert layer.data[2].sum() == pytest.approx(np.pi * 26**2, rel=0.03)
    assert (layer.data[4] == disc(radius=32)).all()
    assert (layer.data[5] == disc()).all()
    assert widget.capsule.review.edited == {4}
    layer.undo()
    assert (layer.data[[1, 2, 3]] == disc()).all()
    assert (layer.data[4] == disc(radius=32)).all()


def test_interpolation_without_drawn_frames_says_what_to_do(qtbot, widget):
    widget.other_frames.interpolate()
    wait(qtbot, widget)
    assert "Two frames at least have to be drawn" in widget.message.text()


def test_a_frame_drawn_in_the_meantime_stays(qtbot, widget, viewer, monkeypatch):
    def slow(*args):
        yield Progress(0, 1, "frames", "Carrying the outline")
        return Frames({k: disc(radius=5) for k in (1, 2)}, "Done.", "test")

    monkeypatch.setattr(module, "carry_frames", slow)
    widget.go_to(0)
    widget.other_frames.carry(1)
    widget.capsule.review.edit(2)
    wait(qtbot, widget)
    assert (capsule(viewer).data[1] == disc(radius=5)).all()
    assert (capsule(viewer).data[2] == disc()).all()


def test_carrying_stops_before_a_frame_that_was_drawn(qtbot, widget, monkeypatch):
    asked = []

    def carry(images, mask, start, end):
        asked.append((start, end))
        yield Progress(0, 1, "frames", "")
        return Frames({}, "", "test")

    monkeypatch.setattr(module, "carry_frames", carry)
    widget.capsule.review.edit(4)
    widget.go_to(1)
    widget.other_frames.carry(1)
    wait(qtbot, widget)
    widget.other_frames.carry(-1)
    wait(qtbot, widget)
    assert asked == [(1, 3), (1, 0)]


def test_handles_draw_while_they_move_and_make_one_step(qtbot, widget, viewer):
    layer = capsule(viewer)
    widget.go_to(1)
    widget.handle_button.click()
    shapes = widget.handles.layer
    corners = shapes.data[0].copy()
    assert (corners[:, 0] == 1).all()
    corners[corners[:, 2].argmax(), 2] += 8
    shapes.data = [corners]
    qtbot.waitUntil(lambda: np.flatnonzero(layer.data[1, 40]).max() > 74)
    widget.handle_button.click()
    assert shapes not in viewer.layers
    assert widget.capsule.review.edited == {1}
    layer.undo()
    assert (layer.data[1] == disc()).all()


def test_going_to_another_frame_puts_the_handles_away(widget, viewer):
    widget.go_to(1)
    widget.handle_button.click()
    widget.go_to(2)
    assert widget.handles is None
    assert len(viewer.layers) == 2


def test_deleting_the_handles_keeps_the_capsule(widget, viewer):
    widget.handle_button.click()
    viewer.layers.remove(widget.handles.layer)
    assert widget.handles is None
    assert not widget.handle_button.isChecked()
    assert (capsule(viewer).data == disc()).all()


def test_an_empty_frame_has_no_handles(widget):
    widget.frame_tools.change(np.zeros_like)
    widget.handle_button.click()
    assert widget.handles is None
    assert "There is no capsule in this frame" in widget.message.text()


def test_growing_is_in_millimetres(widget, viewer):
    assert widget.grow_by.suffix() == " mm"
    widget.grow_by.setValue(0.5)
    widget.frame_tools.grow(1)
    assert np.flatnonzero(capsule(viewer).data[widget.frame, 40]).size == 41 + 10


def test_copying_never_replaces_what_was_drawn(widget, viewer):
    widget.go_to(0)
    widget.frame_tools.change(lambda mask: disc(radius=9))
    widget.frame_tools.copy_to_next()
    assert widget.frame == 1
    assert (capsule(viewer).data[1] == disc(radius=9)).all()
    widget.capsule.review.edit(2)
    widget.frame_tools.copy_to_next()
    assert "stays as it is" in widget.message.text()
    widget.go_to(5)
    widget.frame_tools.copy_to_next()
    assert "last frame" in widget.message.text()


def test_a_layer_of_several_labels_is_refused(widget, viewer):
    several = capsule(viewer).data.copy()
    several[0, :5] = 3
    viewer.add_labels(several, name="zones", scale=(1, 0.1, 0.1), units=("mm",) * 3)
    assert widget.capsule is None
    assert "'zones' is drawn with label 3, not 1" in widget.message.text()


def test_without_a_capsule_nothing_can_be_pressed(qtbot):
    viewer = ViewerModel()
    widget = CorrectWidget(viewer)
    qtbot.addWidget(widget)
    assert widget.empty.isVisibleTo(widget)
    words = " ".join(label.text() for label in widget.empty.findChildren(QLabel))
    assert "capsule" in words
    assert not widget.approve_button.isEnabled()
    assert not widget.learn_button.isEnabled()


def test_deleting_the_capsule_is_reported(widget, viewer):
    viewer.layers.remove(capsule(viewer))
    assert widget.capsule is None
    assert "gone" in widget.message.text()


def test_unsaved_corrections_are_kept_and_offered(qtbot, widget, viewer, state):
    widget.go_to(2)
    widget.frame_tools.change(lambda mask: disc(radius=9))
    widget.autosaving.write()
    qtbot.waitUntil(lambda: widget.autosaving._worker is None)
    key = fingerprint(volume_from_layer(viewer.layers["scan"]))
    kept = find_autosave(key, state)
    assert (kept.mask[2] == disc(radius=9)).all()
    assert kept.provenance["review"]["edited"] == [2]


def test_what_was_kept_is_offered_and_comes_back(qtbot, viewer, state):
    mask = capsule(viewer).data.copy()
    mask[2] = disc(radius=9)
    key = fingerprint(volume_from_layer(viewer.layers["scan"]))
    autosave(key, mask, {"review": {"edited": [2], "approved": [1]}}, state)
    widget = CorrectWidget(viewer)
    qtbot.addWidget(widget)
    qtbot.waitUntil(lambda: not widget.restore_button.isHidden())
    assert "Bring back 1 frame\nfrom" in widget.restore_button.text()
    widget.restore()
    assert (capsule(viewer).data == mask).all()
    assert widget.capsule.review.approved == {1}
    assert widget.capsule.review.doubtful == [3, 1]
    capsule(viewer).undo()
    assert (capsule(viewer).data == disc()).all()


def test_saving_forgets_what_was_kept(qtbot, widget, viewer, state, tmp_path):
    widget.frame_tools.change(lambda mask: disc(radius=9))
    widget.autosaving.write()
    qtbot.waitUntil(lambda: widget.autosaving._worker is None)
    assert len(list(state.glob("*.npz"))) == 1
    widget.ask_path = lambda layer: str(tmp_path / "c.nii.gz")
    widget.save()
    assert list(state.glob("*.npz")) == []


def test_what_another_dock_saved_is_not_offered_again(qtbot, viewer, state, tmp_path):
    """*Segment*, napari's menu and the question at closing save a capsule, too."""
    begin_notes(capsule(viewer))
    widget = CorrectWidget(viewer)
    qtbot.waitUntil(lambda: widget.autosaving._unsaved.key is not None)
    widget.frame_tools.change(lambda mask: disc(radius=9))
    widget.autosaving.write()
    qtbot.waitUntil(lambda: widget.autosaving._worker is None)
    widget.frame_tools.change(lambda mask: disc(radius=8))
    save(capsule(viewer), str(tmp_path / "capsule.nii.gz"))
    assert len(list(state.glob("*.npz"))) == 1
    widget.deleteLater()
    qtbot.waitUntil(lambda: list(state.glob("*.npz")) == [])


def test_what_a_crash_left_outlives_a_saving_elsewhere(qtbot, viewer, state, tmp_path):
    mask = capsule(viewer).data.copy()
    mask[2] = disc(radius=9)
    key = fingerprint(volume_from_layer(viewer.layers["scan"]))
    autosave(key, mask, {}, state)
    begin_notes(capsule(viewer))
    widget = CorrectWidget(viewer)
    qtbot.waitUntil(lambda: not widget.restore_button.isHidden())
    save(capsule(viewer), str(tmp_path / "capsule.nii.gz"))
    with qtbot.waitSignal(widget.destroyed):
        widget.deleteLater()
    assert (find_autosave(key, state).mask == mask).all()


def test_a_taught_model_is_offered_to_be_kept(qtbot, widget, monkeypatch):
    taught = SimpleNamespace(model=SimpleNamespace(name="microus-small"))

    def learn(*args):
        yield Progress(0, 1, "steps", "")
        return Frames({}, "Learnt.", "test", taught)

    asked, kept = [], []
    monkeypatch.setattr(module, "learn_and_draw", learn)
    monkeypatch.setattr(
        "napari_microus.core.edit.teach.keep",
        lambda model, name: kept.append((model, name)) or Path("library") / name,
    )
    widget.other_frames.ask_name = lambda suggested: asked.append(suggested) or "mine"
    widget.other_frames.learn()
    wait(qtbot, widget)
    assert not widget.keep_button.isHidden()
    widget.keep_button.click()
    assert asked == ["microus-small taught"]
    assert kept == [(taught, "mine")]
    assert "'mine' is in your library" in widget.message.text()
    assert widget.keep_button.isHidden()


def test_closing_the_window_keeps_the_last_corrections(qtbot, viewer, state):
    widget = CorrectWidget(viewer)
    qtbot.waitUntil(lambda: widget.autosaving._unsaved.key is not None)
    widget.go_to(2)
    widget.frame_tools.change(lambda mask: disc(radius=9))
    assert list(state.glob("*.npz")) == []
    widget.deleteLater()
    qtbot.waitUntil(lambda: len(list(state.glob("*.npz"))) == 1)
    key = fingerprint(volume_from_layer(viewer.layers["scan"]))
    assert (find_autosave(key, state).mask[2] == disc(radius=9)).all()


def test_the_last_move_of_a_handle_counts(widget, viewer):
    """Handles that are put away at once have drawn where they were left."""
    widget.go_to(1)
    widget.handle_button.click()
    corners = widget.handles.layer.data[0].copy()
    corners[corners[:, 2].argmax(), 2] += 8
    widget.handles.layer.data = [corners]
    widget.handle_button.click()
    assert np.flatnonzero(capsule(viewer).data[1, 40]).max() > 74
    assert widget.capsule.review.edited == {1}


def test_interpolation_without_a_model_follows_the_shapes_and_says_so(
    qtbot, widget, viewer, monkeypatch
):
    from napari_microus.core.errors import InputError
    from napari_microus.widgets.correct import jobs

    def _probability(scan, frames, model_name):
        yield
        raise InputError("There is no model.")

    monkeypatch.setattr(jobs, "_probability", _probability)
    for frame in (0, 2):
        widget.go_to(frame)
        widget.approve()
    widget.other_frames.interpolate()
    wait(qtbot, widget)
    assert "By their shapes alone: There is no model." in widget.message.text()
    corrected = widget.capsule.provenance["corrected"]
    assert corrected[-1]["how"] == "interpolated"


def test_a_hidden_capsule_is_corrected_on_every_frame(widget, viewer):
    """napari's own picture of a hidden layer stays behind, and its edit failed."""
    layer = capsule(viewer)
    layer.visible = False
    for frame in (3, 5):
        widget.go_to(frame)
        widget.clear_button.click()
        assert not layer.data[frame].any()
    assert widget.capsule.review.edited == {3, 5}
    layer.visible = True
    layer.undo()
    assert (layer.data[5] == disc()).all()
    assert not layer.data[3].any()


def test_maps_of_a_comparison_are_no_capsules(viewer, widget):
    capsule = viewer.layers["capsule"]
    own = {**capsule.metadata[METADATA_KEY], "comparison": "disagreement"}
    viewer.add_labels(
        capsule.data.copy(), scale=capsule.scale, metadata={METADATA_KEY: own}
    )
    assert widget.layer_box.count() == 1
    assert widget.capsule.layer is capsule
