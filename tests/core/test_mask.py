import numpy as np
import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.mask import (
    as_mask,
    decided,
    foreground_value,
    label_values,
    settle,
)

SQUARE = np.array([[[0, 1], [1, 0]]])


@pytest.mark.parametrize(
    "stored",
    [
        SQUARE.astype(bool),
        SQUARE.astype(np.uint8),
        SQUARE.astype(np.float32),
        (SQUARE * 255).astype(np.uint8),
        (SQUARE * 255).astype(np.float64),
        (SQUARE * 7).astype(np.int64),
    ],
    ids=["bool", "uint8", "float", "0/255", "float 0/255", "label 7"],
)
def test_every_way_of_storing_a_mask_reads_alike(stored):
    mask = as_mask(stored)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, SQUARE)


def test_255_beside_another_label_is_undecided():
    mask = as_mask(np.array([[[0, 1, 255]]], np.uint8))
    np.testing.assert_array_equal(mask, [[[0, 1, 255]]])


def test_several_labels_are_listed_and_one_can_be_chosen():
    labels = np.array([[[0, 1, 2, 4]]], np.uint8)
    with pytest.raises(InputError, match=r"got several \(1, 2, 4\)\. Choose"):
        as_mask(labels)
    np.testing.assert_array_equal(as_mask(labels, 2), [[[0, 0, 1, 0]]])
    assert label_values(labels) == [1, 2, 4]


def test_a_probability_is_no_mask():
    with pytest.raises(InputError, match=r"got 0\.5\. Threshold"):
        as_mask(np.array([[[0.0, 0.5, 1.0]]]))
    with pytest.raises(InputError, match="got nan"):
        as_mask(np.array([[[0.0, np.nan]]]))


def test_an_empty_mask_answers_one():
    assert foreground_value(np.zeros((2, 3, 3), np.uint8)) == 1
    assert label_values(np.zeros((0, 0), np.int32)) == []


def test_undecided_pixels_count_for_nothing():
    one = np.array([1, 1, 0, 255, 255], np.uint8)
    two = np.array([1, 0, 255, 1, 255], np.uint8)
    np.testing.assert_array_equal(decided(one, two), [1, 1, 0, 0, 0])
    first, second = settle(one, two)
    np.testing.assert_array_equal(first, [1, 1, 0, 1, 0])
    np.testing.assert_array_equal(second, [1, 0, 0, 1, 0])


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.uint16])
def test_labels_of_every_integer_type_are_found(dtype):
    labels = np.zeros((2, 4, 4), dtype)
    labels[0, 1], labels[1, 2] = 7, 300
    assert label_values(labels) == [7, 300]
    if np.issubdtype(dtype, np.signedinteger):
        labels[0, 0] = -1
        assert label_values(labels) == [-1, 7, 300]


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.uint64, np.float32])
def test_values_of_any_range_are_found(dtype):
    """The range of an int16 does not fit into an int16."""
    low = 0 if dtype is np.uint64 else -32768
    array = np.zeros((1, 4, 4), dtype)
    array[0, 0, 0], array[0, 1, 1] = low, 1000
    assert label_values(array) == ([1000] if low == 0 else [low, 1000])
