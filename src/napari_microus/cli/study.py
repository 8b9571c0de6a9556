"""``napari-microus study``: cases, their check, and their split by patient."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_microus.cli._console import ProgressOption, ProgressStyle, drain
from napari_microus.cli.application import app
from napari_microus.core.errors import InputError

study = typer.Typer(
    help="Collect cases, check them, and split them by patient.", no_args_is_help=True
)
app.add_typer(study, name="study")

_Folder = Annotated[Path, typer.Argument(help="The study's folder.")]


class Layout(StrEnum):
    """Layouts that `import` understands."""

    auto = "auto"
    micro_us = "micro-us"
    nnu_net = "nnu-net"
    folders = "folders"
    cases = "cases"
    picai = "picai"
    brats = "brats"


_PIXEL_HELP = (
    "Pixel size in mm of images that state none, as 0.1 or 0.1x0.12 (height x width)."
)


@study.command()
def create(folder: _Folder) -> None:
    """Make an empty study."""
    from napari_microus.core.study import Study

    print(Study.create(folder).folder)


@study.command()
def add(
    folder: _Folder,
    image: Annotated[Path, typer.Option(help="The scan.")],
    case: Annotated[str, typer.Option(help="Name of the case.")],
    patient: Annotated[str, typer.Option(help="Pseudonym of the patient.")],
    expert: Annotated[Path | None, typer.Option(help="Expert's mask.")] = None,
    nonexpert: Annotated[Path | None, typer.Option(help="Second mask.")] = None,
    split: Annotated[str, typer.Option(help="train, val, test or nothing.")] = "",
    spacing_mm: Annotated[str, typer.Option(help=_PIXEL_HELP)] = "",
) -> None:
    """Copy a scan with its masks into the study."""
    from napari_microus.core.io import read_mask, read_volume
    from napari_microus.core.study import Study
    from napari_microus.core.study.table import StudyCase, read_pixel, sized

    opened = Study.open(folder)
    pixel = read_pixel(spacing_mm, "--spacing-mm")
    stated = StudyCase(case, patient, str(image), spacing_mm=pixel)
    scan = sized(read_volume(image), stated)
    truth = None if expert is None else read_mask(expert, grid=scan)
    other = None if nonexpert is None else read_mask(nonexpert, grid=scan)
    opened.add_case(case, patient, scan, truth, other, split=split)
    print(f"{case}: {len(opened.cases)} cases in the study.")


@study.command()
def annotate(
    folder: _Folder,
    case: Annotated[str, typer.Option(help="A case that waits, as 'next' lists it.")],
    expert: Annotated[Path, typer.Option(help="Expert's mask.")],
    nonexpert: Annotated[Path | None, typer.Option(help="Second mask.")] = None,
) -> None:
    """Copy the annotation of a case that had none into the study."""
    from napari_microus.core.io import read_mask
    from napari_microus.core.study import Study

    opened = Study.open(folder)
    known = {found.case: found for found in opened.cases}
    scan = opened.read_scan(known[case]) if case in known else None
    truth = read_mask(expert, grid=scan)
    other = None if nonexpert is None else read_mask(nonexpert, grid=scan)
    opened.add_masks(case, truth, other)
    print(f"{case}: annotated.")


@study.command("import")
def import_(
    folder: _Folder,
    source: Annotated[Path, typer.Argument(help="Folder with images and masks.")],
    layout: Annotated[Layout, typer.Option(help="How it is laid out.")] = Layout.auto,
    patient_pattern: Annotated[
        str | None,
        typer.Option(help="Expression whose group is the patient in a file's name."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="nnU-Net: which label is the target, by name or value. Again for "
            "each further one that belongs to it.",
        ),
    ] = None,
    splits: Annotated[
        Path | None,
        typer.Option(help="nnU-Net: a splits_final.json, where it lies elsewhere."),
    ] = None,
    folds: Annotated[
        bool, typer.Option(help="nnU-Net: take the folds of splits_final.json.")
    ] = True,
    spacing_mm: Annotated[str, typer.Option(help=_PIXEL_HELP)] = "",
) -> None:
    """List the cases of a folder; the files stay where they are.

    Makes the study where there is none.
    """
    from napari_microus.core.study import Study, import_folder
    from napari_microus.core.study.table import MANIFEST, read_pixel

    pixel = read_pixel(spacing_mm, "--spacing-mm")
    exists = (folder / MANIFEST).exists()
    # A new one is written with its cases, or not at all.
    opened = Study.open(folder) if exists else Study(folder)
    before = {case.case for case in opened.cases}
    for sentence in import_folder(
        opened,
        source,
        layout=layout.value,
        patient_pattern=patient_pattern,
        labels=label or (),
        splits=splits,
        folds=folds,
    ):
        print(sentence)
    if pixel is not None:
        count = opened.state_pixel(pixel, except_cases=before)
        print(f"The pixel size {spacing_mm} mm was stated for {count} cases.")


@study.command()
def check(folder: _Folder, progress: ProgressOption = ProgressStyle.bar) -> None:
    """Report what would spoil a training run; ends with 2 where something would."""
    from napari_microus.core.study import Study, check_study

    opened = Study.open(folder)
    findings = drain(check_study(opened), progress)
    for finding in findings:
        print(f"{finding.level}: {finding.case or 'study'}: {finding.message}")
    errors = sum(finding.level == "error" for finding in findings)
    counts = f"{len(opened.used)} cases of {len(opened.patients)} patients"
    print(f"{counts}: {errors} errors, {len(findings) - errors} warnings.")
    if errors:
        raise InputError(
            f"A study must be free of errors; got {errors}. Correct the cases named "
            "above, or set their ignore to 1.",
            plain=(
                f"The study has {errors} errors. Correct the cases named above, or "
                "set their ignore to 1."
            ),
        )


@study.command()
def split(
    folder: _Folder,
    val: Annotated[float, typer.Option(help="Fraction to validate on.")] = 0.2,
    test: Annotated[float, typer.Option(help="Fraction kept for the end.")] = 0.0,
    folds: Annotated[
        int | None, typer.Option(help="Folds instead; the test set stays apart.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides who goes where.")] = 0,
) -> None:
    """Share the patients among training, validation and test."""
    from napari_microus.core.study import Study, split_in_folds, split_study

    opened = Study.open(folder)
    if folds is None:
        split_study(opened, val=val, test=test, seed=seed)
    else:
        split_in_folds(opened, folds, seed=seed)
    for name in sorted({case.split for case in opened.used}):
        cases = [case for case in opened.used if case.split == name]
        patients = len({case.patient for case in cases})
        print(f"{name}: {len(cases)} cases of {patients} patients")


@study.command("list")
def list_cases(folder: _Folder) -> None:
    """Print the cases, and when the test set was opened."""
    from napari_microus.core.study import Study

    opened = Study.open(folder)
    for case in opened.cases:
        state = "ignored" if case.ignore else case.split or "undecided"
        print(f"{case.case}\t{case.patient}\t{state}")
    for use in opened.test_uses():
        print(f"test set opened {use['time']}: {use['purpose']}")


@study.command("next")
def next_(
    folder: _Folder,
    model: Annotated[
        str | None,
        typer.Option(help="Model, by name or folder; the bundled one, if not given."),
    ] = None,
    frames: Annotated[int, typer.Option(help="Frames of each scan to look at.")] = 8,
    device: Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")] = "auto",
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Rank the cases without an expert mask by what annotating them would teach."""
    from napari_microus.core.events import Finished, to_json
    from napari_microus.core.library import DEFAULT_MODEL, load_model
    from napari_microus.core.next_case import next_cases
    from napari_microus.core.study import Study

    opened = Study.open(folder)
    loaded = load_model(model or DEFAULT_MODEL)
    ranked = drain(next_cases(opened, loaded, device=device, frames=frames), progress)
    if progress is ProgressStyle.json:
        rows = [
            {
                "case": found.case.case,
                "image": str(opened.path(found.case.image)),
                "uncertainty": found.uncertainty,
                "disagreement": found.disagreement,
                "frame": found.frame,
            }
            for found in ranked
        ]
        print(to_json(Finished({"ranked": rows})), flush=True)
        return
    for found in ranked:
        print(
            f"{found.case.case}\tuncertainty {found.uncertainty:.3f}\t"
            f"expected disagreement {found.disagreement:.3f}\tframe {found.frame}"
        )
