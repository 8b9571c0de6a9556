"""Frames of a video file, played at its own rate or followed while it is written."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.live.messages import MOST_PIXELS
from napari_microus.core.live.newest import Arrived

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from napari_microus.core.live.newest import Newest

VIDEO_SUFFIXES = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mpg", ".mpeg", ".wmv",
)  # fmt: skip
_USUAL_RATE = 30.0  # where a file states none
_LOOK_S = 0.5  # between two looks at how long the file is
_STILL_S = 3.0  # without growth: the end
# A file may name addresses (playlists do): none is opened.
_LOCAL = ["-protocol_whitelist", "file"]


class VideoSource:
    """Plays a video once; one that is still being written is followed to its end.

    A file that does not grow is played at its own rate, as a scanner would send it.
    One that grows is read as fast as it can be, so that its newest frame is answered;
    the frames before are counted as left out. It has ended when it has not grown for
    three seconds.

    Parameters
    ----------
    path : path
        Any video that ffmpeg reads. To be followed, one that can be read while it is
        written: Matroska (.mkv) or MPEG (.ts), not .mp4.

    Raises
    ------
    InputError
        If there is no such file.
    ConfigError
        If imageio-ffmpeg is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().resolve()
        if not self.path.is_file():
            raise InputError(
                f"A video must be a file; got {path}, which is none. Choose another.",
                plain=f"There is no video {path}. Choose another.",
            )
        _check_ffmpeg()

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return self.path.name

    def run(self, newest: Newest, stop: threading.Event) -> None:
        """Play until the end, or until ``stop`` is set."""
        before, seen_s = self._size(), 0.0
        grows = not stop.wait(_LOOK_S) and self._size() > before
        newest.is_connected = True
        while not stop.is_set():
            before = self._size()
            try:
                seen_s = self._play(newest, stop, seen_s, is_paced=not grows)
            except (OSError, RuntimeError, InputError) as error:
                newest.note(
                    error.plain
                    if isinstance(error, InputError)
                    else f"Cannot play {self.name}: not a video that ffmpeg reads, or "
                    "incomplete. Convert it to .mp4 or .mkv."
                )
                return
            grows = self._has_grown(before, stop)
            if not grows:
                if not stop.is_set():
                    newest.note(f"{self.name} has come to its end.")
                return

    def _play(
        self, newest: Newest, stop: threading.Event, begin_s: float, *, is_paced: bool
    ) -> float:
        """Put the frames from a time on, and return the time of the last one's end."""
        import imageio_ffmpeg

        film = imageio_ffmpeg.read_frames(
            self.path,
            pix_fmt="gray",
            bits_per_pixel=8,
            input_params=[*_LOCAL, "-ss", f"{begin_s:.3f}"],
        )
        try:
            stated = next(film)
            width, height = stated["size"]
            if max(width, height) > MOST_PIXELS or min(width, height) < 2:
                raise InputError(
                    f"A frame must have 2 to {MOST_PIXELS} pixels a side; got {width} "
                    f"x {height} in {self.name}. Crop it.",
                    plain=(
                        f"The frames of {self.name} are {width} × {height} pixels "
                        "large, too much or too little. Crop the video."
                    ),
                )
            rate = stated.get("fps") or _USUAL_RATE
            count = 0
            began = time.perf_counter()
            for raw in _whole(film):
                if is_paced and stop.wait(
                    max(0.0, began + count / rate - time.perf_counter())
                ):
                    break
                newest.put(Arrived(partial(_frame, raw, (height, width))))
                count += 1
                if stop.is_set():
                    break
            return begin_s + count / rate
        finally:
            film.close()

    def _has_grown(self, before: int, stop: threading.Event) -> bool:
        for _ in range(round(_STILL_S / _LOOK_S)):
            if self._size() > before:
                return True
            if stop.wait(_LOOK_S):
                break
        return False

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0


def _whole(film: Iterator[Any]) -> Iterator[bytes]:
    """Yield whole frames; of a file that is being written, the last one may not be."""
    count = 0
    try:
        for raw in film:
            yield raw
            count += 1
    except RuntimeError:
        if count == 0:
            raise


def _frame(raw: bytes, shape: tuple[int, int]) -> tuple[NDArray[np.generic], None]:
    return np.frombuffer(raw, dtype=np.uint8).reshape(shape), None


def _check_ffmpeg() -> None:
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise ConfigError(
            "A video must be read by imageio-ffmpeg; got a computer without. Install "
            'it (pip install "napari-microus[film]").',
            plain="Videos need one more part: pip install imageio-ffmpeg. A folder of "
            "pictures works without it.",
        ) from None
