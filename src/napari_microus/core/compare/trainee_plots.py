"""The plots of a trainee's report, as pictures inside its HTML."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.colors import EXPERT, NONEXPERT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_microus.core.compare.bland_altman import BlandAltman
    from napari_microus.core.compare.trainee import TraineeCase

_INK = "#222"


def bias_plot(cases: Sequence[TraineeCase], unit: str) -> str:
    """Return a bar for each case: by how much the trainee draws larger."""
    figure = _figure(7.5, 2.8)
    axes = figure.subplots()
    values = [case.totals.mean_signed_mm for case in cases]
    axes.bar(range(len(cases)), np.nan_to_num(values), color=NONEXPERT)
    axes.axhline(0, color=_INK, linewidth=0.8)
    step = max(1, len(cases) // 20)
    axes.set_xticks(range(0, len(cases), step), [c.name for c in cases[::step]])
    axes.set_xlabel("case")
    axes.set_xlim(-0.7, max(len(cases), 5) - 0.3)
    axes.set_ylabel(f"signed mean, {unit}\n(+ draws larger)")
    return _embedded(figure, "Bias by case")


def trend_plot(cases: Sequence[TraineeCase], unit: str) -> str:
    """Return the mean distance of each case over its day."""
    figure = _figure(7.5, 2.8)
    axes = figure.subplots()
    days = np.array([case.day for case in cases], "datetime64[D]")
    distances = np.array([case.totals.mean_assd_mm for case in cases])
    axes.plot(days, distances, "o", color=EXPERT)
    axes.margins(y=0.15)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"ASSD, {unit}")
    figure.autofmt_xdate()
    return _embedded(figure, "Mean distance by day")


def bland_altman_plot(
    found: BlandAltman, what: str, unit: str, form: str = "+.1f"
) -> str:
    """Return the differences over the means, with bias, limits and intervals."""
    figure = _figure(7.5, 3.6)
    axes = figure.subplots()
    axes.plot(found.mean, found.difference, "o", color=EXPERT, alpha=0.6, ms=4)
    axes.axhline(0, color="#999", linewidth=0.6)
    _line(axes, found.bias, found.bias_interval, f"bias {found.bias:{form}}", "-")
    if found.has_limits:
        for name, limit, interval in (
            ("upper limit", found.upper, found.upper_interval),
            ("lower limit", found.lower, found.lower_interval),
        ):
            _line(axes, limit, interval, f"{name} {limit:{form}}", "--")
    axes.margins(0.08)
    axes.set_xlabel(f"mean of both {what}s, {unit}")
    axes.set_ylabel(f"trainee − reference, {unit}")
    return _embedded(figure, f"Bland–Altman plot of the {what}")


def worst_frame(case: TraineeCase) -> str:
    """Return the most disputed frame with both contours."""
    height, width = case.reference.shape
    figure = _figure(3.2, min(4.0, 3.2 * height / width))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    background = case.image if case.image is not None else np.zeros((height, width))
    axes.imshow(background, cmap="gray", aspect="auto")
    for mask, colour in (
        (case.reference, EXPERT),
        (case.trainee, NONEXPERT),
    ):
        if (mask == 1).any() and not (mask == 1).all():
            axes.contour(mask == 1, levels=[0.5], colors=[colour], linewidths=1.5)
    return _embedded(figure, f"Case {case.name}, frame {case.worst.frame}")


def _line(
    axes: Axes, value: float, interval: tuple[float, float], name: str, style: str
) -> None:
    axes.axhline(value, color=_INK, linestyle=style, linewidth=1)
    if np.isfinite(interval).all():
        axes.axhspan(*interval, color=NONEXPERT, alpha=0.2, linewidth=0)
    axes.annotate(
        name,
        (1, value),
        xycoords=("axes fraction", "data"),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=None)
    FigureCanvasAgg(figure)
    return figure


def _embedded(figure: Figure, alt: str) -> str:
    stored = io.BytesIO()
    tight = "tight" if figure.axes and figure.axes[0].axison else None
    figure.savefig(stored, format="png", dpi=110, bbox_inches=tight)
    data = base64.b64encode(stored.getvalue()).decode()
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">'
