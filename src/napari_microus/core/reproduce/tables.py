"""Tables of a comparison, as CSV and in Markdown."""

from __future__ import annotations

import csv
import dataclasses
import math
from typing import TYPE_CHECKING, Any, TypeAlias

from napari_microus.core.reproduce.published import (
    COLUMNS,
    published_losses,
    published_mean,
)
from napari_microus.core.statistics import (
    DICE_BOUNDS,
    DISTANCE_BOUNDS,
    by_patient,
    interval_note,
    paired_difference,
    patient_mean,
    with_interval,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_microus.core.reproduce.comparison import Comparison
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


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


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


def loss_table(comparison: Comparison) -> str:
    """Return Table 1 in Markdown."""
    columns, rows = loss_rows(comparison)
    cells = [
        [str(number), *("" if value is None else f"{value:.4f}" for value in row)]
        for number, row in enumerate(rows, start=1)
    ]
    return markdown(["epoch", *columns], cells)


def case_rows(comparison: Comparison) -> Table:
    """Return every recipe and annotator on every case."""
    rows = [dataclasses.asdict(row) for row in comparison.rows]
    head = list(rows[0]) if rows else []
    return head, [list(row.values()) for row in rows]


def score_table(comparison: Comparison) -> str:
    """Return means over patients, with the published ones beside them."""
    columns = [("dice", ".4f"), ("hd95", ".2f")]
    columns += [(f"volume_{name}", form) for name, form in columns]
    hd95 = f"HD95 {comparison.unit}"
    head = ["who", "patients", "cases", "DSC", hd95, "volume DSC", f"volume {hd95}"]
    lines, sources = [], []
    for who in [*comparison.names, *comparison.annotators]:
        rows = [row for row in comparison.rows if row.who == who]
        cells = [with_interval(_over_patients(rows, name), f) for name, f in columns]
        counts = [str(len({row.patient for row in rows})), str(len(rows))]
        known = published_mean(who)
        beside = ["", ""]
        if known is not None:
            beside = [f"{known.dice:.3f}", f"{known.hd95_mm:.2f}"]
            sources.append(f"{who}: {known.source}")
        label = who if who in comparison.names else f"{who} (annotator)"
        lines.append([label, *counts, *cells, *beside])
    table = markdown([*head, "published DSC", "published HD95 mm"], lines)
    note = interval_note(len({row.patient for row in comparison.rows}))
    said = [f"{note}." if note else ""]
    said.append(f"Published figures: {'; '.join(sources)}." if sources else "")
    return "\n\n".join([table, *filter(None, said)])


def difference_table(comparison: Comparison) -> str:
    """Return how each recipe differs from the first, patient by patient."""
    first, *others = comparison.names
    if not others:
        return "One recipe only: nothing to compare."
    lines = []
    for name in others:
        for column, label, form in (
            ("dice", "DSC", "+.4f"),
            ("hd95", f"HD95 {comparison.unit}", "+.3f"),
        ):
            a, b = (_means(comparison, who, column) for who in (name, first))
            found = paired_difference([a[p] for p in a], [b[p] for p in a])
            lines.append([name, first, label, *difference_cells(found, form)])
    return markdown(["recipe", "against", "figure", *DIFFERENCE_HEAD], lines)


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
