from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import spearmanr

from napari_microus.core.compare.difficulty import (
    _bent,
    difficulty,
    entropy_bits,
    frame_difficulty,
    hardest_first,
    rank_correlation,
)
from napari_microus.core.events import Progress, drain
from napari_microus.core.volume import Volume


def bright_parts(volume):
    """A model that finds whatever is brighter than half."""
    yield Progress(1, 1)
    probability = (volume.array > 128).astype(np.float32)
    return SimpleNamespace(probability=volume.like(probability))


def test_entropy_is_one_bit_for_a_coin():
    bits = entropy_bits(np.array([0.5, 0.0, 1.0, 0.25], np.float32))
    expected = [1, 0, 0, 0.25 * 2 + 0.75 * np.log2(4 / 3)]
    np.testing.assert_allclose(bits, expected, atol=1e-5)


def test_a_certain_model_is_certain_where_the_changes_do_not_matter():
    scan = np.zeros((2, 10, 40), np.uint8)
    scan[..., 10:30] = 255
    scan[..., 18:20] = 120  # brightened above the threshold by one of the copies
    entropy = drain(difficulty(bright_parts, Volume(scan)))
    assert entropy[..., :10].max() < 1e-4  # each copy was brought back into place
    assert entropy[..., 30:].max() < 1e-4
    assert entropy[..., 18:20].min() > 0.5
    assert entropy.shape == scan.shape


def test_rank_correlation_equals_scipy():
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 4, (6, 8, 9)).astype(np.uint8)
    entropy = (rng.random(codes.shape) + (codes > 1)).astype(np.float32)
    found = rank_correlation(entropy, codes)
    real = codes > 1
    assert found.per_pixel == pytest.approx(
        spearmanr(entropy.ravel(), real.ravel()).statistic
    )
    per_frame = spearmanr(entropy.mean((1, 2)), real.sum((1, 2))).statistic
    assert found.per_frame == pytest.approx(per_frame)


def test_no_disagreement_has_no_correlation():
    found = rank_correlation(
        np.random.default_rng(0).random((3, 4, 4)), np.zeros((3, 4, 4), np.uint8)
    )
    assert np.isnan([found.per_pixel, found.per_frame]).all()


def test_regions_of_the_hardest_frame_come_first_and_keep_their_order():
    class Region:
        def __init__(self, number, frame):
            self.number, self.frame = number, frame

    regions = [Region(1, 0), Region(2, 2), Region(3, 0), Region(4, 1)]
    entropy = np.zeros((3, 2, 2), np.float32)
    entropy[1], entropy[2, 0, 0] = 0.1, 0.8
    per_frame = frame_difficulty(entropy)
    assert per_frame == pytest.approx([0, 0.1, 0.2])
    assert [r.number for r in hardest_first(regions, per_frame)] == [2, 4, 1, 3]


def test_an_empty_scan_stays_as_it_is_when_it_is_made_darker():
    flat = np.full((2, 3, 4), 7, np.uint8)
    assert _bent(flat, 0.5) is flat
    # (0, 1/4, 1) of the range to the power of one half: 0, 1/2, 1.
    steps = np.array([[[100, 125, 200]]], np.uint8)
    np.testing.assert_array_equal(_bent(steps, 0.5), [[[100, 150, 200]]])
    assert _bent(steps, 0.5).dtype == np.uint8
