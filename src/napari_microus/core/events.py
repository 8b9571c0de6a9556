"""The one vocabulary in which long work reports.

A long-running function is a generator: it yields the events below and returns
its result. napari drains it in a thread, the command line draws a bar or prints
one JSON object per line, Slicer and the *Train* dock read those lines from a
child process.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

Result = TypeVar("Result")

# A window that started a process stops it by making the file named here.
CANCEL_VARIABLE = "NAPARI_MICROUS_CANCEL"


@dataclass(frozen=True)
class Event:
    """Base of all events; subclasses are plain data."""


@dataclass(frozen=True)
class Progress(Event):
    """How far the work is: ``done`` of ``total`` ``unit``s."""

    done: int
    total: int
    unit: str = "frames"
    message: str = ""


@dataclass(frozen=True)
class Notice(Event):
    """One sentence the user should read, such as a conversion that was made."""

    message: str


@dataclass(frozen=True)
class Estimated(Event):
    """What a run will take, measured on its own device before the first step.

    ``advice`` is a sentence where it would take hours on a processor, else "".
    """

    seconds: float
    memory_mib: float
    parameters: int
    advice: str = ""


@dataclass(frozen=True)
class RunStarted(Event):
    """A training run has its folder, its data and its device."""

    run: str
    device: str
    epochs: int
    batches_per_epoch: int
    first_epoch: int = 0
    human_dice: float | None = None


@dataclass(frozen=True)
class BatchReport(Event):
    """One optimiser step has been made; losses are means over the batch."""

    epoch: int
    batch: int
    batches: int
    loss: float
    learning_rate: float
    frames_per_s: float = 0.0
    memory_mib: float = 0.0
    gamma: float | None = None
    remaining_s: float | None = None


@dataclass(frozen=True)
class EpochReport(Event):
    """An epoch has ended and, where there is a validation set, been validated."""

    epoch: int
    epochs: int
    train_loss: float
    val_loss: float | None = None
    val_dice: float | None = None
    val_hd95_mm: float | None = None
    learning_rate: float = 0.0
    seconds: float = 0.0
    is_best: bool = False


@dataclass(frozen=True)
class Preview(Event):
    """The current prediction on a chosen validation frame, stored in a file."""

    path: str
    case: str
    frame: int


@dataclass(frozen=True)
class StateChanged(Event):
    """A run was paused, resumed, stopped or finished (``state`` names it)."""

    state: str
    message: str = ""


@dataclass(frozen=True)
class ScanReport(Event):
    """One of many scans waits, runs or has ended.

    Parameters
    ----------
    number, scans : int
        Which scan, from 1, of how many.
    name : str
        Its name, under which its results are written.
    state : str
        "running", "done", "skipped" (its mask was there) or "failed".
    frames_done, frames : int
        How far it is; both 0 before its frames are counted.
    ended : int
        Scans that are done, skipped or failed.
    message : str
        Why it failed.
    frames_with_capsule : int
        Of one that is done or skipped.
    volume_ml : float or None
        Of one that is done or skipped, where its geometry gives a volume.
    mask : str
        File of its mask.
    """

    number: int
    scans: int
    name: str
    state: str
    frames_done: int = 0
    frames: int = 0
    ended: int = 0
    message: str = ""
    frames_with_capsule: int = 0
    volume_ml: float | None = None
    mask: str = ""


@dataclass(frozen=True)
class GoesOn(Event):
    """Nothing is new; work continues elsewhere, and this is a chance to cancel it."""


@dataclass(frozen=True)
class Finished(Event):
    """The result of the work, as JSON-ready data; the last line of a stream."""

    result: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed(Event):
    """The work ended in an error; ``message`` is the sentence for the user."""

    message: str
    kind: str = "MicroUSError"


def drain(
    work: Generator[Event, None, Result],
    on_event: Callable[[Event], object] | None = None,
) -> Result:
    """Run long work to its end and return its result.

    Parameters
    ----------
    work : generator
        Yields events, returns its result.
    on_event : callable, optional
        Called with every event; an exception in it closes ``work`` and is raised.
    """
    try:
        while True:
            try:
                event = next(work)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            if on_event is not None:
                on_event(event)
    finally:
        work.close()


def relay(
    work: Generator[Event, None, Result], on_event: Callable[[Event], Event | None]
) -> Generator[Event, None, Result]:
    """Pass the events of long work on, and return its result.

    Parameters
    ----------
    work : generator
        Yields events, returns its result; closed with this one.
    on_event : callable
        Called with every event before it is passed on; what it returns, if anything, is
        passed on in its stead.
    """
    try:
        while True:
            try:
                event = next(work)
            except StopIteration as stop:
                result: Result = stop.value
                return result
            yield on_event(event) or event
    finally:
        work.close()


_KINDS = {kind.__name__: kind for kind in Event.__subclasses__()}


def to_json(event: Event) -> str:
    """Return ``event`` as one line of strict JSON (NaN and infinity become null)."""
    values = {"event": type(event).__name__, **dataclasses.asdict(event)}
    return json.dumps(_finite(values), allow_nan=False)


def from_json(line: str) -> Event | None:
    """Return the event in ``line``, or None for a line that holds none.

    Fields of a newer version that this one does not have are left out.
    """
    try:
        values = json.loads(line)
    except json.JSONDecodeError:
        return None
    kind = _KINDS.get(values.pop("event", "")) if isinstance(values, dict) else None
    if kind is None:
        return None
    known = {f.name for f in dataclasses.fields(kind)}
    try:
        return kind(**{name: v for name, v in values.items() if name in known})
    except TypeError:
        return None


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
