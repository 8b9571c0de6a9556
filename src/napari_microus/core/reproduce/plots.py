"""Plots of a comparison: training losses, and the scores of all cases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.reproduce.published import COLUMNS, published_losses

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_microus.core.reproduce.comparison import Comparison


def draw_losses(figure: Figure, comparison: Comparison) -> None:
    """Draw the training loss of each recipe over the epochs, the published dotted."""
    axes = figure.subplots()
    drawn = set()
    for number, (name, values) in enumerate(comparison.losses.items()):
        look: dict[str, Any] = {"marker": "o", "color": f"C{number}"}
        axes.plot(range(1, len(values) + 1), values, label=name, **look)
        if name in COLUMNS and COLUMNS[name] not in drawn:
            drawn.add(COLUMNS[name])
            values = published_losses(COLUMNS[name])
            look |= {"marker": ".", "linestyle": ":", "label": f"{name}, published"}
            axes.plot(range(1, len(values) + 1), values, **look)
    axes.set(xlabel="epoch", ylabel="training loss", yscale="log")
    axes.set_title("Losses of different recipes are on different scales", fontsize=10)
    figure.legend(fontsize=8, loc="outside right upper")


def draw_scores(figure: Figure, comparison: Comparison) -> None:
    """Draw DSC and HD95 of all cases as boxes, one a recipe or annotator."""
    names = list(dict.fromkeys(row.who for row in comparison.rows))
    panels = figure.subplots(1, 2)
    for axes, column, label in zip(
        panels, ("dice", "hd95"), ("DSC", f"HD95 in {comparison.unit}"), strict=True
    ):
        values = [
            [
                value
                for row in comparison.rows
                if row.who == name and not np.isnan(value := getattr(row, column))
            ]
            for name in names
        ]
        axes.boxplot(values, tick_labels=names)
        axes.tick_params(axis="x", rotation=30, labelsize=8)
        axes.set_title(f"{label}, {comparison.split} cases")
    figure.tight_layout()
