"""Whether snapping brings a handle nearer to the outline that a person drew.

    python benchmarks/snap.py real_study fold0/model fold1/model ...

On held-out frames, one handle after the other of outline 1 is moved along the normal by
a random way (standard deviation 3 % of the outline's diameter) and snapped to the
model's probability. Printed is the distance from the outline, in parts of the diameter,
before and after.
"""

from __future__ import annotations

import argparse

import numpy as np
from _common import held_out, study_and_models

from napari_microus.core.edit.curve import curve_through, handles_of
from napari_microus.core.edit.snap import snap
from napari_microus.core.events import drain
from napari_microus.core.predict import predict

_MOVED = 0.03


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    draw = np.random.default_rng(0)
    apart: dict[str, list[float]] = {"before": [], "after": []}
    for model, scan, outlines in held_out(study_and_models(parser)):
        seen = drain(predict(model, scan, device="cpu", min_confidence=0.0))
        for frame, truth in enumerate(outlines):
            if not truth.any():
                continue
            handles = handles_of(truth)
            curve = curve_through(handles, 720)
            diameter = np.sqrt(4 * truth.sum() / np.pi)
            for which, handle in enumerate(handles):
                along = handles[(which + 1) % len(handles)] - handles[which - 1]
                normal = np.array([-along[1], along[0]]) / np.linalg.norm(along)
                moved = handles.copy()
                moved[which] = handle + normal * draw.normal(0, _MOVED) * diameter
                there = snap(moved, which, seen.probability.array[frame])
                for name, point in (("before", moved[which]), ("after", there)):
                    nearest = np.sqrt(((curve - point) ** 2).sum(1).min())
                    apart[name].append(nearest / diameter)
    print(f"{len(apart['before'])} handles")
    for name, values in apart.items():
        print(f"{name}: mean {np.mean(values):.4f}, median {np.median(values):.4f}")


if __name__ == "__main__":
    main()
