"""Run a core generator in a thread and report to the widget.

superqt's and napari's workers take every ``RuntimeError`` (CUDA's out-of-memory is
one) for a deleted worker and emit nothing, report no return after a cancel, leave
a cancelled generator open, and replace ``warnings.showwarning`` for the whole
process. This one reports every end exactly once, always in the window's thread.

A process must not end while a thread is inside PyTorch: the interpreter would unwind
its C++ frames, which ends in SIGABRT. The threads are therefore no daemons: Python
waits for each before it takes itself down, and each leaves at its next event once the
window or the main thread has ended.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QCoreApplication, QObject, Qt, Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_SLOTS = frozenset({"yielded", "returned", "errored", "aborted", "finished"})
_running: set[Worker] = set()


class Worker(QObject):
    """A generator being drained in a thread of its own; made by `start_worker`."""

    _sent = Signal(str, object)

    def __init__(
        self,
        work: Callable[[], Generator[Any, None, Any]],
        slots: dict[str, Callable[..., None]],
    ) -> None:
        super().__init__()
        self._work = work
        self._slots = slots
        self._quit = threading.Event()
        # Queued even from a thread that Qt did not make.
        self._sent.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._run, name="napari-microus worker")

    @property
    def is_running(self) -> bool:
        """True until the end has been reported."""
        return self in _running

    def quit(self) -> None:
        """Ask for the end; it comes when the generator next yields."""
        self._quit.set()

    def forget(self) -> None:
        """Ask for the end and report nothing more: the widget is going away."""
        self._slots = {}
        self._quit.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the thread, and return whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def start(self) -> None:
        """Begin to work."""
        _running.add(self)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.forget)
        self._thread.start()

    def _run(self) -> None:
        # All exceptions: what is not reported here is lost with the thread.
        try:
            name, value = self._drain()
        except Exception as error:  # noqa: BLE001
            name, value = "errored", error
        self._send(name, value)

    def _drain(self) -> tuple[str, Any]:
        work = self._work()
        try:
            while not self._quit.is_set() and threading.main_thread().is_alive():
                self._send("yielded", next(work))
        except StopIteration as stop:
            return "returned", stop.value
        finally:
            work.close()
        return "aborted", None

    def _send(self, name: str, value: Any) -> None:
        try:
            self._sent.emit(name, value)
        except RuntimeError:  # the application has gone, and this object with it
            self._quit.set()

    def _deliver(self, name: str, value: Any) -> None:
        try:
            self._call(name, value)
        finally:
            # In the same event: no click may fall between the result and the end.
            if name != "yielded":
                _running.discard(self)
                self._call("finished", None)

    def _call(self, name: str, value: Any) -> None:
        slot = self._slots.get(name)
        if slot is None:
            return
        if name in ("aborted", "finished"):
            slot()
        else:
            slot(value)


def start_worker(
    work: Callable[..., Generator[Any, None, Any]],
    *args: Any,
    **slots: Callable[..., None],
) -> Worker:
    """Start ``work(*args)`` in a thread and call the slots in the window's thread.

    Parameters
    ----------
    work : callable
        Core generator function: yields events, returns the result.
    *args
        Arguments of ``work``.
    **slots
        Bound methods by report: ``yielded(event)``, then one of
        ``returned(result)``, ``errored(exception)`` and ``aborted()``, then
        ``finished()``.

    Returns
    -------
    Worker
        To ``quit()`` before the end, or to ``forget()`` with the widget.
    """
    unknown = set(slots) - _SLOTS
    if unknown:
        raise TypeError(f"start_worker has no slot {sorted(unknown)}")
    worker = Worker(lambda: work(*args), slots)
    worker.start()
    return worker
