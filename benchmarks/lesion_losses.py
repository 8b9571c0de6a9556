"""The size- and smoothness-aware focal loss term by term, on simulated lesions.

    python benchmarks/lesion_losses.py OUTPUT [--shapes ../shared/data/picai_masks]
        [--seeds 5] [--epochs 4] [--workers 2] [--losses bce,dice,...] [--again]

Simulated examinations (T2W, ADC, HBV: `core.phantom.lesion`) go through the whole
way: PI-CAI's layout, `study import`, the engine, sliding windows. Shapes are generated,
or with ``--shapes`` the real ones of PI-CAI (Saha et al. 2024, CC-BY-NC-4.0), for
measuring alone: nothing learnt is kept. **The images are simulated; the figures compare
losses on this task and say nothing of patients.**

Every loss has the network and settings of the preset ``lesion-small``, the same data,
optimiser (AdamW, whose steps do not depend on a loss's scale), learning rate and steps;
a seed decides weights and order. Validation happens once, at the end, and chooses
nothing.

Writes scores.csv (a line for each lesion), runs.csv (processor time of each run),
summary.md, classes.png (as the paper's Figures 3 and 4) and examples.png (as its
Figure 5). A run that is in runs.csv is not made again, so that the same command goes on
where it was stopped; ``--again`` makes tables and figures alone.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import functools
import shutil
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from _lesions import (
    SHAPE,
    SMOOTHNESS_CLASSES,
    SPACING_MM,
    SPHERICITY,
    VOLUME_CLASSES,
    VOLUME_ML,
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
# The loss that the others are set against in pairs of one seed.
BESIDE = "bce"
COLOURS = ("white", "cyan", "yellow", "magenta")
DRAWN = ("bce", "dice", "focal", "A-FL", "A-FL as coded", "gamma_va + gamma_mSa")
SHOWN = ("A-FL", "focal", "dice")
# Solids are drawn so far around the lesion, at one scale in a row.
AROUND_MM = 6.0


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


@functools.lru_cache(maxsize=1)
def tests(study: Path) -> list[tuple[str, dict[str, Any], Any, Shape]]:
    """Return name, channels, truth and shape of each test case, read once a process."""
    from napari_microus.core.study import Study

    opened = Study.open(study)
    found = []
    for case in opened.cases:
        if case.split == "test":
            channels = opened.read_channels(case)
            truth = opened.read_mask(case, case.expert, channels["t2w"]).array == 1
            found.append((case.case, channels, truth, shape_of(truth, SPACING_MM)))
    return found


def settings(
    study: Path, output: Path, loss: str, seed: int, epochs: int
) -> dict[str, Any]:
    """Return what differs from the preset ``lesion-small`` in one run."""
    return {
        "output": str(output / "runs" / f"{loss} {seed}".replace(" ", "_")),
        "data": {"study": str(study), "cache": str(output / "cache")},
        "loss": {"dice_weight": 0.0} | LOSSES[loss],
        "epochs": epochs,
        "validate_every": epochs,
        "seed": seed,
        "threads": 1,
        "device": "cpu",
        "precision": "32-true",
        "deterministic": True,
        "to_library": False,
    }


def one_run(
    study: Path, output: Path, loss: str, seed: int, epochs: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Train one network and measure it on the test cases."""
    import torch

    from napari_microus.core import metrics
    from napari_microus.core.config import TrainConfig
    from napari_microus.core.library import load_model
    from napari_microus.core.predict.volumes import predict_volume
    from napari_microus.core.train import train

    torch.set_num_threads(1)
    began = time.process_time()
    changes = settings(study, output, loss, seed, epochs)
    run = Path(changes["output"])
    shutil.rmtree(run, ignore_errors=True)  # of a run that was stopped
    result = drain(train(TrainConfig.preset("lesion-small").with_changes(changes)))
    trained = time.process_time()
    model = load_model(result.model)
    rows = []
    for name, channels, truth, shape in tests(study):
        found = drain(predict_volume(model, channels, device="cpu")).mask.array == 1
        empty = not found.any()
        rows.append(
            {
                "loss": loss,
                "seed": seed,
                "case": name,
                "ml": shape.ml,
                "sphericity": shape.sphericity,
                "iou": metrics.jaccard(found, truth),
                "dice": metrics.dice(found, truth),
                "hd95_mm": metrics.hausdorff_mm(found, truth, SPACING_MM),
                "precision": np.nan if empty else metrics.precision(found, truth),
                "recall": metrics.sensitivity(found, truth),
            }
        )
        if seed == 0 and loss in SHOWN:
            np.save(output / f"example_{loss}_{name}.npy", found)
    shutil.rmtree(run)
    return rows, {
        "loss": loss,
        "seed": seed,
        "validation_dice": result.dice,
        "training_s": round(trained - began, 1),
        "processor_s": round(time.process_time() - began, 1),
    }


