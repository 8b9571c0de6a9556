"""The sweep with its contour as a film."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Event, Notice, Progress
from napari_microus.core.export.film_frames import FilmFrames
from napari_microus.core.export.film_writers import GifWriter, Mp4Writer, check_mp4
from napari_microus.core.files import atomic_write
from napari_microus.core.mask import check_same_shape
from napari_microus.core.sweep import number_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.volume import Volume

FILM_SUFFIXES = (".gif", ".mp4")

_WIDTH_PX = 686
_WIDTHS_PX = (16, 4096)
# Where no frame time is known. Viewers slow down what is faster than 50 a second.
_FRAME_MS, _SHORTEST_MS, _LONGEST_MS = 100.0, 20.0, 10_000.0
# Some 60 MB.
_MOST_GIF_PIXELS = 64 << 20


def write_film(
    scan: Volume,
    mask: Volume | None,
    path: str | Path,
    overwrite: bool = False,
    *,
    width_px: int = _WIDTH_PX,
    frame_ms: float | None = None,
) -> Generator[Event, None, Path]:
    """Write the frames of a sweep, with the mask's contour, as GIF or MP4.

    Parameters
    ----------
    scan : Volume
        Frames in their order. Pixels that are not square become so.
    mask : Volume or None
        1 is the object; of the scan's shape. None draws no contour.
    path : str or Path
        Ends in ``.gif``, or in ``.mp4`` where imageio-ffmpeg is installed.
    overwrite : bool
        Replace a file that is there.
    width_px : int
        Width of the film, 16 to 4096; smaller pictures keep theirs.
    frame_ms : float, optional
        Time of a frame, 20 to 10000. By default that of the scan's file within these,
        else 100.

    Yields
    ------
    Event
        `Progress` by frames; a `Notice` where frames are left out: a GIF has 64
        million pixels at most.

    Raises
    ------
    InputError
        If the shapes differ, or width or time are out of bounds.
    OutputError
        If the format is unknown or cannot be made here, the file exists, or it cannot
        be written.

    Notes
    -----
    One frame at a time is in memory. The film holds nothing about the scan.
    """
    path = Path(path)
    suffix = _check_path(path, overwrite)
    if mask is not None:
        check_same_shape(scan.array, mask.array)
    low, high = _WIDTHS_PX
    if not low <= width_px <= high:
        raise InputError(
            f"A film must be {low} to {high} px wide; got {width_px}. Correct it.",
            plain=(
                f"A film can be {low} to {high} px wide, and not {width_px}. "
                "Correct it."
            ),
        )
    time_ms = _time_ms(scan, frame_ms)
    frames = FilmFrames(scan, mask, width_px)
    step = 1
    if suffix == ".gif":
        step = math.ceil(len(frames) * frames.pixels / _MOST_GIF_PIXELS)
    if step > 1:
        yield Notice(
            f"The film shows one of {step} frames: all {len(frames)} would be too "
            "large for a GIF. Make it narrower, or write .mp4."
        )
    numbers = range(0, len(frames), step)
    with atomic_write(path, overwrite=overwrite) as beside:
        film = (
            GifWriter(beside, time_ms * step)
            if suffix == ".gif"
            else Mp4Writer(beside, time_ms, frames.size)
        )
        with film:
            for done, number in enumerate(numbers, start=1):
                film.add(frames[number])
                yield Progress(done, len(numbers), "frames", "Making the film")
    return path


def _check_path(path: Path, overwrite: bool) -> str:
    suffix = path.suffix.lower()
    if suffix not in FILM_SUFFIXES:
        raise OutputError(
            f"A film must end in one of {', '.join(FILM_SUFFIXES)}; got {path.name}. "
            "Rename it.",
            plain=(
                f"The name of a film ends in {' or '.join(FILM_SUFFIXES)}; this one "
                f"does not: {path.name}. Rename it."
            ),
        )
    if suffix == ".mp4":
        check_mp4()
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path} already exists. Choose another name, or overwrite it."
        )
    return suffix


def _time_ms(scan: Volume, asked_ms: float | None) -> float:
    if asked_ms is not None:
        asked = number_of(asked_ms)
        if asked is None or not _SHORTEST_MS <= asked <= _LONGEST_MS:
            raise InputError(
                f"The time of a frame must be {_SHORTEST_MS:g} to {_LONGEST_MS:g} ms; "
                f"got {asked_ms}. Correct it.",
                plain=(
                    f"A frame can be shown for {_SHORTEST_MS:g} to {_LONGEST_MS:g} "
                    f"ms, and not {asked_ms}. Correct it."
                ),
            )
        return asked
    stated = number_of(scan.metadata.get("frame_time_ms"))
    if stated is None:
        rate = number_of(scan.metadata.get("cine_rate_fps"))
        stated = 1000.0 / rate if rate else _FRAME_MS
    return min(max(stated, _SHORTEST_MS), _LONGEST_MS)
