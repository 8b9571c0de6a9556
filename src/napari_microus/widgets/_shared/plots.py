"""Plots that stay still and follow napari's theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QPalette

if TYPE_CHECKING:
    import pyqtgraph as pg
    from qtpy.QtCore import QEvent


def hold_still(plot: pg.PlotItem) -> None:
    """Let neither mouse nor menu move what a plot shows."""
    plot.setMenuEnabled(False)
    plot.setMouseEnabled(x=False, y=False)
    plot.hideButtons()
    plot.getAxis("bottom").enableAutoSIPrefix(False)


def is_theme_change(event: QEvent) -> bool:
    """Return whether a widget has other colours from this event on."""
    return event.type() in (event.Type.PaletteChange, event.Type.StyleChange)


def color_axes(view: pg.PlotWidget, palette: QPalette) -> None:
    """Draw a plot's axes and background in the colours of a window."""
    front = palette.color(QPalette.ColorRole.WindowText)
    view.setBackground(palette.color(QPalette.ColorRole.Window))
    for side in ("left", "bottom"):
        axis = view.getPlotItem().getAxis(side)
        axis.setPen(front)
        axis.setTextPen(front)
