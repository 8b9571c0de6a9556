"""Measure the models of all folds on held-out patients, and how well they know it.

    python docs/scripts/cross_validation.py real_study fold0/model fold1/model \
        fold2/model fold3/model fold4/model --picture docs/images/confidence.png

The n-th model is one that was not trained on fold n. DSC and HD95 against each of the
two outlines where a frame has two, averaged; means over the frames of a patient, then
over patients, with Student's 95 % interval over patients. Where one of two outlines is
empty and so is the mask, DSC with that one is 1. Then: Spearman's rank correlation of
the confidence with DSC over frames, DSC by tenths of confidence, and how much masks and
outlines change from a frame to the next (1 - DSC of the two, where both outlines show
a gland). ``--each-frame-alone`` leaves neighbouring frames out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr

from napari_microus.core.events import drain
from napari_microus.core.library import read_model
from napari_microus.core.metrics import dice, hausdorff_mm
from napari_microus.core.predict import predict
from napari_microus.core.predict.confidence import DOUBTFUL, expected_dice
from napari_microus.core.statistics import patient_mean, with_interval
from napari_microus.core.study import Study

TENTHS = 10


def agreement(one, two) -> float:
    """Return the DSC, 1 where both masks are empty."""
    return dice(one, two) if one.any() or two.any() else 1.0


def frames_of(study: Study, fold: int, model, along_sweep: bool | None) -> list[dict]:
    """Return patient, DSC, HD95 and confidence of every held-out frame."""
    rows = []
    for case in study.used:
        if case.fold != fold:
            continue
        scan, one, two = study.read(case)
        found = drain(predict(model, scan, device="cpu", along_sweep=along_sweep))
        before = None
        for z, mask in enumerate(found.mask.array.astype(bool)):
            outlines = [one.array[z] == 1] + (
                [] if two is None else [two.array[z] == 1]
            )
            is_gland = [bool(outline.any()) for outline in outlines]
            row = {
                "patient": case.patient,
                "gland": any(is_gland),
                "empty": not mask.any(),
                "confidence": float(found.confidence[z]),
                "dice": float(np.mean([agreement(mask, o) for o in outlines])),
                "hd95": np.nan,
            }
            pair = (mask, outlines[0])
            if before is not None and before[1].any() and is_gland[0]:
                row["change"], row["outlines_change"] = (
                    1 - agreement(a, b) for a, b in zip(before, pair, strict=True)
                )
            before = pair
            if all(is_gland) and mask.any():
                spacing = scan.spacing_mm[1:]
                row["hd95"] = np.mean(
                    [hausdorff_mm(mask, o, spacing, percentile=95) for o in outlines]
                )
            rows.append(row)
    return rows


def by_patient(rows: list[dict], key: str) -> dict[str, float]:
    """Return means over the frames of each patient that show a gland."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if row["gland"]:
            values.setdefault(row["patient"], []).append(row[key])
    return {patient: float(np.nanmean(part)) for patient, part in values.items()}


def print_row(name: str, rows: list[dict]) -> None:
    dices, distances = by_patient(rows, "dice"), by_patient(rows, "hd95")
    glands = [row for row in rows if row["gland"]]
    cells = []
    for values, digits in ((dices, 3), (distances, 2)):
        cells.append(with_interval(patient_mean(list(values.items())), f".{digits}f"))
    print(
        f"| {name} | {len(dices)} | {len(glands)} | {cells[0]} | {cells[1]} | "
        f"{min(dices.values()):.3f} | {min(row['dice'] for row in glands):.3f} | "
        f"{sum(row['empty'] for row in glands)} | "
        f"{sum(row['empty'] for row in rows if not row['gland'])} of "
        f"{sum(not row['gland'] for row in rows)} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--each-frame-alone", action="store_true")
    arguments = parser.parse_args()
    study = Study.open(arguments.study)
    print(
        "| fold | patients | frames | DSC | HD95 mm | worst patient | worst frame "
        "| glands lost | empty where there is no gland |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    every = []
    along_sweep = False if arguments.each_frame_alone else None
    for fold, path in enumerate(arguments.models):
        rows = frames_of(study, fold, read_model(path), along_sweep)
        print_row(str(fold), rows)
        every += rows
    print_row("**all**", every)
    glands = [row for row in every if row["gland"]]
    sure = np.array([row["confidence"] for row in glands])
    true = np.array([row["dice"] for row in glands])
    rank = spearmanr(sure, true)[0]
    doubtful = sure < DOUBTFUL
    worst = true <= np.sort(true)[len(true) // TENTHS - 1]
    print(
        f"\nSpearman of confidence with DSC over {len(true)} frames: {rank:.2f}. "
        f"{doubtful.sum()} frames below {DOUBTFUL}: DSC {true[doubtful].mean():.3f}, "
        f"the others {true[~doubtful].mean():.3f}; they hold {(worst & doubtful).sum()}"
        f" of the worst {worst.sum()} frames."
    )
    steps = [row for row in every if "change" in row]
    mean, outlines = (
        np.mean([row[key] for row in steps]) for key in ("change", "outlines_change")
    )
    print(
        f"From a frame to the next ({len(steps)} steps) masks change by {mean:.4f}, "
        f"outlines by {outlines:.4f}: {mean / outlines:.2f} times."
    )
    parts = np.array_split(np.argsort(sure), TENTHS)
    for part in parts:
        print(
            f"confidence {sure[part].mean():.3f}: DSC {true[part].mean():.3f}, "
            f"expected {expected_dice(sure[part]).mean():.3f}"
        )
    if arguments.picture:
        draw(sure, true, parts, rank, arguments.picture)


def draw(sure, true, parts, rank: float, path: Path) -> None:
    """Plot every frame and the tenths: how true the expected DSC is."""
    figure, axes = plt.subplots(figsize=(4.6, 4.2))
    axes.scatter(sure, true, s=8, alpha=0.4, color="#0072b2", label="a frame")
    axes.plot(
        [sure[p].mean() for p in parts],
        [true[p].mean() for p in parts],
        "o-",
        color="#d55e00",
        label="mean of a tenth of the frames",
    )
    grid = np.linspace(0, 1, 200)
    axes.plot(grid, expected_dice(grid), "--", color="#555555", label="expected DSC")
    axes.axvline(DOUBTFUL, color="#999999", lw=0.8)
    axes.set(xlim=(0.35, 1), ylim=(0.3, 1), xlabel="confidence", ylabel="DSC")
    axes.set_title(f"Held-out frames: Spearman {rank:.2f}", fontsize=10)
    axes.legend(fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
