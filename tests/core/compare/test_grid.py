import numpy as np
import pytest

from napari_microus.core.compare.grid import grid_problem, resample_mask
from napari_microus.core.errors import InputError
from napari_microus.core.volume import Volume


def block(shape, spacing_mm):
    mask = np.zeros(shape, np.uint8)
    _, y, x = shape
    mask[:, y // 4 : 3 * y // 4, x // 4 : 3 * x // 4] = 1
    return Volume.from_spacing(mask, spacing_mm)


def test_a_finer_mask_comes_onto_the_grid():
    reference = block((3, 20, 40), (1, 1, 1))
    finer = block((3, 40, 80), (1, 0.5, 0.5))
    assert "3 frames of 40 × 20; got 3 frames of 80 × 40" in grid_problem(
        finer, reference
    )
    resampled = resample_mask(finer, reference)
    assert grid_problem(resampled, reference) is None
    # Sample centres of both grids meet at even pixels: one column may differ.
    assert (resampled.array != reference.array).mean() < 0.05


def test_a_shifted_mask_moves_back():
    reference = block((2, 20, 20), (1, 1, 1))
    affine = reference.affine.copy()
    affine[0, 3] -= 2  # two columns further, as columns run to the left
    moved = Volume(np.roll(reference.array, -2, axis=2), affine)
    assert "another position" in grid_problem(moved, reference)
    np.testing.assert_array_equal(
        resample_mask(moved, reference).array, reference.array
    )


def test_without_geometry_both_cover_one_rectangle():
    reference = Volume(block((1, 20, 20), (1, 1, 1)).array, has_geometry=False)
    larger = Volume(block((1, 40, 40), (1, 1, 1)).array, has_geometry=False)
    np.testing.assert_array_equal(
        resample_mask(larger, reference).array, reference.array
    )


def test_masks_of_different_places_are_refused():
    reference = block((1, 20, 20), (1, 1, 1))
    affine = reference.affine.copy()
    affine[0, 3] = 500
    with pytest.raises(InputError, match="no common voxel"):
        resample_mask(Volume(reference.array, affine), reference)


def test_equal_grids_have_no_problem():
    assert (
        grid_problem(block((1, 4, 4), (1, 1, 1)), block((1, 4, 4), (1, 1, 1))) is None
    )
