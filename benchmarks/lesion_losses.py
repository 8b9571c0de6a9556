"""The size- and smoothness-aware focal loss term by term, on simulated lesions.

    python benchmarks/lesion_losses.py OUTPUT [--shapes ../shared/data/picai_masks]
        [--seeds 5] [--epochs 8] [--workers 2] [--losses bce,dice,...] [--again]

Simulated examinations (T2W, ADC, HBV: `core.phantom.lesion`) go through the whole
way: PI-CAI's layout, `study import`, the engine, sliding windows. Shapes are generated,
or with ``--shapes`` the real ones of PI-CAI (Saha et al. 2024, CC-BY-NC-4.0), for
measuring alone: nothing learnt is kept. **The images are simulated; the figures compare
losses on this task and say nothing of patients.**

Every loss has the same network (a small U-Net of MONAI's), data, optimiser (AdamW,
whose steps do not depend on a loss's scale), learning rate and steps; a seed decides
weights and patches. ``--again`` makes tables and figures from an earlier scores.csv.
Writes scores.csv (a line for each lesion), summary.md, classes.png
(as the paper's Figures 3 and 4) and examples.png (as its Figure 5).
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from _lesions import (
    SHAPE,
    SMOOTHNESS_CLASSES,
    SPACING_MM,
    VOLUME_CLASSES,
    Shape,
    real_shapes,
    shape_of,
)

TRAIN, VAL, TEST = 36, 4, 30
_FL: dict[str, Any] = {"name": "focal", "convention": "lin2017"}
_AFL: dict[str, Any] = {"name": "size_smoothness"}
LOSSES: dict[str, dict[str, Any]] = {
    "bce": {"name": "bce"},
    "dice": {"name": "dice"},
    "tversky": {"name": "tversky"},
    "focal": _FL,
    "dice + focal": _FL | {"dice_weight": 1.0},
    "A-FL": _AFL,
    "A-FL as coded": _AFL | {"form": "published_code"},
    "alpha_va": _AFL | {"terms": ["alpha_va"]},
    "gamma_va": _AFL | {"terms": ["gamma_va"]},
    "gamma_mSa": _AFL | {"terms": ["gamma_mSa"]},
    "gamma_va + gamma_mSa": _AFL | {"terms": ["gamma_va", "gamma_mSa"]},
    "alpha_va + gamma_va": _AFL | {"terms": ["alpha_va", "gamma_va"]},
    "alpha_va + gamma_mSa": _AFL | {"terms": ["alpha_va", "gamma_mSa"]},
    "A-FL + dice": _AFL | {"dice_weight": 1.0},
}
METRICS = ("iou", "dice", "hd95_mm", "precision", "recall")


def drain(work: Any) -> Any:
    """Return the result of a core generator."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def make_study(output: Path, shapes: Path | None) -> Path:
    """Simulate the examinations and make a study of them."""
    from napari_microus.core.phantom.lesion import make_lesion_case
    from napari_microus.core.phantom.lesion_files import write_lesion_case
    from napari_microus.core.study import Study, import_folder

    folder, count = output / "mri", TRAIN + VAL + TEST
    real = [] if shapes is None else real_shapes(shapes)[:count]
    for number in range(count):
        given: dict[str, Any] = {}
        if shapes is not None:
            _, lesion, gland = real[number]
            given = {"lesion": lesion, "gland": gland}
        case = make_lesion_case(number, shape=SHAPE, spacing_mm=SPACING_MM, **given)
        write_lesion_case(folder, f"{number:05d}", case)
    study = Study(output / "study")
    import_folder(study, folder)
    parts = ["train"] * TRAIN + ["val"] * VAL + ["test"] * TEST
    study.cases = [
        dataclasses.replace(case, split=part)
        for case, part in zip(study.cases, parts, strict=True)
    ]
    study.save()
    return study.folder


