"""Print the table "How close it is" of docs/phantom.md.

Usage: python docs/scripts/phantom_statistics.py FOLDER_OF_REAL_FRAMES
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_microus.core.phantom import make_phantom

SHAPE = (259, 369)


def picture(frame: np.ndarray) -> np.ndarray:
    """Return the frame without its black bars."""
    rows = np.nonzero((frame > 3).mean(1) > 0.1)[0]
    columns = np.nonzero((frame > 3).mean(0) > 0.1)[0]
    return frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(float)


def correlation(frame: np.ndarray, axis: int) -> list[float]:
    """Return the fine structure's correlation at 1, 2 and 3 pixels."""
    fine = (frame - gaussian_filter(frame, 4))[20:160]
    fine = np.moveaxis(fine, axis, 0)
    power = (fine**2).mean()
    return [(fine[:-k] * fine[k:]).mean() / power for k in (1, 2, 3)]


def contrast(frame: np.ndarray) -> list[float]:
    """Return the standard deviation of what each doubling of a blur removes."""
    blurred = [frame, *(gaussian_filter(frame, s) for s in (1, 2, 4, 8, 16, 32))]
    return [(a - b).std() for a, b in pairwise(blurred)]


def describe(name: str, frames: list[np.ndarray]) -> None:
    levels = np.concatenate([frame.ravel() for frame in frames])
    print(name, len(frames), "frames")
    print("  percentiles", np.percentile(levels, (5, 25, 50, 75, 95)).round())
    print("  mean, sd    ", [np.mean([f.mean() for f in frames]).round(1)], end=" ")
    print([np.mean([f.std() for f in frames]).round(1)])
    for label, axis in (("across", 1), ("along", 0)):
        found = np.mean([correlation(frame, axis) for frame in frames], axis=0)
        print(f"  {label:12}", found.round(2))
    print("  contrast    ", np.mean([contrast(f) for f in frames], axis=0).round(1))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    paths = sorted(Path(sys.argv[1]).glob("*.png"))[::4]
    describe("real", [picture(np.asarray(Image.open(p).convert("L"))) for p in paths])
    phantoms = []
    for seed in range(100, 118):
        case = make_phantom(seed, frames=5)
        frame = Image.fromarray(case.scan.array[1 + seed % 3])
        small = frame.resize(SHAPE[::-1], Image.Resampling.LANCZOS)
        phantoms.append(picture(np.asarray(small)))
    describe("phantom", phantoms)
