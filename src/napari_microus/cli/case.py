"""``napari-microus case``: a scan, its capsule and its numbers as one folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_microus.cli._console import ProgressOption, ProgressStyle, drain
from napari_microus.cli.application import app
from napari_microus.core.errors import ConfigError, InputError, OutputError

if TYPE_CHECKING:
    from napari_microus.core.case import Case
    from napari_microus.core.measure import Measurements

case = typer.Typer(
    help="Save a scan with its capsule as one folder, show it, check it, report it.",
    no_args_is_help=True,
)
app.add_typer(case, name="case")

_Folder = Annotated[Path, typer.Argument(help="A case's folder.")]
_Scan = Annotated[
    Path | None,
    typer.Option(help="Where the scan is now: its file, or a folder that holds it."),
]
_Overwrite = Annotated[bool, typer.Option(help="Replace what is there.")]


@case.command()
def save(
    scan: Annotated[Path, typer.Argument(help="The scan.")],
    mask: Annotated[Path, typer.Option(help="The capsule, on the scan's grid.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The case's folder.")],
    code: Annotated[
        str | None,
        typer.Option(
            help="Code under which the case is known, of no name or date. Without "
            "it one is made of the scan's pixels."
        ),
    ] = None,
    pseudonym: Annotated[
        bool,
        typer.Option(
            "--pseudonym",
            help="Take as code the pseudonym of the DICOM scan's patient: the same "
            "each time on this computer, and known to nobody else.",
        ),
    ] = False,
    psa: Annotated[float | None, typer.Option(help="PSA in ng/ml.")] = None,
    diameters_mm: Annotated[
        str | None,
        typer.Option(help="Length, width and height of the gland, as 48x44x36."),
    ] = None,
    probability: Annotated[
        Path | None,
        typer.Option(help="The model's probability map, for the volume's interval."),
    ] = None,
    note: Annotated[str, typer.Option(help="Anything to keep; no names.")] = "",
    label: Annotated[
        int | None, typer.Option(help="Value of the capsule in a mask of several.")
    ] = None,
    copy_scan: Annotated[
        bool | None,
        typer.Option(
            help="Keep a copy of the scan's pixels and sizes in the case. Without a "
            "word only where they cannot be read again."
        ),
    ] = None,
    overwrite: _Overwrite = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Save a scan and its capsule as a case.

    The case holds the capsule with who drew it, sizes, review, measurements and the
    digest of the scan's pixels; no name of a file or patient. Research use only.
    """
    from napari_microus.core.case import check_code, saving_case
    from napari_microus.core.io import read_mask, read_provenance, read_volume

    code = _code(scan, code, pseudonym)
    if code is not None:
        check_code(code)
    diameters = None if diameters_mm is None else _diameters(diameters_mm)
    volume = read_volume(scan)
    saved = drain(
        saving_case(
            output,
            volume,
            read_mask(mask, label=label, grid=volume),
            code=code,
            provenance=read_provenance(mask),
            probability=None if probability is None else read_volume(probability),
            psa_ng_ml=psa,
            diameters_mm=diameters,
            note=note,
            copy_scan=copy_scan,
            overwrite=overwrite,
        ),
        progress,
    )
    if progress is ProgressStyle.json:
        print(json.dumps({"event": "Finished", "result": _summary(saved)}), flush=True)
        return
    print(output)
    for line in _lines(saved):
        print(line)


@case.command()
def show(
    folder: _Folder,
    as_json: Annotated[
        bool, typer.Option("--json", help="As one JSON object.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Also write a row for each frame (.csv).")
    ] = None,
    overwrite: _Overwrite = False,
) -> None:
    """Print what a case holds; its scan is not needed."""
    from napari_microus.core.case import read_case
    from napari_microus.core.measure import write_frames_csv

    found = read_case(folder)
    if csv is not None:
        write_frames_csv(found.measurements, csv, overwrite=overwrite)
    if as_json:
        print(json.dumps(_summary(found), indent=1, ensure_ascii=False))
        return
    for line in _lines(found):
        print(line)


