"""The logarithm, which is most of what a focal loss costs on a processor."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

# From here on PyTorch's threads together overtake NumPy's one.
_FEW_THREADS = 4


def log2(x: Tensor) -> Tensor:
    """Return log2 of a tensor that asks for no gradient.

    Where there is AVX-512, NumPy's is five times as fast as PyTorch's, on one thread
    each; it is within 4 units in the last place. Which one answers depends on the
    machine and its threads alone, so that a run can be repeated bit by bit.
    """
    few = x.device.type == "cpu" and torch.get_num_threads() <= _FEW_THREADS
    if few and x.dtype in (torch.float32, torch.float64) and _has_avx512():
        y = torch.empty_like(x)
        np.log2(x.numpy(), out=y.numpy())
        return y
    return x.log2()


@cache
def _has_avx512() -> bool:
    return torch.backends.cpu.get_cpu_capability() == "AVX512"
