"""Runs of pixels must give SciPy's components and holes, pixel for pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from napari_microus.core.predict.components import (
    fill_holes,
    keep_largest_component,
    keep_one_piece,
)

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


def scipy_largest(mask):
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    return labels == 1 + np.bincount(labels[labels > 0] - 1).argmax()


@settings(max_examples=300, deadline=None)
@given(masks)
def test_largest_component_is_scipys(mask):
    ours = mask.copy()
    keep_largest_component(ours)
    np.testing.assert_array_equal(ours, scipy_largest(mask))


@settings(max_examples=300, deadline=None)
@given(masks)
def test_filled_holes_are_scipys(mask):
    ours = mask.copy()
    fill_holes(ours)
    np.testing.assert_array_equal(ours, ndimage.binary_fill_holes(mask))


@pytest.mark.parametrize("density", [0.02, 0.4, 0.6, 0.98])
def test_noise_of_a_real_frames_size_matches_scipy(density):
    mask = np.random.default_rng(0).random((481, 686)) < density
    largest, filled = mask.copy(), mask.copy()
    keep_largest_component(largest)
    fill_holes(filled)
    np.testing.assert_array_equal(largest, scipy_largest(mask))
    np.testing.assert_array_equal(filled, ndimage.binary_fill_holes(mask))


@pytest.mark.parametrize("value", [False, True])
def test_empty_and_full_frames_stay(value):
    mask = np.full((4, 5), value)
    keep_largest_component(mask)
    fill_holes(mask)
    assert (mask == value).all()


@settings(max_examples=300, deadline=None)
@given(masks)
def test_one_piece_is_scipys_largest_without_holes(mask):
    ours = mask.copy()
    keep_one_piece(ours)
    expected = ndimage.binary_fill_holes(scipy_largest(mask))
    np.testing.assert_array_equal(ours, expected)


@settings(max_examples=200, deadline=None)
@given(arrays(np.int8, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12)))
def test_one_run_a_row_is_one_piece_only_where_the_runs_touch(seeds):
    # Rows of one run each, which random masks seldom have.
    columns = np.arange(10)
    first, length = seeds[:, 0] % 10, 1 + seeds[:, 1] % 5
    mask = (columns >= first[:, None]) & (columns < (first + length)[:, None])
    ours = mask.copy()
    keep_one_piece(ours)
    expected = ndimage.binary_fill_holes(scipy_largest(mask))
    np.testing.assert_array_equal(ours, expected)
