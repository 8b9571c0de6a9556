"""Read what two annotators said about each pixel the network scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from napari_microus.core.errors import InputError
from napari_microus.core.hard_region import dilate
from napari_microus.core.mask import IGNORE_VALUE

if TYPE_CHECKING:
    from collections.abc import Sequence


class Annotation(NamedTuple):
    """Two annotators' masks as booleans, all of the expert's shape.

    Attributes
    ----------
    foreground : Tensor of bool
        The expert's mask; False where the pixel does not count.
    nonexpert : Tensor of bool
        The non-expert's mask; the expert's own where there is none.
    counted : Tensor of bool
        False where either mask holds 255.
    """

    foreground: Tensor
    nonexpert: Tensor
    counted: Tensor

    def hard(self, kernel_size: int) -> Tensor:
        """Return the counted pixels of the hard region, as bool."""
        region = dilate(self.foreground ^ self.nonexpert, kernel_size)
        return region & self.counted

    def sign(self, dtype: torch.dtype) -> Tensor:
        """Return +1 on foreground, -1 on background, 0 where nothing counts."""
        foreground = self.foreground.view(torch.int8)
        return (2 * foreground - self.counted.view(torch.int8)).to(dtype)


def read_annotation(
    logits: Tensor,
    expert: Tensor,
    nonexpert: Tensor | None,
    *,
    channels: Sequence[int] = (1,),
    refuse_raw: bool = False,
) -> Annotation:
    """Check the shapes of a loss's arguments and read its masks.

    Only shapes and kinds are checked: looking at values would wait for the
    device. With ``refuse_raw`` values on a CPU are looked at, where that costs
    nothing (and not inside ``torch.compile``, whose graph it would break): a mask
    of 0 and 255 alone would count nowhere. A pixel is foreground where its mask is
    exactly 1, is ignored where either mask is 255, and is background otherwise. No
    non-expert mask means that the second annotator agrees with the expert
    everywhere.

    Raises
    ------
    InputError
        If ``logits`` is not a floating tensor (B, C, H, W) or (B, C, D, H, W)
        with C among ``channels``, or a mask is not (B, 1, ...) of its size, or
        with ``refuse_raw`` holds 0 and 255 and no 1.
    """
    if logits.ndim not in (4, 5) or logits.shape[1] not in channels:
        allowed = " or ".join(str(count) for count in channels)
        raise InputError(
            "Logits must have shape (B, C, H, W) or (B, C, D, H, W) with C = "
            f"{allowed}; got {tuple(logits.shape)}. Add or choose the channel first."
        )
    if not logits.is_floating_point():
        raise InputError(
            f"Logits must be floating point; got {logits.dtype}. "
            "Pass the network's raw output, not a mask."
        )
    expected = (logits.shape[0], 1, *logits.shape[2:])
    for name, mask in (("expert", expert), ("non-expert", nonexpert)):
        if mask is not None and mask.shape != expected:
            raise InputError(
                f"The {name} mask must have shape {tuple(expected)} to fit the "
                f"logits; got {tuple(mask.shape)}. Resize or reshape it first."
            )
        if refuse_raw and mask is not None:
            _refuse_raw(mask, name)
    counted = ~_holds(expert, IGNORE_VALUE)
    foreground = _holds(expert, 1)
    if nonexpert is None:
        return Annotation(foreground, foreground, counted)
    counted &= ~_holds(nonexpert, IGNORE_VALUE)
    return Annotation(foreground & counted, _holds(nonexpert, 1) & counted, counted)


def in_full_precision(logits: Tensor) -> Tensor:
    """Return ``logits`` in float32 or better; half precision overflows in a loss."""
    return logits if logits.dtype == torch.float64 else logits.float()


def to_number(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a boolean mask as 0 and 1; six times faster than casting bool."""
    return mask.view(torch.uint8).to(dtype)


def region_weight(
    counted: Tensor, hard: Tensor, hard_weight: Tensor | float, easy_weight: Tensor
) -> Tensor:
    """Return each pixel's weight by its region.

    ``counted`` is 1, or 0 where a pixel does not count; it becomes the result.
    """
    extra = to_number(hard, counted.dtype).mul_(hard_weight - easy_weight)
    return counted.mul_(easy_weight).add_(extra)


def _refuse_raw(mask: Tensor, name: str) -> None:
    if mask.device.type != "cpu" or mask.dtype == torch.bool:
        return
    if torch.compiler.is_compiling():  # a look at values would end the graph
        return
    ignored = _holds(mask, IGNORE_VALUE)
    is_raw = bool(ignored.any()) and not bool(_holds(mask, 1).any())
    if is_raw and not bool(ignored.all()):
        raise InputError(
            f"The {name} mask must hold 1 where the object is; got 0 and 255 alone, "
            "and 255 is ignored. Read it with core.io.read_mask, or divide it by 255."
        )


def _holds(mask: Tensor, value: int) -> Tensor:
    """Return ``mask == value``; on integers ten times faster on a CPU."""
    if mask.dtype == torch.bool:
        return mask if value == 1 else torch.zeros_like(mask)
    if mask.is_floating_point():
        return mask == value
    return (mask ^ value).logical_not()
