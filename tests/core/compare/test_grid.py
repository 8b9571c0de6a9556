import numpy as np
import pytest

from drained import drained
from napari_microus.core.compare.grid import (
    grid_problem,
    resample_frames,
)
from napari_microus.core.errors import InputError
from napari_microus.core.events import drain
from napari_microus.core.volume import Volume


def block(shape, spacing_mm):
    mask = np.zeros(shape, np.uint8)
    _, y, x = shape
    mask[:, y // 4 : 3 * y // 4, x // 4 : 3 * x // 4] = 1
    return Volume.from_spacing(mask, spacing_mm)


def test_a_finer_mask_comes_onto_the_grid():
    reference = block((3, 20, 40), (1, 1, 1))
    finer = block((3, 40, 80), (1, 0.5, 0.5))
    assert (
        "has 3 frames of 40 × 80 pixels, and the reference 3 frames of 20 × 40"
        in grid_problem(finer, reference)
    )
    resampled = drain(resample_frames(finer, reference))
    assert grid_problem(resampled, reference) is None
    # Sample centres of both grids meet at even pixels: one column may differ.
    assert (resampled.array != reference.array).mean() < 0.05


def test_a_shifted_mask_moves_back():
    reference = block((2, 20, 20), (1, 1, 1))
    affine = reference.affine.copy()
    affine[0, 3] -= 2  # two columns further, as columns run to the left
    moved = Volume(np.roll(reference.array, -2, axis=2), affine)
    assert "shifted or turned" in grid_problem(moved, reference)
    np.testing.assert_array_equal(
        drain(resample_frames(moved, reference)).array, reference.array
    )


def test_without_geometry_both_cover_one_rectangle():
    reference = Volume(block((1, 20, 20), (1, 1, 1)).array, has_geometry=False)
    larger = Volume(block((1, 40, 40), (1, 1, 1)).array, has_geometry=False)
    np.testing.assert_array_equal(
        drain(resample_frames(larger, reference)).array, reference.array
    )


def test_masks_of_different_places_are_refused():
    reference = block((1, 20, 20), (1, 1, 1))
    affine = reference.affine.copy()
    affine[0, 3] = 500
    with pytest.raises(InputError, match="no common voxel"):
        drain(resample_frames(Volume(reference.array, affine), reference))


def test_equal_grids_have_no_problem():
    assert (
        grid_problem(block((1, 4, 4), (1, 1, 1)), block((1, 4, 4), (1, 1, 1))) is None
    )


def test_frames_of_a_tilted_mask_are_looked_up_one_by_one():
    """Every voxel's centre, sent through both affines by hand."""
    turn = np.array([[0.96, -0.28, 0, 1], [0.28, 0.96, 0, -2], [0, 0, 1, 0.4]])
    mask = Volume(
        np.random.default_rng(0).integers(0, 2, (5, 16, 18)).astype(np.uint8),
        np.vstack([turn, [0, 0, 0, 1]]) @ np.diag([-1, -1, 1.5, 1]),
    )
    reference = Volume.from_spacing(np.zeros((4, 12, 14), np.uint8), (2, 1.1, 0.9))
    found, steps = drained(resample_frames(mask, reference))
    assert len(steps) == 4
    to_mask = np.linalg.inv(mask.affine) @ reference.affine
    for k, j, i in np.ndindex(*reference.shape):
        x, y, z = np.floor(to_mask @ (i, j, k, 1) + 0.5).astype(int)[:3]
        inside = 0 <= z < 5 and 0 <= y < 16 and 0 <= x < 18
        assert found.array[k, j, i] == (mask.array[z, y, x] if inside else 0)
