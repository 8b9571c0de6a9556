"""Measure the bundled model on phantom scans it was not trained on.

    python docs/scripts/phantom_results.py

Twenty 30-frame scans of seeds that training and its validation never use, with the
annotators' own agreement beside. Prints one row a scan and the means.
"""

from __future__ import annotations

import argparse

import numpy as np

from napari_microus.core.library import DEFAULT_MODEL, load_model
from napari_microus.core.metrics import evaluate_case
from napari_microus.core.phantom import make_phantom
from napari_microus.core.predict import predict

FIRST_SEED = 60_000  # the demo recipe uses 1 and 1,001,000 upwards


def segment(model, scan) -> np.ndarray:
    """Return the mask (Z, Y, X) of a scan."""
    work = predict(model, scan, device="cpu")
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value.mask.array


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--scans", type=int, default=20)
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    rows = []
    print("| seed | DSC | HD95 mm | non-expert DSC | non-expert HD95 mm |")
    print("|---|---|---|---|---|")
    for seed in range(FIRST_SEED, FIRST_SEED + arguments.scans):
        case = make_phantom(seed)
        expert, spacing = case.expert.array, case.scan.spacing_mm
        ours = evaluate_case(segment(model, case.scan), expert, spacing).mean
        person = evaluate_case(case.nonexpert.array, expert, spacing).mean
        rows.append((ours.dice, ours.hd95_mm, person.dice, person.hd95_mm))
        dice, hd95, other_dice, other_hd95 = rows[-1]
        print(
            f"| {seed} | {dice:.3f} | {hd95:.2f} | {other_dice:.3f} | "
            f"{other_hd95:.2f} |",
            flush=True,
        )
    means = np.mean(rows, axis=0)
    print("| mean | {:.3f} | {:.2f} | {:.3f} | {:.2f} |".format(*means))
    print(
        f"worst: DSC {min(r[0] for r in rows):.3f}, HD95 {max(r[1] for r in rows):.2f}"
    )


if __name__ == "__main__":
    main()
