"""Write a trainee's report as one HTML file with its plots inside."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from napari_microus.core.colors import EXPERT, NONEXPERT
from napari_microus.core.compare.bland_altman import bland_altman
from napari_microus.core.compare.frames import most_disputed
from napari_microus.core.compare.over_cases import BOUNDS
from napari_microus.core.compare.trainee_plots import (
    bias_plot,
    bland_altman_plot,
    trend_plot,
    worst_frame,
)
from napari_microus.core.compare.trainee_repeats import within_observer
from napari_microus.core.compare.trainee_text import (
    limits_sentence,
    number,
    repeats_sentence,
    trend_sentence,
    verdict,
)
from napari_microus.core.files import atomic_write
from napari_microus.core.statistics import (
    FEW_PATIENTS,
    counted,
    patient_mean,
    with_interval,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_microus.core.compare.trainee import TraineeCase
    from napari_microus.core.statistics import PatientMean

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

    Cases without a pixel size are reported in px and apart from those in mm.

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
    groups = [
        ("mm", [case for case in cases if case.has_geometry]),
        ("px", [case for case in cases if not case.has_geometry]),
    ]
    groups = [(unit, group) for unit, group in groups if group]
    parts = [_part(group, unit, trainee, worst_frames) for unit, group in groups]
    if len(groups) == 2:
        parts = [_apart(groups), *_headed(groups, parts)]
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<title>{escape(trainee)} against the reference</title><style>{_STYLE}</style></head>
<body><h1>{escape(trainee)} against the reference</h1>
{"".join(parts)}
<p>Frames are counted from 0. Signed: mean distance between the contours, positive
where {escape(trainee)} draws larger. Added path: length of the reference's contour
that lies beyond the tolerance, over all frames. Dice, surface Dice and distances are
means over the frames in which both drew; volume is the difference to the reference.
Intervals are over patients. For teaching; not for clinical use.</p>
</body></html>
"""
    with atomic_write(path, overwrite=overwrite) as part:
        part.write_text(page, encoding="utf-8")


def _apart(groups: Sequence[tuple[str, Sequence[TraineeCase]]]) -> str:
    sized, unsized = (counted(len(group), "case") for _, group in groups)
    return (
        f"<p>{sized} with a pixel size and {unsized} without one: they are reported "
        "apart, in mm and in pixels, and averaged nowhere.</p>"
    )


def _headed(
    groups: Sequence[tuple[str, Sequence[TraineeCase]]], parts: list[str]
) -> list[str]:
    names = {"mm": "Cases with a pixel size", "px": "Cases without a pixel size"}
    return [
        f"<h1>{names[unit]}</h1>{part}"
        for (unit, _), part in zip(groups, parts, strict=True)
    ]


def _part(
    cases: Sequence[TraineeCase], unit: str, trainee: str, worst_frames: int
) -> str:
    """Return the report on cases that share a unit."""
    unsized = (
        "<p>These files state no pixel size: lengths are in px, areas in px²; there "
        "are no volumes.</p>"
        if unit == "px"
        else ""
    )
    return f"""{unsized}<p class="lead">{escape(verdict(cases, trainee, unit))}</p>
<h2>Bias by case</h2>{bias_plot(cases, unit)}
{_areas(cases, unit)}{_volumes(cases)}
<h2>Trend</h2><p>{escape(trend_sentence(cases, unit))}</p>{trend_plot(cases, unit)}
{_controls(cases, unit)}{_repeats(cases, unit, trainee)}
<h2>Most disputed frames</h2>
<p><b style="color:{EXPERT}">reference</b>,
<b style="color:{NONEXPERT}">{escape(trainee)}</b></p>
<div class="frames">{_pictures(cases, unit, worst_frames)}</div>
<h2>All cases</h2>{_table(cases, unit)}
"""


def _areas(cases: Sequence[TraineeCase], unit: str) -> str:
    drawn = [
        (case.patient or case.name, row)
        for case in cases
        for row in case.frames
        if row.expert_mm2 > 0 and row.nonexpert_mm2 > 0
    ]
    if not drawn:
        return ""
    found = bland_altman(
        [row.expert_mm2 for _, row in drawn],
        [row.nonexpert_mm2 for _, row in drawn],
        [patient for patient, _ in drawn],
    )
    said = limits_sentence(found, "area in a frame", f"{unit}²", "frame")
    if found.has_limits:
        said += (
            " Frames of a patient are not independent: the limits take the variance "
            "between and within patients. Bands are 95 % intervals."
        )
    return (
        f"<h2>Agreement of areas</h2><p>{escape(said)}</p>"
        f"{bland_altman_plot(found, 'area', f'{unit}²')}"
    )


