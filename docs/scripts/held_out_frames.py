"""Measure a model on the patients of a fold it was not trained on, and picture them.

    python docs/scripts/held_out_frames.py real_study run/model --fold 0 \
        --picture docs/images/held_out_frames.png

DSC and HD95 against each of the two outlines where a frame has two, averaged; means
over the frames of a patient, then over patients, with Student's 95 % interval over
patients. DSC with an empty outline is 1 where the mask is empty too. Frames without a
gland are counted apart. In the picture the model's contour is yellow, the outlines are
blue and orange.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from napari_microus.core import colors
from napari_microus.core.events import drain
from napari_microus.core.library import read_model
from napari_microus.core.metrics import dice, hausdorff_mm
from napari_microus.core.predict import predict
from napari_microus.core.statistics import patient_mean, with_interval
from napari_microus.core.study import Study

SHOWN_OF_PATIENT = 3
ATTRIBUTION = (
    "Pixels: Micro-Ultrasound Prostate Segmentation Dataset, Jiang et al. 2024, "
    "Zenodo 10475293, CC-BY-4.0. Not for clinical use."
)


def score(mask: np.ndarray, outlines: list[np.ndarray], spacing: tuple) -> tuple:
    """Return mean DSC and HD95 of a mask against a frame's outlines."""
    dices = [
        float(dice(mask, outline)) if mask.any() or outline.any() else 1.0
        for outline in outlines
    ]
    if not mask.any():
        return np.mean(dices), np.nan
    distances = [
        float(hausdorff_mm(mask, outline, spacing, percentile=95))
        for outline in outlines
    ]
    return np.mean(dices), np.mean(distances)


def draw(axes, frame, mask, outlines, title) -> None:
    """Show a frame with the model's contour and the outlines."""
    axes.imshow(frame, cmap="gray", vmin=0, vmax=255)
    pairs = zip(outlines, (colors.EXPERT, colors.NONEXPERT), strict=False)
    for outline, color in [*pairs, (mask, colors.CAPSULE)]:
        if outline.any():
            axes.contour(outline, [0.5], colors=color, linewidths=0.8)
    axes.set_title(title, fontsize=7)
    axes.axis("off")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--fold", type=int, required=True)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--outline", default="smooth")
    arguments = parser.parse_args()
    study, model = Study.open(arguments.study), read_model(arguments.model)
    cases = [case for case in study.used if case.fold == arguments.fold]
    figure, rows = plt.subplots(
        len(cases), SHOWN_OF_PATIENT, figsize=(8, 1.95 * len(cases)), squeeze=False
    )
    patients, empty, lost, worst = [], [0, 0], 0, 1.0
    print("| patient | frames with a gland | DSC | HD95 mm | worst frame |")
    print("|---|---|---|---|---|")
    for case, row in zip(cases, rows, strict=True):
        scan, one, two = study.read(case)
        masks = drain(
            predict(model, scan, device="cpu", opening=0, outline=arguments.outline)
        ).mask.array.astype(bool)
        scores = []
        for index, mask in enumerate(masks):
            outlines = [one.array[index] == 1]
            if two is not None:
                outlines.append(two.array[index] == 1)
            if not any(outline.any() for outline in outlines):
                empty[1] += 1
                empty[0] += not mask.any()
                continue
            lost += not mask.any()
            scores.append(score(mask, outlines, scan.spacing_mm[1:]))
        shown = np.linspace(0, len(masks) - 1, SHOWN_OF_PATIENT).round().astype(int)
        for axes in row:
            axes.axis("off")
        for axes, index in zip(row, dict.fromkeys(shown), strict=False):
            outlines = [one.array[index] == 1]
            outlines += [] if two is None else [two.array[index] == 1]
            title = f"{case.patient}, frame {index}"
            draw(axes, scan.array[index], masks[index], outlines, title)
        values = np.array(scores)
        patients.append(np.nanmean(values, axis=0))
        worst = min(worst, values[:, 0].min())
        print(
            f"| {case.patient} | {len(values)} | {patients[-1][0]:.3f} | "
            f"{patients[-1][1]:.2f} | {values[:, 0].min():.3f} |"
        )
    found = np.array(patients)
    overlap, distance = (
        patient_mean([(str(number), value) for number, value in enumerate(column)])
        for column in found.T
    )
    print(
        f"mean of {len(found)} patients: DSC {with_interval(overlap, '.3f')}, HD95 "
        f"{with_interval(distance, '.2f')} mm; worst frame {worst:.3f}; "
        f"glands lost {lost}; empty where there is no gland {empty[0]} of {empty[1]}"
    )
    if arguments.picture:
        figure.text(0.01, 0.003, ATTRIBUTION, fontsize=5)
        figure.tight_layout(pad=0.4, rect=(0, 0.01, 1, 1))
        figure.savefig(arguments.picture, dpi=90)


if __name__ == "__main__":
    main()
