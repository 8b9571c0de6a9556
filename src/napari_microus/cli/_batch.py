"""Segment many scans from the command line, and report how it ended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from napari_microus.cli._console import ProgressStyle, drain
from napari_microus.core.events import Finished, to_json

if TYPE_CHECKING:
    from napari_microus.core.batch import BatchResult

#: Exit status where some scans could not be segmented.
SOME_FAILED = 1


def segment_many(
    inputs: list[Path],
    output: Path,
    models: list[str],
    progress: ProgressStyle,
    *,
    recursive: bool,
    workers: int,
    dask: str | None,
    **shared: Any,
) -> None:
    """Segment scans into a folder; see `core.batch` for what comes of it.

    Raises
    ------
    typer.Exit
        With `SOME_FAILED` where a scan failed.
    """
    from napari_microus.core.batch import batch_settings, find_scans, run_batch

    settings = batch_settings(output, models=models, **shared)
    work = find_scans(inputs, recursive=recursive, leave_out=output)
    scans = drain(work, progress)
    try:
        result = drain(run_batch(settings, scans, workers=workers, dask=dask), progress)
    except KeyboardInterrupt:
        print("The same command continues from here.", file=sys.stderr)
        raise
    _report(result, progress)
    if result.failures:
        raise typer.Exit(SOME_FAILED)


def _report(result: BatchResult, progress: ProgressStyle) -> None:
    if progress is ProgressStyle.json:
        stated = {
            "done": result.done,
            "skipped": result.skipped,
            "failed": len(result.failures),
            "measurements": str(result.measurements),
            "sheet": str(result.sheet),
        }
        print(to_json(Finished(stated)), flush=True)
        return
    print(result.in_words())
    print(f"{result.measurements}\n{result.sheet}")
    if result.failures:
        print(f"{result.failure_table}")
        for label, reason in result.failures:
            print(f"  {label}: {reason}", file=sys.stderr)
