"""Segment many scans: one after the other, in processes, or on a cluster."""

from __future__ import annotations

import errno
import os
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_microus.core import errors
from napari_microus.core.batch.measuring import DONE, FAILED
from napari_microus.core.batch.one_scan import SKIPPED, Outcome, segment_scan
from napari_microus.core.batch.places import (
    FAILURES,
    LOCK,
    MEASUREMENTS,
    SHEET,
    mask_path,
)
from napari_microus.core.batch.sheet import write_sheet
from napari_microus.core.batch.table import Tables
from napari_microus.core.errors import ConfigError, OutputError
from napari_microus.core.events import Event, GoesOn, Notice, Progress, ScanReport
from napari_microus.core.files import only_one

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    from napari_microus.core.batch.scan import Scan
    from napari_microus.core.batch.settings import BatchSettings

    Said = Event | Outcome


@dataclass(frozen=True)
class BatchResult:
    """How a batch ended.

    Parameters
    ----------
    done, skipped : int
        Scans that were segmented, and whose mask was there.
    failures : tuple of (str, str)
        Label and reason of each scan that failed.
    measurements, sheet : Path
        The table, and the contact sheet.
    failure_table : Path or None
        The table of failures, where there are any.
    """

    done: int
    skipped: int
    failures: tuple[tuple[str, str], ...]
    measurements: Path
    sheet: Path
    failure_table: Path | None

    def in_words(self) -> str:
        """Return the sentence that a person reads at the end."""
        parts = [f"{self.done} done"]
        parts += [f"{self.skipped} skipped (done before)"] if self.skipped else []
        parts += [f"{len(self.failures)} failed"] if self.failures else []
        total = self.done + self.skipped + len(self.failures)
        return f"{total} scan{'s' if total != 1 else ''}: {', '.join(parts)}."


def run_batch(
    settings: BatchSettings,
    scans: Sequence[Scan],
    *,
    workers: int = 1,
    dask: str | None = None,
) -> Generator[Event, None, BatchResult]:
    """Segment scans, write their masks and tables, and continue where one fails.

    A scan whose mask is there, whole, from the same scan, models and settings, is
    skipped; another mask in its place is not replaced unless ``settings.overwrite``.

    Parameters
    ----------
    settings : BatchSettings
        What all scans share, see `batch_settings`.
    scans : sequence of Scan
        From `find_scans`.
    workers : int
        Processes of this computer; with 1, the work is done in this one.
    dask : str, optional
        Address of a Dask scheduler, whose workers do the work instead.

    Yields
    ------
    Event
        `ScanReport` of every change, and a `Notice` of what is to be known of a scan.
        Closing the generator stops the work: what is done stays, with its tables,
        and the same call continues from there.

    Returns
    -------
    BatchResult

    Raises
    ------
    ConfigError, CheckpointError
        If a setting or a model is such that every scan would fail.
    OutputError
        If the folder cannot be written, is in use by another batch, or is full.
    InputError
        If the Dask scheduler does not answer.
    """
    if workers < 1:
        raise ConfigError(
            f"workers must be 1 or more; got {workers}. Use 1.",
            plain=f"At least one worker is needed, and {workers} is none. Use 1.",
        )
    if dask is not None and workers != 1:
        raise ConfigError(
            "A batch must run on workers of this computer or of a Dask cluster; got "
            "both. Leave one out.",
            plain=(
                "Workers of this computer and a Dask cluster are both given. Leave "
                "one out."
            ),
        )
    _check_folder(settings.output)
    if settings.probability is not None:
        _check_folder(settings.probability)
    with _held(settings.output):
        batch = _Batch(settings, scans, Tables(settings.output))
        work = _work(settings, list(enumerate(scans, start=1)), workers, dask)
        try:
            with closing(work):
                for number, said in work:
                    yield from batch.take(number, said)
        except BaseException:
            with suppress(OutputError):  # what ended the work is the cause of this
                batch.write()
            raise
        batch.write()
    return batch.result()


