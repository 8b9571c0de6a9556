import numpy as np
import pytest
from scipy import ndimage
from skimage.draw import polygon2mask
from skimage.measure import label, regionprops

from napari_microus.core.predict.outline import (
    ANGLES,
    _closed_path,
    best_path,
    fill_polygon,
    smooth_mask,
)

SIZE, SHAPE = 96, (240, 343)
ROWS, COLUMNS = (np.arange(SIZE)[:, None] + 0.5) / SIZE, (np.arange(SIZE) + 0.5) / SIZE
FULL_ROWS = (np.arange(SHAPE[0])[:, None] + 0.5) / SHAPE[0]
FULL_COLUMNS = (np.arange(SHAPE[1]) + 0.5) / SHAPE[1]


def disc(rows, columns, middle=(0.5, 0.5), radii=(0.3, 0.3)):
    """Signed: above 0 inside, in radii."""
    return 1 - np.hypot((rows - middle[0]) / radii[0], (columns - middle[1]) / radii[1])


def dice(one, two):
    return 2 * (one & two).sum() / (one.sum() + two.sum())


def solidity(mask):
    return regionprops(mask.astype(np.uint8))[0].solidity


@pytest.mark.parametrize(
    ("middle", "radii"), [((0.5, 0.5), (0.3, 0.3)), ((0.4, 0.55), (0.2, 0.35))]
)
def test_an_ellipse_is_met_to_a_percent(middle, radii):
    logits = 30 * disc(ROWS, COLUMNS, middle, radii).astype(np.float32)
    mask = smooth_mask(logits, SHAPE)
    truth = disc(FULL_ROWS, FULL_COLUMNS, middle, radii) > 0
    assert dice(mask, truth) > 0.99
    assert mask.sum() == pytest.approx(truth.sum(), rel=0.01)


def test_a_gland_cut_by_the_picture_follows_the_border():
    middle, radii = (0.5, 0.1), (0.3, 0.35)
    logits = 30 * disc(ROWS, COLUMNS, middle, radii).astype(np.float32)
    mask = smooth_mask(logits, SHAPE)
    truth = disc(FULL_ROWS, FULL_COLUMNS, middle, radii) > 0
    assert dice(mask, truth) > 0.9962
    assert (mask[:, 0] == truth[:, 0]).mean() > 0.93  # the corners are cut a little


def test_noise_notches_and_bumps_are_evened_out():
    rng = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 2)
    logits = 12 * disc(ROWS, COLUMNS) + noise / noise.std()
    logits[46:50, 68:] = -3  # a shadow across the border
    logits = logits.astype(np.float32)
    truth = disc(FULL_ROWS, FULL_COLUMNS) > 0
    ragged = ndimage.zoom(logits > 0, (SHAPE[0] / SIZE, SHAPE[1] / SIZE), order=0)
    mask = smooth_mask(logits, SHAPE)
    assert dice(mask, truth) > 0.95 > dice(ragged, truth)
    assert solidity(mask) > 0.975
    assert label(mask).max() == 1


def test_two_lobes_keep_their_shape():
    lobes = np.maximum(
        disc(ROWS, COLUMNS, (0.5, 0.28), (0.2, 0.2)),
        disc(ROWS, COLUMNS, (0.5, 0.72), (0.2, 0.2)),
    )
    bridge = (np.abs(ROWS - 0.5) < 0.03) & (np.abs(COLUMNS - 0.5) < 0.3)
    logits = np.where(bridge, 4.0, 20 * lobes).astype(np.float32)
    mask = smooth_mask(logits, (SIZE, SIZE))
    assert dice(mask, logits > 0) > 0.93
    assert label(mask).max() == 1


def test_a_bean_keeps_its_bend():
    bean = disc(ROWS, COLUMNS, (0.55, 0.5), (0.25, 0.38)) - 1.5 * np.maximum(
        disc(ROWS, COLUMNS, (0.25, 0.5), (0.18, 0.2)), 0
    )
    logits = (20 * bean).astype(np.float32)
    mask = smooth_mask(logits, (SIZE, SIZE))
    assert dice(mask, logits > 0) > 0.97
    assert solidity(mask) < 0.985


def test_nothing_stays_nothing_and_a_full_frame_full():
    empty = smooth_mask(np.full((SIZE, SIZE), -5, np.float32), SHAPE)
    full = smooth_mask(np.full((SIZE, SIZE), 5, np.float32), SHAPE)
    assert not empty.any()
    assert full.mean() > 0.98


