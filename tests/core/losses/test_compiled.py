"""torch.compile takes each loss, with its gradient, as one graph."""

import pytest
import torch

from napari_microus.core.config.loss import LossConfig
from napari_microus.core.losses import (
    AdaptiveFocalLoss,
    AnnotationGuidedBCE,
    DeepSupervision,
    OverlapLoss,
    SigmoidFocalLoss,
    SizeSmoothnessFocalLoss,
    WithDice,
)
from napari_microus.core.train.criterion import create_criterion

# The lowest version that is allowed; losses are eager in training.
pytestmark = pytest.mark.skipif(
    torch.__version__.startswith("2.4."),
    reason="PyTorch 2.4 cannot trace out= inside a function with its own gradient",
)

LOSSES = {
    "adaptive": AdaptiveFocalLoss(),
    "adaptive, per sample": AdaptiveFocalLoss(per_sample=True),
    "ag-bce": AnnotationGuidedBCE(),
    "focal": SigmoidFocalLoss(),
    "focal as published": SigmoidFocalLoss(on_probabilities=True),
    "size and smoothness": SizeSmoothnessFocalLoss(),
    "tversky": OverlapLoss(0.3, 0.7),
    "with dice": WithDice(AdaptiveFocalLoss()),
}


@pytest.fixture(autouse=True)
def forget():
    yield
    torch._dynamo.reset()


def masks(*size):
    draw = torch.Generator().manual_seed(0)
    return [(torch.rand(2, 1, *size, generator=draw) > 0.6).float() for _ in range(2)]


def both(loss, logits, factor, *labels):
    """Return value and gradient of a loss times a factor."""
    logits = [one.clone().requires_grad_() for one in logits]
    value = loss(logits if len(logits) > 1 else logits[0], *labels)
    return value.detach(), *torch.autograd.grad(value * factor, logits)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("factor", [1.0, 3.0])
@pytest.mark.filterwarnings("ignore")  # of the compiler, on itself
def test_a_loss_is_one_graph_and_gives_the_same(name, factor):
    torch.manual_seed(1)
    logits = [torch.randn(2, 1, 24, 32)]
    loss = LOSSES[name]
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    expected = both(loss, logits, factor, *masks(24, 32))
    torch.testing.assert_close(both(compiled, logits, factor, *masks(24, 32)), expected)


@pytest.mark.filterwarnings("ignore")
def test_deep_supervision_is_one_graph():
    torch.manual_seed(1)
    logits = [torch.randn(2, 1, 32 // n, 32 // n) for n in (1, 2, 4, 8)]
    loss = DeepSupervision(AdaptiveFocalLoss())
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    torch.testing.assert_close(
        both(compiled, logits, 1.0, *masks(32, 32)),
        both(loss, logits, 1.0, *masks(32, 32)),
    )


@pytest.mark.filterwarnings("ignore")
def test_the_criterion_of_a_training_is_one_graph():
    torch.manual_seed(1)
    logits = [torch.randn(2, 1, 32 // n, 32 // n) for n in (1, 2, 4, 8)]
    loss = create_criterion(LossConfig())
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    torch.testing.assert_close(
        both(compiled, logits, 1.0, *masks(32, 32)),
        both(loss, logits, 1.0, *masks(32, 32)),
    )
