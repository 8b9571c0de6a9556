"""Time HD95 and Dice of a full-size frame against MedPy.

    python benchmarks/metrics.py [--repeats 10]

One pair of capsule-like masks of 962 x 1372 pixels, anisotropic pixels, the same
numbers. MedPy is needed for this comparison alone (``pip install medpy``); without
it the same distance transforms of the whole frame are done with SciPy. Limit: the
surface voxels, some four thousand, not the 1.3 million pixels.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_microus.core.metrics import dice, hausdorff_mm

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    from medpy.metric import binary as medpy
except ImportError:
    medpy = None

SHAPE, SPACING_MM = (962, 1372), (0.05, 0.04)


def capsule(row: int, column: int, radius: float, phase: float) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    y, x = rows - row, columns - column
    angle = np.arctan2(y, x)
    edge = 1 + 0.05 * np.sin(3 * angle + phase) + 0.01 * np.sin(40 * angle)
    return (y / (0.7 * radius)) ** 2 + (x / radius) ** 2 < edge**2


def whole_frame(prediction: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """HD95 and Dice as MedPy computes them."""
    if medpy is not None:
        hd95 = medpy.hd95(prediction, reference, SPACING_MM)
        return float(hd95), float(medpy.dc(prediction, reference))
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (prediction, reference)]
    first, second = (
        ndimage.distance_transform_edt(~edge, sampling=SPACING_MM) for edge in edges
    )
    hd95 = np.percentile(np.concatenate([second[edges[0]], first[edges[1]]]), 95)
    both = np.count_nonzero(prediction & reference)
    return float(hd95), 2 * both / int(prediction.sum() + reference.sum())


def ours(prediction: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    hd95 = hausdorff_mm(prediction, reference, SPACING_MM)
    return hd95, dice(prediction, reference)


def fastest_ms(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats
    masks = capsule(500, 690, 400, 0), capsule(490, 700, 390, 0.5)
    found, expected = ours(*masks), whole_frame(*masks)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    times = {
        "ours_ms": fastest_ms(lambda: ours(*masks), 3 * repeats),
        "medpy_ms": fastest_ms(lambda: whole_frame(*masks), repeats),
    }
    ratio = times["medpy_ms"] / times["ours_ms"]
    report = {
        "baseline": "medpy" if medpy is not None else "scipy, whole frame",
        "hd95_mm": found[0],
        "dice": found[1],
        **{name: round(value, 2) for name, value in times.items()},
        "ratio": round(ratio, 1),
    }
    print(json.dumps(report, indent=2))
    print(f"{'HD95 + Dice':14}{'ours, ms':>10}{'MedPy, ms':>12}{'ratio':>8}")
    ours_ms, medpy_ms = times["ours_ms"], times["medpy_ms"]
    print(f"{'962 x 1372':14}{ours_ms:10.1f}{medpy_ms:12.1f}{ratio:8.1f}")


if __name__ == "__main__":
    main()
