"""Follow a run that another process trains, from what it writes into its folder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import qt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_microus.core.events import Event
    from napari_microus.core.runs.folder import RunStatus

_EVERY_MS = 200
_LOOK_AT_STATUS_S = 1.0


class RunWatch:
    """Reports a run's events in the main thread until it has ended.

    Parameters
    ----------
    run : Path
        Run folder.
    on_event : callable
        Called with each event, those of before included.
    on_end : callable
        Called once with the status in which the run ended.
    """

    def __init__(
        self,
        run: Path,
        on_event: Callable[[Event], None],
        on_end: Callable[[RunStatus], None],
    ) -> None:
        from napari_microus.core.runs.event_log import EventLog

        self.run = run
        self._on_event, self._on_end = on_event, on_end
        self._log = EventLog(run / "events.jsonl")
        self._looked_at = 0.0
        self._is_left = False

    def start(self) -> None:
        """Begin to read.

        Raises
        ------
        InputError
            If the folder holds no run.
        """
        from napari_microus.core.runs.folder import read_status

        read_status(self.run)
        qt.QTimer.singleShot(0, self._look)

    def leave(self) -> None:
        """Read no more; the run itself continues."""
        self._is_left = True

    def _look(self) -> None:
        from napari_microus.core.errors import InputError
        from napari_microus.core.runs.folder import RunStatus, read_status

        if self._is_left:
            return
        ended = None
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_AT_STATUS_S:
            self._looked_at = now
            try:  # before reading: what came earlier is then there
                status = read_status(self.run)
            except InputError as error:  # somebody removed the folder
                status = RunStatus(str(self.run), state="failed", message=error.plain)
            ended = None if status.is_alive else status
        events, _ = self._log.read()
        for event in events:
            if not self._is_left:
                self._on_event(event)
        if self._is_left:
            return
        if ended is not None and not events:
            self.leave()
            self._on_end(ended)
            return
        if ended is not None:
            self._looked_at = 0.0  # more may be waiting
        qt.QTimer.singleShot(_EVERY_MS, self._look)


def epochs_of(run: Path) -> list[Event]:
    """Return what a run has reported so far about its start and its epochs."""
    from napari_microus.core.events import EpochReport, RunStarted
    from napari_microus.core.runs.event_log import EventLog

    log, found = EventLog(run / "events.jsonl"), []
    while True:
        events, _ = log.read()
        if not events:
            return found
        found += [e for e in events if isinstance(e, (EpochReport, RunStarted))]
