import numpy as np
from napari.components import ViewerModel

from napari_microus._sample_data import phantom_case, sweep_case
from napari_microus.core.events import drain
from napari_microus.core.library import DEFAULT_MODEL, load_model
from napari_microus.core.metrics import evaluate_case
from napari_microus.core.predict import predict
from napari_microus.core.samples import read_sweep
from napari_microus.widgets._shared.layers import grid_of_layer, volume_from_layer
from napari_microus.widgets.segment.readout import describe_size


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


def test_real_frames_name_their_source_and_carry_two_outlines():
    viewer = ViewerModel()
    for data in sweep_case():
        viewer._add_layer_from_data(*data)
    scan, first, second = viewer.layers
    assert scan.data.shape == (10, 259, 369)
    for layer in viewer.layers:
        stated = layer.metadata["napari_microus"]["attribution"]
        assert "CC-BY-4.0" in stated
        assert "10475293" in stated
        assert "by no clinician" in stated
    twice = [(frame != 255).all() for frame in second.data]
    assert sum(twice) == 3
    both = (first.data[twice] & second.data[twice]).sum()
    assert 2 * both / (first.data[twice].sum() + second.data[twice].sum()) > 0.85
    assert volume_from_layer(first).shares_grid(volume_from_layer(scan))


def test_bundled_model_stays_above_its_floor_on_the_real_frames():
    sweep = read_sweep()
    found = drain(predict(load_model(DEFAULT_MODEL), sweep.scan))
    scores = evaluate_case(found.mask.array, sweep.first.array, sweep.scan.spacing_mm)
    assert scores.mean.dice > 0.91
    assert scores.mean.hd95_mm < 3.5
    assert min(row.dice for row in scores.frames) > 0.8


def test_volume_is_not_reported_where_the_distance_of_frames_is_unknown():
    viewer = ViewerModel()
    for data in sweep_case():
        viewer._add_layer_from_data(*data)
    first = viewer.layers["outline 1"]
    grid = grid_of_layer(first)
    counts = np.full(len(grid.array), 64)
    size = describe_size(grid, 64, counts, np.zeros((len(counts), 2)))
    assert size.area == "1.0 mm²"  # 64 pixels of 0.125 x 0.125 mm
    assert size.ml is None
    assert "neither the distance of the frames" in size.method
