"""Ask, in a process of its own, how long a run will take and what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_microus.core.events import Finished, Progress
from napari_microus.core.runs.texts import duration
from napari_microus.widgets._shared.child_process import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.events import Event


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
        self._child = ChildProcess()
        self._child.reported.connect(self._on_event)
        self._child.ended.connect(self._on_end)
        self._result: dict[str, Any] | None = None
        self.destroyed.connect(self._child.kill)

    @property
    def is_running(self) -> bool:
        """Whether it measures at the moment."""
        return self._child.is_running

    def start(self, words: Sequence[str]) -> None:
        """Begin to measure with a command line, program first."""
        self._result = None
        self._child.start(words)

    def cancel(self) -> None:
        """Measure no more, and report nothing."""
        self._child.kill()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Finished):
            self._result = event.result
        elif isinstance(event, Progress):
            self.said.emit(f"{event.message}: {event.done} of {event.total}")

    def _on_end(self, status: int, words: str) -> None:
        if self._result is not None:
            self.done.emit(self._result)
        else:
            failed = "The run could not be measured beforehand."
            self.failed.emit(words if status >= 0 else failed)


def in_words(figures: dict[str, Any]) -> str:
    """Return an estimate as one sentence."""
    seconds = float(figures.get("seconds") or 0)
    memory = float(figures.get("memory_mib") or 0)
    weights = float(figures.get("parameters") or 0)
    return (
        f"About {duration(seconds)} of training and {memory:,.0f} MiB, for "
        f"{weights / 1e6:.1f} million weights."
    )
