import pytest
import torch
import torch.nn.functional as F

from napari_microus.core.config import TransUNetConfig
from napari_microus.core.errors import CheckpointError, ConfigError
from napari_microus.core.models.efficientnet import (
    EfficientNetLite,
    SameConv2d,
    load_efficientnet_lite,
)
from napari_microus.core.models.pretrained import load_encoder
from napari_microus.core.models.transunet import TransUNet

# Of the published network: inputs, inner and output channels, kernel and stride of
# its first eleven blocks (arXiv 1905.11946, table 1, without squeeze-and-excitation).
BLOCKS = [
    (32, 32, 16, 3, 1),
    (16, 96, 24, 3, 2),
    (24, 144, 24, 3, 1),
    (24, 144, 40, 5, 2),
    (40, 240, 40, 5, 1),
    (40, 240, 80, 3, 2),
    (80, 480, 80, 3, 1),
    (80, 480, 80, 3, 1),
    (80, 480, 112, 5, 1),
    (112, 672, 112, 5, 1),
    (112, 672, 112, 5, 1),
]
NORM = ("weight", "bias", "running_mean", "running_var")


def published() -> dict[str, torch.Tensor]:
    """Random weights under the names and in the shapes of the published file."""
    draw = torch.Generator().manual_seed(0)

    def scaled(shape: tuple[int, ...]) -> torch.Tensor:
        inputs = shape[1] * shape[2] * shape[3]
        return torch.randn(shape, generator=draw) / inputs**0.5

    found = {"_conv_stem.weight": scaled((32, 3, 3, 3))}

    def norm(prefix: str, channels: int) -> None:
        for part in NORM:
            found[f"{prefix}.{part}"] = 0.5 + torch.rand(channels, generator=draw)

    norm("_bn0", 32)
    for number, (inputs, inner, outputs, kernel, _) in enumerate(BLOCKS):
        block = f"_blocks.{number}"
        if number:
            shape = (inner, inputs, 1, 1)
            found[f"{block}._expand_conv.weight"] = scaled(shape)
            norm(f"{block}._bn0", inner)
        shape = (inner, 1, kernel, kernel)
        found[f"{block}._depthwise_conv.weight"] = scaled(shape)
        norm(f"{block}._bn1", inner)
        shape = (outputs, inner, 1, 1)
        found[f"{block}._project_conv.weight"] = scaled(shape)
        norm(f"{block}._bn2", outputs)
    found["_fc.weight"] = torch.zeros(1000, 1280)  # of the part that is left out
    return found


def reference(weights: dict[str, torch.Tensor], frame: torch.Tensor) -> torch.Tensor:
    """The published network, written again from its description."""

    def conv(x, name, stride=1, groups=1):
        weight = weights[name + ".weight"]
        pad = weight.shape[-1] - stride if weight.shape[-1] > 1 else 0
        x = F.pad(x, (pad // 2, pad - pad // 2) * 2)
        return F.conv2d(x, weight, stride=stride, groups=groups)

    def norm(x, name):
        scale, shift, mean, var = (
            weights[f"{name}.{part}"].view(-1, 1, 1) for part in NORM
        )
        return (x - mean) / (var + 1e-3).sqrt() * scale + shift

    grey = (frame * 255 - 127.5) / 127.5
    x = norm(conv(grey.expand(-1, 3, -1, -1), "_conv_stem", 2), "_bn0").clamp(0, 6)
    for number, (inputs, inner, outputs, _, stride) in enumerate(BLOCKS):
        block = f"_blocks.{number}"
        y = x
        if number:
            y = norm(conv(y, f"{block}._expand_conv"), f"{block}._bn0").clamp(0, 6)
        y = conv(y, f"{block}._depthwise_conv", stride, groups=inner)
        y = norm(y, f"{block}._bn1").clamp(0, 6)
        y = norm(conv(y, f"{block}._project_conv"), f"{block}._bn2")
        x = x + y if stride == 1 and inputs == outputs else y
    return x


def test_published_weights_give_the_published_networks_features():
    weights = published()
    encoder = EfficientNetLite().eval()
    load_efficientnet_lite(encoder, weights)
    frame = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        features, skips = encoder(frame)
        expected = reference(weights, frame)
    assert features.shape == (2, 112, 4, 4)
    assert [tuple(s.shape[1:]) for s in skips] == [
        (40, 8, 8),
        (24, 16, 16),
        (16, 32, 32),
    ]
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-2)


def test_uneven_padding_lies_at_the_far_side():
    conv = SameConv2d(1, 1, 3, 2, bias=False)
    torch.nn.init.ones_(conv.weight)
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0, 0] = 1.0
    # The first window covers rows and columns 0 to 2, the second 2 and 3 alone.
    assert conv(image).tolist() == [[[[1.0, 0.0], [0.0, 0.0]]]]


def test_a_file_that_lacks_a_layer_changes_nothing(tmp_path):
    weights = published()
    del weights["_blocks.4._bn1.bias"]
    torch.save(weights, tmp_path / "lite0.pth")
    network = TransUNet(TransUNetConfig.light(image_size=64))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"missing stages.2.1.depthwise.1.bias"):
        load_encoder(network, tmp_path / "lite0.pth")
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_only_a_transunet_takes_encoder_weights(tmp_path):
    with pytest.raises(CheckpointError, match=r"TransUNet.*got a network of Linear"):
        load_encoder(torch.nn.Linear(1, 1), tmp_path / "lite0.pth")


def test_three_channels_are_refused():
    with pytest.raises(ConfigError, match=r"in_channels must be 1 .*; got 3"):
        TransUNetConfig.light(in_channels=3)


def test_the_larger_size_has_the_published_layout():
    """Channels of the fifteen blocks as in the file that is published for lite2."""
    inner = [32, 96, 144, 144, 144, 288, 288, 288, 528, 528, 528, 528, 720, 720, 720]
    outer = [16, 24, 24, 24, 48, 48, 48, 88, 88, 88, 88, 120, 120, 120, 120]
    encoder = EfficientNetLite("efficientnet_lite2")
    blocks = [block for stage in encoder.stages for block in stage]
    assert [block.depthwise[0].weight.shape[0] for block in blocks] == inner
    assert [block.project[0].weight.shape[0] for block in blocks] == outer
    features, skips = encoder(torch.rand(1, 1, 64, 64))
    assert features.shape == (1, encoder.out_channels, 4, 4) == (1, 120, 4, 4)
    assert [skip.shape[1] for skip in skips] == [48, 24, 16]
    assert [skip.shape[2] for skip in skips] == [8, 16, 32]
