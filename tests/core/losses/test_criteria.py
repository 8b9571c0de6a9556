"""What holds for every loss: missing annotator, ignored pixels, precision, errors."""

import pytest
import torch

from napari_microus.core.errors import InputError
from napari_microus.core.losses import (
    AdaptiveFocalLoss,
    AnnotationGuidedBCE,
    DeepSupervision,
    SigmoidFocalLoss,
    SizeSmoothnessFocalLoss,
    WithDice,
)
from napari_microus.core.losses.weighted_focal import weighted_focal

CRITERIA = {
    "adaptive": AdaptiveFocalLoss,
    "adaptive, disagreement": lambda: AdaptiveFocalLoss(variability="disagreement"),
    "adaptive, per sample": lambda: AdaptiveFocalLoss(per_sample=True),
    "annotation-guided": AnnotationGuidedBCE,
    "focal": SigmoidFocalLoss,
    "focal, lin2017": lambda: SigmoidFocalLoss(convention="lin2017"),
    "focal, on probabilities": lambda: SigmoidFocalLoss(on_probabilities=True),
    "size and smoothness": SizeSmoothnessFocalLoss,
    "size and smoothness, code": lambda: SizeSmoothnessFocalLoss("published_code"),
    "with Dice": lambda: WithDice(AdaptiveFocalLoss()),
    "deep supervision": lambda: DeepSupervision(AdaptiveFocalLoss()),
}


@pytest.fixture(params=CRITERIA)
def criterion(request):
    return CRITERIA[request.param]()


def test_no_second_annotator_is_one_who_agrees(criterion, pair):
    logits, expert, _ = pair
    torch.testing.assert_close(
        criterion(logits, expert, None), criterion(logits, expert, expert.clone())
    )


def test_masks_may_be_of_any_kind_of_number(criterion, pair):
    logits, expert, nonexpert = pair
    expected = criterion(logits, expert, nonexpert)
    for kind in (torch.bool, torch.int64, torch.float32, torch.bfloat16):
        loss = criterion(logits, expert.to(kind), nonexpert.to(kind))
        torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("who", ["expert", "nonexpert"])
def test_ignored_pixels_have_no_say_and_no_gradient(criterion, pair, who):
    logits, expert, nonexpert = pair
    (expert if who == "expert" else nonexpert)[..., 12:] = 255
    other = logits.clone()
    other[..., 12:] = 7
    logits.requires_grad_()
    loss = criterion(logits, expert, nonexpert)
    loss.backward()
    torch.testing.assert_close(criterion(other, expert, nonexpert), loss)
    assert (logits.grad[..., 12:] == 0).all()
    assert (logits.grad[..., :12] != 0).any()


@pytest.mark.parametrize(
    "name", sorted(set(CRITERIA) - {"size and smoothness", "size and smoothness, code"})
)
def test_ignoring_pixels_is_leaving_them_out(name, pair):
    # Agreement beside the ignored part, or its hard region would reach out of it.
    # Size and smoothness differs: a cut at an edge of the frame is no neighbour.
    criterion = CRITERIA[name]()
    logits, expert, nonexpert = pair
    nonexpert[..., 8:] = expert[..., 8:]
    cut = [mask[..., :14].clone() for mask in (logits, expert, nonexpert)]
    expert[..., 14:] = 255
    loss = criterion(logits, expert, nonexpert)
    torch.testing.assert_close(criterion(*cut), loss)


def test_nothing_counted_costs_nothing(criterion, pair):
    logits, expert, nonexpert = pair
    logits.requires_grad_()
    expert[:] = 255
    loss = criterion(logits, expert, nonexpert)
    loss.backward()
    assert torch.isfinite(loss)
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("empty", [True, False])
def test_extreme_logits_give_finite_loss_and_gradient(
    criterion, pair, kind, autocast, empty
):
    logits, expert, nonexpert = pair
    if empty:
        expert[:], nonexpert[:] = 0, 0
    for sign in (1, -1, logits.sign()):
        extreme = (torch.full_like(logits, 80) * sign).to(kind).requires_grad_()
        low = torch.float16 if kind is torch.float16 else torch.bfloat16
        with torch.autocast("cpu", dtype=low, enabled=autocast):
            loss = criterion(extreme, expert, nonexpert)
        loss.backward()
        assert loss.dtype == torch.float32
        assert torch.isfinite(loss)
        assert torch.isfinite(extreme.grad).all()
        assert extreme.grad.dtype == kind


