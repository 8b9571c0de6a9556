"""A command of ours as a child process whose events the window hears."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import (
    QCoreApplication,
    QObject,
    QProcess,
    QProcessEnvironment,
    QTemporaryDir,
    QTimer,
    Signal,
)

from napari_microus.core.events import CANCEL_VARIABLE, Failed, from_json

if TYPE_CHECKING:
    from collections.abc import Sequence

# What was asked to end may write what it has before it does.
_PATIENCE_MS = 10_000
_QUITTING_MS = 3_000

_running: set[ChildProcess] = set()


class ChildProcess(QObject):
    """Runs a command line with ``--progress json``, and ends with this application.

    ``reported`` carries each event; ``ended`` comes once, with the exit status, which
    is below 0 where the process was killed, and its last words, which state what went
    wrong if anything did.
    """

    reported = Signal(object)
    ended = Signal(int, str)

    def __init__(self) -> None:
        super().__init__()  # no parent: a widget that goes must not kill it midway
        self._process: QProcess | None = None
        self._rest = b""
        self._failure = self._last = ""
        self._folder = QTemporaryDir()
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self._lose_patience)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self._quit)

    @property
    def is_running(self) -> bool:
        """Whether the process still runs."""
        return self._process is not None

    def start(self, words: Sequence[str]) -> None:
        """Run a command line, program first."""
        self.kill()
        self._rest, self._failure, self._last = b"", "", ""
        self._flag.unlink(missing_ok=True)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert(CANCEL_VARIABLE, str(self._flag))
        process = QProcess(self)
        process.setProcessEnvironment(environment)
        process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        self._process = process
        _running.add(self)
        process.start(words[0], list(words[1:]))

    def cancel(self) -> None:
        """Ask for the end, by which what is done stays; it comes in a while."""
        if self._process is not None:
            self._flag.touch()
            self._patience.start()

    def kill(self) -> None:
        """End the process at once, and report nothing."""
        process, self._process = self._process, None
        self._patience.stop()
        _running.discard(self)
        if process is not None:
            process.blockSignals(True)
            process.kill()
            process.waitForFinished(1000)
            process.deleteLater()

    def forget(self) -> None:
        """Ask for the end and report nothing more: the widget is going away."""
        self.blockSignals(True)
        self.cancel()

    def _lose_patience(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _quit(self) -> None:
        """Give it a moment to write what it has; the application goes."""
        if self._process is not None:
            self.forget()
            self._process.waitForFinished(_QUITTING_MS)
            self.kill()

    @property
    def _flag(self) -> Path:
        return Path(self._folder.path()) / "cancel"

    def _read(self) -> None:
        if self._process is None:
            return
        self._rest += bytes(self._process.readAllStandardOutput())
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace")
            event = from_json(text)
            if isinstance(event, Failed):
                self._failure = event.message
            elif event is not None:
                self.reported.emit(event)
            elif text.strip():
                self._last = text.strip()

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            self._process = None
            _running.discard(self)
            words = f"Python could not be started ({sys.executable}). Install it again."
            self.ended.emit(1, words)

    def _on_finished(self, status: int, how: QProcess.ExitStatus) -> None:
        self._read()
        process, self._process = self._process, None
        self._patience.stop()
        _running.discard(self)
        if process is not None:
            process.deleteLater()
        if how == QProcess.ExitStatus.CrashExit:
            status = -1
        last = self._last.removeprefix("napari-microus: ")
        words = self._failure or last or f"The process ended with status {status}."
        self.ended.emit(status, words)