def _work(
    settings: BatchSettings,
    scans: list[tuple[int, Scan]],
    workers: int,
    dask: str | None,
) -> Generator[tuple[int, Said], None, None]:
    if dask is not None:
        from napari_microus.core.batch.on_dask import on_dask

        return on_dask(settings, scans, dask)
    if workers > 1:
        from napari_microus.core.batch.processes import in_processes

        return in_processes(settings, scans, workers)
    return _one_by_one(settings, scans)


def _one_by_one(
    settings: BatchSettings, scans: list[tuple[int, Scan]]
) -> Generator[tuple[int, Said], None, None]:
    for number, scan in scans:
        with closing(segment_scan(settings, scan)) as work:
            while True:
                try:
                    event = next(work)
                except StopIteration as stop:
                    yield number, stop.value
                    break
                yield number, event


class _Batch:
    """How far a batch is, and its tables."""

    def __init__(
        self, settings: BatchSettings, scans: Sequence[Scan], tables: Tables
    ) -> None:
        self._settings = settings
        self._scans = scans
        self._tables = tables
        self._states = {DONE: 0, SKIPPED: 0, FAILED: 0}
        self._failures: list[tuple[str, str]] = []

    def take(self, number: int, said: Said) -> Generator[Event, None, None]:
        """Take note of what is said of a scan, and pass it on."""
        if isinstance(said, Outcome):
            yield self._end(number, said)
            if said.ends_batch:
                raise getattr(errors, said.ends_batch)(said.reason)
        elif isinstance(said, Progress):
            yield self._report(
                number, "running", frames_done=said.done, frames=said.total
            )
        elif isinstance(said, Notice):
            yield Notice(f"{self._scans[number - 1].label}: {said.message}")
        elif isinstance(said, GoesOn):
            yield said

    def write(self) -> None:
        """Write the tables and the contact sheet."""
        self._tables.write()
        write_sheet(self._settings.output, self._tables.rows)

    def result(self) -> BatchResult:
        """Return how it ended."""
        output = self._settings.output
        return BatchResult(
            self._states[DONE],
            self._states[SKIPPED],
            tuple(self._failures),
            output / MEASUREMENTS,
            output / SHEET,
            output / FAILURES if (output / FAILURES).exists() else None,
        )

    def _end(self, number: int, outcome: Outcome) -> ScanReport:
        self._states[outcome.state] += 1
        self._tables.add(outcome.row)
        self._tables.write_now_and_then()
        scan, row = self._scans[number - 1], outcome.row
        if outcome.state == FAILED:
            self._failures.append((scan.label, outcome.reason))
            return self._report(number, FAILED, message=outcome.reason)
        frames = int(row["frames"])
        return self._report(
            number,
            outcome.state,
            frames_done=frames,
            frames=frames,
            frames_with_capsule=int(row["frames_with_capsule"]),
            volume_ml=row.get("volume_ml"),
            mask=str(mask_path(self._settings.output, scan.name)),
        )

    def _report(self, number: int, state: str, **stated: Any) -> ScanReport:
        name = self._scans[number - 1].name
        ended = sum(self._states.values())
        return ScanReport(number, len(self._scans), name, state, ended=ended, **stated)


def _check_folder(folder: Path) -> None:
    """Make a folder of results, and see that it can be written.

    Raises
    ------
    OutputError
        If it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise OutputError(
            f"The folder of the results must be writable; got {folder} "
            f"({error.strerror}). Choose another folder.",
            plain=(
                f"Nothing can be written into the folder of the results, {folder} "
                f"({error.strerror}). Choose another folder."
            ),
        ) from error


@contextmanager
def _held(output: Path) -> Iterator[None]:
    """Let no other batch write into a folder meanwhile."""
    taken = (
        f"Another batch is writing into {output} now. Wait for its end, or choose "
        "another folder."
    )
    unwritable = (
        f"Nothing can be written into the folder of the results, {output} "
        "({reason}). Check the free space and the permissions."
    )
    with only_one(output / LOCK, taken, unwritable=unwritable):
        yield