@case.command()
def report(
    folder: _Folder,
    output: Annotated[Path, typer.Option("--output", "-o", help="The report (.html).")],
    scan: _Scan = None,
    overwrite: _Overwrite = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Write the report of a case: one HTML file, two pages in print."""
    from napari_microus.core.case import opening_case
    from napari_microus.core.report import write_case_report

    if output.exists() and not overwrite:
        raise OutputError(
            f"{output} already exists. Choose another name, or overwrite it."
        )
    found = drain(opening_case(folder, scan), progress)
    print(write_case_report(output, found, overwrite=overwrite))


@case.command()
def check(
    folder: _Folder, scan: _Scan = None, progress: ProgressOption = ProgressStyle.bar
) -> None:
    """See that a case is whole and its numbers are those of its mask.

    Prints what is wrong, a sentence each, and ends with status 1.
    """
    from napari_microus.core.case import checking_case

    wrong = drain(checking_case(folder, scan), progress)
    for one in wrong:
        print(one)
    if wrong:
        raise typer.Exit(1)
    print(f"{folder} is whole.")


def _code(scan: Path, code: str | None, is_pseudonym: bool) -> str | None:
    from napari_microus.core.io import dicom_pseudonym, pseudonym_key

    if not is_pseudonym:
        return code
    if code is not None:
        raise ConfigError(
            "A case must have one code; got --code and --pseudonym. Leave one out.",
            plain="--code and --pseudonym are both given. Leave one out.",
        )
    found = dicom_pseudonym(scan, pseudonym_key())
    if found is None:
        raise InputError(
            "A pseudonym must be made from the scan's patient; got a scan that "
            "names none. Give a --code.",
            plain="The scan names no patient to make a pseudonym of. Give a --code.",
        )
    return found


def _diameters(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.lower().replace("×", "x").split("x"))
    except ValueError:
        raise ConfigError(
            f"Diameters must be length, width and height as 48x44x36; got '{text}'. "
            "Correct them.",
            plain=(
                f"'{text}' are no diameters. Write length, width and height as "
                "48x44x36."
            ),
        ) from None


def _summary(found: Case) -> dict[str, Any]:
    from napari_microus.core.measure import summary

    return {
        "case": found.code,
        "revision": found.revision,
        "modified": found.modified,
        **summary(found.measurements),
        "model": found.provenance.get("model"),
        "model_version": found.provenance.get("model_version"),
        "masks": ["capsule", *found.others],
        "note": found.note,
        "notices": list(found.notices),
    }


def _lines(found: Case) -> list[str]:
    summary, measured = _summary(found), found.measurements
    lines = [
        f"case {found.code}, saved {found.revision} "
        f"{'time' if found.revision == 1 else 'times'}, last on {found.modified}",
        f"{summary['drawn']} of {summary['frames']} frames outlined, "
        f"{summary['edited']} changed by hand, {summary['approved']} approved",
    ]
    largest = measured.largest
    if largest is not None:
        size = (
            f"{largest.area_px} pixels"
            if largest.area_mm2 is None
            else f"{largest.area_mm2:.1f} mm²"
        )
        lines.append(f"largest area {size} in frame {largest.frame}")
    lines += _volumes(measured)
    if summary["model"]:
        lines.append(f"drawn by {summary['model']}, version {summary['model_version']}")
    lines += [f"note: {line}" for line in found.note.splitlines()]
    return [*lines, *(f"! {notice}" for notice in found.notices)]


def _volumes(measured: Measurements) -> list[str]:
    lines = []
    for volume in measured.volumes:
        if volume.ml is None:
            lines.append(volume.method)
            continue
        line = f"{volume.ml:.3g} mL, {volume.method}"
        if volume.interval_ml is not None:
            low, high = volume.interval_ml
            line += f", 95 % interval {low:.3g} to {high:.3g} mL"
        density = measured.psa_density(volume)
        lines.append(line + ("" if density is None else f", PSA density {density:.3g}"))
    return lines
