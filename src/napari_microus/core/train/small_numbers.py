"""Count numbers below 1e-38 as 0 while a network learns on a processor.

Gradients of attention are full of numbers too small for a float's full precision, each
of which takes a processor much longer: a fifth of a step in float32 with AVX2.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHARED = 1 << 18  # values that PyTorch divides among its threads


@contextmanager
def small_numbers_as_zero(device: torch.device) -> Iterator[None]:
    """Count them as 0 in this thread, on a processor, until left.

    No longer: SciPy's search tree ends the process with a segmentation fault where a
    number next to 0 is 0.
    """
    if device.type != "cpu":
        yield
        return
    smallest = torch.tensor(1e-38)
    was = bool(smallest * 0.1 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(was)


def start_threads(device: torch.device) -> None:
    """Start PyTorch's threads so that they count small numbers as 0.

    They take that over from the thread that starts them, and serve PyTorch alone.
    """
    with small_numbers_as_zero(device):
        torch.zeros(_SHARED).add_(1)
