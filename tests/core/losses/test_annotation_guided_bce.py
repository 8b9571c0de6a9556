import pytest
import torch
import torch.nn.functional as F

from napari_microus.core.errors import ConfigError
from napari_microus.core.losses import AnnotationGuidedBCE


@pytest.mark.parametrize("kernel_size", range(1, 6))
@pytest.mark.parametrize("hard_weight", [4, 10])
def test_published_numbers(case, kernel_size, hard_weight):
    criterion = AnnotationGuidedBCE(hard_weight=hard_weight, kernel_size=kernel_size)
    loss = criterion(case["logits"], case["expert"], case["nonexpert"])
    expected = case[f"ag_bce_w{hard_weight}_ks{kernel_size}"]
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_equal_weights_give_a_quarter_of_the_cross_entropy(pair):
    # w / (1 + w) = 1/2 in both regions, and beta = 1/2 in both classes.
    logits, expert, nonexpert = pair
    loss = AnnotationGuidedBCE(hard_weight=1)(logits, expert, nonexpert)
    plain = F.binary_cross_entropy_with_logits(logits, expert.float())
    torch.testing.assert_close(loss, plain / 4, rtol=1e-5, atol=0)


def test_beta_weighs_the_foreground_against_the_background(pair):
    logits, expert, _ = pair
    p, y = logits.sigmoid(), expert.float()
    expected = -(0.8 * y * p.log() + 0.2 * (1 - y) * (1 - p).log()).mean() / 5
    loss = AnnotationGuidedBCE(beta=0.8)(logits, expert)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("settings", [{"hard_weight": 0}, {"beta": 2}, {"epsilon": 0}])
def test_settings_out_of_range_are_named(settings):
    with pytest.raises(ConfigError, match=rf"{next(iter(settings))} must .*; got"):
        AnnotationGuidedBCE(**settings)


def test_one_counted_pixel_is_its_own_mean():
    logits = torch.tensor([0.0, 3.0]).view(1, 1, 1, 2)
    expert = torch.tensor([1, 255], dtype=torch.uint8).view(1, 1, 1, 2)
    loss = AnnotationGuidedBCE()(logits, expert)
    # p = 1/2; beta 1/2 times easy weight 1 / (1 + 4).
    assert loss.item() == pytest.approx(0.5 * 0.2 * 0.6931471805599453, rel=1e-5)
