"""Write a comparison as CSV tables, plots and one Markdown page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_microus.core.files import atomic_write
from napari_microus.core.provenance import package_version
from napari_microus.core.reproduce.deviations import deviations, start_words
from napari_microus.core.reproduce.plots import draw_losses, draw_scores
from napari_microus.core.reproduce.tables import (
    Table,
    case_rows,
    difference_table,
    loss_rows,
    loss_table,
    score_table,
    write_csv,
)
from napari_microus.core.statistics import FEW_PATIENTS

if TYPE_CHECKING:
    from pathlib import Path

    from napari_microus.core.reproduce.comparison import Comparison

# Changes that decide nothing of what is measured.
_NOT_TOLD = frozenset({"cache"})


def write_report(comparison: Comparison, folder: Path) -> Path:
    """Write ``table1.csv``, ``table2.csv``, two plots and ``report.md``.

    Files of an earlier call are replaced: they are made again from all runs.
    """
    from matplotlib.figure import Figure

    columns, losses = loss_rows(comparison)
    numbered = [[number, *row] for number, row in enumerate(losses, start=1)]
    tables: dict[str, Table] = {
        "table1.csv": (["epoch", *columns], numbered),
        "table2.csv": case_rows(comparison),
    }
    for name, (head, rows) in tables.items():
        with atomic_write(folder / name, overwrite=True) as path:
            write_csv(path, head, rows)
    curves, boxes = Figure((8, 4.5), layout="constrained"), Figure((10, 4.5))
    draw_losses(curves, comparison)
    draw_scores(boxes, comparison)
    for figure, name in ((curves, "losses.png"), (boxes, "scores.png")):
        with atomic_write(folder / name, overwrite=True) as path:
            figure.savefig(path, dpi=110)
    with atomic_write(folder / "report.md", overwrite=True) as path:
        path.write_text(_page(comparison), encoding="utf-8")
    return folder / "report.md"


def _page(comparison: Comparison) -> str:
    parts = [
        f"# Recipes side by side, {_starts(comparison)}",
        f"napari-microus {package_version()}. Research use only, not for clinical use.",
        _changed(comparison),
        "## What differs from the papers",
        _deviations(comparison),
        "## Table 1: training loss of each epoch",
        loss_table(comparison),
        "![Losses](losses.png)",
        f"## Table 2: {comparison.split} cases",
        "DSC and HD95 by the papers' convention: the mean over the frames of a case in "
        "which neither mask is empty; then over the cases of a patient, then over "
        "patients, with Student's 95 % interval from five patients on. *Volume* takes "
        "a case at once, with distances across frames where their geometry is known.",
        score_table(comparison),
        "![Scores](scores.png)",
        "## Paired differences by patient",
        "Mean over patients of the difference to the first recipe with Student's 95 % "
        "interval, in how many patients it is larger, and the two-sided Wilcoxon "
        f"signed-rank test; neither interval nor test under {FEW_PATIENTS} patients.",
        difference_table(comparison),
        "Every case is in `table2.csv`; the runs with their settings are in `runs/`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _starts(comparison: Comparison) -> str:
    """Return what training started from, for the first line."""
    starts: dict[str, list[str]] = {}
    for recipe in comparison.recipes:
        starts.setdefault(start_words(recipe), []).append(recipe.name)
    if len(starts) == 1:
        return next(iter(starts))
    return "; ".join(f"{', '.join(names)} {words}" for words, names in starts.items())


def _changed(comparison: Comparison) -> str:
    said = []
    changes = {k: v for k, v in comparison.changes.items() if k != "data"}
    data = comparison.changes.get("data", {})
    told = {name: value for name, value in data.items() if name not in _NOT_TOLD}
    if told:
        changes["data"] = told
    if changes:
        said.append(
            f"Changed in every recipe: `{changes}`. The published figures were "
            "reached without these changes and are not to be compared one to one."
        )
    else:
        said.append("The recipes ran with the settings that this package gives them.")
    if comparison.other_code:
        said.append(
            "**Runs of other code were taken, unchecked**: "
            f"{'; '.join(comparison.other_code)}."
        )
    return " ".join(said)


def _deviations(comparison: Comparison) -> str:
    lines = []
    every = comparison.names
    for sentence, names in deviations(comparison):
        of_all = names == every and len(every) > 1
        who = "every recipe" if of_all else ", ".join(f"`{name}`" for name in names)
        lines.append(f"- {sentence}" + (f" ({who})" if names else ""))
    return "\n".join(lines)
