import numpy as np
import pytest
import torch
from scipy.ndimage import (
    binary_dilation,
    binary_erosion,
    binary_opening,
    generate_binary_structure,
    iterate_structure,
)

from napari_microus.core.predict.opening import cut_narrow_parts


def logits(mask):
    return torch.where(mask, 2.0, -3.0)[None, None]


@pytest.fixture
def gland_with_tail():
    mask = torch.zeros(60, 60, dtype=torch.bool)
    mask[10:40, 10:40] = True
    mask[20:25, 40:58] = True  # five pixels high
    return mask


def test_tail_goes_and_gland_stays(gland_with_tail):
    cut = cut_narrow_parts(logits(gland_with_tail), 9, 0.0)[0, 0] > 0
    assert not cut[:, 42:].any()
    # The octagon of reach 5 (square 2, diamond 3) leaves out 3 · 4 / 2 pixels in
    # each corner of the gland, less what the margin of one pixel gives back.
    lost = gland_with_tail[:, :40] & ~cut[:, :40]
    assert 0 < lost.sum() <= 4 * 6
    assert cut[13:37, 10:40].all()


def test_is_scipys_opening_grown_by_one_within_the_mask():
    torch.manual_seed(0)
    noise = torch.nn.functional.avg_pool2d(torch.randn(1, 1, 80, 80), 9, 1, 4)
    mask = (noise > 0)[0, 0]
    # Beyond the border the mask continues: extend it there before SciPy opens it.
    wide = torch.nn.functional.pad(
        mask[None, None].float(), (9, 9, 9, 9), mode="replicate"
    )[0, 0].bool()
    inner = slice(20, 60)

    ours = cut_narrow_parts(logits(mask), 7, 0.0)[0, 0] > 0

    # Reach 3: a square of reach 1 (0.41 · 3) and a diamond of reach 2.
    diamond = iterate_structure(generate_binary_structure(2, 1), 2)
    octagon = binary_dilation(np.pad(diamond, 1), np.ones((3, 3)))
    opened = binary_opening(wide.numpy(), octagon)
    # Reach 4 is a square of reach 2 and the same diamond.
    larger = binary_dilation(np.pad(diamond, 2), np.ones((5, 5)))
    eroded = binary_erosion(wide.numpy(), octagon)
    grown = binary_dilation(eroded, larger) & wide.numpy()
    assert opened.sum() < grown.sum() < wide.numpy().sum()
    expected = torch.from_numpy(grown[9:-9, 9:-9])
    assert torch.equal(ours[inner, inner], expected[inner, inner])


def test_gland_cut_by_the_frame_keeps_its_corner():
    mask = torch.zeros(40, 40, dtype=torch.bool)
    mask[:15, :15] = True
    cut = cut_narrow_parts(logits(mask), 9, 0.0)[0, 0] > 0
    assert cut[:11, :11].all()


@pytest.mark.parametrize("width", [0, 1])
def test_no_width_cuts_nothing(gland_with_tail, width):
    before = logits(gland_with_tail)
    assert torch.equal(cut_narrow_parts(before, width, 0.0), before)


def test_probability_agrees_with_the_mask_at_another_threshold(gland_with_tail):
    after = cut_narrow_parts(logits(gland_with_tail), 9, 1.0)[0, 0]
    assert after[22, 50] == 0.0  # 2 mirrored about 1
    assert after[15, 15] == 2.0