def read_scores(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a finished or half-finished run, classes taken again."""
    rows: list[dict[str, Any]] = []
    for line in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        row: dict[str, Any] = dict(line)
        row["seed"] = int(row["seed"])
        for name in ("ml", "sphericity", *METRICS):
            row[name] = float(row[name])
        rows.append(row)
    return rows


def with_classes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return lines with the classes that their lesions belong to."""
    found = []
    for row in rows:
        shape = Shape(row["ml"], row["sphericity"], 0.0, 0.0)
        classes = {"volume": shape.volume_class, "smoothness": shape.smoothness_class}
        found.append(row | classes)
    return found


def summary(rows: list[dict[str, Any]]) -> str:
    """Return means over seeds with their 95 % t intervals, as tables."""
    rows = with_classes(rows)
    losses = list(dict.fromkeys(row["loss"] for row in rows))
    lines = [
        "| loss | IoU | DSC | HD95 mm | precision | recall | nothing found "
        f"| DSC less {BESIDE}'s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for loss in losses:
        cells = []
        for metric in METRICS:
            each = _each_seed(rows, loss, metric)
            cells.append(
                _interval(list(each.values()), 1 if metric[-2:] == "mm" else 3)
            )
        mine = [r for r in rows if r["loss"] == loss]
        nothing = sum(np.isnan(r["hd95_mm"]) for r in mine)
        cells.append(f"{nothing} of {len(mine)}")
        ours, theirs = (_each_seed(rows, name, "dice") for name in (loss, BESIDE))
        pairs = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
        cells.append("" if loss == BESIDE else _interval(pairs, 3, sign="+"))
        lines.append(f"| {loss} | {' | '.join(cells)} |")
    lines.append("")
    for kind, classes, (low, high), unit in (
        ("volume", VOLUME_CLASSES, VOLUME_ML, " mL"),
        ("smoothness", SMOOTHNESS_CLASSES, SPHERICITY, ""),
    ):
        counts = [len({r["case"] for r in rows if r[kind] == name}) for name in classes]
        borders = (
            f"below {low}{unit}",
            f"{low} to {high}{unit}",
            f"above {high}{unit}",
        )
        heads = [
            f"{name} ({border}; {count})"
            for name, border, count in zip(classes, borders, counts, strict=True)
        ]
        lines += [f"| DSC by {kind} | {' | '.join(heads)} |", "|---|---|---|---|"]
        for loss in losses:
            cells = []
            for name in classes:
                each = _each_seed([r for r in rows if r[kind] == name], loss, "dice")
                cells.append(_interval(list(each.values()), 3))
            lines.append(f"| {loss} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _interval(values: list[float], digits: int, sign: str = "") -> str:
    """Return a mean over seeds with half its 95 % t interval, none under five."""
    from scipy.stats import t

    if not values:
        return "none"
    mean = f"{np.mean(values):{sign}.{digits}f}"
    if len(values) < 5:
        return mean
    spread = np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{mean} ± {t.ppf(0.975, len(values) - 1) * spread:.{digits}f}"


def _each_seed(rows: list[dict[str, Any]], loss: str, metric: str) -> dict[int, float]:
    """Return a metric's mean over the lesions where it is known, by seed."""
    means = {}
    for seed in sorted({row["seed"] for row in rows if row["loss"] == loss}):
        mine = [r[metric] for r in rows if (r["loss"], r["seed"]) == (loss, seed)]
        known = [value for value in mine if not np.isnan(value)]
        if known:
            means[seed] = float(np.mean(known))
    return means


def draw_classes(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw DSC by volume and by smoothness, as the paper's Figures 3 and 4."""
    from matplotlib.figure import Figure

    rows = with_classes(rows)
    losses = [name for name in DRAWN if any(r["loss"] == name for r in rows)]
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    wide = 0.8 / len(losses)
    for axis, (kind, classes, (low, high), unit) in zip(
        axes,
        (
            ("volume", VOLUME_CLASSES, VOLUME_ML, " mL"),
            ("smoothness", SMOOTHNESS_CLASSES, SPHERICITY, ""),
        ),
        strict=True,
    ):
        for place, loss in enumerate(losses):
            at = np.arange(3) + (place - (len(losses) - 1) / 2) * wide
            for column, name in enumerate(classes):
                mine = [r for r in rows if r[kind] == name]
                each = list(_each_seed(mine, loss, "dice").values())
                if not each:
                    continue
                label = loss if column == 0 else None
                color = f"C{place}"
                axis.bar(
                    at[column], np.mean(each), 0.92 * wide, color=color, label=label
                )
                axis.plot([at[column]] * len(each), each, "k.", ms=3)
                if not any(each):
                    axis.annotate("0", (at[column], 0.02), ha="center", fontsize=8)
        borders = (f"< {low}{unit}", f"{low} to {high}{unit}", f"> {high}{unit}")
        ticks = [f"{name}\n{of}" for name, of in zip(classes, borders, strict=True)]
        axis.set_xticks(range(3), ticks)
        axis.set_xlabel("volume" if kind == "volume" else "smoothness (sphericity)")
        axis.set_ylim(0, 1)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("DSC (simulated)")
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=len(losses),
        frameon=False,
        fontsize=9,
    )
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
    figure = Figure(figsize=(11, 2.4 * len(chosen)), layout="constrained")
    columns = ("label", *SHOWN)
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
        wide = len(columns) + 1
        axis = figure.add_subplot(len(chosen), wide, wide * row + 1)
        axis.imshow(scan.array[z], cmap="gray")
        for name, color in zip(columns, COLOURS, strict=True):
            if name in masks and masks[name][z].any():
                axis.contour(masks[name][z], [0.5], colors=color, linewidths=1)
        axis.set_axis_off()
        axis.set_title(f"{title}, {what['ml']:.2f} mL", fontsize=9)
        inside = np.argwhere(truth)
        reach = np.ceil(AROUND_MM / np.array(SPACING_MM)).astype(int)
        low = np.maximum(inside.min(0) - reach, 0)
        high = np.minimum(inside.max(0) + 1 + reach, truth.shape)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        extent = (high - low + 2) * np.array(SPACING_MM)
        for column, name in enumerate(columns, start=2):
            solid = figure.add_subplot(
                len(chosen), wide, wide * row + column, projection="3d"
            )
            solid.set_axis_off()
            color = COLOURS[column - 2]
            solid.set_title(f"{name} ({color})" if color else name, fontsize=9)
            for side, end in zip("zyx", extent, strict=True):
                getattr(solid, f"set_{side}lim")(0, end)
            solid.set_box_aspect(tuple(extent[::-1]), zoom=1.3)  # changes arrays
            mask = masks.get(name)
            if mask is None or not mask[box].any():
                continue
            points, faces, _, _ = marching_cubes(
                np.pad(mask[box], 1).astype(float), 0.5, spacing=SPACING_MM
            )
            solid.plot_trisurf(
                points[:, 2], points[:, 1], faces, points[:, 0], cmap="viridis"
            )
    figure.savefig(output / "examples.png", dpi=80)


def write_rows(rows: list[dict[str, Any]], path: Path) -> None:
    """Write lines as CSV, in the order of the losses."""
    names = list(LOSSES)
    rows.sort(key=lambda r: (names.index(r["loss"]), r["seed"], r.get("case", "")))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def show(output: Path, study: Path, rows: list[dict[str, Any]]) -> None:
    """Write tables and figures of what is there."""
    text = summary(rows)
    runs = list(
        csv.DictReader((output / "runs.csv").read_text(encoding="utf-8").splitlines())
    )
    seconds = sum(float(run["processor_s"]) for run in runs)
    text += f"\n{len(runs)} runs took {seconds / 60:.1f} minutes of processor time."
    (output / "summary.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    draw_classes(rows, output / "classes.png")
    draw_examples(output, study, rows)


def main() -> None:
    """Simulate, train, measure, and write the tables and figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--shapes", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--losses", default=",".join(LOSSES))
    parser.add_argument("--again", action="store_true")
    asked = parser.parse_args()
    scores, done = asked.output / "scores.csv", asked.output / "runs.csv"
    study = asked.output / "study"
    if not study.exists():
        asked.output.mkdir(parents=True, exist_ok=True)
        study = make_study(asked.output, asked.shapes)
    rows = read_scores(scores) if scores.exists() else []
    runs: list[dict[str, Any]] = []
    if done.exists():
        runs += csv.DictReader(done.read_text(encoding="utf-8").splitlines())
    for run in runs:
        run["seed"] = int(run["seed"])
    made = {(run["loss"], run["seed"]) for run in runs}
    rows = [row for row in rows if (row["loss"], row["seed"]) in made]
    wanted = [
        (loss, seed)
        for seed in range(asked.seeds)
        for loss in asked.losses.split(",")
        if (loss, seed) not in made and not asked.again
    ]
    with ProcessPoolExecutor(asked.workers, get_context("spawn")) as pool:
        work = [
            pool.submit(one_run, study, asked.output, loss, seed, asked.epochs)
            for loss, seed in wanted
        ]
        for number, each in enumerate(as_completed(work), start=1):
            found, told = each.result()
            rows += found
            runs.append(told)
            write_rows(rows, scores)
            write_rows(runs, done)
            print(f"{number}/{len(work)}", *told.values(), flush=True)
    show(asked.output, study, rows)


if __name__ == "__main__":
    main()
