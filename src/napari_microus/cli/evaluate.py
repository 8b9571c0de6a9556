"""``napari-microus evaluate``: how well masks in files agree with a reference."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_microus.cli._console import (
    ProgressOption,
    ProgressStyle,
    drain,
    table_console,
)
from napari_microus.cli.application import app

if TYPE_CHECKING:
    from napari_microus.core.metrics import Scores
    from napari_microus.core.metrics.files import Evaluation


@app.command()
def evaluate(
    prediction: Annotated[
        Path,
        typer.Argument(metavar="PRED", help="The mask to judge, or a folder of them."),
    ],
    reference: Annotated[
        Path,
        typer.Argument(
            metavar="REF",
            help="The mask taken as right, or a folder of them. Files of two folders "
            "belong together when their names end in the same number.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Also write every number to a .csv or .json file."
        ),
    ] = None,
    label: Annotated[
        int | None, typer.Option(help="Value of the capsule in files of several.")
    ] = None,
    patient_pattern: Annotated[
        str | None,
        typer.Option(
            help="Expression whose group is the patient in a reference's name. Without "
            "it the number is: 7 and 7_1 are two scans of patient 7."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing table.")] = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Compare masks with a reference: Dice and distances, by two conventions.

    Per frame, as the papers report it: the mean over frames in which neither mask
    is empty. Per volume: the whole stack at once. Undecided pixels (255 beside 1)
    are left out. Below the table: means over patients, with 95 % intervals from five
    patients on.
    """
    from napari_microus.core.metrics.files import (
        check_table,
        evaluate_files,
        write_table,
    )

    if output is not None:
        check_table(output, overwrite=overwrite)
    from napari_microus.core.study.importing import patient_reader

    patients = None if patient_pattern is None else patient_reader(patient_pattern)
    work = evaluate_files(prediction, reference, label=label, patients=patients)
    evaluation = drain(work, progress)
    if output is not None:
        write_table(evaluation, output, overwrite=overwrite)
    if progress is not ProgressStyle.json:
        _show(evaluation)


def _show(evaluation: Evaluation) -> None:
    from rich.table import Table

    unit = "mm" if evaluation.has_geometry else "px"
    table = Table()
    table.add_column("case")
    table.add_column("frames", justify="right")
    for group in ("", "volume "):
        for name in ("Dice", f"HD95 {unit}", f"ASSD {unit}"):
            table.add_column(f"{group}{name}", justify="right")

    def cells(*scores: Scores) -> list[str]:
        return [
            "–" if math.isnan(value) else f"{value:.{digits}f}"
            for row in scores
            for value, digits in ((row.dice, 4), (row.hd95_mm, 3), (row.assd_mm, 3))
        ]

    for name, case in evaluation.cases.items():
        counted = sum(row.has_both for row in case.frames)
        frames = f"{counted}/{len(case.frames)}"
        table.add_row(name, frames, *cells(case.mean, case.volume))
    if len(evaluation.cases) > 1:
        table.add_section()
        over = f"{evaluation.cases_in_mean['dice']}/{len(evaluation.cases)} cases"
        table.add_row("mean", over, *cells(evaluation.mean, evaluation.volume_mean))
    console = table_console()
    console.print(table)
    for sentence in evaluation.foot:
        console.print(sentence)
    if len(evaluation.cases) > 1:
        console.print(_over_patients(evaluation, unit))


def _over_patients(evaluation: Evaluation, unit: str) -> str:
    """Return the means over patients in a sentence."""
    from napari_microus.core.statistics import interval_note, with_interval

    means = evaluation.over_patients
    patients = len(set(evaluation.patients.values()))
    parts = [
        f"{name} {with_interval(means[field], form)}{after}"
        for field, name, form, after in (
            ("dice", "Dice", ".4f", ""),
            ("hd95_mm", "HD95", ".3f", f" {unit}"),
            ("assd_mm", "ASSD", ".3f", f" {unit}"),
        )
    ]
    how = interval_note(patients) or f"95 % interval over {patients} patients"
    return f"Mean over patients: {', '.join(parts)} ({how})."
