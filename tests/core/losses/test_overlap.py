import pytest
import torch
from monai.losses.tversky import TverskyLoss

from napari_microus.core.errors import ConfigError
from napari_microus.core.losses import OverlapLoss

EXPERT = torch.tensor([1, 1, 0, 0], dtype=torch.uint8).view(1, 1, 1, 2, 2)
LOGITS = torch.logit(torch.tensor([0.8, 0.4, 0.3, 0.1])).view(1, 1, 1, 2, 2)


@pytest.mark.parametrize(("too_much", "missed"), [(0.5, 0.5), (0.3, 0.7)])
def test_tversky_by_hand(too_much, missed):
    loss = OverlapLoss(too_much, missed)(LOGITS, EXPERT)

    # hit 1.2, false positives 0.4, false negatives 0.8
    index = 1.2 / (1.2 + too_much * 0.4 + missed * 0.8)
    assert loss.item() == pytest.approx(1 - index, abs=1e-5)


@pytest.mark.parametrize("shape", [(3, 1, 9, 7), (2, 1, 4, 5, 6)])
def test_value_and_gradient_are_monais(shape):
    torch.manual_seed(2)
    expert = (torch.rand(shape) > 0.7).float()
    expert[0] = 0  # a frame without the object
    logits = torch.randn(shape, requires_grad=True)
    ours = OverlapLoss(0.3, 0.7)(logits, expert)
    theirs = TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7)(logits, expert)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        *(torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs))
    )


def test_undecided_pixels_do_not_count():
    undecided = EXPERT.clone()
    undecided[..., 1, 0] = 255

    loss = OverlapLoss()(LOGITS, undecided)

    assert loss.item() == pytest.approx(1 - 1.2 / (1.2 + 0.05 + 0.4), abs=1e-5)


def test_a_weight_must_be_positive():
    with pytest.raises(ConfigError, match="false_negatives must be positive; got 0"):
        OverlapLoss(0.5, 0)
