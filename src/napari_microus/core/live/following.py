"""The generator that answers the newest frame of a source, for as long as one looks."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from napari_microus.core.errors import plain_words
from napari_microus.core.events import Event, Notice
from napari_microus.core.live.answering import Answer, Answering, Refusal
from napari_microus.core.live.newest import Newest

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_microus.core.live.messages import Placement

_LOOK_S = 0.1
_MOST_LATER = 100  # refused frames that wait for the answer to an older one


class Source(Protocol):
    """Where frames come from."""

    @property
    def name(self) -> str:
        """What to call it in a sentence."""

    def run(self, newest: Newest, stop: threading.Event) -> None:
        """Put frames into ``newest`` until ``stop`` is set."""


@dataclass(frozen=True, eq=False)
class LiveFrame(Event):
    """A frame and its capsule.

    Attributes
    ----------
    frame : ndarray, shape (Y, X)
        As it came, grey.
    mask : ndarray of uint8, shape (Y, X)
        0 and 1.
    spacing_mm : tuple of float or None
        Height and width of a pixel, where the source states them.
    latency_s : float
        From the frame's last byte to its mask.
    number : int
        How many frames were answered, with this one.
    received, dropped, refused : int
        Frames that came, that a newer one overtook, and that could not be read.
    placement : Placement or None
        Where the sender says that the frame lies.
    tag : int or None
        The source's own number of the frame, where it has one.
    """

    frame: NDArray[np.generic]
    mask: NDArray[np.uint8]
    spacing_mm: tuple[float, float] | None
    latency_s: float
    number: int
    received: int
    dropped: int
    refused: int
    placement: Placement | None = None
    tag: int | None = None


@dataclass(frozen=True)
class LiveStatus(Event):
    """No frame for a tenth of a second; whether there is a connection."""

    is_connected: bool


def follow(
    model: Any | Sequence[Any], source: Source, **settings: Any
) -> Generator[Event, None, int]:
    """Segment each frame of a source that is the newest when a thread is free for it.

    With models of the library on a processor two frames are segmented at once. An
    answer that comes after the one to a newer frame is dropped.

    Parameters
    ----------
    model : Module, LoadedModel, or a sequence of them
        As for `predict`.
    source : Source
        Such as `StreamSource` or `FolderSource`. It receives in a thread of its own,
        which has ended when this generator has.
    **settings
        Of `predict`: ``device``, ``threshold``, ``outline`` and so on.

    Yields
    ------
    Event
        `LiveFrame`; `LiveStatus` ten times a second while nothing comes; `Notice` of a
        frame that was refused, or a connection that was lost or found.

    Returns
    -------
    int
        How many frames were answered, where the source ends by itself.

    Raises
    ------
    ConfigError
        If a model is one of volumes.
    """
    from napari_microus.core.library import LoadedModel, require_frames

    for one in model if isinstance(model, (list, tuple)) else [model]:
        if isinstance(one, LoadedModel):
            require_frames(one)
    newest, stop = Newest(), threading.Event()
    thread = threading.Thread(
        target=_receive, args=(source, newest, stop), name="napari-microus live"
    )
    answering = Answering(model, newest, settings)
    counts = Counts()
    try:
        thread.start()
        while not answering.has_ended:
            done = answering.next(_LOOK_S)
            yield from map(Notice, newest.notices())
            if isinstance(done, Refusal):
                counts.refuse(done.received)
            elif isinstance(done, Answer):
                if counts.answer(done.received):
                    yield _live_frame(done, counts)
            elif not answering.has_ended:
                yield LiveStatus(newest.is_connected)
        return counts.answered
    finally:
        stop.set()
        answering.close()
        if thread.ident is not None:
            thread.join()


@dataclass
class Counts:
    """Frames answered and refused up to the newest that was answered."""

    answered: int = 0
    refused: int = 0
    newest: int = 0
    later: list[int] = field(default_factory=list)

    def answer(self, received: int) -> bool:
        """Count an answer; return False where a newer frame was answered before."""
        if received < self.newest:
            return False
        self.newest = received
        self.answered += 1
        self.refused += sum(number < received for number in self.later)
        self.later = [number for number in self.later if number > received]
        return True

    def refuse(self, received: int) -> None:
        """Count a refusal, which may come before the answer to an older frame."""
        if received < self.newest:
            self.refused += 1
            return
        self.later.append(received)
        # An older frame that is still awaited is late.
        if len(self.later) > _MOST_LATER:
            self.newest = max(self.later)
            self.refused += len(self.later)
            self.later = []

    @property
    def dropped(self) -> int:
        """Frames that a newer one overtook."""
        return self.newest - self.answered - self.refused


def _live_frame(answer: Answer, counts: Counts) -> LiveFrame:
    arrived = answer.arrived
    return LiveFrame(
        answer.frame,
        answer.mask,
        answer.spacing_mm,
        time.perf_counter() - arrived.at_s,
        counts.answered,
        answer.received,
        counts.dropped,
        counts.refused,
        arrived.placement() if arrived.placement is not None else None,
        arrived.tag,
    )


def _receive(source: Source, newest: Newest, stop: threading.Event) -> None:
    try:
        source.run(newest, stop)
    except Exception as error:  # noqa: BLE001  shown to the user: the thread ends here
        newest.note(f"Receiving ended: {plain_words(error)}")
    finally:
        newest.is_connected = False
        newest.has_ended = True
