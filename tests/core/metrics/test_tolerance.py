import math

import numpy as np
import pytest
import torch
from monai.metrics import compute_surface_dice
from scipy import ndimage

from napari_microus.core.errors import InputError
from napari_microus.core.metrics import added_path_length_mm, surface_dice


def blobs(shape, seed):
    """Two smooth random masks, with holes, islands and contact to the edges."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=shape), 2)
    other = field + 0.4 * ndimage.gaussian_filter(rng.normal(size=shape), 2)
    return field > 0.02, other > 0.02


def by_monai(prediction, reference, spacing, tolerance):
    one, two = (
        torch.from_numpy(np.stack([~mask, mask])[None].astype(np.float32))
        for mask in (prediction, reference)
    )
    return float(compute_surface_dice(one, two, [tolerance], spacing=spacing))


def edge(mask):
    return mask & ~ndimage.binary_erosion(mask)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tolerance", [0.23, 0.61, 1.37])
@pytest.mark.parametrize(
    ("shape", "spacing"), [((40, 53), (0.51, 0.23)), ((9, 14, 12), (1.0, 0.3, 0.41))]
)
def test_surface_dice_equals_monai(shape, spacing, tolerance, seed):
    prediction, reference = blobs(shape, seed)
    found = surface_dice(prediction, reference, spacing, tolerance)
    expected = by_monai(prediction, reference, spacing, tolerance)
    assert found == pytest.approx(expected, abs=1e-6)
    assert 0 < found <= 1


def test_surface_dice_by_hand():
    # Rows of 5 and of 9 pixels, one thick, so that every pixel is contour: the
    # 4 pixels beyond lie 1 to 4 pixels of 0.5 mm from the end of the shorter one.
    short, long = np.zeros((2, 5, 20), bool)
    short[2, 3:8] = True
    long[2, 3:12] = True
    assert surface_dice(short, long, 0.5, 0.0) == 10 / 14
    assert surface_dice(short, long, 0.5, 1.0) == 12 / 14
    assert surface_dice(long, short, 0.5, 1.0) == 12 / 14
    assert surface_dice(short, long, 0.5, 2.0) == 1


def test_added_path_is_what_the_reference_has_and_the_other_lacks():
    short, long = np.zeros((2, 5, 20), bool)
    short[2, 3:8] = True
    long[2, 3:12] = True
    # 4 pixels of 0.5 mm are to be added, 2 of them beyond 1 mm.
    assert added_path_length_mm(short, long, 0.5) == 2.0
    assert added_path_length_mm(short, long, 0.5, 1.0) == 1.0
    # The shorter one has nothing that the longer lacks.
    assert added_path_length_mm(long, short, 0.5) == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_added_path_equals_counting_contour_pixels(seed):
    prediction, reference = blobs((40, 53), seed)
    missed = edge(reference) & ~edge(prediction)
    expected = missed.sum() * 0.3
    assert added_path_length_mm(prediction, reference, 0.3) == pytest.approx(expected)
    # Within a tolerance: by a distance transform of the whole frame.
    far = ndimage.distance_transform_edt(~edge(prediction), sampling=(0.5, 0.2)) > 0.63
    expected = (edge(reference) & far).sum() * math.sqrt(0.1)
    found = added_path_length_mm(prediction, reference, (0.5, 0.2), 0.63)
    assert found == pytest.approx(expected)


def test_a_distance_of_just_the_tolerance_counts_as_within():
    one, two = np.zeros((2, 9, 9), bool)
    one[1, 4], two[4, 4] = True, True
    assert 3 * 0.1 > 0.3  # what the computer makes of it
    assert surface_dice(one, two, 0.1, 0.3) == 1
    assert added_path_length_mm(one, two, 0.1, 0.3) == 0


def test_equal_and_empty_masks():
    mask, _ = blobs((20, 20), 0)
    nothing = np.zeros_like(mask)
    assert surface_dice(mask, mask, 1, 0) == 1
    assert added_path_length_mm(mask, mask, 1) == 0
    assert math.isnan(surface_dice(nothing, nothing, 1))
    assert surface_dice(nothing, mask, 1) == surface_dice(mask, nothing, 1) == 0
    assert added_path_length_mm(nothing, mask, 0.5) == edge(mask).sum() * 0.5
    assert added_path_length_mm(mask, nothing, 1) == 0


def test_bad_arguments_are_named():
    mask = np.ones((4, 4), bool)
    for tolerance in (-1, math.nan, math.inf):
        with pytest.raises(InputError, match="tolerance_mm must be zero or more"):
            surface_dice(mask, mask, 1, tolerance)
    with pytest.raises(InputError, match="one frame"):
        added_path_length_mm(mask[None], mask[None], 1)
