from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from napari_microus.core.errors import InputError
from napari_microus.core.io import (
    as_mask,
    distinct_values,
    placed_on,
    read_mask,
    read_volume,
    write_mask,
    write_volume,
)
from napari_microus.core.io.masks import difference
from napari_microus.core.volume import Volume


def volume(values: list, dtype: str) -> Volume:
    return Volume.from_spacing(np.array([[values]], dtype), (1, 1, 1))


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0, 1, 1], "bool"),
        ([0, 1, 1], "uint8"),
        ([0, 1, 1], "int64"),
        ([0.0, 1.0, 1.0], "float32"),
        ([0, 255, 255], "uint8"),
        ([0, 65535, 65535], "uint16"),
        ([0, 2, 2], "uint8"),
    ],
)
def test_one_object_becomes_0_and_1(values, dtype):
    mask = as_mask(volume(values, dtype))

    assert mask.array.dtype == np.uint8
    assert mask.array.ravel().tolist() == [0, 1, 1]


def test_255_beside_1_is_undecided():
    assert as_mask(volume([0, 1, 255], "int16")).array.ravel().tolist() == [0, 1, 255]


def test_255_alone_in_a_mask_of_ours_is_undecided(tmp_path, mask):
    undecided = np.zeros_like(mask.array)
    undecided[0] = 255
    for name in ("a.nii.gz", "a.nrrd", "a.mha", "a.seg.nrrd"):
        write_mask(mask.like(undecided), tmp_path / name)
        np.testing.assert_array_equal(read_mask(tmp_path / name).array, undecided)


@pytest.mark.parametrize("values", [[0, 0, 0], [1, 1, 1]])
def test_empty_and_full_masks_are_masks(values):
    assert as_mask(volume(values, "uint8")).array.ravel().tolist() == values


def test_several_labels_ask_for_one(tmp_path, mask):
    array = mask.array * 2
    array[0, 0, 0] = 1
    write_mask(mask.like(array), tmp_path / "a.nii.gz")

    with pytest.raises(
        InputError, match=r"one object; got labels 1, 2 in .*a.nii.gz. Choose one"
    ):
        read_mask(tmp_path / "a.nii.gz")
    chosen = read_mask(tmp_path / "a.nii.gz", label=2)
    np.testing.assert_array_equal(chosen.array, mask.array)


def test_label_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"got 3, and the mask holds 1, 2\."):
        as_mask(volume([0, 1, 2], "uint8"), label=3)


@pytest.mark.parametrize(
    ("values", "stated"),
    [
        ([0.0, 0.5, 1.0], "got 0, 0.5, 1 in"),
        ([-1, 0, 1], "got -1, 0, 1 in"),
        ([0, 1, np.nan], "got "),
        (list(range(100)), "got many values in"),
    ],
)
def test_other_values_are_no_mask(values, stated):
    with pytest.raises(InputError, match=stated):
        as_mask(volume(values, "float64"))


@pytest.mark.parametrize(
    "array", [np.arange(200, dtype=np.uint8), np.arange(200.0), np.arange(-100, 100)]
)
def test_distinct_values_stop_at_a_scan(array):
    frames = array.reshape(2, 10, 10)

    assert distinct_values(frames) is None
    assert distinct_values(frames, limit=200) == np.unique(array).tolist()


def test_picture_of_0_and_255_is_a_mask(tmp_path, mask):
    Image.fromarray(mask.array[1] * 255).save(tmp_path / "a.png")

    read = read_mask(tmp_path / "a.png")

    np.testing.assert_array_equal(read.array[0], mask.array[1])


def test_coloured_palette_of_a_mask_is_its_labels(tmp_path, mask):
    picture = Image.fromarray(mask.array[1]).convert("P")
    picture.putpalette([0, 0, 0, 200, 40, 40])
    picture.save(tmp_path / "a.png")

    np.testing.assert_array_equal(read_mask(tmp_path / "a.png").array[0], mask.array[1])


def test_colour_picture_is_no_mask(tmp_path):
    pixels = np.zeros((4, 5, 3), np.uint8)
    pixels[..., 0] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")

    with pytest.raises(InputError, match="grey or a palette of labels; got colour"):
        read_mask(tmp_path / "a.png")


