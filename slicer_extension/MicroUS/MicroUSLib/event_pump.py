"""Do long work in small steps, so that the window stays responsive and can cancel.

The core's long functions are generators that yield after each frame. They run here
in the main thread, where alone MRML and VTK may be touched; what takes minutes or
needs torch runs as a child process instead, see `runner`.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
from typing import TYPE_CHECKING, TypeVar

import slicer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from napari_microus.core.events import Event

Result = TypeVar("Result")

_WINDOW_EVERY_S = 0.04


class Cancelled(Exception):
    """The user ended the work; what it had begun was taken back."""


class EventPump:
    """Takes every event of long work: shows it, and keeps the window responsive.

    Parameters
    ----------
    show : callable
        Called with done, total and a message.
    """

    def __init__(self, show: Callable[[int, int, str], None]) -> None:
        self._show = show
        self._reason: str | None = None
        self._last = 0.0

    def cancel(self, reason: str = "") -> None:
        """End the work at its next event; ``reason`` is shown as an error."""
        self._reason = reason

    def __call__(self, event: Event) -> None:
        """Show an event.

        Raises
        ------
        Cancelled
            If the user pressed Cancel.
        InputError
            With the reason, if the scene or the module went away.
        """
        from napari_microus.core.events import Progress

        if time.monotonic() - self._last >= _WINDOW_EVERY_S:
            if isinstance(event, Progress):
                self._show(event.done, event.total, event.message)
            slicer.app.processEvents()
            self._last = time.monotonic()
        if self._reason is not None:
            self._end()

    def _end(self) -> None:
        from napari_microus.core.errors import InputError

        if self._reason:
            raise InputError(self._reason)
        raise Cancelled


def drain(
    work: Generator[Event, None, Result], on_event: Callable[[Event], None]
) -> Result:
    """Run a core generator here, calling ``on_event`` with how far it is."""
    from napari_microus.core.events import drain as run

    return run(work, on_event)


def load_torch(on_event: Callable[[Event], None]) -> None:
    """Import PyTorch in a thread, which takes seconds: the window stays responsive.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    from napari_microus.core.events import Progress

    if "torch" in sys.modules:
        return
    failed: list[BaseException] = []

    def work() -> None:
        try:
            importlib.import_module("torch")
        except BaseException as error:  # noqa: BLE001  raised again by the caller
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        thread.join(_WINDOW_EVERY_S)
        on_event(Progress(0, 0, "", "Loading PyTorch"))
    if failed:
        raise failed[0]


def ignore(event: Event) -> None:
    """Take an event and do nothing: for work that nobody watches."""
