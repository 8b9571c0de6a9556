from typing import NamedTuple

import numpy as np
import pytest
import torch

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.losses import (
    AdaptiveFocalLoss,
    AnnotationGuidedBCE,
    DeepSupervision,
    SigmoidFocalLoss,
    WithDice,
)
from napari_microus.core.losses.deep_supervision import downsample_mask


class Output(NamedTuple):
    logits: torch.Tensor
    half: torch.Tensor
    quarter: torch.Tensor
    eighth: torch.Tensor


@pytest.fixture
def scales():
    generator = torch.Generator().manual_seed(2)
    logits = [torch.randn(2, 1, n, n, generator=generator) for n in (32, 16, 8, 4)]
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    expert = ((rows - 15) ** 2 + (columns - 15) ** 2 < 80).to(torch.uint8)
    nonexpert = ((rows - 18) ** 2 + (columns - 13) ** 2 < 110).to(torch.uint8)
    both = (mask.expand(2, 1, 32, 32).clone() for mask in (expert, nonexpert))
    return Output(*logits), *both


def blocks(mask, factor):
    """The mean of each ``factor`` square, by NumPy."""
    b, c, h, w = mask.shape
    tiles = mask.reshape(b, c, h // factor, factor, w // factor, factor)
    return tiles.mean((3, 5))


def test_sums_the_scales_each_with_its_own_kernel(scales):
    outputs, expert, nonexpert = scales
    expected = 0
    for logits, kernel, factor in zip(outputs, (4, 3, 2, 1), (1, 2, 4, 8), strict=True):
        small = [
            torch.from_numpy(blocks(mask.numpy().astype(float), factor) >= 0.5)
            for mask in (expert, nonexpert)
        ]
        expected = expected + AdaptiveFocalLoss(kernel_size=kernel)(logits, *small)
    loss = DeepSupervision(AdaptiveFocalLoss())(outputs, expert, nonexpert)
    torch.testing.assert_close(loss, expected)


def test_published_labels_keep_only_pixels_wholly_inside(scales):
    # Halving bilinearly averages the square's four pixels; a quarter and an eighth
    # average the middle four. Truncated, all four must be one.
    _, expert, _ = scales
    for factor in (2, 4, 8):
        middle = factor // 2 - 1
        tiles = expert.numpy().reshape(2, 1, 32 // factor, factor, 32 // factor, factor)
        inner = tiles[:, :, :, middle : middle + 2, :, middle : middle + 2]
        expected = inner.all((3, 5)).astype(np.float32)
        size = (32 // factor, 32 // factor)
        found = downsample_mask(expert, size, "published")
        np.testing.assert_array_equal(found.numpy(), expected)


def test_published_labels_truncate_greys_at_full_size(scales):
    outputs, expert, _ = scales
    grey = expert.float()
    grey[..., :16, :] *= 0.7
    loss = DeepSupervision(SigmoidFocalLoss(), label_downsampling="published")
    torch.testing.assert_close(
        loss(outputs.logits, grey), loss(outputs.logits, grey.floor())
    )


@pytest.mark.parametrize("size", [(9, 13), (31, 17), (28, 28), (32, 31)])
def test_full_masks_stay_full_at_any_size(size):
    full = torch.ones(1, 1, 32, 32)
    for method in ("area", "published"):
        assert (downsample_mask(full, size, method) == 1).all()


def test_area_keeps_the_size_of_a_mask_and_published_shrinks_it():
    rows, columns = torch.meshgrid(torch.arange(224), torch.arange(224), indexing="ij")
    disc = ((rows - 110) ** 2 + (columns - 115) ** 2 < 60**2).float()[None, None]
    for size in (112, 56, 28):
        area = downsample_mask(disc, (size, size), "area").mean()
        published = downsample_mask(disc, (size, size), "published").mean()
        assert area.item() == pytest.approx(disc.mean().item(), rel=0.01)
        assert published < area


@pytest.mark.parametrize("method", ["area", "published"])
def test_ignored_pixels_stay_ignored(method):
    mask = torch.ones(1, 1, 8, 8)
    mask[..., :4] = 255  # two whole coarse columns
    mask[..., 0, 4] = 255  # a quarter of one coarse pixel
    coarse = downsample_mask(mask, (4, 4), method)[0, 0]
    assert (coarse[:, :2] == 255).all()
    assert (coarse[1:, 2:] == 1).all()
    assert coarse[0, 2] == (1 if method == "area" else 255)


def test_kernels_reach_a_wrapped_criterion_and_leave_it_alone():
    inner = AnnotationGuidedBCE(kernel_size=7)
    supervision = DeepSupervision(WithDice(inner))
    found = [scale.criterion.kernel_size for scale in supervision.scales]
    assert found == [4, 3, 2, 1]
    assert inner.kernel_size == 7


def test_one_tensor_is_the_full_scale(scales):
    outputs, expert, nonexpert = scales
    loss = DeepSupervision(AdaptiveFocalLoss(9))(outputs.logits, expert, nonexpert)
    expected = AdaptiveFocalLoss(4)(outputs.logits, expert, nonexpert)
    torch.testing.assert_close(loss, expected)


def test_gamma_is_that_of_the_full_scale(scales):
    outputs, expert, nonexpert = scales
    supervision = DeepSupervision(WithDice(AdaptiveFocalLoss()))
    assert supervision.last_gamma is None
    supervision(outputs, expert, nonexpert)
    expected = 1 - outputs.logits.sigmoid().mean() + nonexpert.float().mean()
    torch.testing.assert_close(supervision.last_gamma, expected)
    assert DeepSupervision(SigmoidFocalLoss()).last_gamma is None


def test_every_scale_gets_a_gradient(scales):
    outputs, expert, nonexpert = scales
    for logits in outputs:
        logits.requires_grad_()
    DeepSupervision(AdaptiveFocalLoss())(outputs, expert, nonexpert).backward()
    assert all((logits.grad != 0).any() for logits in outputs)


def test_bad_settings_and_outputs_are_named(scales):
    outputs, expert, _ = scales
    with pytest.raises(ConfigError, match="at least one scale"):
        DeepSupervision(AdaptiveFocalLoss(), kernel_sizes=())
    with pytest.raises(ConfigError, match='"area" or "published"; got'):
        DeepSupervision(AdaptiveFocalLoss(), label_downsampling="nearest")
    with pytest.raises(InputError, match="positive whole number"):
        DeepSupervision(AdaptiveFocalLoss(), kernel_sizes=(4, 0))
    supervision = DeepSupervision(AdaptiveFocalLoss(), kernel_sizes=(4, 3))
    with pytest.raises(InputError, match=r"one to 2 outputs.*got 4"):
        supervision(outputs, expert)
    with pytest.raises(InputError, match="got 0"):
        supervision([], expert)
    with pytest.raises(InputError, match="be no smaller; got"):
        supervision(outputs.logits, expert[..., :16])
