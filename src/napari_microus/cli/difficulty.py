"""``napari-microus difficulty``: in which frames a model is unsure."""

from __future__ import annotations

import csv
import functools
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from napari_microus.cli._console import ProgressOption, ProgressStyle, drain
from napari_microus.cli._options import DeviceOption
from napari_microus.cli.application import app


@app.command()
def difficulty(
    scan: Annotated[Path, typer.Argument(help="The scan's file.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Table of frames (.csv)."),
    ],
    map_: Annotated[
        Path | None,
        typer.Option(
            "--map", help="Also write the entropy of every pixel, such as map.nii.gz."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A name that 'models list' shows, or a model's folder."),
    ] = None,
    device: DeviceOption = "auto",
    overwrite: Annotated[bool, typer.Option(help="Replace existing files.")] = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Predict which frames of a scan annotators will find hard.

    The model segments the scan mirrored, brighter, darker and shifted; the table has
    the mean entropy of its answers for each frame, in bits a pixel.
    """
    from napari_microus.core import library
    from napari_microus.core.compare.difficulty import difficulty as entropy_of
    from napari_microus.core.compare.difficulty import frame_difficulty
    from napari_microus.core.files import atomic_write
    from napari_microus.core.io import read_volume, write_volume
    from napari_microus.core.predict import predict

    network = library.load_model(model or library.DEFAULT_MODEL, device)
    volume = read_volume(scan)
    predictor = functools.partial(
        predict,
        network,
        device=device,
        largest_component=False,
        fill_holes=False,
        min_confidence=0,  # the table has every frame: none is left empty
    )
    with ExitStack() as stack:  # refuses what exists before the model runs
        table = stack.enter_context(atomic_write(output, overwrite=overwrite))
        picture = None
        if map_ is not None:
            picture = stack.enter_context(atomic_write(map_, overwrite=overwrite))
        entropy = drain(entropy_of(predictor, volume), progress)
        per_frame = frame_difficulty(entropy)
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["frame", "difficulty_bits"])
            writer.writerows(
                [frame, f"{bits:.6f}"] for frame, bits in enumerate(per_frame)
            )
        if picture is not None:
            write_volume(volume.like(entropy), picture)
    if progress is not ProgressStyle.json:
        print(f"{output}  hardest frame {int(per_frame.argmax())}")
