"""What the smooth outline costs a frame, beside the raw mask of the same log-odds.

    python benchmarks/outline.py

Prints milliseconds a frame at 962 x 1372, the median of many, as JSON.
"""

from __future__ import annotations

import json
import time

import numpy as np
import torch

from napari_microus.core.predict.components import fill_holes, keep_largest_component
from napari_microus.core.predict.outline import smooth_mask
from napari_microus.core.preprocess import to_full_size

SHAPE, SIZE, ROUNDS = (962, 1372), 224, 40


def raw_mask(logits: np.ndarray) -> np.ndarray:
    """Return the mask as without a smooth outline."""
    full = to_full_size(torch.from_numpy(logits)[None, None], SHAPE)
    mask = (full[0, 0] > 0).numpy()
    keep_largest_component(mask)
    fill_holes(mask)
    return mask


def main() -> None:
    torch.set_num_threads(1)
    rows, columns = np.ogrid[:SIZE, :SIZE]
    away = np.hypot((rows - 110) / 60, (columns - 112) / 80)
    noise = np.random.default_rng(0).normal(0, 0.3, (SIZE, SIZE))
    logits = (10 * (1 - away) + noise).astype(np.float32)
    smooth, raw = [], []
    for _ in range(ROUNDS):
        for times, work in (
            (smooth, lambda: smooth_mask(logits, SHAPE)),
            (raw, lambda: raw_mask(logits)),
        ):
            began = time.perf_counter()
            work()
            times.append(1e3 * (time.perf_counter() - began))
    ours, plain = np.median(smooth), np.median(raw)
    print(json.dumps({"smooth_ms": ours, "raw_ms": plain, "ratio": ours / plain}))


if __name__ == "__main__":
    main()
