import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_microus.core.compare import hard_region
from napari_microus.core.errors import InputError

REFERENCE = Path(__file__).parents[1] / "reference"


def masks(shape=(3, 17, 22)):
    rng = np.random.default_rng(3)
    return [(rng.random(shape) < 0.04).astype(np.uint8) for _ in range(2)]


@pytest.mark.parametrize("kernel_size", range(1, 6))
@pytest.mark.parametrize("case", range(6))
def test_pixel_counts_are_the_published_ones(case, kernel_size):
    numbers = json.loads((REFERENCE / "losses.json").read_text(encoding="utf-8"))
    with np.load(REFERENCE / "losses.npz") as arrays:
        expert = arrays[f"case{case}_expert"]
        nonexpert = arrays[f"case{case}_nonexpert"]
    expected = numbers["annotation_losses"][case][f"hard_pixels_ks{kernel_size}"]
    assert hard_region(expert, nonexpert, kernel_size).sum() == expected
    tensors = torch.from_numpy(expert), torch.from_numpy(nonexpert)
    assert hard_region(*tensors, kernel_size).sum() == expected


@pytest.mark.parametrize(
    ("kernel_size", "low", "high"),
    [(1, 5, 5), (2, 5, 6), (3, 4, 6), (4, 4, 7), (5, 3, 7), (9, 1, 9)],
)
def test_even_squares_reach_one_pixel_further_down_and_right(kernel_size, low, high):
    # OpenCV looks from an output pixel at inputs -k//2 ... k-1-k//2 away.
    expert = np.zeros((12, 13), bool)
    expert[5, 5] = True
    expected = np.zeros_like(expert)
    expected[low : high + 1, low : high + 1] = True
    found = hard_region(expert, np.zeros_like(expert), kernel_size)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5, 8, 11, 30])
def test_arrays_and_tensors_agree_with_scipy(kernel_size):
    expert, nonexpert = masks()
    # SciPy's maximum filter centres even windows as OpenCV's dilation does.
    expected = np.stack(
        [
            ndimage.maximum_filter(frame, kernel_size, mode="constant")
            for frame in (expert ^ nonexpert)
        ]
    ).astype(bool)
    found = hard_region(expert, nonexpert, kernel_size)
    assert found.dtype == bool
    np.testing.assert_array_equal(found, expected)
    batch = hard_region(
        torch.from_numpy(expert)[:, None],
        torch.from_numpy(nonexpert)[:, None],
        kernel_size,
    )
    assert batch.dtype == torch.bool
    np.testing.assert_array_equal(batch[:, 0].numpy(), expected)


def test_frames_do_not_touch_each_other():
    expert = np.zeros((3, 8, 8), bool)
    expert[1] = True
    found = hard_region(expert, np.zeros_like(expert), 5)
    assert found.any((1, 2)).tolist() == [False, True, False]


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_unknown_annotations_count_as_agreement(convert):
    expert = np.array([[0, 255, 1]], np.uint8)
    nonexpert = np.array([[0, 1, 255]], np.uint8)
    assert not hard_region(convert(expert), convert(nonexpert), 3).any()


@pytest.mark.parametrize("kind", [bool, np.int64, np.float32])
def test_any_kind_of_number_will_do(kind):
    expert, nonexpert = masks()
    np.testing.assert_array_equal(
        hard_region(expert.astype(kind), nonexpert.astype(kind), 4),
        hard_region(expert, nonexpert, 4),
    )


def test_input_is_left_as_it_was():
    expert, nonexpert = masks()
    before = expert.copy()
    hard_region(expert, nonexpert, 1)[:] = True
    np.testing.assert_array_equal(expert, before)


@pytest.mark.parametrize("kernel_size", [0, -2, 2.0, True, "3"])
def test_kernel_size_must_be_a_positive_whole_number(kernel_size):
    with pytest.raises(InputError, match="positive whole number of pixels; got"):
        hard_region(*masks(), kernel_size)


def test_bad_masks_are_named():
    expert, nonexpert = masks()
    with pytest.raises(InputError, match=r"share a grid; got \(3, 17, 22\) and"):
        hard_region(expert, nonexpert[:, 1:], 3)
    with pytest.raises(InputError, match="rows and columns; got shape"):
        hard_region(np.zeros(4), np.zeros(4), 3)
    with pytest.raises(InputError, match=r"0, 1 or 255 \(ignored\); got 7"):
        hard_region(expert * np.uint8(7), nonexpert, 3)
    with pytest.raises(InputError, match="of one kind; got ndarray and Tensor"):
        hard_region(expert, torch.from_numpy(nonexpert), 3)
