"""Pictures of single frames, and folders of them."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.alpha import stored_mask
from napari_microus.core.io.colour import to_grey
from napari_microus.core.io.mask_names import names_without_role
from napari_microus.core.io.read_errors import damaged, library_messages
from napari_microus.core.io.tiff import NO_FRAME_DISTANCE, TIFF_SUFFIXES, read_tiff
from napari_microus.core.volume import UNKNOWN, Volume

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


def read_picture(path: Path, *, as_stored: bool = False) -> Volume:
    """Read a PNG, JPEG or BMP as one frame without geometry.

    Parameters
    ----------
    path : Path
        The file.
    as_stored : bool
        Take the values of a mask as they are stored: a palette's indices, and the
        alpha channel where it alone holds the mask, see `stored_mask`.

    Raises
    ------
    InputError
        If the file is damaged or foreign.
    """
    from PIL import Image

    try:
        with (
            library_messages("PIL") as complaints,
            Image.open(path, formats=("PNG", "JPEG", "BMP")) as picture,
        ):
            pixels, notices = _pixels(picture, as_stored, path)
    except InputError:
        raise
    except (
        *(OSError, EOFError, SyntaxError, ValueError, MemoryError, struct.error),
        Image.DecompressionBombError,
    ) as error:
        raise damaged(path, path.suffix.lstrip(".").upper(), str(error)) from error
    if complaints:
        raise damaged(path, path.suffix.lstrip(".").upper(), complaints[0])
    volume = Volume.from_spacing(pixels[np.newaxis], (1.0, 1.0, 1.0))
    return Volume(volume.array, volume.affine, False, {"notices": notices})


def read_frame(path: Path, *, as_stored: bool = False) -> Volume:
    """Read a picture in any format as `read_picture` or `tiff.read_tiff` does."""
    if path.suffix.lower() in TIFF_SUFFIXES:
        return read_tiff(path, as_stored=as_stored)
    return read_picture(path, as_stored=as_stored)


def read_frames(paths: Sequence[Path], *, as_stored: bool = False) -> Volume:
    """Read pictures of one size and type as the frames of one scan, in their order.

    Masks that lie beside their frames, such as ``frame1_mask.png`` beside
    ``frame1.png``, are left out with a notice.

    Parameters
    ----------
    paths : sequence of Path
        The pictures.
    as_stored : bool
        As in `read_picture`.

    Raises
    ------
    InputError
        If there is none, one holds several frames, two have one name, or sizes or
        types differ.
    """
    if not paths:
        raise InputError(
            "A scan must have at least one frame; got none. Choose pictures "
            f"({', '.join(FRAME_SUFFIXES)}).",
            plain="No pictures were chosen. Choose PNG, JPEG, BMP or TIFF files.",
        )
    paths, left_out = without_masks(paths)
    read: list[Volume] = []
    for path in paths:
        frame = read_frame(path, as_stored=as_stored)
        if len(frame.array) != 1:
            raise InputError(
                "Each picture of a folder must hold one frame; got "
                f"{len(frame.array)} in {path.name}. Open that file alone.",
                plain=f"{path.name} is a scan of its own with {len(frame.array)} "
                "frames. Open that file alone, or move it out of the folder.",
            )
        if read and frame.shape != read[0].shape:
            raise InputError(
                "Frames of a scan must have one size; got "
                f"{read[0].array[0].shape} in {paths[0].name} and "
                f"{frame.array[0].shape} in {path.name}. "
                "Put scans in folders of their own.",
                plain=f"{paths[0].name} and {path.name} are of different sizes, so "
                "they are not of one scan. Keep one scan per folder.",
            )
        if read and frame.array.dtype != read[0].array.dtype:
            raise InputError(
                "Frames of a scan must have one kind of value; got "
                f"{read[0].array.dtype} in {paths[0].name} and {frame.array.dtype} in "
                f"{path.name}. Export them all alike.",
                plain=(
                    f"{paths[0].name} and {path.name} are stored in different ways. "
                    "Export all frames alike."
                ),
            )
        read.append(frame)
    notices = list(dict.fromkeys(n for f in read for n in f.metadata["notices"]))
    notices = [*left_out, *notices]
    first = read[0]
    same = all(np.array_equal(frame.affine, first.affine) for frame in read)
    if not same:
        notices.append("The frames state different pixel sizes; none was used.")
        first = Volume.from_spacing(first.array, (1.0, 1.0, 1.0))
    has_geometry = same and first.has_geometry
    stated: dict[str, Any] = {"notices": notices}
    if has_geometry and len(read) > 1 and first.spacing_mm[0] == 1.0:
        # Each picture states the size of its pixels; where the next lies, none does.
        stated = {"notices": [*notices, NO_FRAME_DISTANCE], "frame_distance": UNKNOWN}
    return Volume(
        np.concatenate([frame.array for frame in read]),
        first.affine,
        has_geometry,
        stated,
    )


def _pixels(
    picture: Any, as_stored: bool, path: Path
) -> tuple[NDArray[Any], list[str]]:
    if picture.mode == "1":
        return np.asarray(picture), []
    if picture.mode == "I" and picture.format == "PNG":
        # Older Pillow opens 16-bit grey as 32-bit.
        return np.asarray(picture).astype(np.uint16), []
    if picture.mode in ("P", "PA"):
        if as_stored:
            labels = picture.convert("P") if picture.mode == "PA" else picture
            return np.asarray(labels), []
        return to_grey(np.asarray(picture.convert("RGB")))
    if picture.mode in ("L", "F", "I", "I;16", "I;16B", "I;16L"):
        return np.asarray(picture), []
    if as_stored and picture.mode in ("LA", "RGBA"):
        return stored_mask(np.asarray(picture), path), []
    if picture.mode == "LA":
        return to_grey(np.asarray(picture))
    if picture.mode not in ("RGB", "RGBA"):
        picture = picture.convert("RGB")
    return to_grey(np.asarray(picture))


def without_masks(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the frames of a folder, and a sentence about masks beside them.

    Raises
    ------
    InputError
        If two pictures have one name and differ in the format alone.
    """
    stems: dict[str, Path] = {}
    for path in paths:
        other = stems.setdefault(path.stem.casefold(), path)
        if other is not path:
            raise InputError(
                "Each frame of a folder must be there once; got "
                f"{other.name} and {path.name}. Move one of them away.",
                plain=(
                    f"{other.name} and {path.name} are the same frame. Move one of "
                    "them away."
                ),
            )
    masks = {
        path
        for path in paths
        for bare in names_without_role(path.stem)
        if bare in stems
    }
    if not masks:
        return list(paths), []
    named = sorted(path.name for path in masks)
    return [path for path in paths if path not in masks], [
        f"{len(named)} files that are named as masks of frames beside them were left "
        f"out ({named[0]}{', …' if len(named) > 1 else ''})."
    ]
