import pytest
import torch
import torch.nn.functional as F

from napari_microus.core.models.resnet import GroupNorm, ResNetV2, StdConv2d


def test_filters_have_zero_mean_and_unit_variance():
    torch.manual_seed(0)
    conv = StdConv2d(4, 3, 3)
    with torch.no_grad():
        conv.weight.mul_(5).add_(2)

    weight = conv.standardised_weight().flatten(1)

    torch.testing.assert_close(weight.mean(1), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        weight.var(1, correction=0), torch.ones(3), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("groups", [4, 1])  # narrow groups, and one of 24 channels
def test_group_norm_trains_in_bfloat16_as_in_float32(groups):
    torch.manual_seed(0)
    norm = GroupNorm(groups, 24, eps=1e-6)
    frames = torch.randn(2, 24, 12, 12).bfloat16().requires_grad_()
    wide = frames.detach().float().requires_grad_()

    with torch.autocast("cpu", torch.bfloat16):
        found = norm(frames)
    expected = F.group_norm(wide, groups, norm.weight, norm.bias, 1e-6)
    weight = torch.randn_like(expected)
    (found.float() * weight).sum().backward()
    gradient = norm.weight.grad.clone()
    norm.weight.grad = None
    (expected * weight).sum().backward()

    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.02, rtol=0.01)
    torch.testing.assert_close(frames.grad.float(), wide.grad, atol=0.03, rtol=0.02)
    torch.testing.assert_close(gradient, norm.weight.grad, atol=0.3, rtol=0.02)


def test_skips_lie_at_an_eighth_a_quarter_and_half():
    encoder = ResNetV2(1, 8, 2, (1, 1, 1))

    features, skips = encoder(torch.rand(1, 1, 96, 96))

    assert features.shape == (1, 64, 6, 6)
    assert [tuple(skip.shape) for skip in skips] == [
        (1, 32, 12, 12),
        (1, 16, 24, 24),
        (1, 8, 48, 48),
    ]


def test_row_and_column_lost_in_pooling_come_back_as_zeros():
    """Pooling 48 by 3 in steps of 2 without padding gives 23; the skip needs 24."""
    _, skips = ResNetV2(1, 8, 2, (1, 1, 1))(torch.rand(1, 1, 96, 96))

    quarter = skips[1]
    assert not quarter[:, :, -1].any()
    assert not quarter[:, :, :, -1].any()
    assert quarter[:, :, -2].any()
