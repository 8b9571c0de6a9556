"""``napari-microus live-exchange``: the child process of a program that has frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_microus.cli._console import (
    ProgressOption,
    ProgressStyle,
    drain,
    lower_priority,
)
from napari_microus.cli._options import DeviceOption, ModelOption, ProbeOption
from napari_microus.cli.application import app

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.events import Event

#: Who draws the capsules, written once the model is loaded.
PROVENANCE = "provenance.json"


@app.command(hidden=True)
def live_exchange(
    folder: Annotated[
        Path, typer.Argument(help="Where frame-N.npy appear and capsule-N.npy go.")
    ],
    model: ModelOption = None,
    device: DeviceOption = "auto",
    probe: ProbeOption = "top",
    progress: ProgressOption = ProgressStyle.json,
) -> None:
    """Segment the newest frame that another program puts into a folder.

    3D Slicer starts this; see `core.live.exchange`. Ends with its parent, when the
    folder goes, or when the file of NAPARI_MICROUS_CANCEL appears.
    """
    from napari_microus.core.parent import end_with_parent

    lower_priority()
    end_with_parent()
    drain(_exchange(folder, model, device, probe), progress)


def _exchange(
    folder: Path, name: str | None, device: str, probe: str
) -> Generator[Event, None, None]:
    """Answer frames; yield what the other program should show."""
    from napari_microus.core import library
    from napari_microus.core.events import GoesOn, Notice
    from napari_microus.core.live import Exchange, ExchangeSource, LiveFrame, follow
    from napari_microus.core.provenance import segmentation_provenance

    source, capsules = ExchangeSource(folder), Exchange(folder, "capsule")
    loaded = library.load_model(name or library.DEFAULT_MODEL, device)
    settings: dict[str, Any] = {"probe": probe}
    made = segmentation_provenance(
        [loaded], image="", frames=None, device=device, settings=settings
    )
    (folder / PROVENANCE).write_text(json.dumps(made), encoding="utf-8")
    work = follow(loaded, source, device=device, **settings)
    try:
        for event in work:
            if isinstance(event, LiveFrame):
                assert event.tag is not None  # its source numbers them all
                capsules.put(event.tag, event.mask)
            yield event if isinstance(event, Notice) else GoesOn()
    finally:
        work.close()
