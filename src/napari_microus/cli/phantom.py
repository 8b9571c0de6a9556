"""Write synthetic scans with their annotations to disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_microus.cli._console import ProgressOption, ProgressStyle, drain
from napari_microus.cli.application import app


@app.command()
def phantom(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder that takes the cases.")
    ],
    seed: Annotated[int, typer.Option(help="Seed of the first case.")] = 0,
    count: Annotated[int, typer.Option(help="Number of cases; seeds count up.")] = 1,
    frames: Annotated[int, typer.Option(help="Frames of each scan.")] = 30,
    rows: Annotated[int, typer.Option(help="Rows of a frame.")] = 481,
    columns: Annotated[int, typer.Option(help="Columns of a frame.")] = 686,
    style: Annotated[
        str, typer.Option(help="The non-expert: cautious, generous, hasty or all.")
    ] = "cautious",
    lesions: Annotated[
        bool,
        typer.Option(
            "--lesions",
            help="Simulated MRI instead (T2W, ADC, HBV) with a lesion, in PI-CAI's "
            "layout; the other options but seed and count have no part.",
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace existing files.")] = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Make phantom scans with the truth and a non-expert's mask, as NIfTI."""
    if lesions:
        from napari_microus.core.phantom.lesion_files import write_lesions

        folder = drain(write_lesions(output, seed=seed, count=count), progress)
        if progress is not ProgressStyle.json:
            print(f"{folder}. Next: napari-microus study import STUDY {folder}")
        return
    from napari_microus.core.phantom.files import write_phantoms

    work = write_phantoms(
        output,
        seed=seed,
        count=count,
        frames=frames,
        shape=(rows, columns),
        style=style,
        overwrite=overwrite,
    )
    folders = drain(work, progress)
    if progress is not ProgressStyle.json:
        for folder in folders:
            print(folder)
