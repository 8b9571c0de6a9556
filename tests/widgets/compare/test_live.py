"""The disagreement layer stays true through every way of editing a mask."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication

from napari_microus.core.disagreement import disagreement_map
from napari_microus.core.hard_region import hard_region
from napari_microus.widgets.compare.live import LiveComparison
from napari_microus.widgets.compare.pair import Pair

SHAPE = (5, 40, 50)


def masks(shape=SHAPE, dtype=np.uint8):
    expert = np.zeros(shape, dtype)
    expert[..., 10:30, 10:30] = 1
    nonexpert = np.zeros(shape, dtype)
    nonexpert[..., 12:33, 10:28] = 1
    return expert, nonexpert


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def compare(qtbot, viewer):
    comparisons = []

    def make(expert, nonexpert, **values):
        pair = Pair(
            viewer.add_labels(expert, name="expert"),
            viewer.add_labels(nonexpert, name="non-expert"),
            **values,
        )
        comparisons.append(LiveComparison(viewer, pair))
        comparisons[-1].finish()
        return comparisons[-1]

    yield make
    for comparison in comparisons:
        comparison.close()


def is_true(comparison):
    """Let queued work run, then compare with a map computed again."""
    for _ in range(3):
        QApplication.processEvents()
    pair = comparison.pair
    expected = disagreement_map(
        pair.expert.data,
        pair.nonexpert.data,
        expert_value=pair.expert_value,
        nonexpert_value=pair.nonexpert_value,
    )
    return np.array_equal(comparison.layer.data, expected)


def test_painting_is_followed_dab_by_dab_while_the_button_is_down(compare, viewer):
    comparison = compare(*masks())
    viewer.dims.set_point(0, 2)
    layer = comparison.pair.nonexpert
    with layer.block_history():  # as napari does while the button is down
        for column in (5, 8, 11):
            layer.paint((2, 5, column), 1)
            assert comparison.layer.data[2, 5, column] == 3
    assert is_true(comparison)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_fill_undo_and_redo_are_followed(compare, viewer, dtype):
    comparison = compare(*masks(dtype=dtype))
    viewer.dims.set_point(0, 1)
    layer = comparison.pair.expert
    layer.fill((1, 0, 0), 1)
    assert is_true(comparison)
    layer.paint((1, 35, 45), 0)
    assert is_true(comparison)
    for action in (layer.undo, layer.undo, layer.redo, layer.redo, layer.undo):
        action()
        assert is_true(comparison)


def test_undo_is_followed_in_a_frame_out_of_view(compare, viewer):
    comparison = compare(*masks())
    layer = comparison.pair.expert
    viewer.dims.set_point(0, 3)
    layer.paint((3, 35, 35), 1)
    viewer.dims.set_point(0, 0)
    QApplication.processEvents()
    layer.undo()
    assert is_true(comparison)


def test_undo_of_a_hidden_mask_is_followed_when_it_is_shown(compare):
    comparison = compare(*masks())
    layer = comparison.pair.expert
    layer.paint((0, 35, 35), 1)
    layer.visible = False
    layer.undo()
    layer.visible = True
    assert is_true(comparison)


def test_a_brush_through_frames_is_followed(compare):
    comparison = compare(*masks())
    layer = comparison.pair.nonexpert
    layer.n_edit_dimensions = 3
    layer.brush_size = 9
    layer.paint((2, 5, 5), 1)
    assert is_true(comparison)


def test_scripted_edits_are_followed(compare):
    comparison = compare(*masks())
    layer = comparison.pair.expert
    layer.data_setitem((np.array([4, 4]), np.array([1, 2]), np.array([3, 3])), 1)
    assert is_true(comparison)
    layer.data = np.roll(layer.data, 3, axis=1)
    comparison.finish()
    assert is_true(comparison)


def test_only_what_was_touched_is_reported(qtbot, compare):
    comparison = compare(*masks())
    stated = []
    comparison.changed.connect(stated.append)
    comparison.pair.expert.paint((0, 35, 35), 1)
    QApplication.processEvents()
    assert stated == [{0}]


def test_the_hard_region_follows_too(compare):
    comparison = compare(*masks())
    comparison.widen(4)
    comparison.finish()
    comparison.pair.expert.paint((0, 36, 40), 1)
    assert is_true(comparison)
    expected = hard_region(
        comparison.pair.expert.data, comparison.pair.nonexpert.data, 4
    )
    np.testing.assert_array_equal(comparison.hard_layer.data, expected)


def test_single_frames_are_compared(compare):
    comparison = compare(*masks(SHAPE[1:]))
    comparison.pair.expert.paint((35, 35), 1)
    assert is_true(comparison)
    assert comparison.frames == 1


def test_labels_of_any_value_are_compared(compare):
    expert, nonexpert = masks()
    comparison = compare(
        expert * 255, nonexpert * 3, expert_value=255, nonexpert_value=3
    )
    comparison.pair.nonexpert.paint((0, 5, 5), 3)
    assert is_true(comparison)
    assert comparison.counts.both == 5 * 18 * 18


def test_a_mask_that_is_removed_ends_the_comparison_with_a_sentence(compare, viewer):
    comparison = compare(*masks())
    reasons = []
    comparison.ended.connect(reasons.append)
    viewer.layers.remove(comparison.pair.expert)
    assert "'expert' was removed" in reasons[0]
    comparison.pair.nonexpert.paint((0, 5, 5), 1)  # nothing follows, nothing fails


def test_a_mask_of_another_size_ends_the_comparison(compare):
    comparison = compare(*masks())
    reasons = []
    comparison.ended.connect(reasons.append)
    comparison.pair.expert.data = np.zeros((2, 40, 50), np.uint8)
    assert "changed its size" in reasons[0]


def test_the_layer_lies_over_the_masks(viewer, qtbot):
    expert, nonexpert = masks()
    place = {"scale": (2, 0.5, 0.5), "translate": (1, 2, 3), "units": ("mm",) * 3}
    pair = Pair(
        viewer.add_labels(expert, **place), viewer.add_labels(nonexpert, **place)
    )
    comparison = LiveComparison(viewer, pair)
    np.testing.assert_allclose(comparison.layer.extent.world, pair.expert.extent.world)
    assert comparison.layer.units == pair.expert.units
    comparison.close()


@pytest.mark.parametrize("seed", [0, 1])
def test_two_hundred_random_actions_end_with_the_true_layer(compare, viewer, seed):
    comparison = compare(*masks())
    comparison.widen(3)
    rng = np.random.default_rng(seed)
    pair = comparison.pair
    extra = viewer.add_labels(np.zeros(SHAPE, np.uint8), name="bystander")
    for _ in range(200):
        layer = (pair.expert, pair.nonexpert)[rng.integers(2)]
        place = rng.integers(0, SHAPE)
        action = rng.integers(10)
        if action < 3:
            layer.brush_size = int(rng.integers(1, 12))
            viewer.dims.set_point(0, int(place[0]))
            layer.paint(place, int(rng.integers(2)))
        elif action == 3:
            viewer.dims.set_point(0, int(place[0]))
            layer.fill(place, int(rng.integers(2)))
        elif action == 4:
            layer.undo()
        elif action == 5:
            layer.redo()
        elif action == 6:
            viewer.layers.selection.active = viewer.layers[
                rng.integers(len(viewer.layers))
            ]
        elif action == 7:
            layer.visible = not layer.visible
        elif action == 8:
            viewer.dims.set_point(0, int(place[0]))
        else:
            if extra in viewer.layers:
                viewer.layers.remove(extra)
            extra = viewer.add_labels(np.zeros(SHAPE, np.uint8))
        if rng.random() < 0.3:
            QApplication.processEvents()
    comparison.finish()
    assert is_true(comparison)
    np.testing.assert_array_equal(
        comparison.live.hard, hard_region(pair.expert.data, pair.nonexpert.data, 3)
    )
