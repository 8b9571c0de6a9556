"""``napari-microus trainee``: one annotator against a reference, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_microus.cli._console import ProgressOption, ProgressStyle, drain
from napari_microus.cli.application import app
from napari_microus.cli.compare import PatientPattern, Tolerance


@app.command()
def trainee(
    reference: Annotated[
        Path,
        typer.Argument(
            help="Folder of the reference's masks; files pair by the number that ends "
            "their names."
        ),
    ],
    drawings: Annotated[
        Path,
        typer.Argument(
            metavar="TRAINEE",
            help="Folder of the trainee's masks. A file whose name ends in _repeat "
            "(student_7_repeat.nii.gz) is the second drawing of that case.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The report (.html).")],
    scans: Annotated[
        Path | None,
        typer.Option(help="Folder of the scans, shown under the contours."),
    ] = None,
    controls: Annotated[
        Path | None,
        typer.Option(
            help="Text file of the hidden control cases, whose reference is a known "
            "answer: one number or file name a line. Without it controls.txt in "
            "the reference's folder, if there is one."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="How to call the trainee; else as the folder is called."),
    ] = None,
    worst_frames: Annotated[
        int, typer.Option(min=0, help="How many of the most disputed frames to show.")
    ] = 6,
    tolerance_mm: Tolerance = 1.0,
    patient_pattern: PatientPattern = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an old report.")] = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Report how one annotator draws against a reference, over folders of cases.

    Bias, Bland-Altman limits of areas and volumes, trend, control cases, repeated
    drawings and the most disputed frames, in one HTML file. Cases without a pixel
    size are reported apart, in pixels.
    """
    from napari_microus.core.compare.trainee import compare_trainee
    from napari_microus.core.compare.trainee_page import write_trainee_page
    from napari_microus.core.errors import OutputError

    if output.exists() and not overwrite:
        raise OutputError(f"{output} already exists. Use --overwrite to replace it.")
    work = compare_trainee(
        reference,
        drawings,
        scans,
        controls=controls,
        tolerance_mm=tolerance_mm,
        patient_pattern=patient_pattern,
    )
    cases = drain(work, progress)
    write_trainee_page(
        cases,
        output,
        trainee=name or drawings.resolve().name,
        worst_frames=worst_frames,
        overwrite=overwrite,
    )
    if progress is not ProgressStyle.json:
        print(f"{output}  {len(cases)} {'case' if len(cases) == 1 else 'cases'}")
