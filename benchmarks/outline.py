"""What the smooth outline and the raw mask cost a frame, in one thread.

    python benchmarks/outline.py

Prints milliseconds of processor time a frame at 962 x 1372, the median of many in
turn, as JSON. "whole" is the raw mask as it was made before only the contour's band was
interpolated: every pixel, then pieces, then holes.
"""

from __future__ import annotations

import json
import time

import numpy as np
import torch

from napari_microus.core.predict.components import (
    fill_holes,
    keep_largest_component,
    keep_one_piece,
)
from napari_microus.core.predict.outline import smooth_mask
from napari_microus.core.preprocess import cut_at_full_size, to_full_size

SHAPE, SIZE, ROUNDS = (962, 1372), 224, 40


def whole_mask(logits: np.ndarray) -> np.ndarray:
    """Return the raw mask from the log-odds of every pixel."""
    full = to_full_size(torch.from_numpy(logits)[None, None], SHAPE)
    mask = (full[0, 0] > 0).numpy()
    keep_largest_component(mask)
    fill_holes(mask)
    return mask


def raw_mask(logits: np.ndarray) -> np.ndarray:
    """Return the mask as without a smooth outline."""
    mask = cut_at_full_size(logits, SHAPE, 0.0)
    keep_one_piece(mask)
    return mask


def main() -> None:
    torch.set_num_threads(1)
    rows, columns = np.ogrid[:SIZE, :SIZE]
    away = np.hypot((rows - 110) / 60, (columns - 112) / 80)
    noise = np.random.default_rng(0).normal(0, 0.3, (SIZE, SIZE))
    logits = (10 * (1 - away) + noise).astype(np.float32)
    ways = {"smooth": lambda: smooth_mask(logits, SHAPE)}
    ways["raw"] = lambda: raw_mask(logits)
    ways["whole"] = lambda: whole_mask(logits)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, work in ways.items():
            began = time.process_time()
            work()
            times[name].append(1e3 * (time.process_time() - began))
    medians = {f"{name}_ms": float(np.median(spent)) for name, spent in times.items()}
    whole = medians["whole_ms"]
    ratios = {f"{name}_ratio": medians[f"{name}_ms"] / whole for name in ways}
    print(json.dumps(medians | ratios))


if __name__ == "__main__":
    main()