def one_run(
    study: Path, output: Path, loss: str, seed: int, epochs: int
) -> list[dict[str, Any]]:
    """Train one network and measure it on the test cases."""
    import torch

    from napari_microus.core import metrics
    from napari_microus.core.config import TrainConfig
    from napari_microus.core.library import load_model
    from napari_microus.core.predict.volumes import predict_volume
    from napari_microus.core.study import Study
    from napari_microus.core.train import train

    torch.set_num_threads(1)
    run = output / "runs" / f"{loss} {seed}".replace(" ", "_")
    config = TrainConfig.from_dict(
        {
            "output": str(run),
            "model": {
                "architecture": "basic_unet",
                "spatial_dims": 3,
                "baseline": {"image_size": 32, "in_channels": 3, "width": 8},
            },
            "data": {
                "study": str(study),
                "channels": ["t2w", "adc", "hbv"],
                "patches_per_case": 2,
                "foreground_share": 0.67,
                "cache": str(output / "cache"),
            },
            "loss": LOSSES[loss] | {"deep_supervision": False},
            "optimizer": {
                "name": "adamw",
                "learning_rate": 0.003,
                "schedule": "cosine",
            },
            "augment": {"flip_horizontal": 0.5, "contrast": 0.1, "brightness": 0.1},
            "epochs": epochs,
            "batch_size": 4,
            "validate_every": epochs,
            "seed": seed,
            "threads": 1,
            "device": "cpu",
            "precision": "32-true",
            "deterministic": True,
            "to_library": False,
        }
    )
    model = load_model(drain(train(config)).model)
    opened = Study.open(study)
    rows = []
    for case in (case for case in opened.cases if case.split == "test"):
        channels = opened.read_channels(case)
        truth = opened.read_mask(case, case.expert, channels["t2w"]).array == 1
        found = drain(predict_volume(model, channels, device="cpu")).mask.array == 1
        shape = shape_of(truth, SPACING_MM)
        empty = not found.any()
        rows.append(
            {
                "loss": loss,
                "seed": seed,
                "case": case.case,
                "ml": shape.ml,
                "sphericity": shape.sphericity,
                "volume": shape.volume_class,
                "smoothness": shape.smoothness_class,
                "iou": metrics.jaccard(found, truth),
                "dice": metrics.dice(found, truth),
                "hd95_mm": metrics.hausdorff_mm(found, truth, SPACING_MM),
                "precision": np.nan if empty else metrics.precision(found, truth),
                "recall": metrics.sensitivity(found, truth),
            }
        )
        if seed == 0 and loss in ("A-FL", "focal"):
            np.save(output / f"example_{loss}_{case.case}.npy", found)
    shutil.rmtree(run)
    return rows


