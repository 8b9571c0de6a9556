"""Tables of a comparison."""

from __future__ import annotations

import csv
import dataclasses
import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_microus.core.reproduce.page import Grid, Words
from napari_microus.core.reproduce.published import (
    COLUMNS,
    published_losses,
    published_mean,
)
from napari_microus.core.statistics import (
    DICE_BOUNDS,
    DISTANCE_BOUNDS,
    bootstrap_interval,
    by_patient,
    interval_note,
    paired_difference,
    patient_mean,
    with_interval,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_microus.core.reproduce.comparison import Comparison
    from napari_microus.core.reproduce.page import Block
    from napari_microus.core.reproduce.scoring import CaseRow
    from napari_microus.core.statistics import PairedDifference, PatientMean


# Heads and rows.
Table: TypeAlias = tuple[list[str], list[list[Any]]]


def write_csv(path: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a table; NaN and None become empty cells."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for row in rows:
            writer.writerow(["" if _is_unknown(value) else value for value in row])


def loss_rows(comparison: Comparison) -> Table:
    """Return Table 1: each recipe's loss by epoch, the paper's column beside it."""
    columns: dict[str, list[float]] = {}
    for name, losses in comparison.losses.items():
        columns[name] = losses
        if name in COLUMNS:
            columns[f"{name} (published)"] = published_losses(COLUMNS[name])
    epochs = max((len(losses) for losses in columns.values()), default=0)
    rows = [
        [losses[epoch] if epoch < len(losses) else None for losses in columns.values()]
        for epoch in range(epochs)
    ]
    return list(columns), rows


def loss_table(comparison: Comparison) -> Grid:
    """Return Table 1."""
    columns, rows = loss_rows(comparison)
    cells = [
        [str(number), *("" if value is None else f"{value:.4f}" for value in row)]
        for number, row in enumerate(rows, start=1)
    ]
    return Grid(["epoch", *columns], cells)


def case_rows(comparison: Comparison) -> Table:
    """Return every recipe and annotator on every case."""
    rows = [dataclasses.asdict(row) for row in comparison.rows]
    head = list(rows[0]) if rows else []
    return head, [list(row.values()) for row in rows]


def score_table(comparison: Comparison) -> list[Block]:
    """Return means over patients, with the published ones beside them."""
    hd95 = f"HD95 {comparison.unit}"
    head = ["who", "patients", "cases", "DSC", "published", hd95, "published HD95 mm"]
    head += ["volume DSC", f"volume {hd95}"]
    lines, sources = [], []
    for who in [*comparison.names, *comparison.annotators]:
        rows = [row for row in comparison.rows if row.who == who]
        dice, distance, volume_dice, volume_distance = (
            with_interval(_over_patients(rows, name), form)
            for name, form in (
                ("dice", ".4f"),
                ("hd95", ".2f"),
                ("volume_dice", ".4f"),
                ("volume_hd95", ".2f"),
            )
        )
        patients = len({row.patient for row in rows})
        counts = [str(patients), str(len({row.case for row in rows}))]
        known = published_mean(who)
        published = ["", ""]
        if known is not None:
            published = [f"{known.dice:.3f}", f"{known.hd95_mm:.2f}"]
            sources.append(f"{who}: {known.source}")
        label = who if who in comparison.names else f"{who} (annotator)"
        ours = [dice, published[0], distance, published[1]]
        lines.append([label, *counts, *ours, volume_dice, volume_distance])
    note = interval_note(len({row.patient for row in comparison.rows}))
    said = [f"{note}." if note else ""]
    said.append(f"Published figures: {'; '.join(sources)}." if sources else "")
    return [Grid(head, lines), *(Words(text) for text in said if text)]


def gland_table(comparison: Comparison) -> Grid:
    """Return how many glands were lost, and contours drawn where there is none."""
    head = ["who", "DSC with lost glands as 0", "glands lost", "false contours"]
    lines = []
    for who in [*comparison.names, *comparison.annotators]:
        rows = [row for row in comparison.rows if row.who == who]
        glands = sum(row.glands for row in rows)
        without = sum(row.frames - row.glands for row in rows)
        lines.append(
            [
                who,
                with_interval(_over_patients(rows, "dice_lost_as_0"), ".4f"),
                f"{sum(row.lost for row in rows)} of {glands} frames",
                f"{sum(row.false_contours for row in rows)} of {without} frames",
            ]
        )
    return Grid(head, lines)


def fold_table(comparison: Comparison) -> Grid:
    """Return each recipe's mean over the patients of each fold, and over its seeds."""
    columns = (("dice", "DSC", ".3f"), ("hd95", f"HD95 {comparison.unit}", ".2f"))
    head = ["fold", "patients"]
    head += [f"{who} {label}" for who in comparison.names for _, label, _ in columns]
    lines = []
    for fold in sorted(set(comparison.folds.values())):
        rows = [r for r in comparison.rows if comparison.folds.get(r.case) == fold]
        cells = [
            format(_over_patients([r for r in rows if r.who == who], column).mean, form)
            for who in comparison.names
            for column, _, form in columns
        ]
        patients = len({row.patient for row in rows})
        if patients:
            lines.append([str(fold), str(patients), *cells])
    return Grid(head, lines)


def seed_table(comparison: Comparison) -> Grid:
    """Return each recipe's mean over patients by seed, and how far the seeds spread.

    Below stand the differences to the first recipe, seed by seed.
    """
    seeds = range(comparison.seeds)
    head = ["recipe", "figure", *(f"seed {seed}" for seed in seeds), "spread (SD)"]
    columns = (
        ("dice", "DSC", ".4f"),
        ("dice_lost_as_0", "DSC with lost glands as 0", ".4f"),
        ("hd95", f"HD95 {comparison.unit}", ".2f"),
    )

    def means(who: str, column: str) -> NDArray[np.float64]:
        rows = [row for row in comparison.rows if row.who == who]
        of_seed = [[row for row in rows if row.seed == seed] for seed in seeds]
        return np.array([_over_patients(part, column).mean for part in of_seed])

    lines = [
        [who, label, *_seed_cells(means(who, column), form)]
        for who in comparison.names
        for column, label, form in columns
    ]
    first, *others = comparison.names
    for who in others:
        for column, label, form in columns:
            less = means(who, column) - means(first, column)
            lines.append([f"{who} less {first}", label, *_seed_cells(less, f"+{form}")])
    return Grid(head, lines)


def _seed_cells(values: NDArray[np.float64], form: str) -> list[str]:
    """Return the seeds' figures and their standard deviation as cells."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    cells = ["–" if math.isnan(value) else format(value, form) for value in values]
    return [*cells, "–" if math.isnan(spread) else format(spread, form.lstrip("+"))]


def rate_table(comparison: Comparison) -> Grid:
    """Return the DSC of each learning rate that was tried."""
    rates = sorted({rate for recipe in comparison.recipes for rate in recipe.tried})
    lines = []
    for recipe in comparison.recipes:
        taken = recipe.config.optimizer.learning_rate
        cells = [f"{recipe.tried[r]:.4f}" if r in recipe.tried else "" for r in rates]
        lines.append([recipe.name, *cells, f"{taken:g}"])
    return Grid(["recipe", *(f"{rate:g}" for rate in rates), "taken"], lines)


def difference_table(comparison: Comparison) -> Block:
    """Return how each recipe differs from the first, patient by patient."""
    first, *others = comparison.names
    if not others:
        return Words("One recipe only: nothing to compare.")
    lines = []
    for name in others:
        for column, label, form in (
            ("dice", "DSC", "+.4f"),
            ("dice_lost_as_0", "DSC with lost glands as 0", "+.4f"),
            ("hd95", f"HD95 {comparison.unit}", "+.3f"),
        ):
            a, b = (_means(comparison, who, column) for who in (name, first))
            found = paired_difference([a[p] for p in a], [b[p] for p in a])
            bootstrap = bootstrap_interval([a[p] - b[p] for p in a])
            cells = difference_cells(found, form)
            lines.append([name, first, label, *cells, _interval(bootstrap, form)])
    head = ["recipe", "against", "figure", *DIFFERENCE_HEAD, "bootstrap (BCa, 95 %)"]
    return Grid(head, lines)


def _interval(bounds: tuple[float, float], form: str) -> str:
    if math.isnan(bounds[0]):
        return "–"
    return f"{format(bounds[0], form)} to {format(bounds[1], form)}"


DIFFERENCE_HEAD = ("patients", "difference (95 %)", "larger in", "Wilcoxon p")


def difference_cells(found: PairedDifference, form: str) -> list[str]:
    """Return a difference as cells under `DIFFERENCE_HEAD`."""
    p = "–" if math.isnan(found.p) else f"{found.p:.2g}"
    return [str(found.count), with_interval(found, form), str(found.better), p]


def _means(comparison: Comparison, who: str, column: str) -> dict[str, float]:
    rows = [row for row in comparison.rows if row.who == who]
    return by_patient([(row.patient, getattr(row, column)) for row in rows])


def _over_patients(rows: list[CaseRow], column: str) -> PatientMean:
    bounds = DICE_BOUNDS if column.endswith("dice") else DISTANCE_BOUNDS
    return patient_mean([(row.patient, getattr(row, column)) for row in rows], bounds)


def _is_unknown(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
