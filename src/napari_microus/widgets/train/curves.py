"""The course of a run as live curves, beside those of other runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyqtgraph as pg
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from napari_microus.core.colors import HUMAN, OTHER_RUNS, TRAINING, VALIDATION
from napari_microus.widgets._shared.plots import (
    color_axes,
    hold_still,
    is_theme_change,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtpy.QtCore import QEvent

    from napari_microus.core.runs.history import RunHistory

    Curves = Mapping[str, tuple[list[float], list[float]]]

_TITLES = {
    "loss": "Loss",
    "val_dice": "DSC",
    "val_hd95_mm": "HD95 (mm)",
    "learning_rate": "Learning rate",
    "gamma": "Gamma of the loss",
}
_LINES = {
    "loss": ("batch_loss", "train_loss", "val_loss"),
    "val_dice": ("val_dice",),
    "val_hd95_mm": ("val_hd95_mm",),
    "learning_rate": ("rate",),
    "gamma": ("gamma",),
}
_BETWEEN_PLOTS_MS = 40
_HEIGHT = 430
# Labels such as 9.25e-05 that do not fit are not drawn at all.
_AXIS_WIDTH = 54
_LEGENDS = {
    "loss": (
        f'<span style="color:{TRAINING}">training</span> '
        f'<span style="color:{VALIDATION}">validation</span>'
    ),
    "val_dice": f'<span style="color:{HUMAN}">- - annotators</span>',
}


class CurvesView(QWidget):
    """Loss, DSC with the annotators' own agreement, HD95, learning rate and gamma.

    Each plot is a widget of its own and none changes its size with its neighbours:
    to paint one takes a hundredth of a second, to lay out five a tenth.

    Parameters
    ----------
    is_comparison : bool
        Whether only other runs' curves are shown, which have no gamma.
    """

    # Qt signals a change of its palette before the plots have been made.
    _is_made = False

    def __init__(self, is_comparison: bool = False) -> None:
        super().__init__()
        self._history: RunHistory | None = None
        self._waiting: list[str] = []
        self._drawn: dict[str, object] = {}
        self._next = QTimer(self)
        self._next.setInterval(_BETWEEN_PLOTS_MS)
        self._next.timeout.connect(self._draw_next)
        self._legends = {} if is_comparison else _LEGENDS
        self.setFixedHeight(_HEIGHT)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._titles: dict[str, QLabel] = {}
        self._views: dict[str, pg.PlotWidget] = {}
        self._plots: dict[str, pg.PlotItem] = {}
        self._lines: dict[str, pg.PlotDataItem] = {}
        self._others: list[tuple[pg.PlotItem, pg.PlotDataItem]] = []
        places = {"loss": (0, 0, 2), "val_dice": (1, 0, 1), "val_hd95_mm": (1, 1, 1)}
        places |= {"learning_rate": (2, 0, 1), "gamma": (2, 1, 1)}
        for column in (0, 1):
            self._grid.setColumnStretch(column, 1)
        for name, (row, column, span) in places.items():
            self._plots[name] = self._add_plot(name, row, column, span)
        for part in (self._titles["gamma"], self._views["gamma"]):
            part.setVisible(not is_comparison)
        self.human = pg.InfiniteLine(
            angle=0, pen=pg.mkPen(HUMAN, width=2, style=Qt.PenStyle.DashLine)
        )
        self.human.setVisible(False)
        self._plots["val_dice"].addItem(self.human)
        self._add_line("batch_loss", "loss", TRAINING, width=1, alpha=110)
        self._add_line("train_loss", "loss", TRAINING, symbol="o")
        self._add_line("val_loss", "loss", VALIDATION, symbol="o")
        self._add_line("val_dice", "val_dice", VALIDATION, symbol="o")
        self._add_line("val_hd95_mm", "val_hd95_mm", VALIDATION, symbol="o")
        self._add_line("rate", "learning_rate", TRAINING)
        self._add_line("gamma", "gamma", TRAINING)
        self._is_made = True
        self._take_colors()

    def _add_plot(self, name: str, row: int, column: int, span: int) -> pg.PlotItem:
        # A title of pyqtgraph's makes a narrow plot wider than its widget.
        title = self._titles[name] = QLabel()
        title.setTextFormat(Qt.TextFormat.RichText)
        title.setStyleSheet("font-size: 9pt")
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        view = self._views[name] = pg.PlotWidget()
        view.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # there is nothing to press in it
        self._grid.addWidget(title, 2 * row, column, 1, span)
        self._grid.addWidget(view, 2 * row + 1, column, 1, span)
        plot = view.getPlotItem()
        hold_still(plot)
        plot.showGrid(x=False, y=True, alpha=0.15)
        plot.getAxis("left").setWidth(_AXIS_WIDTH)
        plot.getAxis("left").enableAutoSIPrefix(False)
        return plot

    def _add_line(
        self,
        name: str,
        plot: str,
        color: str,
        *,
        width: int = 2,
        alpha: int = 255,
        symbol: str | None = None,
    ) -> None:
        ink = QColor(color)
        ink.setAlpha(alpha)
        self._lines[name] = self._plots[plot].plot(
            [],
            [],
            pen=pg.mkPen(ink, width=width),
            symbol=symbol,
            symbolSize=5,
            symbolBrush=color,
            symbolPen=None,
        )

    def show_history(self, history: RunHistory) -> None:
        """Draw what a run has reported so far, one plot after the other.

        Drawing all at once would keep the window from answering for too long.
        """
        self._history = history
        self._waiting = list(self._plots)
        self._next.start()
        ceiling = history.started.human_dice if history.started else None
        self.human.setVisible(ceiling is not None)
        if ceiling is not None:
            self.human.setValue(ceiling)

    def _draw_next(self) -> None:
        """Bring one plot up to date, where anything has changed."""
        if self._history is None or not self._waiting:
            self._next.stop()
            return
        plot = self._waiting.pop(0)
        for name in _LINES[plot]:
            trace = getattr(self._history, name, None)
            points = (
                self._history.measure(name) if trace is None else (trace.x, trace.y)
            )
            mark = (len(points[0]), points[0][-1:], points[1][-1:])
            if self._drawn.get(name) != mark:
                self._drawn[name] = mark
                self._lines[name].setData(*points)

    def show_others(self, runs: Mapping[str, Curves]) -> None:
        """Draw the curves of other runs, by name, thinner and dashed."""
        for plot, line in self._others:
            plot.removeItem(line)
        self._others = []
        for index, curves in enumerate(runs.values()):
            color = other_color(index)
            for name, (xs, ys) in curves.items():
                plot = self._plots["loss" if name.endswith("_loss") else name]
                dash = (
                    Qt.PenStyle.DotLine
                    if name == "train_loss"
                    else Qt.PenStyle.DashLine
                )
                pen = pg.mkPen(color, width=1.5, style=dash)
                self._others.append((plot, plot.plot(xs, ys, pen=pen)))

    @property
    def others_count(self) -> int:
        """How many lines of other runs are drawn."""
        return len(self._others)

    def line(self, name: str) -> tuple[Any, Any]:
        """Return the points of one of the run's own lines."""
        xs, ys = self._lines[name].getData()
        return ([], []) if xs is None else (xs, ys)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if is_theme_change(event) and self._is_made:
            self._take_colors()

    def _take_colors(self) -> None:
        for name, view in self._views.items():
            color_axes(view, self.palette())
            legend = self._legends.get(name, "")
            self._titles[name].setText(f"{_TITLES[name]}  {legend}".rstrip())


def other_color(index: int) -> str:
    """Return the colour in which the compared run of that number is drawn."""
    return OTHER_RUNS[index % len(OTHER_RUNS)]
