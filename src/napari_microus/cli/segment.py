"""``napari-microus segment``: the capsule of scans in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from napari_microus.cli import app
from napari_microus.cli._console import ProgressOption, ProgressStyle, drain


@app.command()
def segment(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            help="Scans (NIfTI, NRRD, MHA, DICOM, pictures) or folders of them.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The mask's file (.nii.gz, .nii, .nrrd, .seg.nrrd, .mha), or a "
            "folder that takes <scan>_capsule.nii.gz.",
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A name that 'models list' shows, or a model's folder. "
            "Given several times, the models answer together."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cuda, cuda:N, mps or cpu.")] = (
        "auto"
    ),
    batch_size: Annotated[int, typer.Option(help="Frames at once.")] = 8,
    frames: Annotated[
        str | None, typer.Option(help="Frames to segment, such as 0-9,12.")
    ] = None,
    probability: Annotated[
        Path | None,
        typer.Option(help="Also write the probability: a file, or a folder."),
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="Probability above which a pixel is capsule.")
    ] = 0.5,
    flip: Annotated[
        bool, typer.Option("--flip", help="Average with the mirrored frame.")
    ] = False,
    largest_component: Annotated[
        bool, typer.Option(help="Keep one piece in each frame.")
    ] = True,
    fill_holes: Annotated[bool, typer.Option(help="Fill enclosed holes.")] = True,
    opening: Annotated[
        int | None,
        typer.Option(
            help="Cut off parts narrower than this many of the network's pixels; "
            "as the model recommends, if not given."
        ),
    ] = None,
    outline: Annotated[
        str | None,
        typer.Option(
            help="smooth: one closed, smooth outline; raw: every pixel above the "
            "threshold. As the model recommends, if not given."
        ),
    ] = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            help="Frames that the model is less sure of stay empty, 0 to 1; as the "
            "model recommends, if not given."
        ),
    ] = None,
    probe: Annotated[
        str,
        typer.Option(
            help="Where the frames show the probe: top, bottom, or automatic (the way "
            "the model is surer of)."
        ),
    ] = "top",
    precision: Annotated[
        str, typer.Option(help="auto, float32, bfloat16 or float16.")
    ] = "auto",
    overwrite: Annotated[bool, typer.Option(help="Replace existing files.")] = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Draw the prostate capsule in scans and write it on each scan's grid.

    A picture's mask is NIfTI too, of the picture's pixels. Beside each mask
    <mask>.json tells the model, its version, the date and the settings.
    Not for clinical use.
    """
    from napari_microus.core import library
    from napari_microus.core.predict.confidence import in_words
    from napari_microus.core.predict.files import parse_frames, plan, segment_files

    jobs = plan(inputs, output, probability=probability, overwrite=overwrite)
    wanted = None if frames is None else parse_frames(frames)
    names = model or [library.DEFAULT_MODEL]
    models = [library.load_model(name, device) for name in names]
    results = drain(
        segment_files(
            models,
            jobs,
            device=device,
            frames=wanted,
            overwrite=overwrite,
            batch_size=batch_size,
            threshold=threshold,
            flip=flip,
            largest_component=largest_component,
            fill_holes=fill_holes,
            opening=opening,
            outline=outline,
            min_confidence=min_confidence,
            probe=probe,
            precision=precision,
        ),
        progress,
    )
    for result in results:
        if progress is ProgressStyle.json:
            print(json.dumps({"event": "Finished", "result": result}), flush=True)
        else:
            size = result.get("volume_ml")
            print(f"{result['mask']}" + ("" if size is None else f"  {size:.2f} mL"))
            if result["look_first"]:
                print(f"  {in_words(result['look_first'], result['frames'])}")
