"""Frames from a program that has its own, and their capsules back, through a folder.

3D Slicer receives the frames itself and must not wait: it puts each one into a folder,
where the process that segments takes the newest, and finds the capsule there. No port
is opened, and neither side needs a thread.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.live.newest import Arrived

if TYPE_CHECKING:
    import threading

    from numpy.typing import NDArray

    from napari_microus.core.live.newest import Newest

_LOOK_S = 0.003
_DIGITS = 9


class Exchange:
    """One direction of the folder: numbered arrays, of which the newest is taken.

    Parameters
    ----------
    folder : path
        Known to both sides; files in it are deleted once they were taken.
    kind : str
        Such as "frame" or "capsule": distinguishes the two directions.
    """

    def __init__(self, folder: str | Path, kind: str) -> None:
        self._folder, self._kind = Path(folder), kind
        self._last: Path | None = None

    def put(self, number: int, array: NDArray[np.generic]) -> bool:
        """Leave an array; the one before is taken back where nobody has taken it.

        Returns
        -------
        bool
            Whether it was, so that the one before will never be taken.

        Raises
        ------
        OSError
            If the folder cannot be written.
        """
        path = self._folder / f"{self._kind}-{number:0{_DIGITS}d}.npy"
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.save(file, np.ascontiguousarray(array), allow_pickle=False)
        os.replace(part, path)  # whole from its first moment
        is_taken_back = self._last is not None and _delete(self._last)
        self._last = path
        return is_taken_back

    def take(self) -> tuple[int, NDArray[np.generic]] | None:
        """Return the newest array with its number; older ones are deleted."""
        try:
            found = sorted(
                entry.name
                for entry in os.scandir(self._folder)
                if entry.name.startswith(self._kind) and entry.name.endswith(".npy")
            )
        except FileNotFoundError:  # the other side has ended
            return None
        while found:
            path = self._folder / found.pop()
            own = path.with_suffix(".taken")
            try:
                os.replace(path, own)  # from here on it is not taken back
                array = np.load(own, allow_pickle=False)
            except (OSError, ValueError):  # taken back in this moment, or no array
                _delete(own)
                continue
            for name in (own.name, *found):
                _delete(self._folder / name)
            return int(path.stem.rpartition("-")[2]), array
        return None


class ExchangeSource:
    """Takes the newest frame that another program has put into a folder.

    Parameters
    ----------
    folder : path
        As in `Exchange`; frames are of the kind "frame". The number of each becomes
        its ``tag``.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        if not self._folder.is_dir():
            raise InputError(
                f"Frames must be exchanged through a folder; got {folder}. Make it.",
                plain=f"The folder of the frames has gone: {folder}. Start again.",
            )
        self._frames = Exchange(folder, "frame")

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return str(self._folder)

    def run(self, newest: Newest, stop: threading.Event) -> None:
        """Look for frames until ``stop`` is set or the folder has gone."""
        newest.is_connected = True
        while not stop.is_set() and self._folder.is_dir():
            taken = self._frames.take()
            if taken is None:
                stop.wait(_LOOK_S)
                continue
            number, frame = taken
            newest.put(Arrived(partial(_checked, frame), tag=number))


def _checked(frame: NDArray[np.generic]) -> tuple[NDArray[np.generic], None]:
    if frame.ndim != 2 or min(frame.shape) < 2:
        raise InputError(
            f"A frame must have rows and columns; got the shape {frame.shape}. "
            "Send single grey frames.",
            plain="What came is no picture. Send single grey frames.",
        )
    return frame, None


def _delete(path: Path) -> bool:
    with suppress(OSError):  # gone, or open on the other side for a moment
        path.unlink()
        return True
    return False
