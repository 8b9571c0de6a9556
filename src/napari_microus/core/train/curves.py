"""The course of a run as a table and a picture."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from napari_microus.core.colors import (
    HUMAN_ON_PAPER,
    TRAINING_ON_PAPER,
    VALIDATION_ON_PAPER,
)
from napari_microus.core.files import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = (
    *("epoch", "train_loss", "val_loss", "val_dice", "val_hd95_mm"),
    *("learning_rate", "seconds", "is_best"),
)


def write_table(path: Path, history: list[dict[str, Any]]) -> None:
    """Write one line per epoch; what was not measured stays empty."""
    with atomic_write(path, overwrite=True) as temporary:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(history)


def read_table(path: Path) -> list[dict[str, float]]:
    """Return one dictionary per epoch; it lacks what was not measured."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        return []
    numbers = [name for name in COLUMNS if name != "is_best"]
    return [{n: float(row[n]) for n in numbers if row.get(n)} for row in rows]


def draw(run: Path, human_dice: float | None) -> None:
    """Draw a run's losses, DSC with the human ceiling, and HD95 over the epochs.

    Nothing is drawn before its first epoch has ended.

    Raises
    ------
    OutputError
        If the run's folder cannot be written.
    """
    history = read_table(run / "curves.csv")
    if not history:
        return
    # The figure's own canvas: no window toolkit, no global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6))
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.05, right=0.98, top=0.9, bottom=0.14)
    losses, dice, distance = figure.subplots(1, 3)
    _plot(losses, history, "train_loss", "training", TRAINING_ON_PAPER)
    _plot(losses, history, "val_loss", "validation", VALIDATION_ON_PAPER)
    losses.set_title("loss")
    _plot(dice, history, "val_dice", "validation", VALIDATION_ON_PAPER)
    if human_dice is not None:
        dice.axhline(human_dice, color=HUMAN_ON_PAPER, ls="--", label="annotators")
    dice.set_title("DSC")
    _plot(distance, history, "val_hd95_mm", "validation", VALIDATION_ON_PAPER)
    distance.set_title("HD95 (mm)")
    for axes in (losses, dice, distance):
        axes.set_xlabel("epoch")
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
    with atomic_write(run / "curves.png", overwrite=True) as temporary:
        figure.savefig(temporary, dpi=120)


def _plot(
    axes: Any, history: list[dict[str, float]], name: str, label: str, colour: str
) -> None:
    points = [(row["epoch"] + 1, row[name]) for row in history if name in row]
    if points:
        axes.plot(*zip(*points, strict=True), ".-", color=colour, label=label)
