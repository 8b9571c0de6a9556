"""Write a comparison as CSV tables, plots and one Markdown page."""

from __future__ import annotations

import csv
import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.files import atomic_write
from napari_microus.core.provenance import package_version
from napari_microus.core.reproduce.published import PUBLISHED
from napari_microus.core.statistics import (
    DICE_BOUNDS,
    DISTANCE_BOUNDS,
    FEW_PATIENTS,
    by_patient,
    interval_note,
    paired_difference,
    patient_mean,
    with_interval,
)

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from napari_microus.core.reproduce.run import Comparison
    from napari_microus.core.reproduce.scoring import CaseRow
    from napari_microus.core.statistics import PatientMean


def write_report(comparison: Comparison, folder: Path) -> Path:
    """Write ``table1.csv``, ``table2.csv``, two plots and ``report.md``.

    Files of an earlier call are replaced: they are made again from all runs.
    """
    from matplotlib.figure import Figure

    with atomic_write(folder / "table1.csv", overwrite=True) as path:
        _write_losses(path, comparison)
    with atomic_write(folder / "table2.csv", overwrite=True) as path:
        _write_rows(path, comparison)
    curves, boxes = Figure((8, 4.5), layout="constrained"), Figure((10, 4.5))
    _draw_losses(curves, comparison)
    _draw_scores(boxes, comparison)
    for figure, name in ((curves, "losses.png"), (boxes, "scores.png")):
        with atomic_write(folder / name, overwrite=True) as path:
            figure.savefig(path, dpi=110)
    with atomic_write(folder / "report.md", overwrite=True) as path:
        path.write_text(_page(comparison), encoding="utf-8")
    return folder / "report.md"


def _write_losses(path: Path, comparison: Comparison) -> None:
    epochs = max((len(values) for values in comparison.losses.values()), default=0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *comparison.losses])
        for epoch in range(epochs):
            row = [
                values[epoch] if epoch < len(values) else ""
                for values in comparison.losses.values()
            ]
            writer.writerow([epoch + 1, *row])


def _write_rows(path: Path, comparison: Comparison) -> None:
    rows = [dataclasses.asdict(row) for row in comparison.rows]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _draw_losses(figure: Figure, comparison: Comparison) -> None:
    axes = figure.subplots()
    for name, values in comparison.losses.items():
        axes.plot(range(1, len(values) + 1), values, marker="o", label=name)
    axes.set(xlabel="epoch", ylabel="training loss", yscale="log")
    axes.set_title("Losses of different recipes are on different scales", fontsize=10)
    axes.legend(fontsize=8)


def _draw_scores(figure: Figure, comparison: Comparison) -> None:
    names = list(dict.fromkeys(row.who for row in comparison.rows))
    panels = figure.subplots(1, 2)
    for axes, column, label in zip(
        panels, ("dice", "hd95"), ("DSC", f"HD95 in {_unit(comparison)}"), strict=True
    ):
        values = [
            [v for v in _column(comparison.rows, name, column) if not np.isnan(v)]
            for name in names
        ]
        axes.boxplot(values, tick_labels=names)
        axes.tick_params(axis="x", rotation=30, labelsize=8)
        axes.set_title(f"{label}, {comparison.split} cases")
    figure.tight_layout()


def _column(rows: list[CaseRow], who: str, column: str) -> list[float]:
    return [getattr(row, column) for row in rows if row.who == who]


