"""``napari-microus export``: results in the forms of the clinic."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_microus.cli.application import app


class Drawn(StrEnum):
    """Who drew a mask."""

    automatic = "automatic"
    semiautomatic = "semiautomatic"
    manual = "manual"


@app.command()
def export(
    mask: Annotated[
        Path,
        typer.Argument(metavar="MASK", help="A mask of one scan, in any format."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The file to write. Its ending chooses the form: .dcm is a DICOM "
            "Segmentation.",
        ),
    ],
    scan: Annotated[
        Path | None,
        typer.Option(
            help="What the mask was drawn on. For DICOM: the scan's own DICOM file or "
            "folder.",
        ),
    ] = None,
    rtstruct: Annotated[
        bool,
        typer.Option(
            "--rtstruct",
            help="Write an RT Structure Set (.dcm): contours in the patient, for scans "
            "of parallel frames at known places.",
        ),
    ] = False,
    label: Annotated[
        str | None,
        typer.Option(help="Value or name of the prostate in a mask of several labels."),
    ] = None,
    drawn: Annotated[
        Drawn | None,
        typer.Option(help="Who drew the mask, where no file beside it says so."),
    ] = None,
    deidentified: Annotated[
        bool,
        typer.Option(
            "--deidentified",
            help="Name a pseudonym instead of the patient, and replace all UIDs.",
        ),
    ] = False,
    renamed: Annotated[
        bool,
        typer.Option(
            "--renamed",
            help="The scan's file had another name when the mask was drawn.",
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Write a mask so that the clinic or another program can use it.

    A DICOM result belongs to the patient's study: it names the patient as the scan
    does, unless it is de-identified. Not for clinical decisions.
    """
    from napari_microus.core.export import export as write
    from napari_microus.core.export import kind_of
    from napari_microus.core.io import read_mask, read_provenance

    kind = kind_of(output, "rtstruct" if rtstruct else None)
    written = write(
        read_mask(mask, label=label),
        scan,
        output,
        kind=kind.name,
        provenance=read_provenance(mask) or None,
        overwrite=overwrite,
        drawn=None if drawn is None else drawn.value,
        deidentified=deidentified,
        renamed=renamed,
    )
    print(written)
    if kind.name in ("dicom-seg", "rtstruct") and not deidentified:
        print("  It names the patient as the scan does; --deidentified does not.")