def read_scores(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a finished or half-finished run, classes taken again."""
    rows: list[dict[str, Any]] = []
    for line in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        row: dict[str, Any] = dict(line)
        row["seed"] = int(row["seed"])
        for name in ("ml", "sphericity", *METRICS):
            row[name] = float(row[name])
        shape = Shape(row["ml"], row["sphericity"], 0.0, 0.0)
        row |= {"volume": shape.volume_class, "smoothness": shape.smoothness_class}
        rows.append(row)
    return rows


def summary(rows: list[dict[str, Any]]) -> str:
    """Return means over seeds with their 95 % t intervals, as a table."""
    from scipy.stats import t

    lines = [
        "| loss | IoU | DSC | HD95 mm | precision | recall | nothing found |",
        "|---|---|---|---|---|---|---|",
    ]
    for loss in dict.fromkeys(row["loss"] for row in rows):
        cells = []
        for metric in METRICS:
            each = _each_seed(rows, loss, metric)
            half = 0.0
            if len(each) > 1:
                spread = np.std(each, ddof=1) / np.sqrt(len(each))
                half = float(t.ppf(0.975, len(each) - 1) * spread)
            digits = 1 if metric == "hd95_mm" else 3
            mean = f"{np.mean(each):.{digits}f}" if each else "none"
            cells.append(f"{mean} ± {half:.{digits}f}" if len(each) > 1 else mean)
        mine = [r for r in rows if r["loss"] == loss]
        nothing = sum(np.isnan(r["hd95_mm"]) for r in mine)
        lines.append(f"| {loss} | {' | '.join(cells)} | {nothing}/{len(mine)} |")
    lines.append("")
    for kind, classes in (
        ("volume", VOLUME_CLASSES),
        ("smoothness", SMOOTHNESS_CLASSES),
    ):
        lines += [
            f"| DSC by {kind} | " + " | ".join(classes) + " |",
            "|---|---|---|---|",
        ]
        for loss in dict.fromkeys(row["loss"] for row in rows):
            cells = [f"{_mean(rows, loss, kind, name):.3f}" for name in classes]
            lines.append(f"| {loss} | " + " | ".join(cells) + " |")
        counts = [len({r["case"] for r in rows if r[kind] == name}) for name in classes]
        lines += [f"| lesions | {' | '.join(map(str, counts))} |", ""]
    return "\n".join(lines)


def _each_seed(rows: list[dict[str, Any]], loss: str, metric: str) -> list[float]:
    """Return a metric's mean over the lesions where it is known, for each seed."""
    means = []
    for seed in sorted({row["seed"] for row in rows if row["loss"] == loss}):
        mine = [r[metric] for r in rows if (r["loss"], r["seed"]) == (loss, seed)]
        known = [value for value in mine if not np.isnan(value)]
        means += [float(np.mean(known))] if known else []
    return means


def _mean(rows: list[dict[str, Any]], loss: str, kind: str, name: str) -> float:
    values = [r["dice"] for r in rows if r["loss"] == loss and r[kind] == name]
    return float(np.mean(values)) if values else float("nan")


def draw_classes(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw DSC by volume and by smoothness, as the paper's Figures 3 and 4."""
    from matplotlib.figure import Figure

    losses = [
        n
        for n in ("focal", "A-FL", "A-FL as coded")
        if any(r["loss"] == n for r in rows)
    ]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    kinds = (("volume", VOLUME_CLASSES[::-1]), ("smoothness", SMOOTHNESS_CLASSES[::-1]))
    for axis, (kind, classes) in zip(axes, kinds, strict=True):
        for place, loss in enumerate(losses):
            seeds = sorted({r["seed"] for r in rows if r["loss"] == loss})
            each = np.array(
                [
                    [
                        _mean([r for r in rows if r["seed"] == s], loss, kind, name)
                        for name in classes
                    ]
                    for s in seeds
                ]
            )
            where = np.arange(3) + (place - (len(losses) - 1) / 2) * 0.26
            axis.bar(where, each.mean(0), 0.24, label=loss)
            for column, at in enumerate(where):
                axis.plot([at] * len(seeds), each[:, column], "k.", ms=3)
        axis.set_xticks(range(3), classes)
        axis.set_xlabel(kind)
    axes[0].set_ylabel("DSC (simulated)")
    axes[1].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def draw_examples(output: Path, study: Path, rows: list[dict[str, Any]]) -> None:
    """Draw label, A-FL and focal on four lesions, as the paper's Figure 5."""
    from matplotlib.figure import Figure
    from skimage.measure import marching_cubes

    from napari_microus.core.study import Study

    opened = Study.open(study)
    cases = {case.case: case for case in opened.cases}
    seen = {r["case"]: r for r in rows if r["loss"] == "A-FL" and r["seed"] == 0}
    if not seen:
        return
    ordered = sorted(seen.values(), key=lambda r: r["ml"])
    smooth = sorted(seen.values(), key=lambda r: r["sphericity"])
    middle = [smooth[len(smooth) // 10], smooth[-1 - len(smooth) // 10]]
    chosen = {
        "small": ordered[len(ordered) // 10],
        "large": ordered[-2],
        "poor smoothness": middle[0],
        "good smoothness": middle[1],
    }
    figure = Figure(figsize=(11, 3.1 * len(chosen)), layout="constrained")
    columns = ("label", "A-FL", "focal")
    for row, (title, what) in enumerate(chosen.items()):
        case = cases[what["case"]]
        scan = opened.read_channels(case, ("t2w",))["t2w"]
        truth = opened.read_mask(case, case.expert, scan).array == 1
        masks = {"label": truth}
        for loss in columns[1:]:
            file = output / f"example_{loss}_{case.case}.npy"
            if file.exists():
                masks[loss] = np.load(file)
        z = int(truth.sum((1, 2)).argmax())
        axis = figure.add_subplot(len(chosen), 4, 4 * row + 1)
        axis.imshow(scan.array[z], cmap="gray")
        for (name, mask), color in zip(masks.items(), ("w", "c", "y"), strict=False):
            if mask[z].any():
                axis.contour(mask[z], [0.5], colors=color, linewidths=1)
            del name
        axis.set_axis_off()
        axis.set_title(f"{title}, {what['ml']:.2f} mL", fontsize=9)
        for column, name in enumerate(columns, start=2):
            mask = masks.get(name)
            solid = figure.add_subplot(
                len(chosen), 4, 4 * row + column, projection="3d"
            )
            solid.set_axis_off()
            solid.set_title(name, fontsize=9)
            if mask is not None and mask.any():
                points, faces, _, _ = marching_cubes(
                    np.pad(mask, 1).astype(float), 0.5, spacing=SPACING_MM
                )
                solid.plot_trisurf(
                    points[:, 2], points[:, 1], faces, points[:, 0], cmap="viridis"
                )
                solid.set_aspect("equal")
    figure.savefig(output / "examples.png", dpi=80)


def main() -> None:
    """Simulate, train, measure, and write the tables and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--shapes", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--losses", default=",".join(LOSSES))
    parser.add_argument("--again", action="store_true")
    asked = parser.parse_args()
    if asked.again:
        rows = read_scores(asked.output / "scores.csv")
        text = summary(rows)
        (asked.output / "summary.md").write_text(text + "\n", encoding="utf-8")
        print(text)
        draw_classes(rows, asked.output / "classes.png")
        draw_examples(asked.output, asked.output / "study", rows)
        return
    asked.output.mkdir(parents=True)
    study = make_study(asked.output, asked.shapes)
    rows = []
    with ProcessPoolExecutor(asked.workers, get_context("spawn")) as pool:
        runs = [
            pool.submit(one_run, study, asked.output, loss, seed, asked.epochs)
            for seed in range(asked.seeds)
            for loss in asked.losses.split(",")
        ]
        for number, run in enumerate(as_completed(runs), start=1):
            rows += run.result()
            last = rows[-1]
            print(f"{number}/{len(runs)} {last['loss']} {last['seed']}", flush=True)
            names = list(LOSSES)
            rows.sort(key=lambda r: (names.index(r["loss"]), r["seed"], r["case"]))
            with (asked.output / "scores.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
            text = summary(rows)
            (asked.output / "summary.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    draw_classes(rows, asked.output / "classes.png")
    draw_examples(asked.output, study, rows)


if __name__ == "__main__":
    main()
