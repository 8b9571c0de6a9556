"""Write a trainee's report as one HTML file with its plots inside."""

from __future__ import annotations

import base64
import io
import math
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.colors import EXPERT, NONEXPERT
from napari_microus.core.compare.trainee import (
    TraineeCase,
    bias_mm,
    trend_mm_per_month,
)
from napari_microus.core.files import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; }
.lead { font-size: 1.2rem; }
.frames { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr));
          gap: 1rem; }
figure { margin: 0; } figcaption { font-size: .85rem; color: #555; }
"""


def write_trainee_page(
    cases: list[TraineeCase],
    path: str | Path,
    *,
    trainee: str = "The trainee",
    worst_frames: int = 6,
    overwrite: bool = False,
) -> None:
    """Write the report.

    Parameters
    ----------
    cases : list of TraineeCase
        From `compare_trainee`, oldest first.
    path : path
        HTML file to write.
    trainee : str
        How to call the annotator.
    worst_frames : int
        How many pictures of the most disputed frames to show.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    OutputError
        If the file exists or cannot be written.
    """
    worst = sorted(cases, key=lambda case: -case.worst.disagreement_mm2)
    pictures = "\n".join(
        f"<figure>{_embedded(_worst_frame(case))}<figcaption>Case {escape(case.name)}, "
        f"frame {case.worst.frame + 1}: "
        f"{case.worst.disagreement_mm2:.1f} mm² disputed, "
        f"HD95 {_number(case.worst.hd95_mm)} mm</figcaption></figure>"
        for case in worst[:worst_frames]
    )
    rows = "\n".join(_row(case) for case in cases)
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<title>{escape(trainee)} against the reference</title><style>{_STYLE}</style></head>
<body><h1>{escape(trainee)} against the reference</h1>
<p class="lead">{escape(_verdict(cases, trainee))}</p>
<h2>Bias by case</h2>{_embedded(_bias_plot(cases))}
<h2>Trend</h2><p>{escape(_trend(cases))}</p>{_embedded(_trend_plot(cases))}
<h2>Most disputed frames</h2>
<p><b style="color:{EXPERT}">reference</b>,
<b style="color:{NONEXPERT}">{escape(trainee)}</b></p>
<div class="frames">{pictures}</div>
<h2>All cases</h2>
<table><tr><th>Case</th><th>Date</th><th>Dice</th><th>HD95 mm</th><th>ASSD mm</th>
<th>Signed mm</th><th>Volume mL</th><th>Kappa</th></tr>
{rows}</table>
<p>Signed mm: mean distance between the contours, positive where {escape(trainee)}
draws larger. Distances are means over the frames in which both drew; volume is the
difference to the reference. For teaching; not for clinical use.</p>
</body></html>
"""
    with atomic_write(path, overwrite=overwrite) as part:
        part.write_text(page, encoding="utf-8")


def _verdict(cases: list[TraineeCase], trainee: str) -> str:
    bias = bias_mm(cases)
    if math.isnan(bias):
        return f"In {len(cases)} cases no frame was drawn by both."
    how = "larger" if bias > 0 else "smaller"
    return (
        f"Over {len(cases)} {'case' if len(cases) == 1 else 'cases'} {trainee} draws "
        f"{abs(bias):.2f} mm {how} than the reference on average."
    )


def _trend(cases: list[TraineeCase]) -> str:
    slope = trend_mm_per_month(cases)
    if math.isnan(slope):
        return "A trend needs work on three or more days."
    how = "falls" if slope < 0 else "grows"
    return (
        f"The mean distance between the contours {how} by {abs(slope):.2f} mm a month."
    )


def _row(case: TraineeCase) -> str:
    t = case.totals
    numbers = (
        t.dice,
        t.mean_hd95_mm,
        t.mean_assd_mm,
        t.mean_signed_mm,
        t.volume_difference_ml,
        t.cohen_kappa,
    )
    cells = "".join(f"<td>{_number(value)}</td>" for value in numbers)
    return f"<tr><td>{escape(case.name)}</td><td>{case.day}</td>{cells}</tr>"


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "–"


def _bias_plot(cases: list[TraineeCase]) -> Figure:
    figure = _figure(7.5, 2.8)
    axes = figure.subplots()
    values = [case.totals.mean_signed_mm for case in cases]
    axes.bar(range(len(cases)), np.nan_to_num(values), color=NONEXPERT)
    axes.axhline(0, color="#222", linewidth=0.8)
    step = max(1, len(cases) // 20)
    axes.set_xticks(range(0, len(cases), step), [c.name for c in cases[::step]])
    axes.set_xlabel("case")
    axes.set_xlim(-0.7, max(len(cases), 5) - 0.3)
    axes.set_ylabel("signed mean, mm\n(+ draws larger)")
    return figure


def _trend_plot(cases: list[TraineeCase]) -> Figure:
    figure = _figure(7.5, 2.8)
    axes = figure.subplots()
    days = np.array([case.day for case in cases], "datetime64[D]")
    distances = np.array([case.totals.mean_assd_mm for case in cases])
    axes.plot(days, distances, "o", color=EXPERT)
    axes.margins(y=0.15)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("ASSD, mm")
    figure.autofmt_xdate()
    return figure


def _worst_frame(case: TraineeCase) -> Figure:
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
    return figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=None)
    FigureCanvasAgg(figure)
    return figure


def _embedded(figure: Figure) -> str:
    stored = io.BytesIO()
    tight = "tight" if figure.axes and figure.axes[0].axison else None
    figure.savefig(stored, format="png", dpi=110, bbox_inches=tight)
    data = base64.b64encode(stored.getvalue()).decode()
    return f'<img alt="" src="data:image/png;base64,{data}">'
