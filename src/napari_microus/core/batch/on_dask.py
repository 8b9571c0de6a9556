"""Segment scans on the workers of a Dask cluster."""

from __future__ import annotations

import importlib
import queue
import threading
import uuid
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from napari_microus.core.batch.one_scan import Outcome, failed, segment_scan
from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.events import Event, GoesOn, from_json, to_json
from napari_microus.core.provenance import package_version

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from napari_microus.core.batch.scan import Scan
    from napari_microus.core.batch.settings import BatchSettings

    Said = Event | Outcome

_CONNECT_S = 20
_LOOK_EVERY_S = 0.5

# A network is not asked by two threads of a worker at once.
_one_at_a_time = threading.Lock()


def on_dask(
    settings: BatchSettings, scans: Sequence[tuple[int, Scan]], address: str
) -> Generator[tuple[int, Said], None, None]:
    """Segment scans on a Dask cluster, whose workers see the same files.

    Parameters
    ----------
    settings : BatchSettings
        What all scans share.
    scans : sequence of (int, Scan)
        Each with its number.
    address : str
        Of the scheduler, such as ``tcp://scheduler:8786``.

    Yields
    ------
    (int, Event or Outcome)
        As `in_processes`. A scan whose worker is lost is begun again on another one,
        as often as the scheduler allows (``distributed.scheduler.allowed-failures``).
        Closing the generator cancels what waits; what runs, ends.

    Raises
    ------
    ConfigError
        If ``distributed`` is not installed.
    InputError
        If the scheduler does not answer, or is lost.
    """
    distributed = _distributed()
    said: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
    topic = f"napari-microus-{uuid.uuid4().hex}"
    by_number = dict(scans)
    with closing(_connect(distributed, address)) as client:
        client.subscribe_topic(topic, lambda event: said.put(_message(event)))
        futures = {
            number: client.submit(
                _segment, settings, scan, number, topic, key=f"{topic}-{number}"
            )
            for number, scan in scans
        }
        for number, future in futures.items():
            future.add_done_callback(lambda f, number=number: said.put((number, f)))
        try:
            while futures:
                try:
                    number, what = said.get(timeout=_LOOK_EVERY_S)
                except queue.Empty:
                    if client.status != "running":
                        raise _lost(address) from None
                    yield 0, GoesOn()
                    continue
                if isinstance(what, Event):
                    if number in futures:
                        yield number, what
                elif futures.pop(number, None) is not None:
                    yield number, _outcome(settings, by_number[number], what, address)
        finally:
            with suppress(Exception):  # a scheduler that is gone has nothing to cancel
                client.cancel(list(futures.values()), force=True)
                client.unsubscribe_topic(topic)


def _segment(settings: BatchSettings, scan: Scan, number: int, topic: str) -> Outcome:
    """Run on a worker: segment a scan, and report to the client."""
    if package_version() != settings.package:
        reason = (
            f"This worker has napari-microus {package_version()}, and the batch was "
            f"begun with {settings.package}. Install the same version everywhere."
        )
        return failed(settings, scan, reason, ConfigError.__name__)
    worker = _distributed().get_worker()
    with _one_at_a_time, closing(segment_scan(settings, scan)) as work:
        while True:
            try:
                event = next(work)
            except StopIteration as stop:
                outcome: Outcome = stop.value
                return outcome
            worker.log_event(topic, (number, to_json(event)))


def _message(event: tuple[Any, Any]) -> tuple[int, Event]:
    """Return what a worker reported; Dask gives it with the time."""
    number, line = event[1]
    return number, from_json(line) or GoesOn()


def _outcome(settings: BatchSettings, scan: Scan, future: Any, address: str) -> Outcome:
    if future.status == "cancelled":
        raise _lost(address)
    error = future.exception()
    if error is None:
        outcome: Outcome = future.result()
        return outcome
    if type(error).__name__ == "KilledWorker":
        reason = (
            "Several workers ended over this scan, as they do when memory runs out. "
            "Give them more memory."
        )
    else:
        reason = (
            f"The worker failed at this scan ({type(error).__name__}). See the "
            "worker's log."
        )
    return failed(settings, scan, reason)


def _connect(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"A Dask scheduler must answer; got nothing from '{address}'. Start one "
            "(dask scheduler), and give the address that it shows.",
            plain=(
                f"Nothing answers at '{address}'. Start a Dask scheduler, and give "
                "the address that it shows."
            ),
        ) from error


def _lost(address: str) -> InputError:
    return InputError(
        f"The Dask scheduler must stay until the end; got no answer from '{address}' "
        "any more. Start it again: scans that are done are skipped.",
        plain=(
            f"The Dask scheduler at '{address}' answers no more. Start it "
            "again: scans that are done are skipped."
        ),
    )


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise ConfigError(
            "distributed must be installed for a Dask cluster; got none. Install it "
            "(pip install 'napari-microus[dask]').",
            plain=(
                "A Dask cluster cannot be used: distributed is not installed. "
                "Install it (pip install 'napari-microus[dask]')."
            ),
        ) from error
