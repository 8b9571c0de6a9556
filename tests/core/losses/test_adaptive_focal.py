import math

import pytest
import torch

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.losses import AdaptiveFocalLoss


@pytest.mark.parametrize("kernel_size", range(1, 6))
def test_published_numbers(case, kernel_size):
    criterion = AdaptiveFocalLoss(kernel_size=kernel_size)
    loss = criterion(case["logits"], case["expert"], case["nonexpert"])
    expected = case[f"adaptive_focal_ks{kernel_size}"]
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert criterion.last_gamma.item() == pytest.approx(case["gamma"], rel=1e-5)


def test_published_gradient(case):
    logits = case["logits"].requires_grad_()
    AdaptiveFocalLoss(kernel_size=4)(
        logits, case["expert"], case["nonexpert"]
    ).backward()
    expected = case["adaptive_grad_ks4"]
    largest = expected.abs().max().item()
    torch.testing.assert_close(logits.grad, expected, rtol=1e-5, atol=1e-6 * largest)


def test_hand_calculation_on_two_pixels():
    # p = 3/4 on a disputed foreground pixel, p = 1/2 on an agreed background one.
    logits = torch.tensor([math.log(3), 0.0]).view(1, 1, 1, 2)
    expert = torch.tensor([1, 0]).view(1, 1, 1, 2)
    nonexpert = torch.zeros_like(expert)
    gamma = 1 - (3 / 4 + 1 / 2) / 2
    hard = -0.5 * (1 / 4) ** gamma * math.log(3 / 4)
    easy = -0.5 * (1 / 2) ** gamma * math.log(1 / 2)
    expected = (gamma * hard + easy / gamma) / 2
    loss = AdaptiveFocalLoss(kernel_size=1)(logits, expert, nonexpert)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_gamma_is_of_the_whole_batch_and_per_sample_on_request(pair):
    logits, expert, nonexpert = pair
    logits[0] += 3
    batch, each = AdaptiveFocalLoss(), AdaptiveFocalLoss(per_sample=True)
    batch(logits, expert, nonexpert)
    each_loss = each(logits, expert, nonexpert)
    p = logits.sigmoid()
    per_sample = 1 - p.mean((1, 2, 3)) + nonexpert.float().mean((1, 2, 3))
    torch.testing.assert_close(batch.last_gamma, per_sample.mean())
    torch.testing.assert_close(each.last_gamma, per_sample)
    alone = [
        AdaptiveFocalLoss()(logits[[i]], expert[[i]], nonexpert[[i]]) for i in range(3)
    ]
    torch.testing.assert_close(each_loss, torch.stack(alone).mean())


def test_disagreement_sets_gamma_on_request(pair):
    logits, expert, nonexpert = pair
    criterion = AdaptiveFocalLoss(variability="disagreement")
    criterion(logits, expert, nonexpert)
    expected = 1 - logits.sigmoid().mean() + (expert != nonexpert).float().mean()
    torch.testing.assert_close(criterion.last_gamma, expected)


def test_no_gradient_through_gamma(pair):
    logits, expert, nonexpert = pair
    logits.requires_grad_()
    criterion = AdaptiveFocalLoss()
    criterion(logits, expert, nonexpert)
    assert not criterion.last_gamma.requires_grad


@pytest.mark.parametrize(
    "settings", [{"beta": 0}, {"epsilon": 0}, {"variability": "x"}]
)
def test_settings_out_of_range_are_named(settings):
    with pytest.raises(ConfigError, match=rf"{next(iter(settings))} must .*; got"):
        AdaptiveFocalLoss(**settings)


@pytest.mark.parametrize("kernel_size", [0, -4, 2.5])
def test_kernel_size_must_be_positive(kernel_size):
    with pytest.raises(InputError, match="positive whole number"):
        AdaptiveFocalLoss(kernel_size=kernel_size)
