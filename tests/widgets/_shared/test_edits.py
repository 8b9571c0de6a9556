import numpy as np
import pytest
from napari.components import ViewerModel

from napari_microus.widgets._shared.edits import set_pixels


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((10, 20, 30)))
    viewer.add_labels(np.zeros((5, 20, 30), np.uint8), name="capsule")
    yield viewer
    viewer.layers.clear()


def one_pixel(frame):
    return tuple(np.array([at]) for at in (frame, 5, 6))


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("step", [0, 2, 4, 9])
def test_pixels_of_every_frame_change_as_one_step(viewer, shown, step):
    """Hidden, napari's layer keeps the picture of the frame it was hidden at."""
    layer = viewer.layers["capsule"]
    layer.visible = shown
    viewer.dims.set_current_step(0, step)
    for frame in range(5):
        set_pixels(layer, one_pixel(frame), np.array([1], np.uint8))
        assert layer.data.sum() == 1
        assert layer.data[frame, 5, 6] == 1
        layer.data[frame] = 0
    assert len(layer._undo_history) == 5


def test_a_picture_that_takes_no_pixels_does_not_stop_the_change(viewer):
    """As vispy's texture where the slider is beyond the layer's last frame."""

    def refuse(event):
        raise ValueError("Data is too large")

    layer = viewer.layers["capsule"]
    layer.events.labels_update.connect(refuse)
    set_pixels(layer, one_pixel(2), np.array([1], np.uint8))
    assert layer.data[2, 5, 6] == 1
    assert len(layer._undo_history) == 1


def test_a_place_beside_the_layer_is_an_error_still(viewer):
    with pytest.raises(IndexError):
        set_pixels(viewer.layers["capsule"], one_pixel(5), np.array([1], np.uint8))