def _volumes(cases: Sequence[TraineeCase]) -> str:
    """Return the agreement of volumes, nothing without a distance between frames."""
    known = [case for case in cases if case.knows_frame_distance and case.has_geometry]
    drawn = [case for case in known if case.totals.expert_ml + case.totals.nonexpert_ml]
    if not drawn:
        return ""
    found = bland_altman(
        [case.totals.expert_ml for case in drawn],
        [case.totals.nonexpert_ml for case in drawn],
        [case.patient or case.name for case in drawn],
    )
    said = limits_sentence(found, "volume", "mL", "case", "+.2f")
    unknown = len(cases) - len(known)
    if unknown:
        left_out = counted(unknown, "case")
        said += f" Left out: {left_out} without a known distance between frames."
    return (
        f"<h2>Agreement of volumes</h2><p>{escape(said)}</p>"
        f"{bland_altman_plot(found, 'volume', 'mL', '+.2f')}"
    )


def _controls(cases: Sequence[TraineeCase], unit: str) -> str:
    if not any(case.is_control for case in cases):
        return ""
    heads = ("Dice", "Surface Dice", f"ASSD {unit}", f"Signed {unit}")
    names = ("mean_frame_dice", "mean_surface_dice", "mean_assd_mm", "mean_signed_mm")
    rows = ""
    for title, is_control in (("controls", True), ("other cases", False)):
        group = [case for case in cases if case.is_control is is_control]
        means = [_mean(group, name) for name in names]
        cells = "".join(f"<td>{with_interval(mean)}</td>" for mean in means)
        patients = len({case.patient or case.name for case in group})
        rows += (
            f"<tr><td>{title}</td><td>{len(group)}</td><td>{patients}</td>{cells}</tr>"
        )
    columns = "".join(f"<th>{head}</th>" for head in heads)
    return (
        f"<h2>Control cases</h2><p>Cases with a known answer, mixed among "
        "the others; means over patients, with 95 % intervals from "
        f"{FEW_PATIENTS} patients on.</p><table><tr><th></th><th>Cases</th>"
        f"<th>Patients</th>{columns}</tr>{rows}</table>"
    )


def _mean(cases: Sequence[TraineeCase], name: str) -> PatientMean:
    return patient_mean(
        [(case.patient or case.name, getattr(case.totals, name)) for case in cases],
        BOUNDS.get(name, (-math.inf, math.inf)),
    )


def _repeats(cases: Sequence[TraineeCase], unit: str, trainee: str) -> str:
    found = within_observer([case.repeat for case in cases])
    if found is None:
        return ""
    said = repeats_sentence(found, trainee, unit)
    return f"<h2>Repeated drawings</h2><p>{escape(said)}</p>"


def _pictures(cases: Sequence[TraineeCase], unit: str, most: int) -> str:
    worst = sorted(cases, key=lambda case: most_disputed(case.worst), reverse=True)
    return "\n".join(
        f"<figure>{worst_frame(case)}<figcaption>Case {escape(case.name)}, "
        f"frame {case.worst.frame}: "
        f"{number(case.worst.disagreement_mm2)} {unit}² disputed, "
        f"HD95 {number(case.worst.hd95_mm)} {unit}</figcaption></figure>"
        for case in worst[:most]
    )


def _table(cases: Sequence[TraineeCase], unit: str) -> str:
    has_volume = unit == "mm" and any(case.knows_frame_distance for case in cases)
    tolerance = f"{cases[0].totals.tolerance_mm:g} {unit}"
    heads = [
        "Case",
        "Date",
        "Dice",
        f"Surface Dice ({tolerance})",
        f"HD95 {unit}",
        f"ASSD {unit}",
        f"Signed {unit}",
        f"Added path {unit}",
        *(["Volume mL"] if has_volume else []),
        "Kappa",
    ]
    rows = "\n".join(_row(case, has_volume) for case in cases)
    columns = "".join(f"<th>{head}</th>" for head in heads)
    return f"<table><tr>{columns}</tr>\n{rows}</table>"


def _row(case: TraineeCase, has_volume: bool) -> str:
    t = case.totals
    numbers = (
        t.mean_frame_dice,
        t.mean_surface_dice,
        t.mean_hd95_mm,
        t.mean_assd_mm,
        t.mean_signed_mm,
        t.added_path_mm,
        *((t.volume_difference_ml,) if has_volume else ()),
        t.cohen_kappa,
    )
    cells = "".join(f"<td>{number(value)}</td>" for value in numbers)
    mark = " (control)" if case.is_control else ""
    return f"<tr><td>{escape(case.name)}{mark}</td><td>{case.day}</td>{cells}</tr>"
