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


class Volumes(StrEnum):
    """Public data sets of volumes that are fetched by hand."""

    picai = "picai"
    brats = "brats"


@dataset.command()
def where(name: Annotated[Volumes, typer.Argument(help="Which data.")]) -> None:
    """Show where a data set of volumes is, its terms, and how it must lie."""
    from napari_microus.core.study.mri_layouts import PUBLIC

    data = PUBLIC[name.value]
    print(f"{data.name}\n{data.where}\nTerms: {data.terms}\nLayout: {data.layout}")


@dataset.command()
def check(
    name: Annotated[Volumes, typer.Argument(help="Which data.")],
    folder: Annotated[Path, typer.Argument(help="Where it was unpacked.")],
) -> None:
    """Look at what of a data set of volumes is there, and what is missing."""
    from napari_microus.core.study.mri_layouts import find_cases

    found = find_cases(folder, name.value)
    shown = 10
    for sentence in found.lacking[:shown]:
        print(sentence)
    if len(found.lacking) > shown:
        print(f"And {len(found.lacking) - shown} more.")
    labelled = sum(bool(case.expert) for case in found.cases)
    patients = len({case.patient for case in found.cases})
    print(
        f"{len(found.cases)} cases of {patients} patients are whole, {labelled} have "
        f"labels. Next: napari-microus study import STUDY {folder} --layout "
        f"{name.value}"
    )


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
