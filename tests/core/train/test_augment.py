import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_microus.core.config.augment import AugmentConfig
from napari_microus.core.train.augment import _blurred, augment, preview_augmentation

FULL = AugmentConfig(
    rotation_deg=15,
    scale=0.2,
    shift=0.1,
    flip_horizontal=0.5,
    contrast=0.3,
    brightness=0.1,
    gamma=0.3,
    speckle=0.2,
    gain_curve=0.4,
    blur=0.5,
)


@pytest.fixture
def batch():
    """Four frames whose bright disc is also their mask."""
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    disc = ((rows - 24) ** 2 + (columns - 40) ** 2 < 100).float()
    mask = disc.expand(4, 1, 64, 64).clone()
    return mask * 0.8 + 0.1, torch.cat([mask, mask], dim=1)


def disc(radius):
    """One frame with a disc of ones in its middle, and its two masks."""
    along = torch.arange(64) - 31.5
    inside = along[:, None] ** 2 + along**2 < radius**2
    frame = inside.float()[None, None]
    return frame, frame.repeat(1, 2, 1, 1)


KEYS = [(0, 0, i) for i in range(4)]


def test_nothing_asked_changes_nothing(batch):
    frames, masks = augment(*batch, KEYS, AugmentConfig())
    torch.testing.assert_close(frames, batch[0])
    torch.testing.assert_close(masks, batch[1])


def test_one_key_gives_one_variation_wherever_it_stands_in_a_batch(batch):
    frames, masks = batch
    whole = augment(frames, masks, KEYS, FULL)
    part = augment(frames[2:], masks[2:], KEYS[2:], FULL)
    for all_of_it, half in zip(whole, part, strict=True):
        torch.testing.assert_close(all_of_it[2:], half, atol=1e-6, rtol=0)
    assert not torch.equal(whole[0][0], whole[0][1])


def test_the_mask_moves_with_its_frame(batch):
    moving = AugmentConfig(rotation_deg=30, scale=0.3, shift=0.1, flip_horizontal=0.5)
    frames, masks = augment(*batch, KEYS, moving)
    for frame, mask in zip(frames[:, 0], masks[:, 0], strict=True):
        bright = frame > 0.5
        overlap = 2 * (bright & (mask == 1)).sum() / (bright.sum() + mask.sum())
        assert overlap > 0.97


def test_a_flip_is_an_exact_mirror_image(batch):
    frames, masks = augment(*batch, KEYS, AugmentConfig(flip_horizontal=1.0))
    torch.testing.assert_close(frames, batch[0].flip(-1), atol=1e-5, rtol=0)
    torch.testing.assert_close(masks, batch[1].flip(-1))
    frames, _ = augment(*batch, KEYS, AugmentConfig(flip_vertical=1.0))
    torch.testing.assert_close(frames, batch[0].flip(-2), atol=1e-5, rtol=0)


def test_ignored_pixels_move_along_and_stay_ignored(batch):
    frames, masks = batch
    masks = masks.clone()
    masks[:, :, :, :20] = 255
    _, moved = augment(frames, masks, KEYS, AugmentConfig(flip_horizontal=1.0))
    assert (moved[:, :, :, 45:] == 255).all()
    assert set(np.unique(moved.numpy())) <= {0.0, 1.0, 255.0}


def test_frames_stay_in_range_and_speckle_spares_black(batch):
    frames, masks = batch
    frames = frames.clone()
    frames[:, :, 50:] = 0
    noisy, _ = augment(frames, masks, KEYS, AugmentConfig(speckle=0.5))
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert (noisy[:, :, 50:] == 0).all()
    assert (noisy[:, :, :50] != frames[:, :, :50]).any()


def test_the_gain_differs_along_depth(batch):
    _, masks = batch
    flat = torch.full((4, 1, 64, 64), 0.3)
    changed, _ = augment(flat, masks, KEYS, AugmentConfig(gain_curve=0.5))
    by_row = changed.mean(-1)
    assert by_row.std(-1).min() > 0.01
    assert (changed.mean(-2).std(-1) < by_row.std(-1) * 3).all()


