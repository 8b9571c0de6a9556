"""The sample is shown where there is something to compare."""

from napari.components import ViewerModel
from npe2 import PluginManager

from napari_microus.widgets._shared.opening import open_sample


def test_the_outlines_are_shown_in_a_frame_that_has_both(qapp):
    PluginManager.instance().discover()
    viewer = ViewerModel()
    scan = open_sample(viewer, with_outlines=True)
    frame = round(scan.world_to_data(viewer.dims.point)[0])
    for layer in list(viewer.layers)[1:]:
        assert layer.visible
        assert (layer.data[frame] == 1).any()
