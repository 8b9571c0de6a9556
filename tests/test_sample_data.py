import numpy as np
from napari.components import ViewerModel

from napari_microus._sample_data import phantom_case
from napari_microus.widgets._shared.layers import volume_from_layer


def test_sample_is_a_scan_with_two_annotations_that_differ():
    viewer = ViewerModel()
    for data in phantom_case():
        viewer._add_layer_from_data(*data)

    scan, expert, nonexpert = viewer.layers
    assert [layer.name for layer in viewer.layers] == [
        "phantom",
        "expert",
        "non-expert",
    ]
    for mask in (expert, nonexpert):
        np.testing.assert_allclose(mask.extent.world, scan.extent.world)
        assert mask.units == scan.units
        assert volume_from_layer(mask).shares_grid(volume_from_layer(scan))
        assert set(np.unique(mask.data)) == {0, 1}
    both = np.logical_and(expert.data, nonexpert.data).sum()
    assert 0.7 < 2 * both / (expert.data.sum() + nonexpert.data.sum()) < 0.99


def test_sample_is_the_same_each_time():
    (one, *_), (other, *_) = phantom_case(), phantom_case()

    np.testing.assert_array_equal(one[0], other[0])