def test_the_blur_is_the_binomial_kernel():
    frames = torch.rand(2, 1, 20, 30, generator=torch.Generator().manual_seed(0))
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    expected = frames.numpy()
    for axis in (2, 3):
        expected = ndimage.correlate1d(expected, kernel, axis, mode="nearest")
    np.testing.assert_allclose(_blurred(frames), expected, atol=1e-6)


def test_a_preview_begins_with_the_frame_itself():
    frame = np.full((32, 32), 100, np.uint8)
    mask = np.zeros_like(frame)
    mask[8:20, 8:20] = 1
    frames, masks = preview_augmentation(frame, mask, FULL, count=3)
    assert frames.shape == masks.shape == (4, 32, 32)
    np.testing.assert_array_equal(frames[0], frame)
    np.testing.assert_array_equal(masks[0], mask)
    assert not np.array_equal(frames[1], frames[2])


def test_a_squeeze_changes_width_over_height_and_not_the_area():
    frames, masks = disc(12)
    areas, ratios = [], []
    for number in range(40):
        _, moved = augment(frames, masks, [(number,)], AugmentConfig(aspect=0.3))
        rows = moved[0, 0].any(1).sum()
        columns = moved[0, 0].any(0).sum()
        areas.append(float(moved[0, 0].sum()))
        ratios.append(float(rows / columns))
    assert np.mean(areas) == pytest.approx(float(masks[0, 0].sum()), rel=0.04)
    assert 1.2 < max(ratios) <= 1.3 + 0.1
    assert 1 / 1.4 < min(ratios) < 1 / 1.2


def test_a_bend_moves_a_frame_and_its_mask_alike():
    frames, masks = disc(16)
    bent, moved = augment(frames, masks, [(5,)], AugmentConfig(elastic=0.05))
    assert not torch.equal(moved, masks)
    bright, drawn = bent[0, 0] > 0.5, moved[0, 0] == 1
    assert 2 * (bright & drawn).sum() / (bright.sum() + drawn.sum()) > 0.97


def test_a_capsule_ends_at_a_black_bar():
    frames, masks = torch.ones(20, 1, 40, 40), torch.ones(20, 2, 40, 40)
    keys = [(number,) for number in range(20)]
    cut, moved = augment(frames, masks, keys, AugmentConfig(bars=0.5))
    assert 0 < (cut == 0).float().mean() < 0.5
    assert torch.equal(moved[:, :1] == 0, cut == 0)


def test_a_shadow_darkens_below_and_leaves_the_masks():
    frames, masks = torch.full((30, 1, 64, 64), 0.5), torch.ones(30, 2, 64, 64)
    keys = [(number,) for number in range(30)]
    dark, same = augment(frames, masks, keys, AugmentConfig(shadow=1.0))
    assert torch.equal(same, masks)
    assert dark.min() < 0.1
    assert dark.max() > 0.7  # a calcification
    assert dark[:, :, -8:].mean() < dark[:, :, :8].mean()


def test_half_the_resolution_takes_a_checkerboard_away():
    board = (torch.arange(16)[:, None] + torch.arange(16)) % 2
    frames = board.float()[None, None]
    coarse, _ = augment(
        frames, torch.zeros(1, 2, 16, 16), [(1,)], AugmentConfig(resolution=1.0)
    )
    torch.testing.assert_close(coarse, torch.full_like(coarse, 0.5))


def test_annotators_change_places_in_half_of_the_frames():
    masks = torch.cat([torch.ones(400, 1, 2, 2), torch.zeros(400, 1, 2, 2)], dim=1)
    keys = [(number,) for number in range(400)]
    _, swapped = augment(
        torch.zeros(400, 1, 2, 2), masks, keys, AugmentConfig(swap_annotators=0.5)
    )
    first = swapped[:, 0, 0, 0]
    assert torch.equal(swapped[:, 1, 0, 0], 1 - first)
    assert 0.4 < first.mean() < 0.6
