import pytest
import torch

from napari_microus.core.models.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_drops_the_asked_for_share_and_keeps_the_mean(p, kind):
    torch.manual_seed(0)
    x = torch.ones(7, 301, 131, dtype=kind)  # no multiple of four
    y = Dropout(p)(x)
    kept = y != 0
    # Five standard deviations of the share of 276,017 draws are 0.005 at most.
    assert kept.float().mean().item() == pytest.approx(1 - p, abs=0.005)
    assert y.dtype == kind
    enlarged = torch.full_like(y[kept], 1 / (1 - p))
    torch.testing.assert_close(
        y[kept], enlarged, rtol=1e-2 if y.dtype.itemsize == 2 else 1e-4, atol=0
    )
    assert y.float().mean().item() == pytest.approx(1, abs=0.005 / (1 - p))


def test_values_are_dropped_independently_of_their_neighbours():
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(2**20)) != 0).float() - 0.5
    for step in range(1, 9):
        # 0.25 times the correlation, with a standard deviation of 0.25 / 1024
        assert abs((kept[step:] * kept[:-step]).mean().item()) < 0.0013


def test_gradient_passes_where_the_value_did():
    torch.manual_seed(0)
    x = torch.rand(5, 33).add_(1).requires_grad_()
    y = Dropout(0.3)(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach() / x.detach())
    assert (x.grad == 0).any()


def test_a_seed_repeats_the_draws():
    x = torch.ones(1000)
    torch.manual_seed(3)
    first, second = Dropout(0.5)(x), Dropout(0.5)(x)
    torch.manual_seed(3)
    assert torch.equal(Dropout(0.5)(x), first)
    assert not torch.equal(first, second)


def test_nothing_is_dropped_outside_training_or_for_a_rate_of_zero():
    x = torch.rand(10)
    assert Dropout(0.5).eval()(x) is x
    assert torch.equal(Dropout(0.0)(x), x)


def test_everything_is_dropped_for_a_rate_of_one():
    assert not Dropout(1.0)(torch.ones(10)).any()


def test_other_devices_draw_for_themselves():
    assert Dropout(0.5)(torch.ones(10, device="meta")).device.type == "meta"
