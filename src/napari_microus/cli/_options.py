"""Options that several commands have alike."""

from __future__ import annotations

from typing import Annotated

import typer

DeviceOption = Annotated[str, typer.Option(help="auto, cuda, cuda:N, mps or cpu.")]
ModelOption = Annotated[
    str | None, typer.Option(help="A name that 'models list' shows, or a folder.")
]
#: Of frames that come one by one: the model cannot try both ways on several.
ProbeOption = Annotated[
    str, typer.Option(help="Where the frames show the probe: top or bottom.")
]
