"""Scribble, box, nudge and snapping, as the dock's tools use them."""

import numpy as np
import pytest

from disc_frames import dice, disc
from napari_microus.core.mask import IGNORE_VALUE


@pytest.fixture(autouse=True)
def first_frame(viewer):
    viewer.dims.set_point(0, 0)


def mask(viewer, frame=0):
    return viewer.layers["capsule"].data[frame] == 1


def drag(widget, viewer, points):
    """Drag the tool that is on over points (row, column) of the first frame."""
    place = viewer.layers["capsule"].data_to_world
    if not widget.pointer.begin(place((0, *points[0]))):
        return
    for point in points[1:]:
        widget.pointer.drag(place((0, *point)))
    widget.pointer.end()


def test_a_scribble_from_outside_adds_what_it_runs_over(widget, viewer):
    widget.scribble_button.click()
    way = [(40, column) for column in range(75, 84)]
    drag(widget, viewer, way)
    now = mask(viewer)
    assert all(now[point] for point in way[:-1])
    assert not now[40, 88]
    assert dice(now & (np.arange(100) < 55), disc() & (np.arange(100) < 55)) > 0.99
    viewer.layers["capsule"].undo()
    assert np.array_equal(mask(viewer), disc())


def test_a_scribble_from_inside_takes_away(widget, viewer):
    widget.scribble_button.click()
    drag(widget, viewer, [(row, 66) for row in range(34, 47)])
    assert not mask(viewer)[40, 66]
    assert mask(viewer)[40, 55]


def test_a_box_stretches_the_outline_into_it(widget, viewer):
    widget.box_button.click()
    drag(widget, viewer, [(9.5, 19.5), (30, 40), (49.5, 89.5)])
    rows, columns = np.nonzero(mask(viewer))
    # The disc's outermost points are narrower than a pixel.
    ends = [rows.min(), rows.max(), columns.min(), columns.max()]
    assert np.abs(np.subtract(ends, [10, 49, 20, 89])).max() <= 1


def test_a_box_in_an_empty_frame_begins_a_gland(widget, viewer):
    widget.clear_button.click()
    widget.box_button.click()
    drag(widget, viewer, [(19.5, 29.5), (59.5, 69.5)])
    assert dice(mask(viewer), disc((39.5, 49.5), 20)) > 0.99


def test_nudging_pushes_what_the_circle_meets_and_nothing_else(widget, viewer):
    widget.nudge_button.click()
    widget.circle.setValue(50)  # of 41 pixels: a radius of 10
    drag(widget, viewer, [(40, column) for column in range(66, 77)])
    now = mask(viewer)
    assert now[40, 74]
    left = np.arange(100) < 55
    assert np.array_equal(now & left, disc() & left)


def test_a_circle_that_meets_nothing_changes_nothing(widget, viewer):
    widget.nudge_button.click()
    drag(widget, viewer, [(5, 5), (5, 9)])
    assert np.array_equal(mask(viewer), disc())
    assert not widget.capsule.review.edited


def test_an_empty_frame_cannot_be_nudged(widget, viewer):
    widget.clear_button.click()
    widget.nudge_button.click()
    drag(widget, viewer, [(40, 40), (40, 50)])
    assert "There is no capsule in this frame" in widget.message.text()


def test_one_tool_at_a_time_and_the_picture_moves_again_after_it(widget, viewer):
    layer = viewer.layers["capsule"]
    widget.nudge_button.click()
    assert layer.cursor == "circle"
    assert not layer.mouse_pan
    widget.scribble_button.click()
    assert not widget.nudge_button.isChecked()
    assert layer.cursor == "cross"
    widget.handle_button.click()
    assert not widget.scribble_button.isChecked()
    widget.handle_button.click()
    widget.click_button.click()
    assert layer.mouse_pan
    assert layer.cursor == "standard"
    ours = widget.pointer._on_press
    assert viewer.mouse_drag_callbacks.count(ours) == 1
    widget.click_button.click()
    assert ours not in viewer.mouse_drag_callbacks


