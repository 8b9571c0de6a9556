"""The areas along a sweep as a chart inside a page."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.colors import (
    BLUE,
    FRAME_STATES_ON_PAPER,
    GREY,
    INK_ON_PAPER,
)
from napari_microus.core.edit.review import FrameState
from napari_microus.core.report.words import STATES, area

if TYPE_CHECKING:
    from napari_microus.core.measure import Measurements

# Each state is shown by its shape, too.
_MARKERS = {
    FrameState.MODEL: "o",
    FrameState.DOUBTFUL: "^",
    FrameState.EDITED: "s",
    FrameState.APPROVED: "D",
}


def area_chart(measured: Measurements) -> str:
    """Return the area of each frame with its 95 % interval as a ``data:`` address.

    "" where there is no curve to show: of one frame, or with nothing drawn.
    """
    if len(measured.frames) < 2 or not measured.drawn:
        return ""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    is_mm = measured.pixel_mm is not None
    scale = 0.01 if is_mm else 1.0  # cm²
    areas = np.array(
        [(s.area_mm2 if is_mm else s.area_px) or 0.0 for s in measured.frames]
    )
    areas = areas * scale
    shares = np.array([size.area_sd_share or 0.0 for size in measured.frames])
    figure = Figure(figsize=(7.3, 2.3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    frames = np.arange(len(areas))
    axes.plot(frames, areas, color=GREY, linewidth=0.8)
    if shares.any():
        half = 1.96 * shares * areas
        axes.fill_between(
            frames,
            np.maximum(areas - half, 0),
            areas + half,
            color=BLUE,
            alpha=0.18,
            linewidth=0,
            label="95 % interval",
        )
    for state, marker in _MARKERS.items():
        of_state = [size for size in measured.frames if size.state == state.value]
        shown = [size.frame for size in of_state if size.is_drawn]
        if shown:
            colour, name = FRAME_STATES_ON_PAPER[state.name], STATES[state.value]
            axes.plot(shown, areas[shown], marker, color=colour, ms=4, label=name)
    axes.set_ylim(bottom=0)
    axes.set_xlim(-0.5, max(len(areas) - 0.5, 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("frame", color=INK_ON_PAPER)
    axes.set_ylabel("area, cm²" if is_mm else "area, pixels", color=INK_ON_PAPER)
    axes.tick_params(colors=INK_ON_PAPER, labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            loc="outside upper right",
            ncols=5,
            fontsize=8,
            frameon=False,
            handlelength=1,
        )
    stored = io.BytesIO()
    figure.savefig(stored, format="svg", metadata={"Date": None, "Creator": None})
    data = base64.b64encode(stored.getvalue()).decode()
    return f"data:image/svg+xml;base64,{data}"


def chart_in_words(measured: Measurements) -> str:
    """Return what the chart shows, for those who cannot see it."""
    largest = measured.largest
    if largest is None:
        return ""
    return (
        f"Area of the capsule in each of {len(measured.frames)} frames; it is drawn "
        f"from frame {measured.drawn[0]} to {measured.drawn[-1]} and largest in frame "
        f"{largest.frame}, {area(largest)}."
    )
