"""One criterion at every scale of a network's output."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.hard_region import KERNEL_SIZES, check_kernel_size
from napari_microus.core.mask import IGNORE_VALUE

if TYPE_CHECKING:
    from collections.abc import Sequence

# A bilinear resize of ones may round to just below one, and must not become zero.
_ROUND_OFF = 1e-5


class DeepSupervision(nn.Module):
    """Sum one criterion over the scales of a network's output, equally weighted.

    Parameters
    ----------
    criterion : nn.Module
        Called as ``criterion(logits, expert, nonexpert)``. It is copied for each
        scale, with the ``kernel_size`` (if it has one, itself or inside) of that
        scale instead of its own.
    kernel_sizes : sequence of int
        Edge of the hard region's square at full, half, quarter and eighth size.
    label_downsampling : {"area", "published"}
        How masks reach a coarser scale; see `downsample_mask`. "published" also
        truncates a full-size mask of bilinear greys.

    Attributes
    ----------
    scales : nn.ModuleList
        The criterion of each scale, from full to coarse.

    Raises
    ------
    ConfigError
        If a setting is out of range.

    References
    ----------
    .. [1] Jiang et al., "MicroSegNet", Comput. Med. Imaging Graph. 2024, 102326.
    """

    def __init__(
        self,
        criterion: nn.Module,
        kernel_sizes: Sequence[int] = KERNEL_SIZES,
        label_downsampling: Literal["area", "published"] = "area",
    ) -> None:
        super().__init__()
        if not kernel_sizes:
            raise ConfigError(
                "kernel_sizes must name at least one scale; got none. Use (4, 3, 2, 1)."
            )
        if label_downsampling not in ("area", "published"):
            raise ConfigError(
                'label_downsampling must be "area" or "published"; got '
                f"{label_downsampling!r}. Choose one of the two."
            )
        self.kernel_sizes = tuple(kernel_sizes)
        self.label_downsampling = label_downsampling
        self.scales = nn.ModuleList(
            _with_kernel_size(criterion, size) for size in kernel_sizes
        )

    @property
    def last_gamma(self) -> Tensor | None:
        """Gamma of the full scale's last call, for logging; None if it has none."""
        for module in self.scales[0].modules():
            gamma = getattr(module, "last_gamma", None)
            if gamma is not None:
                return gamma
        return None

    def forward(
        self,
        outputs: Tensor | Sequence[Tensor],
        expert: Tensor,
        nonexpert: Tensor | None = None,
    ) -> Tensor:
        """Return the sum over scales.

        Parameters
        ----------
        outputs : Tensor or sequence of Tensor, shape (B, 1, ·, ·)
            Logits from full to coarse, such as `TransUNetOutput`; one tensor is
            the full scale alone.
        expert, nonexpert : Tensor, shape (B, 1, H, W)
            Masks of the full scale's size.

        Returns
        -------
        Tensor, shape ()

        Raises
        ------
        InputError
            If there are more outputs than scales, none, or the shapes do not fit.
        """
        if isinstance(outputs, Tensor):
            outputs = (outputs,)
        if not 1 <= len(outputs) <= len(self.scales):
            raise InputError(
                f"Deep supervision takes one to {len(self.scales)} outputs, from full "
                f"to coarse; got {len(outputs)}. Name a kernel size for each."
            )
        total = outputs[0].new_zeros((), dtype=torch.float32)
        for logits, criterion in zip(outputs, self.scales, strict=False):
            size = logits.shape[2:]
            loss = criterion(
                logits,
                downsample_mask(expert, size, self.label_downsampling),
                None
                if nonexpert is None
                else downsample_mask(nonexpert, size, self.label_downsampling),
            )
            total = total + loss
        return total


def downsample_mask(
    mask: Tensor,
    size: Sequence[int],
    method: Literal["area", "published"] = "area",
) -> Tensor:
    """Bring masks (B, 1, H, W) to a coarser ``size``.

    "area": a coarse pixel is foreground where at least half of its counted area
    is, and ignored where less than half of its area counts; masks keep their
    size. "published": bilinear without antialiasing, then truncated to integers,
    so that only pixels wholly inside stay; a coarse pixel that any ignored pixel
    reaches is ignored.

    Returns
    -------
    Tensor of float32, shape (B, 1, *size)
        0, 1 and 255; ``mask`` itself where "area" has nothing to do.

    Raises
    ------
    InputError
        If ``mask`` has no channel axis, or ``size`` is larger than it.
    """
    size = tuple(size)
    if mask.ndim != 2 + len(size) or any(
        coarse > fine for coarse, fine in zip(size, mask.shape[2:], strict=True)
    ):
        raise InputError(
            f"A mask for outputs of size {size} must have shape (B, 1, ...) and be no "
            f"smaller; got {tuple(mask.shape)}. Pass the masks at full size."
        )
    if method == "area" and tuple(mask.shape[2:]) == size:
        return mask
    ignored = mask == IGNORE_VALUE
    if method == "area":
        counted = _by_area((~ignored).float(), size)
        foreground = _by_area((mask == 1).float(), size)
        coarse = (2 * foreground >= counted).float()
        return coarse.masked_fill_(counted < 0.5, IGNORE_VALUE)
    grey = _bilinear(mask.float().masked_fill(ignored, 0), size)
    touched = _bilinear(ignored.float(), size) > _ROUND_OFF
    return (grey + _ROUND_OFF).floor_().masked_fill_(touched, IGNORE_VALUE)


def _by_area(mask: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(mask, size, mode="area")


def _bilinear(mask: Tensor, size: Sequence[int]) -> Tensor:
    mode = "bilinear" if len(size) == 2 else "trilinear"
    return F.interpolate(mask, size, mode=mode, align_corners=False)


def _with_kernel_size(criterion: nn.Module, kernel_size: int) -> nn.Module:
    check_kernel_size(kernel_size)
    criterion = copy.deepcopy(criterion)
    for module in criterion.modules():
        # A pooling or a convolution inside a loss has another one.
        is_torchs = type(module).__module__.startswith("torch.")
        if hasattr(module, "kernel_size") and not is_torchs:
            setattr(module, "kernel_size", kernel_size)  # noqa: B010  not a submodule
    return criterion