def _page(comparison: Comparison) -> str:
    names = list(comparison.losses)
    annotators = [
        who
        for who in dict.fromkeys(row.who for row in comparison.rows)
        if who not in names
    ]
    parts = [
        "# Recipes side by side",
        f"napari-microus {package_version()}. Not for clinical use.",
        _changed(comparison),
        "## Table 1: training loss of each epoch",
        _loss_table(comparison),
        "![Losses](losses.png)",
        f"## Table 2: {comparison.split} cases",
        "DSC and HD95 by the papers' convention: the mean over the frames of a case in "
        "which neither mask is empty; then over the cases of a patient, then over "
        "patients, with Student's 95 % interval from five patients on. *Volume* takes "
        "a case at once, with distances across frames where their geometry is known.",
        _score_table(comparison, names, annotators),
        "![Scores](scores.png)",
        "## Paired differences by patient",
        "Mean over patients of the difference to the first recipe with Student's 95 % "
        "interval, in how many patients it is larger, and the two-sided Wilcoxon "
        f"signed-rank test; neither interval nor test under {FEW_PATIENTS} patients.",
        _difference_table(comparison, names),
        "Every case is in `table2.csv`; the runs with their settings are in `runs/`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _changed(comparison: Comparison) -> str:
    if not comparison.changes:
        return "The recipes ran as they are published here, unchanged."
    changes = dict(comparison.changes)
    data = {k: v for k, v in changes.pop("data", {}).items() if k != "cache"}
    changes |= {"data": data} if data else {}
    return (
        f"Changed in every recipe: `{changes}`. The published figures were "
        "reached without these changes and are not to be compared one to one."
    )


def _loss_table(comparison: Comparison) -> str:
    names = list(comparison.losses)
    lines = _head(["epoch", *names])
    for epoch in range(max(map(len, comparison.losses.values()), default=0)):
        cells = [
            f"{values[epoch]:.4f}" if epoch < len(values) else ""
            for values in comparison.losses.values()
        ]
        lines.append(_line([str(epoch + 1), *cells]))
    return "\n".join(lines)


def _score_table(
    comparison: Comparison, names: list[str], annotators: list[str]
) -> str:
    columns = [("dice", ".4f"), ("hd95", ".2f")]
    columns += [(f"volume_{name}", form) for name, form in columns]
    hd95 = f"HD95 {_unit(comparison)}"
    head = ["who", "patients", "cases", "DSC", hd95, "volume DSC", f"volume {hd95}"]
    lines = _head([*head, "published DSC", "published HD95 mm"])
    for who in [*names, *annotators]:
        rows = [row for row in comparison.rows if row.who == who]
        cells = [with_interval(_over_patients(rows, name), f) for name, f in columns]
        counts = [str(len({row.patient for row in rows})), str(len(rows))]
        known = PUBLISHED.get(who)
        beside = [f"{known.dice:.3f}", f"{known.hd95_mm:.2f}"] if known else ["", ""]
        label = who if who in names else f"{who} (annotator)"
        lines.append(_line([label, *counts, *cells, *beside]))
    note = interval_note(len({row.patient for row in comparison.rows}))
    said = [f"{note}." if note else ""]
    sources = "; ".join(
        f"{name}: {PUBLISHED[name].source}" for name in names if name in PUBLISHED
    )
    said.append(f"Published figures: {sources}." if sources else "")
    return "\n\n".join(["\n".join(lines), *filter(None, said)])


def _over_patients(rows: list[CaseRow], column: str) -> PatientMean:
    bounds = DICE_BOUNDS if column.endswith("dice") else DISTANCE_BOUNDS
    return patient_mean([(row.patient, getattr(row, column)) for row in rows], bounds)


def _difference_table(comparison: Comparison, names: list[str]) -> str:
    if len(names) < 2:
        return "One recipe only: nothing to compare."
    lines = _head(
        [
            "recipe",
            "against",
            "figure",
            "patients",
            "difference (95 %)",
            "larger in",
            "p",
        ]
    )
    for name in names[1:]:
        for column, label, form in (
            ("dice", "DSC", "+.4f"),
            ("hd95", f"HD95 {_unit(comparison)}", "+.3f"),
        ):
            a, b = (
                by_patient(
                    [
                        (row.patient, getattr(row, column))
                        for row in comparison.rows
                        if row.who == who
                    ]
                )
                for who in (name, names[0])
            )
            d = paired_difference([a[p] for p in a], [b[p] for p in a])
            p = "–" if math.isnan(d.p) else f"{d.p:.3g}"
            cells = [str(d.count), with_interval(d, form), str(d.better), p]
            lines.append(_line([name, names[0], label, *cells]))
    return "\n".join(lines)


def _unit(comparison: Comparison) -> str:
    return "mm" if all(row.unit == "mm" for row in comparison.rows) else "px"


def _head(cells: list[str]) -> list[str]:
    return [_line(cells), _line(["---"] * len(cells))]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
