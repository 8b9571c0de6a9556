import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from napari_microus.core.config import TransUNetConfig
from napari_microus.core.errors import InputError
from napari_microus.core.models.transunet import TransUNet, TransUNetOutput

TINY = {
    "image_size": 64,
    "hidden_size": 24,
    "mlp_dim": 48,
    "num_heads": 2,
    "num_layers": 2,
    "width": 8,
    "block_units": (1, 1, 1),
    "conv_more_channels": 16,
    "decoder_channels": (16, 12, 8, 8),
    "dropout": 0.0,
}


def tiny(**changes) -> TransUNet:
    torch.manual_seed(0)
    return TransUNet(TransUNetConfig(**TINY | changes))


def disc(size: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Two noisy frames with a bright disc each, and the discs."""
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    masks = torch.stack(
        [(row - c) ** 2 + (column - 30) ** 2 < (size // 4) ** 2 for c in (24, 36)]
    )
    masks = masks[:, None].float()
    noise = torch.rand(masks.shape, generator=torch.Generator().manual_seed(0))
    return 0.4 * noise + 0.3 * masks, masks


def test_small_reference_outputs_are_met(reference, assert_reference_outputs):
    golden = reference("small")
    model = TransUNet(TransUNetConfig(**golden.dims)).eval()
    model.load_state_dict(golden.state_dict())

    assert_reference_outputs(model, golden.image, golden.outputs)


@pytest.mark.slow
def test_base_reference_outputs_are_met(reference, assert_reference_outputs):
    golden = reference("base")
    assert TransUNetConfig.base() == TransUNetConfig(**golden.dims)
    model = TransUNet(TransUNetConfig.base()).eval()
    model.load_state_dict(golden.state_dict())

    assert_reference_outputs(model, golden.image, golden.outputs)


@pytest.mark.parametrize("size", [64, 96, 112])
def test_output_has_four_scales_of_one_logit(size):
    output = tiny(image_size=size)(torch.rand(2, 1, size, size))

    assert isinstance(output, TransUNetOutput)
    assert [tuple(scale.shape) for scale in output] == [
        (2, 1, size // n, size // n) for n in (1, 2, 4, 8)
    ]


def test_grey_is_repeated_to_three_channels():
    model, frames = tiny().eval(), torch.rand(1, 1, 64, 64)

    with torch.no_grad():
        torch.testing.assert_close(model(frames), model(frames.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize("shape", [(1, 64, 64), (1, 2, 64, 64), (1, 1, 64, 80)])
def test_a_wrong_shape_is_named_with_the_right_one(shape):
    with pytest.raises(InputError, match=r"\(B, 1, 64, 64\); got .*core.preprocess"):
        tiny()(torch.zeros(shape))


@pytest.mark.parametrize(
    "changes", [{}, {"bottleneck_dilation": True, "skip_attention": True}]
)
def test_gradient_reaches_every_parameter(changes):
    model = tiny(**changes).train()

    output = model(torch.rand(2, 1, 64, 64))
    sum(scale.square().mean() for scale in output).backward()

    without = [n for n, p in model.named_parameters() if p.grad is None]
    assert without == []
    dead = [n for n, p in model.named_parameters() if not p.grad.any()]
    # Softmax ignores a shift of all keys: the key's bias has no gradient but noise.
    assert [n for n in dead if not n.endswith("key.bias")] == []


@pytest.mark.parametrize("preset", [TransUNetConfig.small(image_size=64)])
def test_one_batch_is_learnt(preset):
    torch.manual_seed(0)
    model = TransUNet(preset).train()
    frames, masks = disc()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)

    for _ in range(40):
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(frames).logits, masks)
        loss.backward()
        optimiser.step()

    found = model(frames).logits > 0
    dice = 2 * (found & (masks > 0)).sum() / (found.sum() + masks.sum())
    assert dice > 0.97


def test_first_loss_is_that_of_an_even_guess():
    frames, masks = disc()
    torch.manual_seed(0)
    output = TransUNet(TransUNetConfig.small(image_size=64)).train()(frames)

    loss = F.binary_cross_entropy_with_logits(output.logits, masks)

    assert loss.item() == pytest.approx(np.log(2), abs=0.05)


def test_options_add_parameters_and_change_no_other():
    plain = tiny().state_dict()

    for option in ("bottleneck_dilation", "skip_attention"):
        model = tiny(**{option: True})
        missing = model.load_state_dict(plain, strict=False).missing_keys
        assert missing
        assert all("dilation" in key or "attention" in key for key in missing)


def test_skips_are_used_up_to_their_number():
    frames = torch.rand(1, 1, 64, 64)
    for number in range(4):
        model = tiny(num_skips=number).eval()
        taken = [
            block.conv1[0].in_channels - inputs
            for block, inputs in zip(model.decoder.blocks, (16, 16, 12, 8), strict=True)
        ]
        assert [n > 0 for n in taken] == [i < number for i in range(4)]
        assert model(frames).logits.shape == frames.shape


def test_small_keeps_its_budget():
    model = TransUNet(TransUNetConfig.small()).eval()
    # The counter does not see the products inside the CPU's fused attention.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(torch.zeros(1, 1, 224, 224))

    assert sum(p.numel() for p in model.parameters()) < 8e6
    assert counter.get_total_flops() < 3e9


def test_epsilons_are_the_published_ones():
    """Too small a change for the outputs' tolerance, so they are read here."""
    found = {
        (kind.__name__, name.endswith("gn_proj"), module.eps)
        for name, module in TransUNet(TransUNetConfig(num_layers=1)).named_modules()
        for kind in (torch.nn.GroupNorm, torch.nn.LayerNorm, torch.nn.BatchNorm2d)
        if isinstance(module, kind)
    }
    assert found == {
        ("GroupNorm", False, 1e-6),
        ("GroupNorm", True, 1e-5),
        ("LayerNorm", False, 1e-6),
        ("BatchNorm2d", False, 1e-5),
    }
