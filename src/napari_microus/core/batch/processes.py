"""Segment scans in several processes of this computer, one of which may die."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from napari_microus.core.batch.one_scan import Outcome, failed, segment_scan
from napari_microus.core.errors import ConfigError
from napari_microus.core.events import Event, GoesOn
from napari_microus.core.parent import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from multiprocessing.connection import Connection

    from napari_microus.core.batch.scan import Scan
    from napari_microus.core.batch.settings import BatchSettings

    Said = Event | Outcome

# A process that was killed twice by a scan would be killed again.
_ATTEMPTS = 2
_LOOK_EVERY_S = 0.5
_PATIENCE_S = 5.0
_READY = "ready"


def in_processes(
    settings: BatchSettings, scans: Sequence[tuple[int, Scan]], workers: int
) -> Generator[tuple[int, Said], None, None]:
    """Segment scans in processes of their own.

    Parameters
    ----------
    settings : BatchSettings
        What all scans share.
    scans : sequence of (int, Scan)
        Each with its number.
    workers : int
        Processes; they share this computer's processors.

    Yields
    ------
    (int, Event or Outcome)
        A scan's number, and what its process reports or how it ended; 0 with `GoesOn`
        where nothing is new. Closing the generator ends the processes.

    Raises
    ------
    ConfigError
        If a process ends before it takes a scan.
    """
    waiting = deque(scans)
    attempts: dict[int, int] = {}
    count = max(1, min(workers, len(scans)))
    threads = max(1, (len(_processors()) or 1) // count)
    pool = [_Worker(settings, threads) for _ in range(count)]
    try:
        while waiting or any(worker.scan for worker in pool):
            for worker in pool:
                if worker.is_free and waiting:
                    worker.give(waiting.popleft())
            heard = wait([worker.connection for worker in pool], _LOOK_EVERY_S)
            if not heard:
                yield 0, GoesOn()
            for worker in [w for w in pool if w.connection in heard]:
                said = worker.receive()
                if said is not None:
                    yield said
                    continue
                # It is gone: another takes its place.
                pool[pool.index(worker)] = _Worker(settings, threads)
                left = worker.leave()
                if left is None:
                    continue
                number, scan = left
                attempts[number] = attempts.get(number, 0) + 1
                if attempts[number] < _ATTEMPTS:
                    waiting.appendleft((number, scan))
                else:
                    yield number, failed(settings, scan, worker.how_it_ended())
    finally:
        end_by = time.monotonic() + _PATIENCE_S
        for worker in pool:
            worker.connection.close()  # by which it ends at its next event
        for worker in pool:
            worker.end(end_by)


class _Worker:
    """A process and what it works on."""

    def __init__(self, settings: BatchSettings, threads: int) -> None:
        spawn = get_context("spawn")
        self.connection, far = spawn.Pipe()
        self._process = spawn.Process(
            target=_work, args=(far, settings, threads), daemon=True
        )
        self._process.start()
        far.close()
        self._is_ready = False
        self.scan: tuple[int, Scan] | None = None

    @property
    def is_free(self) -> bool:
        """Whether it can be given a scan."""
        return self._is_ready and self.scan is None

    def give(self, scan: tuple[int, Scan]) -> None:
        """Let it work on a scan."""
        self.scan = scan
        with suppress(OSError):  # it is gone, which `receive` finds out
            self.connection.send(scan[1])

    def receive(self) -> tuple[int, Said] | None:
        """Return what it says; None where it is gone."""
        try:
            said = self.connection.recv()
        except (EOFError, OSError):
            return None
        if said == _READY:
            self._is_ready = True
            return 0, GoesOn()
        assert self.scan is not None  # it says nothing else unasked
        number = self.scan[0]
        if isinstance(said, Outcome):
            self.scan = None
        return number, said

    def leave(self) -> tuple[int, Scan] | None:
        """Return the scan over which it died, None where it had none."""
        self.connection.close()
        self._process.join(_PATIENCE_S)
        if not self._is_ready:
            raise ConfigError(
                "Processes of a batch must start; got one that ended at once "
                f"({_ending(self._process.exitcode)}). Use fewer workers.",
                plain=(
                    "A process of the batch ended at once "
                    f"({_ending(self._process.exitcode)}). Use fewer workers."
                ),
            )
        return self.scan

    def how_it_ended(self) -> str:
        """Return the sentence about a scan over which processes died."""
        return (
            f"The process that segments this scan ended {_ATTEMPTS} times over it "
            f"({_ending(self._process.exitcode)}). The system does so when memory runs "
            "out: use fewer workers."
        )

    def end(self, end_by: float) -> None:
        """Wait for the process until then, and end it where it still runs."""
        self._process.join(max(0.0, end_by - time.monotonic()))
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(1.0)
        if self._process.is_alive():
            self._process.kill()


def _work(connection: Connection[Any, Any], settings: Any, threads: int) -> None:
    """Segment what comes through the connection, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends this one
    end_with_parent()
    # PyTorch reads these when it is imported, with the first scan.
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A closed pipe is the end, whenever it comes.
    with suppress(EOFError, OSError):
        connection.send(_READY)
        while True:
            scan = connection.recv()
            work = segment_scan(settings, scan)
            while True:
                try:
                    event = next(work)
                except StopIteration as stop:
                    connection.send(stop.value)
                    break
                connection.send(event)
                if connection.poll():  # nothing but the end comes meanwhile
                    work.close()
                    return


def _processors() -> set[int] | range:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"status {code}"
