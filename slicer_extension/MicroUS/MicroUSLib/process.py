"""Run the core as a child process, so that the window never waits for it.

The child is ``PythonSlicer -m napari_microus …``; it prints one JSON object per
line. It is stopped by a flag file, because ending the process would end only
PythonSlicer's launcher.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import shutil
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import qt
import slicer

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import Popen

    from napari_microus.core.events import Event

    #: Makes a `Runner` of what hears its events and its outcome.
    RunnerMaker = Callable[
        [Callable[[Event], None], Callable[["Outcome"], None]], "Runner"
    ]

# The child looks for this file between two steps of its work.
CANCEL_VARIABLE = "NAPARI_MICROUS_CANCEL"

_PREFIX = "MicroUS-"
_CLOSE_S = 5.0  # a child sees its flag between two batches
_POLL_S = 0.05
_DAY_S = 86400.0
_KEPT_LINES = 200
_OUT_OF_MEMORY = (
    "out of memory",
    "memoryerror",
    "not enough memory",
    "std::bad_alloc",
    "cannot allocate memory",
)
_NO_GPU = ("cuda error", "no kernel image", "cuda driver", "nvidia driver")
# SIGKILL, as Python and a shell report it, and Windows' commit limit.
_KILLED = (-9, 137, 0xC000012D)
_STOPPED = (130, -2, -15, 143)


@dataclass(frozen=True)
class Outcome:
    """How a child process ended.

    ``state`` is "done", "cancelled" or "failed"; ``message`` is a sentence for the
    user when it failed, ``result`` what the last event held, ``log`` the last lines
    that were no events.
    """

    state: str
    message: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    log: str = ""


class Runner:
    """Start one child process at a time, report its events, and stop it.

    Parameters
    ----------
    on_event : callable
        Called in the main thread with each event.
    on_outcome : callable
        Called once in the main thread when the child has ended.
    python, module : str, optional
        Interpreter and module to run instead of PythonSlicer and our package.
    """

    def __init__(
        self,
        on_event: Callable[[Event], None],
        on_outcome: Callable[[Outcome], None],
        python: str | None = None,
        module: str = "napari_microus",
    ) -> None:
        self._on_event = on_event
        self._on_outcome = on_outcome
        self._python = python
        self._module = module
        self._process: Popen[str] | None = None
        self._folder: Path | None = None
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._failure = ""
        self._result: dict[str, Any] = {}
        self._is_cancelled = False

    @property
    def is_running(self) -> bool:
        """Whether a child is at work."""
        return self._process is not None

    @property
    def folder(self) -> Path:
        """Folder for files between us and the child; gone when the child has ended."""
        if self._folder is None:
            prefix = f"{_PREFIX}{os.getpid()}-"
            self._folder = Path(tempfile.mkdtemp(prefix=prefix, dir=_temporary()))
        return self._folder

    def start(
        self, arguments: list[str], environment: dict[str, str] | None = None
    ) -> None:
        """Start ``python -m napari_microus`` with ``arguments`` and return at once.

        Raises
        ------
        DeviceError
            If a child is at work already, or the interpreter is missing.
        """
        from napari_microus.core.errors import DeviceError

        if self.is_running:
            raise DeviceError(
                "One job runs at a time; got a second. Wait for the first, or cancel "
                "it.",
                plain="Another job is at work. Wait for its end, or cancel it.",
            )
        self._lines.clear()
        self._failure, self._result, self._is_cancelled = "", {}, False
        try:
            python = self._python or _python_slicer()
            command = [python, "-m", self._module, *arguments]
            logging.info("MicroUS starts: %s", " ".join(command))
            self._process = _launch(
                command,
                {
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONIOENCODING": "utf-8",
                    CANCEL_VARIABLE: str(self._flag),
                    **(environment or {}),
                },
                self._read,
                self._finish,
            )
        except OSError as error:
            self._clean()
            raise DeviceError(
                f"PythonSlicer must be installed; got {error}. Reinstall 3D Slicer.",
                plain=(
                    f"Python of 3D Slicer cannot be started ({error}). Reinstall "
                    "3D Slicer."
                ),
            ) from error

    def cancel(self) -> None:
        """Ask the child to stop; `on_outcome` follows when it has."""
        if not self.is_running or self._is_cancelled:
            return
        self._is_cancelled = True
        self._flag.touch()

    def abandon(self) -> None:
        """Stop the child and forget it: no callback follows (a closed scene, say)."""
        if not self.is_running:
            return
        self.cancel()
        self._on_event, self._on_outcome = _ignore, _ignore

    def close(self) -> None:
        """Stop the child now and leave no file: the application may be going away."""
        self.abandon()
        end = time.monotonic() + _CLOSE_S
        while self._process is not None and time.monotonic() < end:
            if self._process.poll() is not None:
                break
            self._delete_pixels()
            time.sleep(_POLL_S)
        if self._process is None or self._process.poll() is not None:
            self._clean()  # else the flag stays until it is seen, see below

    def _delete_pixels(self) -> None:
        """Delete what lies in the folder, but not the flag that stops the child."""
        for path in self.folder.iterdir():
            if path != self._flag and path.is_file():
                with contextlib.suppress(OSError):  # another system may hold it open
                    path.unlink()

    @property
    def _flag(self) -> Path:
        return self.folder / "cancel"

    def _read(self, line: str) -> None:
        from napari_microus.core.events import Failed, Finished, from_json

        event = from_json(line)
        if event is None:
            if line.strip():
                self._lines.append(line.rstrip())
                logging.info("MicroUS: %s", line.rstrip())
            return
        if isinstance(event, Failed):
            self._failure = event.message
        elif isinstance(event, Finished):
            self._result = event.result
        if not self._is_cancelled:
            self._on_event(event)

    def _finish(self, status: int) -> None:
        log = "\n".join(self._lines)
        if self._is_cancelled or status in _STOPPED:
            outcome = Outcome("cancelled", log=log)
        elif status == 0:
            outcome = Outcome("done", result=self._result, log=log)
        else:
            message = sentence(status, self._failure, list(self._lines))
            outcome = Outcome("failed", message, log=log)
        self._process.stdout.close()
        self._process = None
        if self._folder is None:
            return  # closed, and cleaned
        try:
            self._on_outcome(outcome)
        finally:
            if not self.is_running:  # the callback may have started the next job
                self._clean()

    def _clean(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None


def sentence(status: int, failure: str, lines: list[str]) -> str:
    """Return what the user should read when a child ended with ``status``.

    Parameters
    ----------
    status : int
        Exit status; negative for a signal.
    failure : str
        The child's own sentence, or "".
    lines : list of str
        Its last lines that were no events.
    """
    text = "\n".join([failure, *lines]).lower()
    if status in _KILLED or any(sign in text for sign in _OUT_OF_MEMORY):
        return (
            "The memory was too small for this. Choose a smaller batch size, or the "
            "CPU as the device."
        )
    if failure:
        return failure
    if "no module named" in text:
        return (
            "One of the packages of MicroUS is missing "
            f"({lines[-1] if lines else 'no details'}). Press Apply to install it."
        )
    if any(sign in text for sign in _NO_GPU):
        return "The graphics card reported a fault. Choose the CPU as the device."
    ours = [x for x in lines if x.startswith("napari-microus: ")]
    if ours:
        return ours[-1].removeprefix("napari-microus: ")
    last = lines[-1] if lines else "it said nothing"
    return (
        f"The job failed (status {status}: {last}). Its full output is in the Python "
        "console."
    )


def delete_left_folders() -> list[str]:
    """Delete folders of sessions that crashed: they hold patients' pixels.

    Returns
    -------
    list of str
        Their names.
    """
    deleted = []
    for folder in Path(_temporary()).glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if folder.is_dir() and owner.isdigit() and _is_gone(int(owner), folder):
            shutil.rmtree(folder, ignore_errors=True)
            deleted.append(folder.name)
    return deleted


def _is_gone(process_id: int, folder: Path) -> bool:
    """Return whether a folder's application has ended; a day's silence on Windows."""
    if os.name == "nt":  # signal 0 would end it there
        return time.time() - folder.stat().st_mtime > _DAY_S
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _launch(
    command: list[str],
    environment: dict[str, str],
    on_line: Callable[[str], None],
    on_end: Callable[[int], None],
) -> Popen[str]:
    launch = slicer.util.launchConsoleProcess
    if "completedCallback" in inspect.signature(launch).parameters:
        return launch(
            command,
            useStartupEnvironment=False,
            updateEnvironment=environment,
            blocking=False,
            logCallback=on_line,
            completedCallback=on_end,
        )
    # Slicer 5.10 only starts the process.
    process = launch(
        command, useStartupEnvironment=False, updateEnvironment=environment
    )
    _Pump(process, on_line, on_end).start()
    return process


class _Pump:
    """Carry a process's lines from a reading thread to Slicer's main thread."""

    interval_ms = 100
    _at_work: ClassVar[set[_Pump]] = set()  # a timer alone does not keep one alive

    def __init__(
        self,
        process: Popen[str],
        on_line: Callable[[str], None],
        on_end: Callable[[int], None],
    ) -> None:
        import queue

        self._process = process
        self._on_line = on_line
        self._on_end = on_end
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def start(self) -> None:
        import threading

        self._at_work.add(self)
        threading.Thread(target=self._read, daemon=True).start()
        qt.QTimer.singleShot(self.interval_ms, self._deliver)

    def _read(self) -> None:
        for line in self._process.stdout:
            self._queue.put(line.rstrip())
        self._process.wait()
        self._queue.put(None)

    def _deliver(self) -> None:
        while not self._queue.empty():
            line = self._queue.get()
            if line is None:
                self._at_work.discard(self)
                self._on_end(self._process.returncode)
                return
            self._on_line(line)
        qt.QTimer.singleShot(self.interval_ms, self._deliver)


def _python_slicer() -> str:
    found = shutil.which("PythonSlicer")
    if found:
        return found
    beside = Path(sys.executable).with_name("PythonSlicer")
    for path in (beside, beside.with_suffix(".exe")):
        if path.exists():
            return str(path)
    raise FileNotFoundError("no PythonSlicer beside the application")


def _temporary() -> str:
    return slicer.app.temporaryPath or os.fspath(tempfile.gettempdir())


def _ignore(_: object) -> None:
    """Take a callback's argument and do nothing."""