def test_another_piece_has_no_say():
    logits = 30 * disc(ROWS, COLUMNS, (0.4, 0.4), (0.2, 0.2)).astype(np.float32)
    alone = smooth_mask(logits, SHAPE)
    logits[85:92, 85:92] = 5
    np.testing.assert_array_equal(smooth_mask(logits, SHAPE), alone)


def test_a_polygon_holds_the_pixels_whose_centres_it_encloses():
    turns = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    radius = 20 + 5 * np.sin(3 * turns)
    points = np.stack([30.2 + radius * np.sin(turns), 35.7 + radius * np.cos(turns)], 1)
    np.testing.assert_array_equal(
        fill_polygon(points, (60, 70)), polygon2mask((60, 70), points)
    )


def test_log_odds_beyond_four_are_no_more_certain():
    shadow = (np.abs(ROWS - 0.5) < 0.05) & (COLUMNS > 0.65)
    logits = np.where(shadow, -20, 30 * disc(ROWS, COLUMNS)).astype(np.float32)
    capped = np.clip(logits, -4, 4)
    assert (capped != logits).mean() > 0.5
    np.testing.assert_array_equal(
        smooth_mask(capped, SHAPE), smooth_mask(logits, SHAPE)
    )


def test_a_threshold_moves_the_outline_along_the_log_odds():
    logits = (30 * disc(ROWS, COLUMNS)).astype(np.float32)
    # 30 (1 - r / 0.3) > 3 within r = 0.27 of the picture.
    mask = smooth_mask(logits, (SIZE, SIZE), cut=3.0)
    assert mask.sum() == pytest.approx(np.pi * (0.27 * SIZE) ** 2, rel=0.01)


@pytest.mark.parametrize(("waves", "kept"), [(4, 0.975), (8, 0.664)])
def test_fast_waves_of_the_radius_fade_out(waves, kept):
    """exp(-(n / 10)^4) of the n-th harmonic stays: 0.97 and 0.66."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    radius = 30 + 1.5 * np.cos(waves * np.arctan2(y, x))
    evidence = (radius - np.hypot(y, x)).astype(np.float32)
    path = best_path(np.clip(evidence, -4, 4), evidence > 0, (SIZE, SIZE))
    found = np.hypot(*(path - (SIZE - 1) / 2).T)
    amplitude = 2 * np.abs(np.fft.rfft(found))[waves] / ANGLES
    assert amplitude / 1.5 == pytest.approx(kept, abs=0.035)
    assert found.mean() == pytest.approx(30, abs=0.2)


def test_a_horseshoe_that_cannot_be_seen_whole_keeps_its_shape():
    """No ray from its middle meets both of its sides."""
    radius = np.hypot(ROWS - 0.5, COLUMNS - 0.5)
    shoe = np.minimum(0.4 - radius, radius - 0.2)
    shoe = np.minimum(shoe, np.hypot(ROWS - 0.5, np.maximum(0.5 - COLUMNS, 0)) - 0.1)
    own = (shoe > 0) & ~((np.abs(ROWS - 0.5) < 0.15) & (COLUMNS > 0.5))
    logits = np.where(own, 8.0, -8.0).astype(np.float32)
    mask = smooth_mask(logits, (SIZE, SIZE))
    assert dice(mask, own) > 0.93
    assert not mask[SIZE // 2, SIZE // 2]  # its inside stays outside


def test_the_path_is_the_best_of_all_closed_ones():
    """Against every closed path from every first radius, one after the other."""
    rays, steps, reach = np.arange(ANGLES), np.arange(96), 4
    rng = np.random.default_rng(3)
    ring = 50 + 15 * np.sin(2 * np.pi * 3 * rays / ANGLES) + rng.normal(0, 4, ANGLES)
    score = -0.05 * np.abs(steps - ring[:, None]) ** 1.5
    score[40:46] = 0.0  # nothing is seen there
    change = steps[:, None] - steps
    cost = np.where(np.abs(change) <= reach, 0.2 * change**2, np.inf)

    def best_from(first):
        total = np.where(steps == first, score[0], -np.inf)
        for row in score[1:]:
            total = (total[:, None] - cost).max(axis=0) + row
        return (total - cost[first]).max()

    best = max(best_from(first) for first in steps)
    path = _closed_path(score.astype(np.float32))
    jumps = np.abs(path - np.roll(path, 1))
    assert jumps.max() <= reach
    found = score[rays, path].sum() - 0.2 * (jumps**2).sum()
    assert found == pytest.approx(best, abs=1e-3)
