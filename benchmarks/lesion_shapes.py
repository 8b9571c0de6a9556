"""Sizes, smoothness and the loss's factors of real and generated lesions.

    python benchmarks/lesion_shapes.py ../shared/data/picai_masks

Real: outlines of clinically significant lesions of 100 patients (PI-CAI, Saha et al.
2024, CC-BY-NC-4.0); nothing is learnt from them. Prints the tertiles that
`_lesions.py` takes as borders of its classes.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from _lesions import SPACING_MM, factors_of, real_shapes, shape_of

from napari_microus.core.io import read_volume
from napari_microus.core.phantom.lesion import make_lesion_case


def main() -> None:
    """Print the tables."""
    folder = Path(sys.argv[1])
    real = [shape_of(lesion, SPACING_MM) for _, lesion, _ in real_shapes(folder)]
    made = [
        shape_of(make_lesion_case(seed).lesion.array, SPACING_MM) for seed in range(100)
    ]
    for name, shapes in (("real", real), ("generated", made)):
        print(f"{name}: {len(shapes)} lesions")
        for what in ("ml", "sphericity", "gamma_va", "gamma_mSa"):
            values = [getattr(shape, what) for shape in shapes]
            marks = np.percentile(values, (0, 5, 33.3, 50, 66.7, 95, 100))
            print(f"  {what}: " + "  ".join(f"{mark:.4g}" for mark in marks))
    whole, patch = [], []
    for row in csv.DictReader(
        (folder / "index.csv").read_text(encoding="utf-8").splitlines()
    ):
        mask = read_volume(folder / "lesions" / row["file"]).array >= 2
        whole.append(sum(factors_of(mask)))
        middle = np.argwhere(mask).mean(0).round().astype(int)
        window = tuple(
            slice(max(0, m - edge // 2), m + edge // 2)
            for m, edge in zip(middle, (32, 128, 128), strict=True)
        )
        patch.append(sum(factors_of(mask[window])))
    for name, values in (("whole scan", whole), ("patch of 32 × 128 × 128", patch)):
        marks = np.percentile(values, (0, 5, 50, 95, 100))
        print(f"gamma, {name}: " + "  ".join(f"{mark:.5f}" for mark in marks))


if __name__ == "__main__":
    main()
