"""Pictures of single frames, and folders of them."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.colour import to_grey
from napari_microus.core.io.read_errors import damaged
from napari_microus.core.io.tiff import TIFF_SUFFIXES, read_tiff
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
FRAME_SUFFIXES = (*PICTURE_SUFFIXES, *TIFF_SUFFIXES)


def natural_key(path: Path) -> tuple[Any, ...]:
    """Sort key under which ``frame2`` comes before ``frame10``."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return (*(int(p) if p.isdecimal() else p for p in parts), path.name)


def frames_in(folder: Path) -> list[Path]:
    """Return the pictures in ``folder`` in natural order, hidden files left out."""
    found = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in FRAME_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    ]
    return sorted(found, key=natural_key)


def read_picture(path: Path, *, palette_as_labels: bool = False) -> Volume:
    """Read a PNG, JPEG or BMP as one frame without geometry.

    Parameters
    ----------
    path : Path
        The file.
    palette_as_labels : bool
        Take a coloured palette's indices, which are the labels of a mask, for
        intensities.

    Raises
    ------
    InputError
        If the file is damaged or foreign.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "JPEG", "BMP")) as picture:
            pixels, notices = _pixels(picture, palette_as_labels)
    except (
        *(OSError, EOFError, SyntaxError, ValueError, MemoryError, struct.error),
        Image.DecompressionBombError,
    ) as error:
        raise damaged(path, path.suffix.lstrip(".").upper()) from error
    volume = Volume.from_spacing(pixels[np.newaxis], (1.0, 1.0, 1.0))
    return Volume(volume.array, volume.affine, False, {"notices": notices})


def read_frame(path: Path) -> Volume:
    """Read a picture in any format as `read_picture` or `tiff.read_tiff` does."""
    if path.suffix.lower() in TIFF_SUFFIXES:
        return read_tiff(path)
    return read_picture(path)


def read_frames(paths: Sequence[Path]) -> Volume:
    """Read pictures of one size as the frames of one scan, in the order given.

    Raises
    ------
    InputError
        If there is none, one holds several frames, or sizes differ.
    """
    if not paths:
        raise InputError(
            "A scan must have at least one frame; got none. Choose pictures "
            f"({', '.join(FRAME_SUFFIXES)})."
        )
    read: list[Volume] = []
    for path in paths:
        frame = read_frame(path)
        if len(frame.array) != 1:
            raise InputError(
                "Each picture of a folder must hold one frame; got "
                f"{len(frame.array)} in {path.name}. Open that file alone."
            )
        if read and frame.shape != read[0].shape:
            raise InputError(
                "Frames of a scan must have one size; got "
                f"{read[0].array[0].shape} in {paths[0].name} and "
                f"{frame.array[0].shape} in {path.name}. "
                "Put scans in folders of their own."
            )
        read.append(frame)
    notices = list(dict.fromkeys(n for f in read for n in f.metadata["notices"]))
    first = read[0]
    same = all(np.array_equal(frame.affine, first.affine) for frame in read)
    if not same:
        notices.append("The frames tell different pixel sizes; none was used.")
        first = Volume.from_spacing(first.array, (1.0, 1.0, 1.0))
    return Volume(
        np.concatenate([frame.array for frame in read]),
        first.affine,
        same and first.has_geometry,
        {"notices": notices},
    )


def _pixels(picture: Any, palette_as_labels: bool) -> tuple[NDArray[Any], list[str]]:
    if picture.mode == "1":
        return np.asarray(picture), []
    if picture.mode == "I" and picture.format == "PNG":
        # Older Pillow opens 16-bit grey as 32-bit.
        return np.asarray(picture).astype(np.uint16), []
    if picture.mode in ("P", "PA"):
        grey, notices = to_grey(np.asarray(picture.convert("RGB")))
        if notices and palette_as_labels:
            return np.asarray(
                picture.convert("P") if picture.mode == "PA" else picture
            ), []
        return grey, notices
    if picture.mode in ("L", "F", "I", "I;16", "I;16B", "I;16L"):
        return np.asarray(picture), []
    if picture.mode == "LA":
        return to_grey(np.asarray(picture))
    if picture.mode not in ("RGB", "RGBA"):
        picture = picture.convert("RGB")
    return to_grey(np.asarray(picture))
