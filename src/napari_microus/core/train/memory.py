"""How much memory this process takes."""

from __future__ import annotations

import sys

import torch


def memory_mib(device: torch.device) -> float:
    """Return the most memory that was used on ``device`` so far, in MiB.

    On a CPU it is the process's own; 0 where the system does not state it.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
