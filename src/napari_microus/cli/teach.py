"""``napari-microus teach``: a model learns from the corrected frames of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_microus.cli._console import ProgressOption, ProgressStyle, drain
from napari_microus.cli._options import DeviceOption
from napari_microus.cli.application import app


@app.command()
def teach(
    scan: Annotated[Path, typer.Argument(help="The scan's file.")],
    capsule: Annotated[Path, typer.Argument(help="Its capsule, on the scan's grid.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The mask to write.")],
    frames: Annotated[
        str | None,
        typer.Option(
            help="Frames that were corrected, such as 3,7-9; as the provenance beside "
            "the capsule states, if not given."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A name that 'models list' shows, or a model's folder."),
    ] = None,
    keep: Annotated[
        str | None, typer.Option(help="Keep the adapted model under this name.")
    ] = None,
    device: DeviceOption = "auto",
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
    progress: ProgressOption = ProgressStyle.bar,
) -> None:
    """Adapt a model to one scan, and draw the frames that nobody corrected again.

    Corrected frames stay as they are. Not for clinical use.
    """
    from napari_microus.core import library
    from napari_microus.core.edit.review import Review
    from napari_microus.core.edit.teach import keep as keep_model
    from napari_microus.core.edit.teach import teach_and_draw
    from napari_microus.core.io import (
        read_mask,
        read_provenance,
        read_volume,
        write_mask,
    )
    from napari_microus.core.predict.files import check_outputs, parse_frames
    from napari_microus.core.provenance import segmentation_provenance

    check_outputs([scan], [output], overwrite=overwrite)  # before the model learns
    volume = read_volume(scan)
    mask = read_mask(capsule, grid=volume)
    review = Review.from_provenance(len(mask.array), read_provenance(capsule))
    corrected = review.protected if frames is None else set(parse_frames(frames))
    anchors = set(range(len(mask.array))) - corrected - set(review.doubtful)
    start = library.load_model(model or library.DEFAULT_MODEL, device)
    drawn, taught = drain(
        teach_and_draw(
            start, volume, mask.array, corrected, anchors=anchors, device=device
        ),
        progress,
    )
    made = segmentation_provenance(
        [taught.model], image=scan.name, frames=None, device=device, settings={}
    )
    made["review"] = {
        "edited": sorted(corrected),
        "approved": sorted(review.approved & corrected),
    }
    write_mask(volume.like(drawn), output, overwrite, provenance=made)
    kept = "" if keep is None else f"  model: {keep_model(taught, keep).name}"
    if progress is not ProgressStyle.json:
        print(f"{output}  learnt from frames {sorted(corrected)}{kept}")
