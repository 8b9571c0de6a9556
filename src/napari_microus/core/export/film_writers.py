"""Films that are written frame by frame, with one frame in memory."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageColor

from napari_microus.core.colors import CAPSULE
from napari_microus.core.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from napari_microus.core.export.film_frames import FilmFrame

_GIF_UNIT_MS = 10
# Of the palette: greys, and greys under a line that covers 1 to 4 quarters.
_GREYS, _MIXED, _QUARTERS = 192, 16, 4
_QUALITY = 7  # of imageio-ffmpeg, 0 to 10

NO_MP4 = (
    "A film as MP4 needs imageio-ffmpeg, which is not installed. Install it (pip "
    "install imageio-ffmpeg), or write .gif."
)


class GifWriter:
    """Writes a GIF that repeats.

    Parameters
    ----------
    path : Path
        File to write.
    frame_ms : float
        Time of a frame, rounded to 10 ms.
    """

    def __init__(self, path: Path, frame_ms: float) -> None:
        self._path = path
        self._time = max(1, round(frame_ms / _GIF_UNIT_MS)) * _GIF_UNIT_MS

    def __enter__(self) -> GifWriter:
        self._file = self._path.open("wb")
        self._is_begun = False
        return self

    def add(self, frame: FilmFrame) -> None:
        """Write the next frame."""
        # Pillow keeps all frames of a film in memory. Alone, each is a GIF of its own:
        # a header, the palette (the same for all), its blocks, and an end.
        indexed = _indexed(frame)
        alone = io.BytesIO()
        options: dict[str, Any] = {} if self._is_begun else {"loop": 0}
        indexed.save(alone, "GIF", optimize=False, duration=self._time, **options)
        written = alone.getvalue()[:-1]
        colours = 2 << (written[10] & 7)
        self._file.write(written[13 + 3 * colours :] if self._is_begun else written)
        self._is_begun = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._file.write(b";")
        self._file.close()


class Mp4Writer:
    """Writes an MP4 by imageio-ffmpeg.

    Parameters
    ----------
    path : Path
        File to write.
    frame_ms : float
        Time of a frame.
    size : tuple of int
        Width and height, even.

    Raises
    ------
    OutputError
        If imageio-ffmpeg is not installed, or fails.
    """

    def __init__(self, path: Path, frame_ms: float, size: tuple[int, int]) -> None:
        check_mp4()
        self._path, self._size, self._fps = path, size, 1000.0 / frame_ms

    def __enter__(self) -> Mp4Writer:
        import imageio_ffmpeg

        self._film = imageio_ffmpeg.write_frames(
            self._path,
            self._size,
            fps=self._fps,
            quality=_QUALITY,
            macro_block_size=2,
            ffmpeg_log_level="error",
        )
        self._film.send(None)
        return self

    def add(self, frame: FilmFrame) -> None:
        """Write the next frame."""
        try:
            self._film.send(np.ascontiguousarray(frame.picture))
        except OSError as error:
            raise OutputError(
                "The film could not be written: ffmpeg stopped. Check the free space, "
                "or write .gif."
            ) from error

    def __exit__(self, *_: object) -> None:
        self._film.close()


def check_mp4() -> None:
    """Refuse a film as MP4 where it cannot be made.

    Raises
    ------
    OutputError
        If imageio-ffmpeg is not installed, or has no ffmpeg.
    """
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise OutputError(NO_MP4) from None


def _indexed(frame: FilmFrame) -> Image.Image:
    """Return a frame in the colours of the palette."""
    grey = frame.grey.astype(np.float32) / 255
    quarters = np.rint(frame.line.astype(np.float32) / 255 * _QUARTERS)
    plain = np.rint(grey * (_GREYS - 1))
    mixed = _GREYS + np.rint(grey * (_MIXED - 1)) * _QUARTERS + quarters - 1
    index = np.where(quarters > 0, mixed, plain)
    image = Image.fromarray(index.astype(np.uint8))
    image.putpalette(_palette())
    return image


@cache
def _palette() -> bytes:
    greys = np.linspace(0, 255, _GREYS)[:, np.newaxis].repeat(3, axis=1)
    under = np.linspace(0, 255, _MIXED)[:, np.newaxis, np.newaxis]
    line = np.array(ImageColor.getrgb(CAPSULE))
    part = (np.arange(_QUARTERS) + 1)[:, np.newaxis] / _QUARTERS
    mixed = (under * (1 - part) + line * part).reshape(-1, 3)
    return np.rint(np.concatenate([greys, mixed])).astype(np.uint8).tobytes()
