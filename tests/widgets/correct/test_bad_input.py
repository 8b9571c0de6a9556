"""A layer that cannot be corrected gives one sentence, and stays as it is."""

import numpy as np
import pytest

from disc_frames import SHAPE, disc

GRID = {"scale": (1, 0.1, 0.1), "units": ("mm",) * 3}


def stack():
    return np.repeat(disc()[None], SHAPE[0], 0).astype(np.uint8)


def test_a_layer_that_is_not_in_memory_is_refused(widget, viewer):
    import dask.array as da

    layer = viewer.add_labels(da.from_array(stack()), name="lazy", **GRID)
    viewer.layers.selection.active = layer
    assert "read from a file bit by bit" in widget.message.text()
    assert widget.capsule is None
    assert not widget.approve_button.isEnabled()


def test_a_layer_that_is_read_only_is_refused(widget, viewer):
    data = stack()
    data.flags.writeable = False
    layer = viewer.add_labels(data, name="fixed", **GRID)
    viewer.layers.selection.active = layer
    assert "is locked. Duplicate it" in widget.message.text()


@pytest.mark.parametrize("shape", [(6, 80, 99), (5, 80, 100)])
def test_a_layer_of_another_grid_is_not_offered(widget, viewer, shape):
    viewer.add_labels(np.zeros(shape, np.uint8), name="other", **GRID)
    names = [widget.layer_box.itemText(k) for k in range(widget.layer_box.count())]
    assert names == ["capsule"]


def test_several_pieces_have_handles_on_the_largest(widget, viewer):
    layer = viewer.layers["capsule"]
    viewer.dims.set_point(0, 0)
    layer.data[0, 2:6, 2:6] = 1
    widget.handle_button.click()
    corners = widget.handles._now()
    assert corners[:, 0].min() > 15
    widget.handle_button.click()
    assert (layer.data[0, 2:6, 2:6] == 1).all()  # nothing was moved: nothing is lost


def test_a_handle_outside_the_picture_cuts_the_capsule_there(widget, viewer):
    viewer.dims.set_point(0, 0)
    widget.handle_button.click()
    handles = widget.handles
    corners = handles._now()
    corners[corners[:, 1].argmax(), 1] = 160
    handles.layer.data = [handles._placed(corners)]
    widget.handle_button.click()
    frame = viewer.layers["capsule"].data[0]
    assert frame.shape == SHAPE[1:]
    assert frame[40, 99] == 1
