"""Show held-out frames in other ways, and measure what that costs.

    python docs/scripts/other_views.py real_study fold0/model fold1/model \
        fold2/model fold3/model fold4/model

The n-th model is one that was not trained on fold n. A view changes frame and outlines
alike; DSC against each of the two outlines, averaged, then over the frames of a patient
that show a gland, then over patients. Last, on how many patients *Probe: automatic*
finds the side on which the probe is.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from skimage.transform import resize

from napari_microus.core.events import Notice, drain
from napari_microus.core.library import read_model
from napari_microus.core.metrics import dice
from napari_microus.core.predict import predict
from napari_microus.core.study import Study
from napari_microus.core.volume import Volume

View = Callable[[np.ndarray], np.ndarray]


def resized(down: float, across: float) -> View:
    def view(array: np.ndarray) -> np.ndarray:
        shape = (
            len(array),
            round(array.shape[1] * down),
            round(array.shape[2] * across),
        )
        is_mask = array.max() <= 1
        order = 0 if is_mask else 1
        result = resize(
            array, shape, order=order, preserve_range=True, anti_aliasing=not is_mask
        )
        return result.round().astype(array.dtype)

    return view


def with_bars(array: np.ndarray) -> np.ndarray:
    _, height, width = array.shape
    pad = ((0, 0), (round(height * 0.1),) * 2, (round(width * 0.15),) * 2)
    return np.pad(array, pad)


def grey(factor: float) -> View:
    def view(array: np.ndarray) -> np.ndarray:
        if array.max() <= 1:
            return array
        return np.clip(array * factor, 0, 255).round().astype(array.dtype)

    return view


VIEWS: dict[str, tuple[View, str]] = {
    "as it is": (lambda a: a, "top"),
    "as it is, Probe: automatic": (lambda a: a, "automatic"),
    "upside down": (lambda a: a[:, ::-1], "top"),
    "upside down, Probe: bottom": (lambda a: a[:, ::-1], "bottom"),
    "upside down, Probe: automatic": (lambda a: a[:, ::-1], "automatic"),
    "mirrored": (lambda a: a[:, :, ::-1], "top"),
    "black bars around": (with_bars, "top"),
    "squeezed by 1.3 in width": (resized(1, 1 / 1.3), "top"),
    "squeezed by 1.3 in height": (resized(1 / 1.3, 1), "top"),
    "half resolution": (resized(0.5, 0.5), "top"),
    "double resolution": (resized(2, 2), "top"),
    "darker (0.6)": (grey(0.6), "top"),
    "brighter (1.4)": (grey(1.4), "top"),
}


def measure(study: Study, models: list[Path], view: View, probe: str) -> tuple:
    """Return the mean DSC over patients, and how many were taken for turned ones."""
    values: dict[str, list[float]] = defaultdict(list)
    turned = 0
    for fold, path in enumerate(models):
        model = read_model(path)
        for case in study.used:
            if case.fold != fold:
                continue
            parts = [part for part in study.read(case) if part is not None]
            arrays = [np.ascontiguousarray(view(part.array)) for part in parts]
            scan = Volume.from_spacing(arrays[0], (1.0, 0.125, 0.125))
            notices = []
            found = drain(
                predict(model, scan, device="cpu", probe=probe), notices.append
            )
            turned += any(
                isinstance(n, Notice) and "upside down" in n.message for n in notices
            )
            for z, mask in enumerate(found.mask.array.astype(bool)):
                outlines = [array[z] == 1 for array in arrays[1:]]
                if any(outline.any() for outline in outlines):
                    # Two empty masks have no DSC: there they agree.
                    scores = [
                        dice(mask, o) if mask.any() or o.any() else 1.0
                        for o in outlines
                    ]
                    values[case.patient].append(float(np.mean(scores)))
    return float(np.mean([np.mean(part) for part in values.values()])), turned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    arguments = parser.parse_args()
    study = Study.open(arguments.study)
    print("| frames | DSC | turned round |\n|---|---|---|")
    for name, (view, probe) in VIEWS.items():
        score, turned = measure(study, arguments.models, view, probe)
        note = f"{turned} of {len(study.used)}" if probe == "automatic" else ""
        print(f"| {name} | {score:.3f} | {note} |", flush=True)


if __name__ == "__main__":
    main()
