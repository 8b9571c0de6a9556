"""Training as a process of its own, which may outlive the window."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from napari_microus.core.errors import MicroUSError, OutputError
from napari_microus.core.events import Failed, from_json
from napari_microus.core.runs.folder import read_status, request

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_microus.core.runs.folder import RunStatus

# What the process says goes into a file: it may continue when nobody reads any more.
CONSOLE = "console.log"
_NICENESS = 10


def command(arguments: Sequence[str]) -> list[str]:
    """Return the command line that runs our program in this Python."""
    start = [sys.executable, "-m", "napari_microus"]
    return [*start, *arguments, "--progress", "json"]


class TrainingProcess:
    """A process that trains in ``run``; detached, so that it can be let run on.

    Parameters
    ----------
    arguments : sequence of str
        The command line, program first.
    run : Path
        Run folder; made if it is not there.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """

    def __init__(self, arguments: Sequence[str], run: Path) -> None:
        self.run = run
        self._reported_before = _last_reported(run)
        self._was_killed = False
        self._is_released = False
        make_folder(run)
        try:
            console = (run / CONSOLE).open("ab")
        except OSError as error:
            raise _not_writable(run, error) from error
        with console:
            self._said_from = console.tell()
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                cwd=run.parent,
                **_detached(),
            )
        _lower_priority(self._process.pid)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process still trains."""
        return not self.has_exited and not self._is_released

    @property
    def has_exited(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def has_written(self, status: RunStatus) -> bool:
        """Return whether a status is this process's, not of one that ran before."""
        return status.updated != self._reported_before

    def release(self) -> None:
        """Take note that the run has ended: the process only tidies up after it."""
        self._is_released = True

    def stop(self) -> None:
        """Ask for an end after the step under way; the best model is kept."""
        with contextlib.suppress(OSError):
            request(self.run, "stop")

    def kill(self) -> None:
        """End the process at once; its last checkpoint stays whole."""
        self._was_killed = True
        with contextlib.suppress(OSError):
            self._process.kill()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end, and return whether it came."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return self.has_exited

    def failure_message(self) -> str:
        """Return one sentence on why the process failed, or nothing."""
        code = self._process.poll()
        if code in (None, 0, 130, 143):
            return ""
        failed, last = read_console(self.run, self._said_from)
        if failed:
            return failed
        if code is not None and code < 0:
            if self._was_killed:
                return "The training process was ended at once; it can be resumed."
            return killed_sentence(-code)
        last = last.removeprefix("napari-microus: ")
        return last or f"The training process ended with status {code}."


def _last_reported(run: Path) -> float:
    """Return when the status of a run was last written, 0 where none was."""
    try:
        return read_status(run).updated
    except MicroUSError:
        return 0.0


def make_folder(run: Path) -> None:
    """Make the folder of a run.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(run, error) from error


def _not_writable(run: Path, error: OSError) -> OutputError:
    return OutputError(
        f"The run folder must be writable; got {run} ({error.strerror}). "
        "Choose another folder.",
        plain=f"Cannot write into the run's folder, {run} ({error.strerror}). Choose "
        "another folder.",
    )


def read_console(run: Path, start: int = 0) -> tuple[str, str]:
    """Return the failure a process reported as an event, and its last other words."""
    try:
        with (run / CONSOLE).open("rb") as file:
            file.seek(start)
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "", ""
    failed, last = "", ""
    for line in lines:
        event = from_json(line)
        if isinstance(event, Failed):
            failed = event.message
        elif event is None and line.strip():
            last = line.strip()
    return failed, last


def killed_sentence(number: int) -> str:
    """Return what a user should know when a signal ended the training."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    cause = ""
    if name == "SIGKILL":
        cause = " The system does so when memory runs out: try a smaller batch."
    return (
        f"The training process was killed ({name}).{cause} Its last checkpoint is "
        "whole: resume the run."
    )


def _detached() -> dict[str, Any]:
    """Return what keeps the process alive when this one ends."""
    if os.name == "nt":
        flags = ("CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW")
        return {"creationflags": sum(getattr(subprocess, flag) for flag in flags)}
    return {"start_new_session": True}


def _lower_priority(pid: int) -> None:
    """Let the window go first where both need the processor."""
    if hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            niceness = os.getpriority(os.PRIO_PROCESS, pid)
            os.setpriority(os.PRIO_PROCESS, pid, min(niceness + _NICENESS, 19))
