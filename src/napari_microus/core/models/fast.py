"""The same networks, prepared to answer fast and never to train again.

What is done to a copy: standardised filters and batch normalisation are folded into
plain convolutions, a grey frame meets the sum of the first filters instead of being
repeated, query, key and value come from one product, the supervising heads are left
out, weights are stored in the number format in which they are multiplied and, on a
CPU, in the layout of its fastest kernels.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_microus.core.models.decoder import Conv2dReLU
from napari_microus.core.models.efficientnet import ConvNorm, EfficientNetLite
from napari_microus.core.models.folded import FoldedConv, FoldedLinear, can_pack
from napari_microus.core.models.resnet import GroupNorm, ResNetV2, StdConv2d
from napari_microus.core.models.vit import Attention, Perceptron

if TYPE_CHECKING:
    from napari_microus.core.models.transunet import TransUNet

_PIXELS_OF_SLOW_NORM = 1024


def prepare_for_inference(
    model: TransUNet, dtype: torch.dtype | None = None
) -> FastTransUNet:
    """Return a copy that maps frames to full-size logits as fast as the device can.

    Parameters
    ----------
    model : TransUNet
        On the device where it will work. Not changed.
    dtype : torch.dtype, optional
        Number format of the products; by default bfloat16 where the processor
        multiplies it natively, else float32.

    Returns
    -------
    FastTransUNet
        Maps (B, 1, H, W) to a tensor of float32 logits of that shape, in evaluation
        mode; carries the model's ``config``.
    """
    device = next(model.parameters()).device
    if dtype is None:
        dtype = torch.bfloat16 if multiplies_bfloat16(device) else torch.float32
    with torch.no_grad():
        return FastTransUNet(model, dtype).eval()


def multiplies_bfloat16(device: torch.device) -> bool:
    """Return whether a device multiplies bfloat16 natively; False if unknown."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        # Restricted to AVX2, by its build or by its user, torch only imitates it.
        if torch.backends.cpu.get_cpu_capability() != "AVX512":
            return False
        names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        checks = [getattr(torch.cpu, name, None) for name in names]
        return any(check is not None and check() for check in checks)
    return False


class FastTransUNet(nn.Module):
    """A `TransUNet` for inference; see `prepare_for_inference`.

    In bfloat16 on a CPU the largest images, at both ends of the network, stay in
    float32: a fourteenth of `base`'s arithmetic, and without it several times the
    rounding error.
    """

    def __init__(self, model: TransUNet, dtype: torch.dtype) -> None:
        super().__init__()
        self.config = model.config
        self.dtype = dtype
        fast = copy.deepcopy(model).eval()
        # From here on the first filters are summed and see one channel.
        fast.config = dataclasses.replace(model.config, in_channels=1)
        for head in ("segmentation_head0", "segmentation_head1", "segmentation_head2"):
            delattr(fast.decoder, head)
        encoder = fast.transformer.embeddings.hybrid_model
        if isinstance(encoder, ResNetV2):
            encoder.root[0] = _for_grey(cast("StdConv2d", encoder.root[0]))
        on_cpu = next(model.parameters()).device.type == "cpu"
        keep = _ends(fast) if on_cpu and dtype is not torch.float32 else []
        ends = {name: _exchange(fast, name, nn.Identity()) for name in keep}
        _prepare(fast, dtype, on_cpu)
        for name, end in ends.items():
            end = _prepare(end, torch.float32, on_cpu)
            _exchange(fast, name, Part(end, torch.float32))
        self.model = fast

    def forward(self, x: Tensor) -> Tensor:
        """Return float32 logits (B, 1, H, W) for frames of that shape in [0, 1]."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.contiguous(memory_format=torch.channels_last)
            features, skips = self.model.encode(x)
            skips = [skip.to(self.dtype) for skip in skips]
            last = self.model.decoder.stages(features, skips)[-1]
            logits: Tensor = self.model.segmentation_head(last)
            return logits.float()


def _ends(model: TransUNet) -> list[str]:
    """Return the names of the parts that see the largest images."""
    encoder = "transformer.embeddings.hybrid_model"
    if isinstance(model.transformer.embeddings.hybrid_model, EfficientNetLite):
        first = [f"{encoder}.root"]
    else:
        first = [f"{encoder}.{part}" for part in ("root", "body.block1", "body.block2")]
    last = f"decoder.blocks.{len(model.decoder.blocks) - 1}"
    return [*first, last, "segmentation_head"]


class Part(nn.Module):
    """A part of a network that was prepared in a number format of its own."""

    def __init__(self, part: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.part = part
        self.dtype = dtype

    def forward(self, *features: Tensor | None) -> Tensor:
        """Return what the part makes of features of any format."""
        result: Tensor = self.part(
            *(x if x is None else x.to(self.dtype) for x in features)
        )
        return result


class FastAttention(nn.Module):
    """`Attention` with one product for query, key and value."""

    def __init__(self, like: Attention, dtype: torch.dtype, *, packed: bool) -> None:
        super().__init__()
        layers = (like.query, like.key, like.value)
        weight = torch.cat([layer.weight for layer in layers])
        bias = torch.cat([layer.bias for layer in layers])
        self.heads = like.heads
        self.inputs = FoldedLinear(weight, bias, dtype, packed=packed)
        self.out = FoldedLinear(like.out.weight, like.out.bias, dtype, packed=packed)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, hidden_size) to the same shape."""
        parts = self.inputs(x).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(1, 2).flatten(2))


