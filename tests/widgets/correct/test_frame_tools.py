"""The small tools on one frame, on a range, and within a hard region."""

import numpy as np
import pytest

from disc_frames import SHAPE, disc
from napari_microus.widgets.correct.frame_tools import OPEN, RANGE


@pytest.fixture(autouse=True)
def first_frame(viewer):
    viewer.dims.set_point(0, 0)


def test_a_range_is_one_step_and_leaves_the_others(widget, viewer):
    layer = viewer.layers["capsule"]
    widget.apply_box.setCurrentText(RANGE)
    widget.range_edit.setText("1-2,4")
    widget.clear_button.click()
    assert [bool(frame.any()) for frame in layer.data] == [1, 0, 0, 1, 0, 1]
    assert widget.capsule.review.edited == {1, 2, 4}
    assert "Changed 3 of 3 frames" in widget.message.text()
    layer.undo()
    assert (layer.data == disc()).all()


def test_approved_frames_stay_where_all_others_are_changed(widget, viewer):
    widget.approve_button.click()
    widget.apply_box.setCurrentText(OPEN)
    widget.grow_by.setValue(0.2)
    widget.shrink_button.click()
    sums = viewer.layers["capsule"].data.sum((1, 2))
    assert sums[0] == disc().sum()
    assert sums[1:] == pytest.approx(disc(radius=18).sum(), rel=0.02)


@pytest.mark.parametrize("words", ["", "a", "5-2", "0-6"])
def test_a_range_that_is_none_is_reported(widget, viewer, words):
    widget.apply_box.setCurrentText(RANGE)
    widget.range_edit.setText(words)
    widget.clear_button.click()
    assert (viewer.layers["capsule"].data == disc()).all()
    assert "frames" in widget.message.text() or words == "5-2"
    assert widget.message.text()


def test_outside_the_hard_region_both_annotators_word_counts(widget, viewer):
    grid = {"scale": (1, 0.1, 0.1), "units": ("mm",) * 3}
    small, large = (np.repeat(disc(radius=r)[None], SHAPE[0], 0) for r in (10, 15))
    viewer.add_labels(small.astype(np.uint8), name="one", **grid)
    viewer.add_labels(large.astype(np.uint8), name="two", **grid)
    widget.choose(viewer.layers["capsule"])
    viewer.layers["capsule"].data[0][disc(radius=5)] = 0  # a hole both exclude
    widget.agreed_menu.aboutToShow.emit()
    (action,) = [a for a in widget.agreed_menu.actions() if a.isEnabled()]
    action.trigger()
    now = viewer.layers["capsule"].data[0] == 1
    assert now[disc(radius=8)].all()
    assert now[disc(radius=14) & ~disc(radius=11)].all()  # the capsule's own word
    assert not now[~disc(radius=19)].any()


def test_without_two_annotations_the_menu_says_so(widget):
    widget.agreed_menu.aboutToShow.emit()
    (action,) = widget.agreed_menu.actions()
    assert not action.isEnabled()
