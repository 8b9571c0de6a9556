"""Between a thread that receives frames and one that answers them: the newest alone."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from napari_microus.core.live.messages import Placement

_NOTICES = 20
_AGAIN_S = 10.0


@dataclass(frozen=True, eq=False)
class Arrived:
    """A frame and when it was there.

    Attributes
    ----------
    read : callable
        Gives the frame (Y, X) and its pixel's height and width in mm or None; raises
        `InputError` where what came is no frame. Called by whoever takes it, so that
        a frame that nobody looks at costs nothing.
    at_s : float
        `time.perf_counter` when its last byte had come.
    placement : callable or None
        Gives where the frame lies, once it was read; None where it is not stated.
    tag : int or None
        The source's own number of it, where it has one.
    """

    read: Callable[[], tuple[NDArray[np.generic], tuple[float, float] | None]]
    at_s: float = field(default_factory=time.perf_counter)
    placement: Callable[[], Placement] | None = None
    tag: int | None = None


class Newest:
    """Holds one frame; a later one takes its place."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Arrived | None = None
        self._notices: deque[str] = deque(maxlen=_NOTICES)
        self._left_at: dict[str, float] = {}
        self._received = 0
        #: Whether the source has a connection, stated by its thread.
        self.is_connected = False
        #: True once nothing more will come.
        self.has_ended = False

    @property
    def received(self) -> int:
        """Frames that came."""
        return self._received

    def put(self, frame: Arrived) -> None:
        """Take the place of the frame before."""
        with self._changed:
            self._received += 1
            self._frame = frame
            self._changed.notify_all()

    def note(self, notice: str) -> None:
        """Leave a sentence for the user, but none that was left a moment ago."""
        now = time.monotonic()
        with self._changed:
            if now - self._left_at.get(notice, -_AGAIN_S) < _AGAIN_S:
                return
            if len(self._left_at) >= _NOTICES:
                del self._left_at[min(self._left_at, key=self._left_at.__getitem__)]
            self._left_at[notice] = now
            self._notices.append(notice)

    def take(self, timeout_s: float) -> tuple[Arrived, int] | None:
        """Return the newest frame, or None where none comes in time.

        With it how many came up to it.
        """
        with self._changed:
            if self._frame is None:
                self._changed.wait(timeout_s)
            frame, self._frame = self._frame, None
            return None if frame is None else (frame, self._received)

    def notices(self) -> list[str]:
        """Return the sentences since the last call."""
        with self._changed:
            stated = list(self._notices)
            self._notices.clear()
            return stated
