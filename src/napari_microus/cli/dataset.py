"""``napari-microus dataset``: public data."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_microus.cli._console import ProgressOption, ProgressStyle, drain
from napari_microus.cli.application import app

dataset = typer.Typer(help="Fetch public data.", no_args_is_help=True)
app.add_typer(dataset, name="dataset")


class Dataset(StrEnum):
    """The data sets that can be fetched."""

    micro_us = "micro-us"


@dataset.command()
def fetch(
    name: Annotated[Dataset, typer.Argument(help="Which data.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder.")] = Path(),
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Download a public data set, verify its checksum and unpack it."""
    from napari_microus.core.dataset import fetch_micro_us

    root = drain(fetch_micro_us(output), progress)
    print(f"{name.value} is in {root}. Next: napari-microus study import --help")
