"""Time the adaptive focal loss against the published way of computing it.

    python benchmarks/losses.py [--threads 2] [--repeats 60]

Both do one forward and one backward pass on 8 frames of 224 x 224 pixels with two
masks. The published way copies the masks to NumPy, dilates frame by frame (OpenCV
where it is installed, SciPy otherwise) and writes the loss in plain autograd. The
two are timed in turn, and the fastest of each counts: a shared machine slows both.
Limit: one sigmoid, two logarithms and one exponential of each pixel.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import torch
from torch import Tensor

from napari_microus.core.losses import AdaptiveFocalLoss, AnnotationGuidedBCE

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


def fastest(ways: dict, arguments: tuple, repeats: int) -> tuple[dict, dict]:
    """Return the fastest time in ms and the gradient of each way."""
    logits, *masks = arguments
    times = dict.fromkeys(ways, float("inf"))
    gradients = {}
    for repeat in range(repeats + 3):
        for name, way in ways.items():
            leaf = logits.clone().requires_grad_()
            start = time.perf_counter()
            way(leaf, *masks).backward()
            taken = 1000 * (time.perf_counter() - start)
            if repeat >= 3:
                times[name] = min(times[name], taken)
            gradients[name] = leaf.grad
    return times, gradients


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
    report = {
        "threads": options.threads,
        "dilation": "opencv" if cv2 is not None else "scipy",
        "rows": [],
    }
    for name, (ours, theirs) in pairs.items():
        times, gradients = fastest(
            {"ours": ours, "published": theirs}, inputs(), options.repeats
        )
        largest = gradients["published"].abs().max()
        difference = (gradients["ours"] - gradients["published"]).abs().max() / largest
        report["rows"].append(
            {
                "loss": name,
                "ours_ms": round(times["ours"], 3),
                "published_ms": round(times["published"], 3),
                "ratio": round(times["published"] / times["ours"], 2),
                "gradient_difference": float(difference),
            }
        )
    print(json.dumps(report, indent=2))
    print(f"{'loss':20}{'ours, ms':>10}{'published, ms':>15}{'ratio':>8}")
    for row in report["rows"]:
        print(
            f"{row['loss']:20}{row['ours_ms']:10.2f}{row['published_ms']:15.2f}"
            f"{row['ratio']:8.1f}"
        )


if __name__ == "__main__":
    main()
