"""Dropout whose draws do not hold up a processor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_STEPS = 2**16


class Dropout(nn.Dropout):
    """`torch.nn.Dropout`, four times as fast on a CPU.

    PyTorch draws a 32-bit number for each value there, one after the other: a sixth
    of a training step of `base`. Here one 64-bit number serves four values, so ``p``
    is rounded to 16 bits. The draws come from PyTorch's generator all the same.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with some values 0 and the others enlarged, in training."""
        dropped = round(self.p * _STEPS)
        is_needed = self.training and 0 < dropped < _STEPS
        if not is_needed or x.device.type != "cpu" or self.inplace:
            return super().forward(x)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64)
        words.random_(-(2**63), None)
        bits = words.view(torch.int16)[: x.numel()].view(x.shape)
        keeps = bits >= dropped - _STEPS // 2
        scale = _STEPS / (_STEPS - dropped)
        return x * keeps.view(torch.uint8).to(x.dtype).mul_(scale)