def test_half_precision_is_computed_in_full(criterion, pair):
    logits, expert, nonexpert = pair
    rounded = logits.to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = criterion(rounded, expert, nonexpert)
    torch.testing.assert_close(loss, criterion(rounded.float(), expert, nonexpert))


@pytest.mark.parametrize(
    "name",
    [
        "annotation-guided",
        "focal",
        "focal, lin2017",
        "focal, on probabilities",
        "size and smoothness",
        "size and smoothness, code",
    ],
)
def test_gradient_is_the_derivative(name, pair):
    criterion = CRITERIA[name]()
    logits, expert, nonexpert = (tensor[:, :, 2:11, 4:14] for tensor in pair)
    expert[0, 0, 0] = 255
    logits = logits.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: criterion(z, expert, nonexpert), logits)


@pytest.mark.parametrize("gamma_shape", [(), (3, 1, 1, 1)])
def test_gradient_is_the_derivative_at_a_fixed_gamma(pair, gamma_shape):
    # The adaptive loss holds gamma constant, so its own derivative is no test.
    logits, expert, _ = (tensor[:, :, 2:11, 4:14] for tensor in pair)
    generator = torch.Generator().manual_seed(1)
    gamma = 0.3 + torch.rand(gamma_shape, generator=generator, dtype=torch.float64)
    weight = torch.rand(logits.shape, generator=generator, dtype=torch.float64)
    sign = 2 * expert.double() - 1
    logits = logits.double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z: weighted_focal(z, sign, weight, gamma), logits
    )


def test_adaptive_gradient_is_autograds(pair):
    logits, expert, nonexpert = pair
    logits[0, 0, 0, 0] = 30  # outside the clamp
    logits.requires_grad_()
    criterion = AdaptiveFocalLoss(kernel_size=1)
    loss = criterion(logits, expert, nonexpert)
    (gradient,) = torch.autograd.grad(loss, logits)
    p = logits.sigmoid().clamp(1e-6, 1 - 1e-6)
    gamma = 1 - p.detach().mean() + nonexpert.float().mean()
    pt = torch.where(expert == 1, p, 1 - p)
    focal = -0.5 * (1 - pt) ** gamma * torch.log(pt + 1e-6)
    by_region = torch.where(expert != nonexpert, gamma * focal, focal / gamma)
    (expected,) = torch.autograd.grad(by_region.mean(), logits)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-9)


def test_wrong_shapes_are_named(criterion, pair):
    logits, expert, nonexpert = pair
    with pytest.raises(InputError, match=r"Logits must have shape|A mask for outputs"):
        criterion(logits[:, 0], expert[:, 0], nonexpert[:, 0])
    with pytest.raises(InputError, match=r"expert mask must have shape|A mask for"):
        criterion(logits, expert[..., 1:], nonexpert)
    with pytest.raises(InputError, match=r"non-expert mask must have|A mask for"):
        criterion(logits, expert, nonexpert[..., 1:])
    with pytest.raises(InputError, match="Logits must be floating point; got"):
        criterion(logits.long(), expert, nonexpert)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_waits_for_no_device(criterion, pair):
    logits, expert, nonexpert = (tensor.cuda() for tensor in pair)
    logits.requires_grad_()
    criterion(logits, expert, nonexpert).backward()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(logits, expert, nonexpert)
        loss.backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    expected = criterion(
        *(tensor.detach().cpu() for tensor in (logits, expert, nonexpert))
    )
    torch.testing.assert_close(loss.cpu(), expected, rtol=1e-4, atol=1e-6)


def test_asks_no_value_of_the_device(criterion, pair):
    # Tensors on "meta" have no values: reading one raises, as would any wait.
    logits, expert, nonexpert = (tensor.to("meta") for tensor in pair)
    logits.requires_grad_()
    criterion(logits, expert, nonexpert).backward()
    assert logits.grad.shape == logits.shape


@pytest.mark.parametrize("size", [1, 10, 13, 80])
def test_confident_mistakes_cost_the_same_in_single_and_double_precision(
    criterion, pair, size
):
    _, expert, nonexpert = pair
    wrong = size * (1 - 2 * expert.double())
    torch.testing.assert_close(
        criterion(wrong.float(), expert, nonexpert).double(),
        criterion(wrong, expert, nonexpert),
        rtol=1e-5,
        atol=0,
        check_dtype=False,
    )
