"""Show a comparison of annotators in a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_microus.cli._console import table_console
from napari_microus.core.statistics import FEW_PATIENTS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from napari_microus.core.compare.case_comparison import CaseComparison
    from napari_microus.core.compare.cases import FolderComparison
    from napari_microus.core.compare.over_cases import AnnotatorMeans
    from napari_microus.core.compare.totals import CaseAgreement
    from napari_microus.core.statistics import PatientMean

# Field of the totals, heading, format, and whether it is a length.
_COLUMNS = (
    ("mean_frame_dice", "Dice", ".3f", False),
    ("mean_surface_dice", "surface\nDice", ".3f", False),
    ("mean_hd95_mm", "HD95", ".2f", True),
    ("mean_assd_mm", "ASSD", ".2f", True),
    ("mean_signed_mm", "signed", "+.2f", True),
    ("added_path_mm", "added\npath", ".1f", True),
    ("cohen_kappa", "kappa", ".3f", False),
)
_VOLUME = ("volume_difference_ml", "volume mL", "+.2f", False)


def show(result: FolderComparison, tolerance: float) -> None:
    """Print the table, the means over patients, and what the numbers are."""
    console = table_console()
    console.print(_cases(result))
    if result.means:
        _show_means(result.means, console)
    for case in result.cases:
        if case.fleiss_kappa is not None:
            console.print(_several(case))
    if result.krippendorff_alpha is not None and result.alpha_cases > 1:
        console.print(
            f"Krippendorff's alpha over {result.alpha_cases} cases, those that some "
            f"did not draw included: {_number(result.krippendorff_alpha, '.3f')}"
        )
    sizes = {case.has_geometry for case in result.cases}
    unit = "mm" if sizes == {True} else "px"
    if len(sizes) == 2:
        console.print(
            "Cases without a pixel size are measured in px, as marked, and are in no "
            "mean of lengths or surface Dice.",
            style="yellow",
        )
        unit = "mm (or px)"
    elif sizes == {False}:
        console.print("The pixel size is unknown: lengths are in px.", style="yellow")
    console.print(
        f"Means over the frames in which both drew, tolerance {tolerance:g} {unit}; "
        "signed: + draws larger than the first annotator; added path: contour of the "
        "first beyond the tolerance, summed over all frames.",
        style="dim",
    )
    for sentence in result.mispairs:
        console.print(sentence, style="yellow", markup=False)


def _cases(result: FolderComparison) -> Table:
    from rich.table import Table

    several = len(result.cases) > 1
    table = Table(title=None if several else f"case {result.cases[0].case}")
    if several:
        table.add_column("case")
    table.add_column("annotator", overflow="fold")
    table.add_column("frames", justify="right")
    units = {"mm" if case.has_geometry else "px" for case in result.cases}
    for heading in _headings("mm" if "mm" in units else "px"):
        table.add_column(heading, justify="right")
    has_volume = any(case.knows_frame_distance for case in result.cases)
    if has_volume:
        table.add_column(_VOLUME[1], justify="right")
    for case in result.cases:
        mark = " px" if len(units) == 2 and not case.has_geometry else ""
        for other in case.others:
            total = other.totals
            frames = f"{total.frames_both_drew}/{total.frames}"
            cells = _cells(total, mark, has_volume)
            prefix = [case.case] if several else []
            table.add_row(*prefix, other.file, frames, *cells)
    return table


def _headings(unit: str) -> list[str]:
    return [
        f"{name} {unit}" if is_length else name for _, name, _, is_length in _COLUMNS
    ]


def _cells(total: CaseAgreement, mark: str, has_volume: bool) -> list[str]:
    columns = (*_COLUMNS, _VOLUME) if has_volume else _COLUMNS
    cells = []
    for field, _, form, is_length in columns:
        text = _number(getattr(total, field), form)
        # At a tolerance in px, so the surface Dice is marked as well.
        needs_mark = is_length or field == "mean_surface_dice"
        cells.append(text + mark if needs_mark and text != "–" else text)
    return cells


def _show_means(means: list[AnnotatorMeans], console: Console) -> None:
    from rich.table import Table

    table = Table(title="Means over patients (95 % interval)")
    table.add_column("annotator", overflow="fold")
    table.add_column("patients", justify="right")
    for heading in (*_headings(means[0].unit), _VOLUME[1]):
        table.add_column(heading, justify="right")
    for one in means:
        cells = [
            _interval(one.means[field], form)
            for field, _, form, _ in (*_COLUMNS, _VOLUME)
        ]
        table.add_row(one.annotator, str(_patients(one)), *cells)
    console.print(table)
    patients = max(_patients(one) for one in means)
    if patients < FEW_PATIENTS:
        who = "1 patient" if patients == 1 else f"{patients} patients"
        console.print(f"{who}, no interval: it needs {FEW_PATIENTS}.", style="yellow")


def _patients(means: AnnotatorMeans) -> int:
    return max(mean.patients for mean in means.means.values())


def _interval(mean: PatientMean, form: str) -> str:
    text = _number(mean.mean, form)
    if not mean.has_interval:
        return text
    return f"{text}\n({_number(mean.low, form)} to {_number(mean.high, form)})"


def _several(case: CaseComparison) -> str:
    return (
        f"Fleiss' kappa of case {case.case}: {_number(case.fleiss_kappa, '.3f')}, "
        f"Krippendorff's alpha {_number(case.krippendorff_alpha, '.3f')}, "
        f"conformity index {_number(case.conformity_index, '.3f')}"
    )


def _number(value: float | None, form: str) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    return format(value, form)
