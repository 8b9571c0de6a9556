"""Ask, in a process of its own, how long a run will take and what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QProcess, Signal

from napari_microus.core.events import Failed, Finished, Progress, from_json
from napari_microus.core.runs.texts import duration

if TYPE_CHECKING:
    from collections.abc import Sequence


class EstimateProcess(QObject):
    """Measures a few steps of a run; ends with this application.

    ``done`` carries the figures of `core.train.estimate.Estimate`, ``failed`` one
    sentence, ``said`` how far it is.
    """

    done = Signal(object)
    failed = Signal(str)
    said = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._rest = b""
        self._result: dict[str, Any] | None = None
        self._failure = ""

    @property
    def is_running(self) -> bool:
        """Whether it measures at the moment."""
        return self._process is not None

    def start(self, words: Sequence[str]) -> None:
        """Begin to measure with a command line, program first."""
        self.cancel()
        self._rest, self._result, self._failure = b"", None, ""
        process = QProcess(self)
        process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_error)
        self._process = process
        process.start(words[0], list(words[1:]))

    def cancel(self) -> None:
        """Measure no more, and report nothing."""
        process, self._process = self._process, None
        if process is not None:
            process.blockSignals(True)
            process.kill()
            process.waitForFinished(1000)
            process.deleteLater()

    def _read(self) -> None:
        if self._process is None:
            return
        self._rest += bytes(self._process.readAllStandardOutput())
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            event = from_json(line.decode("utf-8", "replace"))
            if isinstance(event, Finished):
                self._result = event.result
            elif isinstance(event, Failed):
                self._failure = event.message
            elif isinstance(event, Progress):
                self.said.emit(f"{event.message}: {event.done} of {event.total}")
            elif event is None and line.strip() and not self._result:
                self._failure = self._failure or line.decode("utf-8", "replace")

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            self._process = None
            self.failed.emit("Python could not be started to measure the run.")

    def _on_finished(self) -> None:
        self._read()
        self._process = None
        if self._result is not None:
            self.done.emit(self._result)
        else:
            words = self._failure.strip().removeprefix("napari-microus: ")
            self.failed.emit(words or "The run could not be measured beforehand.")


def in_words(figures: dict[str, Any]) -> str:
    """Return an estimate as one sentence."""
    seconds = float(figures.get("seconds") or 0)
    memory = float(figures.get("memory_mib") or 0)
    weights = float(figures.get("parameters") or 0)
    return (
        f"About {duration(seconds)} of training and {memory:,.0f} MiB, for "
        f"{weights / 1e6:.1f} million weights."
    )
