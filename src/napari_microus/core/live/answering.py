"""Threads that segment the newest frame, each with its share of the processor.

A single frame gains little from a second thread inside the network: with two at once,
each on half of the processor, a quarter more are answered (docs/performance.md).
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_microus.core.live.newest import Arrived, Newest

_LOOK_S = 0.1


@dataclass(frozen=True, eq=False)
class Answer:
    """What became of a frame.

    Attributes
    ----------
    arrived : Arrived
        The frame as it came.
    received : int
        How many frames had come up to it.
    frame : ndarray, shape (Y, X)
        Grey.
    spacing_mm : tuple of float or None
        Height and width of a pixel.
    mask : ndarray of uint8, shape (Y, X)
        0 and 1.
    """

    arrived: Arrived
    received: int
    frame: NDArray[np.generic]
    spacing_mm: tuple[float, float] | None
    mask: NDArray[np.uint8]


@dataclass(frozen=True)
class Refusal:
    """A frame that could not be read, by how many had come up to it."""

    received: int


class Answering:
    """Segments newest frames until it is closed, or the source has ended.

    Parameters
    ----------
    model : Module, LoadedModel, or a sequence of them
        As for `predict`.
    newest : Newest
        Where the frames come from, and where a sentence of a refused one is left.
    settings : dict
        Of `predict`.
    """

    def __init__(self, model: Any, newest: Newest, settings: dict[str, Any]) -> None:
        self._model, self._newest, self._settings = model, newest, settings
        self._stop = threading.Event()
        self._done: queue.Queue[Answer | Refusal | BaseException | None]
        self._done = queue.Queue(maxsize=1)
        count, share = _shares(model, settings.get("device", "auto"))
        whole = share and _threads()
        started = threading.Barrier(count + 1)
        self._threads = [
            threading.Thread(
                target=self._run, args=(share, started), name="napari-microus answers"
            )
            for _ in range(count)
        ]
        self._working = count
        for thread in self._threads:
            thread.start()
        started.wait()
        if whole is not None:
            # Threads that others start later take the number that was set last.
            _set_threads(whole)

    def next(self, timeout_s: float) -> Answer | Refusal | None:
        """Return what became of a frame, or None where none is done in time."""
        try:
            done = self._done.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if done is None:
            self._working -= 1
        if isinstance(done, BaseException):
            raise done
        return done

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return not self._working

    def close(self) -> None:
        """End the threads; a frame that is being segmented is left."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, share: int | None, started: threading.Barrier) -> None:
        if share is not None:
            _set_threads(share)
        started.wait()
        try:
            while not self._stop.is_set():
                ended = self._newest.has_ended  # first: a last frame may be there
                taken = self._newest.take(_LOOK_S)
                if taken is not None:
                    self._put(self._answer(*taken))
                elif ended:
                    break
        except BaseException as error:  # noqa: BLE001  raised where it is waited for
            self._put(error)
        self._put(None)

    def _answer(self, arrived: Arrived, received: int) -> Answer | Refusal:
        try:
            frame, spacing_mm = arrived.read()
            mask = _segment(self._model, frame, self._settings)
        except InputError as error:
            self._newest.note(f"A frame was left out. {error.plain}")
            return Refusal(received)
        return Answer(arrived, received, frame, spacing_mm, mask)

    def _put(self, done: Answer | Refusal | BaseException | None) -> None:
        while not self._stop.is_set():
            try:
                return self._done.put(done, timeout=_LOOK_S)
            except queue.Full:
                continue


def _shares(model: Any, device: Any) -> tuple[int, int | None]:
    """Return how many frames to segment at once, and the threads for each.

    Two on a processor, with networks that do not change; None leaves PyTorch's number.
    """
    from napari_microus.core.library import LoadedModel

    models = model if isinstance(model, (list, tuple)) else [model]
    if not all(isinstance(one, LoadedModel) for one in models):
        return 1, None
    from napari_microus.core.device import choose_device

    if _threads() < 2 or choose_device(device).type != "cpu":
        return 1, None
    return 2, _threads() // 2


# PyTorch is not imported above: who sends or shows frames alone does not need it.


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _set_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)


def _segment(
    model: Any | Sequence[Any], frame: NDArray[np.generic], settings: dict[str, Any]
) -> NDArray[np.uint8]:
    """Return the mask of one frame; one of a single grey shows no gland."""
    if frame.min() == frame.max():
        return np.zeros(frame.shape, dtype=np.uint8)
    from napari_microus.core.predict import predict

    work = predict(model, Volume(frame[None]), **settings)
    while True:
        try:
            next(work)
        except StopIteration as stop:
            mask: NDArray[np.uint8] = stop.value.mask.array[0]
            return mask
