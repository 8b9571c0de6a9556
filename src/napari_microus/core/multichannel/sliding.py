"""Take a volume through a network window by window, as MONAI does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from napari_microus.core.device import is_out_of_memory
from napari_microus.core.errors import DeviceError
from napari_microus.core.events import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from torch import Tensor


@torch.no_grad()
def sliding_logits(
    network: Callable[[Tensor], Any],
    stack: Tensor,
    patch: tuple[int, int, int],
    *,
    device: torch.device,
    overlap: float = 0.25,
    batch_size: int = 2,
) -> Generator[Progress, None, Tensor]:
    """Return a network's logits over a whole volume.

    Windows overlap, and where they do, those near their middle count more (a
    Gaussian), as in MONAI's `sliding_window_inference` [1]_.

    Parameters
    ----------
    network : callable
        Maps (B, C, *patch) to logits (B, 1, *patch), in evaluation mode.
    stack : Tensor, shape (C, Z, Y, X)
        The volume; one smaller than a patch is filled up with zeros.
    patch : tuple of int
        What the network sees at once.
    device : device
        Where the network lies; the result lies with ``stack``.
    overlap : float
        Share of a window that the next one sees again, 0 to below 1.
    batch_size : int
        Windows at once; halved when memory runs out.

    Yields
    ------
    Progress
        In windows, before each batch of them.

    Returns
    -------
    Tensor of float32, shape (1, Z, Y, X)

    Raises
    ------
    DeviceError
        If not even one window fits into memory.

    References
    ----------
    .. [1] MONAI, monai.inferers.utils, Apache-2.0.
    """
    from monai.data.utils import compute_importance_map, dense_patch_slices

    size = stack.shape[1:]
    short = [max(0, edge - n) for edge, n in zip(patch, size, strict=True)]
    sides = [side for n in reversed(short) for side in (n // 2, n - n // 2)]
    padded = F.pad(stack, sides) if any(short) else stack
    whole = tuple(padded.shape[1:])
    steps = [max(1, int(edge * (1 - overlap))) for edge in patch]
    windows = dense_patch_slices(whole, patch, steps)
    weight = compute_importance_map(
        patch, mode="gaussian", sigma_scale=0.125, device="cpu", dtype=torch.float32
    )
    # MONAI keeps the rim from weighing nothing.
    weight = weight.clamp(min=max(float(weight[weight > 0].min()), 1e-3))
    total = torch.zeros((1, *whole))
    weights = torch.zeros(whole)
    done = 0
    while done < len(windows):
        yield Progress(done, len(windows), "windows", "Segmenting")
        part = windows[done : done + batch_size]
        batch = torch.stack([padded[(slice(None), *window)] for window in part])
        try:
            output = network(batch.to(device))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(part) == 1:
                raise DeviceError(
                    f"One window of {' × '.join(map(str, patch))} voxels must fit into "
                    f"the memory of {device}; got an out-of-memory error. Choose the "
                    "CPU, or a model of smaller patches.",
                    plain=(
                        f"The memory of {device} is too small for one window of "
                        f"{' × '.join(map(str, patch))} voxels. Choose the CPU, or a "
                        "model of smaller patches."
                    ),
                ) from error
            batch_size = len(part) // 2
            continue
        logits = output if isinstance(output, torch.Tensor) else output[0]
        for window, answer in zip(part, logits.float().cpu(), strict=True):
            total[(slice(None), *window)] += answer * weight
            weights[window] += weight
        done += len(part)
    yield Progress(len(windows), len(windows), "windows", "Segmenting")
    inside = tuple(
        slice(n // 2, n // 2 + length) for n, length in zip(short, size, strict=True)
    )
    return (total / weights)[(slice(None), *inside)]
