"""What the model adds to interpolation between drawn frames.

    python benchmarks/interpolate.py real_study fold0/model fold1/model ...

Every second outlined frame of a held-out patient counts as drawn (outline 1), and on
three phantoms every fourth and eighth; the frames between are the model's own, filled
by shapes alone, and by both. DSC against what was left out; frames beside one without
a gland are left aside.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
from _common import held_out, study_and_models

from napari_microus.core.edit.interpolate import interpolate
from napari_microus.core.errors import InputError
from napari_microus.core.events import drain
from napari_microus.core.metrics import dice
from napari_microus.core.phantom import make_phantom
from napari_microus.core.predict import predict


def score(rows, name, model, scan, truth, gap):
    found = drain(predict(model, scan, device="cpu", min_confidence=0.0))
    drawn = range(0, len(truth), gap)
    seen = dict(enumerate(found.probability.array))
    try:
        shapes, both = interpolate(truth, drawn), interpolate(truth, drawn, seen)
    except InputError:  # too few frames
        return
    for frame in shapes:
        first = frame // gap * gap
        if truth[[first, frame, first + gap]].any((1, 2)).all():
            rows[name].append(
                [
                    dice(mask, truth[frame])
                    for mask in (
                        found.mask.array[frame] == 1,
                        shapes[frame],
                        both[frame],
                    )
                ]
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    rows: dict[str, list[list[float]]] = defaultdict(list)
    for model, scan, truth in held_out(study_and_models(parser)):
        score(rows, "real, every second", model, scan, truth, 2)
    for seed in (101, 102, 103):
        case = make_phantom(seed)
        for gap in (4, 8):
            name = f"phantoms, every {gap}th"
            score(rows, name, model, case.scan, case.expert.array == 1, gap)
    print("| frames | count | model alone | shapes alone | both | worst of both |")
    print("|---|---|---|---|---|---|")
    for name, values in rows.items():
        means = " | ".join(f"{value:.3f}" for value in np.mean(values, axis=0))
        print(f"| {name} | {len(values)} | {means} | {np.min(values, 0)[2]:.3f} |")


if __name__ == "__main__":
    main()
