"""Disagreement along the frames, as a plot to click in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Signal
from qtpy.QtGui import QPalette

from napari_microus.core.colors import SKY_BLUE
from napari_microus.widgets._shared.plots import (
    color_axes,
    hold_still,
    is_theme_change,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtCore import QEvent


class FramePlot(pg.PlotWidget):
    """A line along the frames with a mark at the one in view; a click jumps."""

    jumped = Signal(int)

    # Qt signals a change of its palette before the plot has been made.
    _is_made = False

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(130)
        self.setMaximumHeight(200)
        hold_still(self.getPlotItem())
        self._line = self.plot([], [], connect="finite", symbol="o", symbolSize=3)
        self._mark = pg.InfiniteLine(0, angle=90)
        self.addItem(self._mark)
        self.setLabel("bottom", "frame")
        self.scene().sigMouseClicked.connect(self._on_click)
        self._is_made = True
        self._take_colors()

    def show_values(self, values: Sequence[float], title: str) -> None:
        """Draw ``values``, one per frame."""
        array = np.asarray(values, float)
        frames = np.arange(len(array))
        known = np.isfinite(array)
        self._line.setData(frames[known], array[known])
        self.setLabel("left", title)
        highest = float(array[known].max()) if known.any() else 1.0
        self.setXRange(-0.5, max(len(array) - 0.5, 0.5), padding=0.02)
        self.setYRange(
            min(0.0, float(array[known].min()) if known.any() else 0.0), highest or 1.0
        )

    def mark(self, frame: int) -> None:
        """Move the mark to the frame in view."""
        self._mark.setValue(frame)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if is_theme_change(event) and self._is_made:
            self._take_colors()

    def _take_colors(self) -> None:
        palette = self.palette()
        color_axes(self, palette)
        self._line.setPen(pg.mkPen(SKY_BLUE, width=2))
        self._line.setSymbolBrush(SKY_BLUE)
        self._line.setSymbolPen(None)
        front = palette.color(QPalette.ColorRole.WindowText)
        self._mark.setPen(pg.mkPen(front, width=1))

    def _on_click(self, event: Any) -> None:
        place = self.getPlotItem().vb.mapSceneToView(event.scenePos())
        self.jumped.emit(round(place.x()))
