"""Time the phantom: seconds a scan, and frames a second for training.

Usage: ``OMP_NUM_THREADS=1 python benchmarks/phantom.py``. Prints a table and JSON.
Limit: drawing as many speckled pixels, a complex normal number and its magnitude each.
"""

from __future__ import annotations

import numpy as np
from _common import in_turn, report

from napari_microus.core.phantom import make_phantom, training_batch

FRAMES, SHAPE = 30, (481, 686)
BATCH, SIZE = 60, 224


def speckle(frames: int, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    parts = rng.standard_normal((2, frames, *shape), dtype=np.float32)
    np.hypot(*parts)


def main() -> None:
    seconds = in_turn(
        {
            "scan": lambda: make_phantom(1, frames=FRAMES, shape=SHAPE),
            "scan, limit": lambda: speckle(FRAMES, SHAPE),
            "training frames": lambda: training_batch(1, BATCH, SIZE),
            "training frames, limit": lambda: speckle(BATCH, (SIZE, SIZE)),
        },
        3,
        warm=1,
    )
    rates = {
        name: (FRAMES if name.startswith("scan") else BATCH) / taken
        for name, taken in seconds.items()
    }
    result = {
        "scan": {"frames": FRAMES, "shape": SHAPE, "target_s": 5},
        "training": {"frames": BATCH, "size": SIZE, "target_frames_per_s": 40},
        "seconds": {name: round(taken, 3) for name, taken in seconds.items()},
        "frames_per_s": {name: round(rate, 1) for name, rate in rates.items()},
    }
    rows = [[name, seconds[name], rates[name]] for name in seconds]
    report(result, rows, ["what", "seconds", "frames/s"])


if __name__ == "__main__":
    main()
