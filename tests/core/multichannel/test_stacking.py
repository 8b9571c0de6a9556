import numpy as np
import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.multichannel.stacking import stack_channels, standardised
from napari_microus.core.volume import Volume


def placed(array, spacing_mm, corner_mm=(0.0, 0.0, 0.0)):
    """A volume that states its place: voxel edges begin at ``corner_mm`` (z, y, x)."""
    affine = np.diag([*spacing_mm[::-1], 1.0])
    affine[:3, 3] = (np.array(corner_mm) + np.array(spacing_mm) / 2)[::-1]
    return Volume(array, affine, is_oriented=True)


def ramp(shape, spacing_mm, corner_mm=(0.0, 0.0, 0.0)):
    """Intensity is 1 + z + 2 y + 3 x of the voxel's middle in mm."""
    axes = [
        c + (np.arange(n) + 0.5) * s
        for n, s, c in zip(shape, spacing_mm, corner_mm, strict=True)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return placed((1 + z + 2 * y + 3 * x).astype(np.float32), spacing_mm, corner_mm)


def test_a_channel_of_another_grid_comes_to_the_same_places():
    first = ramp((6, 12, 10), (3.0, 0.5, 0.5))
    # Coarser in plane, finer across, and it reaches beyond on all sides.
    second = ramp((12, 14, 14), (2.0, 1.0, 1.0), corner_mm=(-3.0, -4.0, -4.0))

    stack = stack_channels({"t2w": first, "adc": second})

    assert stack.shape == (2, 6, 12, 10)
    # Both show one linear ramp, so that they are the same once standardised.
    np.testing.assert_allclose(stack[1], stack[0], atol=1e-5)


def test_channels_without_a_place_must_share_their_shape():
    noise = np.random.default_rng(0)
    first = Volume(noise.normal(size=(4, 8, 8)))
    second = Volume(noise.normal(size=(4, 8, 9)))
    with pytest.raises(InputError, match=r"got \(4, 8, 9\) for 'adc' and \(4, 8, 8\)"):
        stack_channels({"t2w": first, "adc": second})


def test_a_channel_of_another_region_is_refused():
    first = ramp((6, 12, 10), (1.0, 1.0, 1.0))
    second = ramp((6, 12, 10), (1.0, 1.0, 1.0), corner_mm=(0.0, 8.0, 0.0))
    with pytest.raises(InputError, match=r"'adc', which covers 3\d% of 't2w'"):
        stack_channels({"t2w": first, "adc": second})


def test_zero_mean_and_unit_variance_without_the_outliers():
    values = np.random.default_rng(1).normal(300, 20, (8, 30, 30))
    values[0, 0, :3] = 1e6
    found = standardised(values)
    assert abs(found.mean()) < 1e-5
    assert found.std() == pytest.approx(1, abs=1e-5)
    assert found.max() < 4


def test_around_what_was_cut_out_all_is_zero():
    values = np.zeros((4, 20, 20))
    values[1:3, 4:16, 4:16] = np.random.default_rng(2).normal(100, 5, (2, 12, 12))
    found = standardised(values)
    assert (found[values == 0] == 0).all()
    assert abs(found[values > 0].mean()) < 1e-5
    assert found[values > 0].std() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_one_value_or_none_is_refused(value):
    with pytest.raises(InputError, match="must be finite and differ"):
        standardised(np.full((2, 4, 4), value), "adc")
