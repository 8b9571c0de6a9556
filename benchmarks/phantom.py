"""Time the phantom: seconds a scan, and frames a second for training.

Usage: OMP_NUM_THREADS=1 python benchmarks/phantom.py
"""

import time

from napari_microus.core.phantom import make_phantom, training_batch

REPEATS = 3


def seconds(work, *args, **options):
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        work(*args, **options)
        best = min(best, time.perf_counter() - start)
    return best


if __name__ == "__main__":
    make_phantom(0, frames=2)
    training_batch(0, 2)
    scan = seconds(make_phantom, 1, frames=30)
    batch = seconds(training_batch, 1, 60, 224)
    print(f"scan of 30 frames, 481 x 686: {scan:.2f} s (required: 5 s)")
    print(f"training frames, 224 x 224:   {60 / batch:.0f} frames/s (required: 40)")
