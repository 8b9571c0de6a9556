"""What the Train panel asks of the core: a study, a command line, and curves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import slicer

if TYPE_CHECKING:
    from pathlib import Path

    from napari_microus.core.events import EpochReport

# Before "small" or "base": begin with random weights in a network of that size.
NETWORK = "network:"

_COLORS = {
    "training loss": (0.337, 0.706, 0.914),
    "validation loss": (0.902, 0.624, 0.0),
    "DSC": (0.0, 0.62, 0.451),
    "annotators' own DSC": (0.69, 0.69, 0.69),
    "HD95 (mm)": (0.8, 0.475, 0.655),
}
# Loss and DSC lie between 0 and 1; HD95 has a chart of its own.
_CHARTS = (
    (
        "loss and DSC",
        ("training loss", "validation loss", "DSC", "annotators' own DSC"),
    ),
    ("HD95", ("HD95 (mm)",)),
)


def arguments(
    *,
    study: Path,
    run: Path,
    preset: str,
    start: str = "",
    name: str,
    device: str = "auto",
    epochs: int = 0,
    micro_batch: int = 0,
) -> list[str]:
    """Return the child's command line; 0 and "" leave a setting to the preset.

    ``start`` is a model's name, or `NETWORK` and a size.
    """
    line = ["train", "--preset", preset, "--study", str(study), "--output", str(run)]
    line += ["--device", device, "--set", f"name={name}"]
    if start.startswith(NETWORK):
        line += ["--model", start.removeprefix(NETWORK)]
    elif start:
        line += ["--start", start]
    if epochs:
        line += ["--epochs", str(epochs)]
    if micro_batch:
        line += ["--set", f"micro_batch={micro_batch}"]
    return [*line, "--progress", "json"]


class Curves:
    """A run's curves as a table, series and two charts in the scene.

    Parameters
    ----------
    name : str
        Of the run; every node's name begins with it.
    human_dice : float or None
        The annotators' own agreement, drawn as a line.
    """

    def __init__(self, name: str, human_dice: float | None = None) -> None:
        self._human = math.nan if human_dice is None else human_dice
        self._rows: list[tuple[float, ...]] = []
        self.table = _add("vtkMRMLTableNode", f"{name} curves")
        self.charts = [self._chart(name, title, names) for title, names in _CHARTS]

    def _chart(
        self, name: str, title: str, names: tuple[str, ...]
    ) -> slicer.vtkMRMLPlotChartNode:
        chart = _add("vtkMRMLPlotChartNode", f"{name} {title}")
        chart.SetTitle(f"{name}: {title}")
        chart.SetXAxisTitle("epoch")
        for column in names:
            series = _add("vtkMRMLPlotSeriesNode", column)
            series.SetAndObserveTableNodeID(self.table.GetID())
            series.SetXColumnName("epoch")
            series.SetYColumnName(column)
            series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
            series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
            series.SetColor(*_COLORS[column])
            chart.AddAndObservePlotSeriesNodeID(series.GetID())
        return chart

    def add(self, report: EpochReport) -> None:
        """Draw one more epoch; a resumed run may report one again."""
        self._rows = [row for row in self._rows if row[0] <= report.epoch]
        values = (
            report.epoch + 1,
            report.train_loss,
            report.val_loss,
            report.val_dice,
            self._human,
            report.val_hd95_mm,
        )
        self._rows.append(tuple(math.nan if v is None else float(v) for v in values))
        table = np.array(self._rows)
        slicer.util.updateTableFromArray(self.table, table, ["epoch", *_COLORS])


def show_charts(charts: list[slicer.vtkMRMLPlotChartNode]) -> None:
    """Show the first chart in Slicer's plot view; the others are in its menu."""
    manager = slicer.app.layoutManager()
    if manager is None:
        return
    plots = slicer.modules.plots.logic()
    layout = plots.GetLayoutWithPlot(manager.layout)
    manager.setLayout(layout)
    plots.ShowChartInLayout(charts[0])


def _add(kind: str, name: str) -> slicer.vtkMRMLNode:
    return slicer.mrmlScene.AddNewNodeByClass(
        kind, slicer.mrmlScene.GenerateUniqueName(name)
    )
