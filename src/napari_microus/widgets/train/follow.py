"""Read what a run reports from its folder, as long as it runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer, Signal

from napari_microus.core.errors import MicroUSError, plain_words
from napari_microus.core.events import Finished
from napari_microus.core.runs.event_log import EventLog
from napari_microus.core.runs.folder import RunStatus, read_status

if TYPE_CHECKING:
    from pathlib import Path

    from napari_microus.core.runs.process import TrainingProcess

_EVERY_MS = 100
_LOOK_AT_STATUS_S = 1.0


class RunFollower(QObject):
    """Reports a run's events in the window's thread, a few at a time.

    Parameters
    ----------
    run : Path
        Run folder.
    process : TrainingProcess, optional
        The process that trains, where this application started it. Without it the
        run's own status shows whether it still runs.
    """

    restarted = Signal()
    reported = Signal(object)
    ended = Signal(object)

    def __init__(
        self,
        run: Path,
        process: TrainingProcess | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.run = run
        self.process = process
        self._log = EventLog(run / "events.jsonl")
        self._looked_at = 0.0
        self._has_finished = False
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self.look)

    @property
    def is_active(self) -> bool:
        """True until the end was reported or `leave` was called."""
        return self._timer.isActive()

    def start(self) -> None:
        """Begin to read."""
        self._timer.start()

    def leave(self) -> None:
        """Read no more; the run itself continues."""
        self._timer.stop()

    def look(self) -> None:
        """Report what is new."""
        goes_on = self._goes_on()  # before reading: what came earlier is then there
        events, starts_over = self._log.read()
        if starts_over:
            self.restarted.emit()
        if events:
            self._has_finished = isinstance(events[-1], Finished)
            self.reported.emit(events)
            return  # more may be waiting
        if not goes_on:
            self._timer.stop()
            self.ended.emit(self._last_status())

    def _goes_on(self) -> bool:
        if self.process is not None:
            if self._has_finished:
                status = self._last_status()
                # Log and status may still be those of the process before.
                is_own = self.process.has_written(status)
                if is_own and not status.is_alive:
                    self.process.release()
            return self.process.is_alive
        # The question costs the run's lock for a moment: ask seldom.
        now = time.monotonic()
        if now - self._looked_at < _LOOK_AT_STATUS_S:
            return True
        self._looked_at = now
        return self._last_status().is_alive

    def _last_status(self) -> RunStatus:
        failure = self.process.failure_message() if self.process is not None else ""
        try:
            status = read_status(self.run)
        except MicroUSError as error:
            gone = not self.run.exists()
            message = f"The run's folder was removed: {self.run}." if gone else ""
            return RunStatus(
                str(self.run),
                name=self.run.name,
                state="failed",
                message=message or failure or plain_words(error),
            )
        if failure and status.state != "finished":
            state = status.state if status.state in _RESUMABLE else "failed"
            values = {**vars(status), "state": state, "message": failure}
            return RunStatus(**values)
        return status


_RESUMABLE = ("interrupted", "failed")