def test_another_mode_or_layer_ends_the_tool(widget, viewer):
    layer = viewer.layers["capsule"]
    widget.nudge_button.click()
    layer.mode = "paint"
    assert not widget.nudge_button.isChecked()
    assert layer.mode == "paint"
    widget.nudge_button.click()
    viewer.layers.selection.active = viewer.layers["scan"]
    assert not widget.nudge_button.isChecked()


def test_undecided_pixels_stay_undecided_outside_the_outline(widget, viewer):
    layer = viewer.layers["capsule"]
    layer.data[0, 2:6, 2:6] = IGNORE_VALUE
    widget.pointer.click(layer.data_to_world((0, 40, 75)))
    assert (layer.data[0, 2:6, 2:6] == IGNORE_VALUE).all()
    assert mask(viewer)[40, 75]


def test_a_corner_dropped_with_shift_goes_to_the_border(widget, viewer):
    widget.handle_button.click()
    handles = widget.handles
    y, x = np.mgrid[:80, :100]
    # The model sees a disc two pixels wider.
    handles.probability = 1 / (1 + np.exp(2 * (np.hypot(y - 40, x - 50) - 22)))
    before = handles._now()
    which = int(before[:, 1].argmax())
    moved = before.copy()
    moved[which, 1] += 1
    handles.layer.data = [handles._placed(moved)]
    handles.snap_since(before)
    radius = np.hypot(*(handles._now() - (40, 50)).T)
    assert radius[which] == pytest.approx(22, abs=0.5)
    assert np.delete(radius, which) == pytest.approx(20, abs=0.3)


def test_moving_the_whole_outline_snaps_nothing(widget):
    widget.handle_button.click()
    handles = widget.handles
    handles.probability = np.eye(100)[:80]
    before = handles._now()
    handles.layer.data = [handles._placed(before + 3)]
    handles.snap_since(before)
    assert np.array_equal(handles._now(), before + 3)


def test_the_border_comes_while_the_handles_are_there(qtbot, widget, monkeypatch):
    from napari_microus.widgets.correct import jobs

    def _probability(scan, frames, model_name):
        yield
        return np.full((6, 80, 100), frames[0], dtype=np.float32)

    monkeypatch.setattr(jobs, "_probability", _probability)
    widget.go_to(3)
    widget.handle_button.click()
    qtbot.waitUntil(lambda: widget.handles.probability is not None)
    assert widget.handles.probability[0, 0] == 3


def test_closing_the_dock_leaves_one_step_and_a_history_that_works(widget, viewer):
    layer = viewer.layers["capsule"]
    widget.show()
    widget.handle_button.click()
    handles = widget.handles
    handles.layer.data = [handles._placed(handles._now() + 3)]
    widget.hide()
    assert list(viewer.layers) == [viewer.layers["scan"], layer]
    assert not np.array_equal(mask(viewer), disc())
    layer.undo()
    assert np.array_equal(mask(viewer), disc())
    layer.data_setitem((np.array([0]), np.array([0]), np.array([0])), np.array([1]))
    layer.undo()
    assert not mask(viewer)[0, 0]


def test_new_data_in_the_middle_of_a_drag_leaves_a_history_that_works(widget, viewer):
    layer = viewer.layers["capsule"]
    widget.nudge_button.click()
    assert widget.pointer.begin(layer.data_to_world((0, 40, 66)))
    widget.pointer.drag(layer.data_to_world((0, 40, 74)))
    layer.data = np.zeros_like(layer.data)
    widget.pointer.end()
    assert not layer.data.any()
    layer.data_setitem((np.array([0]), np.array([0]), np.array([0])), np.array([1]))
    layer.undo()
    assert not layer.data.any()


def test_new_data_under_the_handles_stay_as_they_are(widget, viewer):
    layer = viewer.layers["capsule"]
    widget.handle_button.click()
    handles = widget.handles
    handles.layer.data = [handles._placed(handles._now() + 3)]
    layer.data = np.zeros_like(layer.data)
    assert widget.handles is None
    assert not widget.handle_button.isChecked()
    assert not layer.data.any()
    assert len(viewer.layers) == 2
