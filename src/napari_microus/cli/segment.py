"""``napari-microus segment``: the capsule of one scan, or of many."""

from __future__ import annotations

import json
from os.path import isdir
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_microus.cli._batch import segment_many
from napari_microus.cli._console import (
    ProgressOption,
    ProgressStyle,
    drain,
    end_with_window,
    lower_priority,
)
from napari_microus.cli._options import DeviceOption
from napari_microus.cli.application import app


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
            "folder that takes <scan>_capsule.nii.gz, measurements.csv and "
            "contact_sheet.html.",
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A name that 'models list' shows, or a model's folder. "
            "Given several times, the models answer together."
        ),
    ] = None,
    device: DeviceOption = "auto",
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
    along_sweep: Annotated[
        bool | None,
        typer.Option(
            "--along-sweep/--no-along-sweep",
            help="Use the frames beside each frame, where they look like it; as the "
            "model recommends, if not given.",
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
    recursive: Annotated[
        bool,
        typer.Option("--recursive", "-r", help="Look into folders of folders."),
    ] = False,
    workers: Annotated[
        int, typer.Option(help="Processes that segment scans at the same time.")
    ] = 1,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Segment on the workers of a Dask scheduler, such as "
            "tcp://scheduler:8786.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace existing files.")] = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Draw the prostate capsule in scans and write it on each scan's grid.

    With a model of volumes: what it was made for, from one file a channel. Files are
    distinguished by their names (case_adc.mha), or as adc=FILE, or stand in the model's
    order. The mask lies on the first channel's grid.

    A picture's mask is NIfTI too, of the picture's pixels. Beside each mask
    <mask>.json states the model, its version, the date and the settings.
    Into a folder, a scan that cannot be segmented does not stop the others, and the
    same command again skips what is done. Exit status: 0 all scans have a mask, 1
    some failed, 2 nothing could be done, 130 stopped.
    Not for clinical use.
    """
    from napari_microus.core import library
    from napari_microus.core.errors import ConfigError

    lower_priority()
    end_with_window()
    names = model or [library.DEFAULT_MODEL]
    if library.find_model(names[0]).channels:
        if frames is not None:
            raise ConfigError(
                f"A model of volumes takes the whole; got --frames {frames}. Leave it "
                "out.",
                plain=(
                    "A model of volumes takes the whole scan, and not --frames "
                    f"{frames}. Leave it out."
                ),
            )
        _segment_channels(
            inputs,
            output,
            names,
            progress,
            probability=probability,
            device=device,
            threshold=threshold,
            flip=flip,
            batch_size=batch_size,
            precision=precision,
            overwrite=overwrite,
        )
        return
    wanted = None
    if frames is not None:
        from napari_microus.core.predict.files import parse_frames

        wanted = parse_frames(frames)
    settings: dict[str, Any] = {
        "batch_size": batch_size,
        "threshold": threshold,
        "flip": flip,
        "largest_component": largest_component,
        "fill_holes": fill_holes,
        "opening": opening,
        "outline": outline,
        "min_confidence": min_confidence,
        "along_sweep": along_sweep,
        "probe": probe,
        "precision": precision,
    }
    shared: dict[str, Any] = {
        "device": device,
        "frames": wanted,
        "probability": probability,
        "overwrite": overwrite,
        **settings,
    }
    if is_file_name(output):
        if workers != 1 or dask is not None:
            raise ConfigError(
                "Workers must have several scans to share; got one output file, "
                f"{output}. Leave out --workers and --dask, or name a folder.",
                plain=(
                    f"Workers share many scans, and {output} is the mask of one. "
                    "Leave out --workers and --dask, or name a folder."
                ),
            )
        _segment_one(inputs, output, names, progress, **shared)
        return
    segment_many(
        inputs,
        output,
        names,
        progress,
        recursive=recursive,
        workers=workers,
        dask=dask,
        **shared,
    )


def _segment_channels(
    inputs: list[Path],
    output: Path,
    names: list[str],
    progress: ProgressStyle,
    *,
    probability: Path | None,
    device: str,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Segment one examination of several channels into a file."""
    from napari_microus.core import library
    from napari_microus.core.errors import OutputError
    from napari_microus.core.io import read_volume
    from napari_microus.core.predict.files import check_outputs
    from napari_microus.core.predict.volumes import (
        channel_files,
        channels_of,
        segment_channels_into,
    )

    models = [library.load_model(name, device) for name in names]
    files = channel_files(inputs, channels_of(models[0]))
    if not is_file_name(output):
        raise OutputError(
            f"The output of one examination must be a file; got {output}. Name one "
            "that ends in .nii.gz.",
            plain=(
                f"The output of one examination is a file, and {output} is none. "
                "Name one that ends in .nii.gz."
            ),
        )
    check_outputs(list(files.values()), [output, probability], overwrite=overwrite)
    work = segment_channels_into(
        models,
        {name: read_volume(file) for name, file in files.items()},
        output,
        image=", ".join(file.name for file in files.values()),
        probability=probability,
        device=device,
        overwrite=overwrite,
        **settings,
    )
    _print_result(drain(work, progress), progress)


def _print_result(result: dict[str, Any], progress: ProgressStyle) -> None:
    """Print which mask was written, and what it measures."""
    if progress is ProgressStyle.json:
        print(json.dumps({"event": "Finished", "result": result}), flush=True)
        return
    size = result.get("volume_ml")
    volume = "" if size is None else f"  {size:.2f} mL, {result['volume_method']}"
    print(f"{result['mask']}{volume}")


def is_file_name(path: Path) -> bool:
    """Return whether an output is meant to be one file."""
    from napari_microus.core.io import WRITABLE, suffix_of

    is_named_so = suffix_of(path) in WRITABLE or bool(path.suffix)
    return is_named_so and not isdir(path)


def _segment_one(
    inputs: list[Path],
    output: Path,
    names: list[str],
    progress: ProgressStyle,
    *,
    probability: Path | None,
    overwrite: bool,
    device: str,
    **shared: Any,
) -> None:
    """Segment the one scan of the inputs into a file."""
    from napari_microus.core import library
    from napari_microus.core.batch import find_scans
    from napari_microus.core.errors import InputError, OutputError
    from napari_microus.core.predict.confidence import in_words
    from napari_microus.core.predict.files import check_outputs, segment_into

    scans = drain(find_scans(inputs), progress)
    if len(scans) > 1:
        raise OutputError(
            f"The output of {len(scans)} scans must be a folder; got {output}. "
            "Name a folder.",
            plain=(
                f"{len(scans)} scans do not go into one file, {output}. Name a folder."
            ),
        )
    [scan] = scans
    if scan.fault:
        raise InputError(scan.fault)
    maps = probability
    if maps is not None and not is_file_name(maps):
        maps = maps / f"{scan.name.rpartition('/')[2]}_probability.nii.gz"
    check_outputs(scan.files, [output, maps], overwrite=overwrite)
    models = [library.load_model(name, device) for name in names]
    result = drain(
        segment_into(
            models,
            scan.read(),
            output,
            image=scan.label.rpartition("/")[2],
            probability=maps,
            overwrite=overwrite,
            device=device,
            **shared,
        ),
        progress,
    )
    _print_result(result, progress)
    if result["look_first"] and progress is not ProgressStyle.json:
        print(f"  {in_words(result['look_first'], result['frames'])}")
