"""How far masks in bfloat16 lie from those in float32, on frames not learnt from.

Usage: ``python benchmarks/precision.py STUDY [--model small|base|FOLDER] [--most 96]``.
The model segments scans of the study's validation set twice. A grey level, a stage or
a head that is rounded moves the boundary by a pixel here and there; how many depends
on how sure the weights are, so that drawn or barely trained ones say the worst.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from _common import dice, drain, load, report

from napari_microus.core.io import read_volume
from napari_microus.core.predict import predict
from napari_microus.core.study import Study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--model", default="small", help="small, base or a folder")
    parser.add_argument("--most", type=int, default=96, help="scans")
    chosen = parser.parse_args()
    # One each: the fast form of a network is kept with its model.
    model = load(chosen.model)
    models = {name: dataclasses.replace(model) for name in ("float32", "bfloat16")}
    cases = [case for case in Study.open(chosen.study).cases if case.split == "val"]
    overlaps = []
    for case in cases[: chosen.most]:
        scan = read_volume(chosen.study / case.image)
        exact, fast = (
            drain(predict(kept, scan, device="cpu", precision=precision)).mask.array
            for precision, kept in models.items()
        )
        overlaps += [dice(*frames) for frames in zip(exact, fast, strict=True)]
    result = {
        "model": model.name,
        "frames": len(overlaps),
        "mean_dice": round(float(np.mean(overlaps)), 5),
        "median_dice": round(float(np.median(overlaps)), 5),
        "lowest_dice": round(min(overlaps), 5),
    }
    report(result, [list(result.values())], list(result))


if __name__ == "__main__":
    main()