def test_mask_of_the_scans_grid_takes_its_affine(tmp_path, mask):
    write_mask(mask, tmp_path / "a.nii")  # rounds the affine to float32

    read = read_mask(tmp_path / "a.nii", grid=mask)

    np.testing.assert_array_equal(read.affine, mask.affine)


def test_mask_without_geometry_is_laid_on_a_scan_of_its_shape(tmp_path, mask):
    for number, frame in enumerate(mask.array):
        Image.fromarray(frame * 255).save(tmp_path / f"{number}.png")

    read = read_mask(tmp_path, grid=mask)

    np.testing.assert_array_equal(read.array, mask.array)
    np.testing.assert_array_equal(read.affine, mask.affine)
    assert read.has_geometry


def test_cropped_segment_goes_back_to_its_place(tmp_path, mask):
    write_mask(mask, tmp_path / "whole.nrrd")
    whole = sitk.ReadImage(str(tmp_path / "whole.nrrd"))
    # columns 2-4, rows 1-3, frames 1-2, as 3D Slicer crops a segment
    part = whole[2:5, 1:4, 1:3]
    sitk.WriteImage(part, str(tmp_path / "cut.seg.nrrd"))
    sitk.WriteImage(part, str(tmp_path / "cut.nrrd"))

    cut = read_volume(tmp_path / "cut.seg.nrrd")
    assert cut.shape == (2, 3, 3)
    placed = read_mask(tmp_path / "cut.seg.nrrd", grid=mask)

    np.testing.assert_array_equal(placed.array, mask.array)
    assert placed.shares_grid(mask)
    with pytest.raises(InputError, match="share a grid"):
        read_mask(tmp_path / "cut.nrrd", grid=mask)


@pytest.mark.parametrize("change", ["shift", "size", "outside", "shape"])
def test_mask_of_another_grid_is_refused(mask, change):
    affine, array = mask.affine.copy(), mask.array
    if change == "shift":
        affine[:3, 3] += 0.3 * affine[:3, 0]
    elif change == "size":
        affine[:3, 2] *= 2
    elif change == "outside":
        affine[:3, 3] += 4 * affine[:3, 0]
    else:
        array = np.zeros((9, 9, 9), np.uint8)

    with pytest.raises(InputError, match="Mask and image must share a grid; got"):
        placed_on(Volume(array, affine), mask)


def test_probability_is_no_mask(tmp_path, mask):
    smooth = np.linspace(0, 1, mask.array.size, dtype=np.float32)
    write_volume(mask.like(smooth.reshape(mask.shape)), tmp_path / "p.nii.gz")

    with pytest.raises(InputError, match="threshold it first"):
        read_mask(tmp_path / "p.nii.gz")


def test_a_mask_saved_before_a_sweep_was_stated_lies_over_its_scan():
    array = np.ones((3, 4, 5), np.uint8)
    mask = Volume.from_spacing(array, (1.2, 0.1, 0.1))
    grid = Volume.from_spacing(array, (1.0, 0.1, 0.1))
    turned = replace(grid, metadata={"frame_distance": "unknown"})
    assert placed_on(mask, turned).shares_grid(grid)
    with pytest.raises(InputError, match="must share a grid"):
        placed_on(mask, grid)
    coarse = Volume.from_spacing(array, (1.2, 0.2, 0.1))
    with pytest.raises(InputError, match="must share a grid"):
        placed_on(coarse, turned)


def test_centres_are_measured_in_all_three_directions():
    """Of a mask with two more frames of 2 mm at its end the centre lies 2 mm on."""
    grid = Volume.from_spacing(np.zeros((4, 6, 8), np.uint8), (2.0, 0.5, 0.5))
    longer = Volume.from_spacing(np.zeros((6, 6, 8), np.uint8), (2.0, 0.5, 0.5))
    assert difference(longer, grid) == ", centres 2 mm apart"
    wider = Volume.from_spacing(np.zeros((4, 6, 16), np.uint8), (2.0, 0.5, 0.5))
    assert difference(wider, grid) == ", centres 2 mm apart"
    higher = Volume.from_spacing(np.zeros((4, 10, 8), np.uint8), (2.0, 0.5, 0.5))
    assert difference(higher, grid) == ", centres 1 mm apart"
    thicker = Volume.from_spacing(np.zeros((4, 6, 8), np.uint8), (4.0, 0.5, 0.5))
    assert difference(thicker, grid) == ", centres 3 mm apart"
