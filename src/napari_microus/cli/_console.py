"""Show the events of long work in a terminal, or print them as JSON lines."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from napari_microus.core import events
from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.core.events import (
    CANCEL_VARIABLE,
    BatchReport,
    EpochReport,
    Event,
    Failed,
    GoesOn,
    Notice,
    Progress,
    ScanReport,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.console import Console

Result = TypeVar("Result")


class ProgressStyle(StrEnum):
    """How a long command shows how far it is."""

    bar = "bar"
    json = "json"
    none = "none"


ProgressOption = Annotated[
    ProgressStyle,
    typer.Option("--progress", help="A bar, one JSON object per line, or nothing."),
]


def lower_priority() -> None:
    """Let idle threads sleep, before PyTorch is imported and reads this.

    Threads that spin while they wait slow everything, training too, many times
    over on a machine that does something else besides.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def end_with_window() -> None:
    """End with the window that started this, even where it is killed.

    Not for training, which outlives its window.
    """
    if os.environ.get(CANCEL_VARIABLE):
        from napari_microus.core.parent import end_with_parent

        end_with_parent()


def table_console() -> Console:
    """Return the console for a table; a pipe or a file has no width to fit."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=120)


def drain(work: Generator[Event, Any, Result], style: ProgressStyle) -> Result:
    """Run ``work`` to its end, show its events, and return its result.

    Raises
    ------
    KeyboardInterrupt
        Between two events, when the file named by ``NAPARI_MICROUS_CANCEL`` exists.
    """
    work = _until_cancelled(work)
    if style is ProgressStyle.json:
        return _drain_as_json(work)
    if style is ProgressStyle.none:
        return events.drain(work)
    return _drain_with_bar(work)


def _until_cancelled(
    work: Generator[Event, Any, Result],
) -> Generator[Event, Any, Result]:
    flag = os.environ.get(CANCEL_VARIABLE)
    while True:
        if flag and Path(flag).exists():
            work.close()
            raise KeyboardInterrupt
        try:
            event = next(work)
        except StopIteration as stop:
            return stop.value
        if not isinstance(event, GoesOn):
            yield event


def _drain_as_json(work: Generator[Event, Any, Result]) -> Result:
    try:
        return events.drain(work, lambda event: print(to_json(event), flush=True))
    except MicroUSError as error:
        print(to_json(Failed(plain_words(error), type(error).__name__)), flush=True)
        raise


def _drain_with_bar(work: Generator[Event, Any, Result]) -> Result:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:g}/{task.total:g} {task.fields[unit]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    # Into a file or a pipe, a bar would write nothing but an empty line.
    piped = not console.is_terminal
    with Bar(*columns, console=console, transient=True, disable=piped) as bar:
        task = bar.add_task("", total=None, unit="", visible=False)

        def show(event: Event) -> None:
            if isinstance(event, Progress):
                bar.update(
                    task,
                    description=event.message,
                    completed=event.done,
                    total=event.total,
                    unit=event.unit,
                    visible=True,
                )
            elif isinstance(event, ScanReport):
                bar.update(
                    task,
                    description=_scan_line(event),
                    completed=event.ended,
                    total=event.scans,
                    unit="scans",
                    visible=True,
                )
            elif isinstance(event, BatchReport):
                bar.update(
                    task,
                    description=f"Epoch {event.epoch + 1}, loss {event.loss:.4f}",
                    completed=event.batch,
                    total=event.batches,
                    unit=f"batches, {event.frames_per_s:.0f} frames/s",
                    visible=True,
                )
            elif isinstance(event, EpochReport):
                bar.console.print(_epoch_line(event), markup=False)
            elif isinstance(event, Notice):
                bar.console.print(event.message, markup=False)

        return events.drain(work, show)


def _scan_line(report: ScanReport) -> str:
    """Return what a bar says of the scan that was last heard of."""
    counted = f", frame {report.frames_done} of {report.frames}"
    is_counted = report.state == "running" and report.frames
    return f"{report.name}{counted if is_counted else ''}"


def _epoch_line(report: EpochReport) -> str:
    """Return one line of a training run's log."""
    parts = [f"epoch {report.epoch + 1}/{report.epochs}: loss {report.train_loss:.4f}"]
    if report.val_dice is not None:
        parts.append(f"DSC {report.val_dice:.4f}")
    if report.val_hd95_mm is not None:
        parts.append(f"HD95 {report.val_hd95_mm:.2f} mm")
    return ", ".join(parts) + (" (best)" if report.is_best else "")
