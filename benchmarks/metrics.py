"""Time HD95 and Dice of a full-size frame against MedPy.

    python benchmarks/metrics.py [--repeats 10]

Two pairs of capsule-like masks of 962 x 1372 pixels, smooth and ragged (noise along
the border, pixel by pixel), anisotropic pixels, the same numbers. MedPy is needed for
this comparison alone (``pip install medpy``); without it the same distance transforms
of the whole frame are done with SciPy. Limit: the surface voxels, some four thousand
of the smooth ones, not the 1.3 million pixels.
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


def capsule(
    row: int, column: int, radius: float, phase: float, noise: float = 0.0
) -> np.ndarray:
    rng = np.random.default_rng(row)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    y, x = rows - row, columns - column
    angle = np.arctan2(y, x)
    edge = 1 + 0.05 * np.sin(3 * angle + phase) + 0.01 * np.sin(40 * angle)
    edge += noise * rng.standard_normal(SHAPE)  # pixel by pixel: ragged
    return (y / (0.7 * radius)) ** 2 + (x / radius) ** 2 < edge**2


def whole_frame(prediction: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """HD95 and Dice as MedPy computes them."""
    if medpy is not None:
        hd95 = medpy.hd95(prediction, reference, SPACING_MM)
        return float(hd95), float(medpy.dc(prediction, reference))
    ways = (_to_surface(prediction, reference), _to_surface(reference, prediction))
    hd95 = np.percentile(np.concatenate(ways), 95)
    both = np.count_nonzero(prediction & reference)
    return float(hd95), 2 * both / int(prediction.sum() + reference.sum())


def _to_surface(start: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """One direction, for which MedPy works out both borders anew."""
    first, second = (mask & ~ndimage.binary_erosion(mask) for mask in (start, goal))
    return ndimage.distance_transform_edt(~second, sampling=SPACING_MM)[first]


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
    rows, result = [], {"baseline": "medpy" if medpy is not None else "scipy"}
    for kind, noise in (("smooth", 0.0), ("ragged", 0.02)):
        masks = capsule(500, 690, 400, 0, noise), capsule(490, 700, 390, 0.5, noise)
        found, expected = ours(*masks), whole_frame(*masks)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        ours_ms = fastest_ms(lambda both=masks: ours(*both), 3 * repeats)
        medpy_ms = fastest_ms(lambda both=masks: whole_frame(*both), repeats)
        ratio = medpy_ms / ours_ms
        result[kind] = {
            "hd95_mm": found[0],
            "dice": found[1],
            "ours_ms": round(ours_ms, 2),
            "medpy_ms": round(medpy_ms, 2),
            "ratio": round(ratio, 1),
        }
        rows.append(f"{kind:14}{ours_ms:10.1f}{medpy_ms:12.1f}{ratio:8.1f}")
    print(json.dumps(result, indent=2))
    print(f"{'HD95 + Dice':14}{'ours, ms':>10}{'MedPy, ms':>12}{'ratio':>8}")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
