"""The generator that answers the newest frame of a source, for as long as one looks."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Notice
from napari_microus.core.live.newest import Newest
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from napari_microus.core.live.messages import Placement

_LOOK_S = 0.1


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
    """Segment each frame of a source that is the newest when the last one is done.

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
    thread.start()
    answered = refused = 0
    try:
        while True:
            ended = newest.has_ended  # asked first: a last frame may still be there
            taken = newest.take(_LOOK_S)
            yield from map(Notice, newest.notices())
            if taken is None:
                if ended:
                    return answered
                yield LiveStatus(newest.is_connected)
                continue
            arrived, received, dropped = taken
            try:
                frame, spacing_mm = arrived.read()
                mask = _segment(model, frame, settings)
            except InputError as error:
                refused += 1
                newest.note(f"A frame was left out. {error}")
                continue
            answered += 1
            yield LiveFrame(
                frame,
                mask,
                spacing_mm,
                time.perf_counter() - arrived.at_s,
                answered,
                received,
                dropped,
                refused,
                arrived.placement() if arrived.placement is not None else None,
                arrived.tag,
            )
    finally:
        stop.set()
        thread.join()


def _receive(source: Source, newest: Newest, stop: threading.Event) -> None:
    try:
        source.run(newest, stop)
    except Exception as error:  # noqa: BLE001  shown to the user: the thread ends here
        newest.note(f"Receiving ended: {error}")
    finally:
        newest.is_connected = False
        newest.has_ended = True


def _segment(
    model: Any, frame: NDArray[np.generic], settings: dict[str, Any]
) -> NDArray[np.uint8]:
    """Return the mask of one frame; one of a single grey shows no gland."""
    if frame.min() == frame.max():
        return np.zeros(frame.shape, dtype=np.uint8)
    # Not above: who sends or shows frames alone needs no PyTorch.
    from napari_microus.core.predict import predict

    work = predict(model, Volume(frame[None]), **settings)
    while True:
        try:
            next(work)
        except StopIteration as stop:
            mask: NDArray[np.uint8] = stop.value.mask.array[0]
            return mask
