import pytest
import torch
from monai.losses import DiceLoss

from napari_microus.core.errors import ConfigError
from napari_microus.core.losses import (
    AdaptiveFocalLoss,
    SizeSmoothnessFocalLoss,
    WithDice,
)


def test_is_the_sum_of_the_criterion_and_monais_dice(pair):
    logits, expert, nonexpert = pair
    loss = WithDice(AdaptiveFocalLoss(), dice_weight=0.5)(logits, expert, nonexpert)
    dice = DiceLoss(sigmoid=True)(logits, expert.float())
    expected = AdaptiveFocalLoss()(logits, expert, nonexpert) + 0.5 * dice
    torch.testing.assert_close(loss, expected)


def test_dice_looks_at_the_foreground_of_two_channels(pair):
    logits, expert, _ = pair
    logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    criterion = SizeSmoothnessFocalLoss()
    dice = DiceLoss(sigmoid=True)(logits[:, 1:], expert.float())
    torch.testing.assert_close(
        WithDice(criterion)(logits, expert), criterion(logits, expert) + dice
    )


def test_perfect_prediction_costs_nothing(pair):
    _, expert, _ = pair
    perfect = (2 * expert.float() - 1) * 80
    assert WithDice(AdaptiveFocalLoss())(perfect, expert).item() < 1e-4


def test_negative_weight_is_named():
    with pytest.raises(ConfigError, match="dice_weight must not be negative; got -1"):
        WithDice(AdaptiveFocalLoss(), dice_weight=-1)
