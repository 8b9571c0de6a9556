"""``napari-microus live``: the capsule in frames while they come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_microus.cli._console import lower_priority
from napari_microus.cli._options import DeviceOption, ModelOption, ProbeOption
from napari_microus.cli.application import app

if TYPE_CHECKING:
    from napari_microus.core.live import LiveFrame, Recording


@app.command()
def live(
    source: Annotated[
        str,
        typer.Argument(
            metavar="HOST[:PORT]|FOLDER|VIDEO",
            help="A server of OpenIGTLink (port 18944 if none is given), a folder into "
            "which a screen capture writes pictures, or a video file: played, or "
            "followed while it is written.",
        ),
    ],
    model: ModelOption = None,
    record: Annotated[
        Path | None,
        typer.Option(
            help="Keep the cine here (.nii.gz and so on), its masks as "
            "<name>_capsule beside it."
        ),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="End after so many frames.")
    ] = None,
    device: DeviceOption = "auto",
    probe: ProbeOption = "top",
    send: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            help="Offer the capsules at this port as images of OpenIGTLink, to 3D "
            "Slicer for instance; to this computer alone.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace existing files.")] = False,
    every: Annotated[
        float, typer.Option(min=0, help="Seconds between two lines; 0 for each frame.")
    ] = 1.0,
) -> None:
    """Segment the newest frame of a stream, again and again, until Ctrl+C.

    One JSON object a line: frames answered, received, left out and refused, the
    capsule's pixels and the seconds from a frame's last byte to its mask. A lost
    connection is made again. Not for clinical use.
    """
    from napari_microus.core import library
    from napari_microus.core.events import Notice
    from napari_microus.core.live import (
        CapsuleServer,
        LiveFrame,
        Recording,
        follow,
        source_of,
    )
    from napari_microus.core.provenance import segmentation_provenance

    lower_priority()
    chosen = source_of(source)
    recording = None if record is None else Recording(record, overwrite=overwrite)
    server = None if send is None else CapsuleServer(send)
    try:
        loaded = library.load_model(model or library.DEFAULT_MODEL, device)
        if recording is not None:
            recording.provenance = segmentation_provenance(
                [loaded],
                image="",
                frames=None,
                device=device,
                settings={"probe": probe},
            )
        work = follow(loaded, chosen, device=device, probe=probe)
        printed_s = float("-inf")
        try:
            for event in work:
                if isinstance(event, Notice):
                    _print({"notice": event.message})
                if not isinstance(event, LiveFrame):
                    continue
                if recording is not None:
                    recording.add(event)
                if server is not None:
                    server.add(event)
                is_last = frames is not None and event.number >= frames
                printed_s = _report(event, printed_s, every, is_last)
                if is_last:
                    break
        finally:
            work.close()
    finally:
        if server is not None:
            server.close()
        if recording is not None:
            _save(recording)


def _report(event: LiveFrame, printed_s: float, every: float, is_last: bool) -> float:
    """Print a line where it is time for one; return when the last one was printed."""
    import time

    now = time.monotonic()
    if now - printed_s < every and not is_last:
        return printed_s
    _print(
        {
            "frame": event.number,
            "received": event.received,
            "dropped": event.dropped,
            "refused": event.refused,
            "capsule_pixels": int(event.mask.sum()),
            "latency_s": round(event.latency_s, 4),
        }
    )
    return now


def _save(recording: Recording) -> None:
    for path in recording.save():
        _print({"saved": str(path)})


def _print(stated: dict[str, object]) -> None:
    print(json.dumps(stated), flush=True)