class FastGroupNorm(nn.Module):
    """`GroupNorm` without the slow path that torch takes on a CPU for narrow groups."""

    def __init__(self, like: GroupNorm) -> None:
        super().__init__()
        self.groups, self.eps = like.num_groups, like.eps
        self.weight, self.bias = like.weight, like.bias
        self.is_narrow = like.num_channels < 16 * like.num_groups

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W) over each group."""
        small = x.shape[2] * x.shape[3] < _PIXELS_OF_SLOW_NORM
        if not (self.is_narrow and small and x.device.type == "cpu"):
            return F.group_norm(x, self.groups, self.weight, self.bias, self.eps)
        # Batch normalisation's kernels are ten to sixty times faster here: they give
        # the moments of each channel, and apply what follows for its group.
        samples = [x[index : index + 1] for index in range(len(x))]
        moments = [torch.batch_norm_update_stats(s, None, None, 0.0) for s in samples]
        shape = (len(x), self.groups, -1)
        means = torch.stack([mean.float() for mean, _ in moments]).view(shape)
        spreads = torch.stack([spread.float() for _, spread in moments]).view(shape)
        mean = means.mean(-1, keepdim=True)
        variance = (spreads + (means - mean).square()).mean(-1, keepdim=True)
        weight = self.weight.float().view(shape[1:]) / (variance + self.eps).sqrt()
        bias = self.bias.float().view(shape[1:]) - mean * weight
        zero, one = torch.zeros(x.shape[1]), torch.ones(x.shape[1])
        rows = zip(samples, weight.flatten(1), bias.flatten(1), strict=True)
        return torch.cat(
            [F.batch_norm(s, zero, one, w, b, eps=0.0) for s, w, b in rows]
        )


def _for_grey(conv: StdConv2d) -> nn.Conv2d:
    """Return the convolution of one channel that stands for all of them."""
    grey = nn.Conv2d(1, conv.out_channels, 7, stride=2, padding=3, bias=False)
    grey.weight = nn.Parameter(conv.standardised_weight().sum(1, keepdim=True))
    return grey


def _exchange(model: nn.Module, name: str, module: nn.Module) -> nn.Module:
    """Put a module in the place of the one of that name, which is returned."""
    parent, _, child = name.rpartition(".")
    before = model.get_submodule(name)
    setattr(model.get_submodule(parent), child, module)
    return before


def _prepare(module: nn.Module, dtype: torch.dtype, on_cpu: bool) -> nn.Module:
    """Return a network or a part of one in its faster form and in ``dtype``."""
    packed = on_cpu and can_pack(dtype)
    faster = _faster(module, dtype, packed)
    if faster is None:
        faster = module
        _replace(module, dtype, packed)
    return faster.to(dtype)


def _replace(module: nn.Module, dtype: torch.dtype, packed: bool) -> None:
    """Exchange every layer below ``module`` that has a faster form."""
    for name, child in module.named_children():
        faster = _faster(child, dtype, packed)
        if faster is None:
            _replace(child, dtype, packed)
        else:
            setattr(module, name, faster)


def _faster(layer: nn.Module, dtype: torch.dtype, packed: bool) -> nn.Module | None:
    """Return what takes the place of a layer, or None if nothing does."""
    match layer:
        case StdConv2d():
            weight = layer.standardised_weight()
            return FoldedConv(weight, None, layer, dtype, packed=packed)
        case Conv2dReLU():
            conv, norm = cast("nn.Conv2d", layer[0]), cast("nn.BatchNorm2d", layer[1])
            conv = nn.utils.fuse_conv_bn_eval(conv, norm)
            return FoldedConv(
                conv.weight, conv.bias, conv, dtype, activation="relu", packed=packed
            )
        case ConvNorm():
            return _folded_conv_norm(layer, dtype, packed)
        case GroupNorm():
            return FastGroupNorm(layer)
        case Attention():
            return FastAttention(layer, dtype, packed=packed)
        case Perceptron():
            first, second = layer.fc1, layer.fc2
            return nn.Sequential(
                FoldedLinear(first.weight, first.bias, dtype, gelu=True, packed=packed),
                FoldedLinear(second.weight, second.bias, dtype, packed=packed),
            )
        case nn.Conv2d() if layer.dilation == (1, 1):
            return FoldedConv(layer.weight, layer.bias, layer, dtype, packed=packed)
    return None


def _folded_conv_norm(layer: ConvNorm, dtype: torch.dtype, packed: bool) -> nn.Module:
    """Return one convolution for a `ConvNorm`, padded alike on both sides.

    Where the padding is one pixel wider at the far side, a row and a column of zeros
    in front of the filter make it even, which saves a copy of the image.
    """
    first, norm = cast("nn.Conv2d", layer[0]), cast("nn.BatchNorm2d", layer[1])
    fused = nn.utils.fuse_conv_bn_eval(first, norm)
    total = max(0, first.kernel_size[0] - first.stride[0])
    weight, padding = fused.weight, (total + 1) // 2
    if total % 2:
        weight = F.pad(weight, (1, 0, 1, 0))
    like = nn.Conv2d(
        first.in_channels,
        first.out_channels,
        weight.shape[-1],
        first.stride[0],
        padding,
        groups=first.groups,
    )
    activation: Literal["relu6", "none"] = "relu6" if len(layer) == 3 else "none"
    return FoldedConv(
        weight, fused.bias, like, dtype, activation=activation, packed=packed
    )
