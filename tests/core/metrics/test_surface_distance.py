import math

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import cdist

from napari_microus.core.errors import InputError
from napari_microus.core.metrics import assd_mm, hausdorff_mm
from napari_microus.core.metrics.surface_distance import surface


def blobs(shape, seed):
    """Two smooth random masks, with holes, islands and contact to the edges."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=shape), 2)
    other = field + 0.4 * ndimage.gaussian_filter(rng.normal(size=shape), 2)
    return field > 0.02, other > 0.02


def by_brute_force(prediction, reference, spacing):
    """Both directed sets of distances, every pair of surface voxels compared."""
    points = [
        np.argwhere(mask & ~ndimage.binary_erosion(mask)) * spacing
        for mask in (prediction, reference)
    ]
    table = cdist(*points)
    return np.concatenate([table.min(1), table.min(0)])


def test_published_numbers(case):
    numbers, prediction, reference = case
    spacing = (numbers["spacing_mm"],) * 2
    for row in numbers["slices"]:
        if "hd95_mm" not in row:
            continue
        pair = prediction[row["slice"]], reference[row["slice"]]
        assert hausdorff_mm(*pair, spacing) == pytest.approx(row["hd95_mm"], rel=1e-5)
        hd = hausdorff_mm(*pair, spacing, percentile=100)
        assert hd == pytest.approx(row["hd_mm"], rel=1e-5)
        assert assd_mm(*pair, spacing) == pytest.approx(row["assd_mm"], rel=1e-5)


def test_published_numbers_with_anisotropic_pixels(case):
    numbers, prediction, reference = case
    row = numbers["anisotropic"]
    pair = prediction[row["slice"]], reference[row["slice"]]
    hd95 = hausdorff_mm(*pair, row["spacing_mm"])
    assert hd95 == pytest.approx(row["hd95_mm"], rel=1e-5)
    assert assd_mm(*pair, row["spacing_mm"]) == pytest.approx(row["assd_mm"], rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((30, 41), (0.5, 0.2)), ((9, 14, 12), (1.0, 0.3, 0.4)), ((1, 20, 22), (2, 1, 1))],
)
def test_equals_brute_force(shape, spacing, seed):
    prediction, reference = blobs(shape, seed)
    expected = by_brute_force(prediction, reference, spacing)
    for percentile in (50, 95, 100):
        found = hausdorff_mm(prediction, reference, spacing, percentile)
        assert found == pytest.approx(np.percentile(expected, percentile), rel=1e-12)
    assert assd_mm(prediction, reference, spacing) == pytest.approx(expected.mean())


@pytest.mark.parametrize("shape", [(17, 23), (6, 8, 7), (1, 5), (1, 1, 1)])
def test_surface_is_the_mask_less_its_erosion(shape):
    for mask in (np.ones(shape, bool), *blobs(shape, 4)):
        expected = mask & ~ndimage.binary_erosion(mask)
        np.testing.assert_array_equal(surface(mask), expected)


def test_shifted_points_are_their_shift_apart():
    one, two = np.zeros((2, 7, 9), bool)
    one[1, 2], two[4, 6] = True, True
    assert hausdorff_mm(one, two, (1.0, 0.5)) == math.hypot(3, 2)
    assert assd_mm(one, two, 2.0) == 10.0


def test_equal_masks_have_no_distance():
    mask, _ = blobs((20, 20), 0)
    assert hausdorff_mm(mask, mask, (1, 1)) == assd_mm(mask, mask, (1, 1)) == 0


def test_empty_masks_have_no_surface():
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    for pair in ((empty, full), (full, empty), (empty, empty)):
        assert math.isnan(hausdorff_mm(*pair, (1, 1)))
        assert math.isnan(assd_mm(*pair, (1, 1)))


def test_bad_arguments_are_named():
    mask = np.ones((4, 4), bool)
    with pytest.raises(
        InputError, match=r"one number per axis, 2 here; got \(1, 1, 1\)"
    ):
        hausdorff_mm(mask, mask, (1, 1, 1))
    with pytest.raises(InputError, match=r"positive and finite; got \(0, 1\)"):
        assd_mm(mask, mask, (0, 1))
    with pytest.raises(InputError, match="percentile must lie between 0 and 100"):
        hausdorff_mm(mask, mask, (1, 1), percentile=101)
    with pytest.raises(InputError, match="must share a grid"):
        assd_mm(mask, mask[1:], (1, 1))
