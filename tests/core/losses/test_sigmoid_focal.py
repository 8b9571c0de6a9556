import pytest
import torch
import torch.nn.functional as F
from monai.losses import FocalLoss

from napari_microus.core.errors import ConfigError
from napari_microus.core.losses import DeepSupervision, SigmoidFocalLoss


@pytest.mark.parametrize(
    ("on_probabilities", "name"),
    [
        (False, "sigmoid_focal_a0.25_g2"),
        (True, "sigmoid_focal_on_probabilities_a0.25_g2"),
    ],
)
def test_published_numbers(case, on_probabilities, name):
    criterion = SigmoidFocalLoss(0.25, 2, on_probabilities=on_probabilities)
    loss = criterion(case["logits"], case["expert"], case["nonexpert"])
    assert loss.item() == pytest.approx(case[name], rel=1e-5)


def test_lin2017_is_monais(pair):
    logits, expert, _ = pair
    loss = SigmoidFocalLoss(0.3, 1.5, convention="lin2017")(logits, expert)
    monai = FocalLoss(gamma=1.5, alpha=0.3)(logits, expert.float())
    torch.testing.assert_close(loss, monai)


def test_no_focusing_is_cross_entropy(pair):
    logits, expert, _ = pair
    loss = SigmoidFocalLoss(alpha=1, gamma=0)(logits, expert)
    plain = F.binary_cross_entropy_with_logits(logits, expert.float())
    torch.testing.assert_close(loss, plain)


def test_sigmoid_applied_twice_has_the_published_floor():
    # The published baseline levels off at 0.128: four scales, 30 % foreground,
    # a perfect prediction. On logits the same prediction costs nothing.
    expert = torch.zeros(1, 1, 80, 80)
    expert[..., :24, :] = 1
    perfect = (2 * expert - 1) * 80
    scales = [perfect[..., ::step, ::step] for step in (1, 2, 4, 8)]
    twice = DeepSupervision(SigmoidFocalLoss(on_probabilities=True))(scales, expert)
    once = DeepSupervision(SigmoidFocalLoss())(scales, expert)
    assert twice.item() == pytest.approx(4 * (0.3 * 0.0057 + 0.7 * 0.0433), rel=2e-3)
    assert twice.item() == pytest.approx(0.128, abs=5e-4)
    assert once.item() < 1e-30


@pytest.mark.parametrize(
    "settings", [{"alpha": 0}, {"gamma": -1}, {"convention": "mine"}]
)
def test_settings_out_of_range_are_named(settings):
    with pytest.raises(ConfigError, match=rf"{next(iter(settings))} must .*; got"):
        SigmoidFocalLoss(**settings)
