"""Time the adaptive focal loss against the published way of computing it.

    python benchmarks/losses.py [--threads 2] [--repeats 60]

Both do one forward and one backward pass on 8 frames of 224 x 224 pixels with two
masks. The published way copies the masks to NumPy, dilates frame by frame (OpenCV
where it is installed, SciPy otherwise) and writes the loss in plain autograd. The
two are timed in turn, and the fastest of each counts: a shared machine slows both.
Limit: two exponentials, two logarithms and a reciprocal of each pixel by PyTorch,
measured in the same run. Prints a table and JSON.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import torch
from _common import in_turn, report
from torch import Tensor

from napari_microus.core.losses import AdaptiveFocalLoss, AnnotationGuidedBCE

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    import cv2
except ImportError:
    cv2 = None
    from scipy import ndimage

BATCH, SIZE, KERNEL, EPSILON, BETA = 8, 224, 4, 1e-6, 0.5


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    discs = []
    for row, column, radius in ((112, 112, 60), (115, 109, 64)):
        frames = [
            (rows - row) ** 2 + (columns - column) ** 2 < (radius + frame) ** 2
            for frame in range(BATCH)
        ]
        discs.append(torch.from_numpy(np.stack(frames)[:, None].astype(np.uint8)))
    logits = torch.randn(
        BATCH, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0)
    )
    return 2 * logits, *discs


def dilate(mask: np.ndarray, kernel: int) -> np.ndarray:
    if cv2 is not None:
        return cv2.dilate(mask, np.ones((kernel, kernel), np.uint8))
    return ndimage.maximum_filter(mask, kernel, mode="constant")


def published_hard(expert: Tensor, nonexpert: Tensor, kernel: int = KERNEL) -> Tensor:
    first, second = expert.numpy(), nonexpert.numpy()
    hard = np.zeros(first.shape, np.int64)
    for frame in range(len(first)):
        differs = np.bitwise_xor(first[frame, 0], second[frame, 0])
        hard[frame, 0] = dilate(differs, kernel)
    return torch.from_numpy(hard)


def published_adaptive(
    logits: Tensor, expert: Tensor, nonexpert: Tensor, kernel: int = KERNEL
) -> Tensor:
    hard = published_hard(expert, nonexpert, kernel)
    p = torch.clamp(torch.sigmoid(logits), EPSILON, 1 - EPSILON)
    pt = torch.where(expert == 1, p, 1 - p)
    gamma = (1 - p.detach().mean()) + nonexpert.float().mean()
    focal = -BETA * (1 - pt) ** gamma * torch.log(pt + EPSILON)
    weighted = gamma * (hard * focal).sum() + ((1 - hard) * focal / gamma).sum()
    return weighted / expert.numel()


def published_guided(logits: Tensor, expert: Tensor, nonexpert: Tensor) -> Tensor:
    hard = published_hard(expert, nonexpert)
    p = torch.sigmoid(logits)
    bce = -BETA * expert * torch.log(p + EPSILON)
    bce = bce - (1 - BETA) * (1 - expert.float()) * torch.log(1 - p + EPSILON)
    return (0.8 * (hard * bce).sum() + 0.2 * ((1 - hard) * bce).sum()) / expert.numel()


def transcendentals(logits: Tensor) -> None:
    """Do what no way can leave out."""
    ratio = logits.exp()
    ratio.log()
    ratio.reciprocal().log_().exp_()


def measure(
    criterion: torch.nn.Module, published: Callable[..., Tensor], repeats: int
) -> dict[str, float]:
    """Return the fastest times in ms, and how far the gradients lie apart."""
    logits, *masks = inputs()
    leaves = {name: logits.clone().requires_grad_() for name in ("ours", "published")}

    def step(name: str, way: Callable[..., Tensor]) -> None:
        leaves[name].grad = None
        way(leaves[name], *masks).backward()

    ways = {
        "ours": lambda: step("ours", criterion),
        "published": lambda: step("published", published),
        "limit": lambda: transcendentals(logits),
    }
    seconds = in_turn(ways, repeats, warm=3)
    ours, theirs = (leaves[name].grad for name in ("ours", "published"))
    return {
        **{f"{name}_ms": round(1000 * taken, 3) for name, taken in seconds.items()},
        "ratio": round(seconds["published"] / seconds["ours"], 2),
        "gradient_difference": float((ours - theirs).abs().max() / theirs.abs().max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pairs = {
        "adaptive focal": (AdaptiveFocalLoss(KERNEL), published_adaptive),
        "annotation-guided": (AnnotationGuidedBCE(4, KERNEL), published_guided),
    }
    losses = {name: measure(*pair, options.repeats) for name, pair in pairs.items()}
    dilation = "opencv" if cv2 is not None else "scipy"
    rows = [[name, *measured.values()] for name, measured in losses.items()]
    head = [
        "loss",
        "ours, ms",
        "published, ms",
        "limit, ms",
        "ratio",
        "gradients apart",
    ]
    report({"dilation": dilation, "losses": losses}, rows, head)


if __name__ == "__main__":
    main()
