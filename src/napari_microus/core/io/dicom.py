"""DICOM through pydicom: ultrasound as machines write it, and other pictures.

Nothing that identifies a person leaves this module: a scan's metadata, its notices
and errors hold sizes, kinds and the file's own name. See `dicom_header`.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.dicom_header import (
    check_is_image,
    frame_count,
    frame_shape,
    is_segmentation,
    number,
    read_header,
)
from napari_microus.core.io.dicom_pixels import Grey, mapped_frames, stored_frames
from napari_microus.core.io.dicom_regions import choose_cut
from napari_microus.core.io.dicom_segmentation import read_segmentation
from napari_microus.core.io.dicom_series import in_order, is_directory, only_series
from napari_microus.core.io.dicom_size import place_of
from napari_microus.core.io.read_errors import damaged
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from napari_microus.core.io.dicom_regions import Cut, RegionChoice

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")

# Plain pixels of more bytes stay in their file, decoded ones go into a temporary one.
_MAPPED_BYTES = 256 << 20
_SPILLED_BYTES = 1 << 30

Files = list[tuple[Path, Any]]


def read_dicom(
    path: str | Path | Sequence[Path],
    *,
    region: RegionChoice = "crop",
    as_stored: bool = False,
    segment: int | str | None = None,
) -> Volume:
    """Read a scan from DICOM as grey frames with their place, or a Segmentation.

    Parameters
    ----------
    path : str, Path or sequence of Path
        A file of one or several frames, a folder or a DICOMDIR of one series, or the
        files of one series such as `dicom_series` lists.
    region : {"crop", "mask", "whole"} or int
        What of an ultrasound picture is read where the file states one region of
        tissue: that cut out, all with the rest set to 0, or all. A number, from 0,
        cuts out that one of several regions of tissue.
    as_stored : bool
        Leave palette indices, inverted scales and stored values as they are.
    segment : int or str, optional
        Of a DICOM Segmentation: the one to read, see `dicom_segmentation`.

    Returns
    -------
    Volume
        What is cut out keeps its place in the whole picture. ``metadata`` holds
        ``notices``; ``pixel_size_from``, the element that gave the size;
        ``region``, rows and columns of what was read; ``frame_time_ms`` and
        ``cine_rate_fps`` where stated; ``frame_distance`` is "unknown" for a cine.

    Raises
    ------
    InputError
        If there is no picture, no tissue, more than one scan or patient, or the
        pixels are damaged or cannot be decoded.

    Notes
    -----
    One frame is decoded at a time. Plain grey pixels of more than 256 MiB stay in
    their file and are read as they are used; decoded ones of more than 1 GiB lie in
    a temporary file.
    """
    files, notices = scan_files(path)
    first, header = files[0]
    if is_segmentation(header):
        return read_segmentation(first, header, region=region, segment=segment)
    check_alike(files)
    cut = choose_cut(header, region, first)
    grey = Grey(header, first, as_stored=as_stored)
    return _placed(_read(files, cut, grey), files, cut, notices, grey)


def dicom_grid(
    files: Files, *, region: RegionChoice = "crop", notices: Sequence[str] = ()
) -> Volume:
    """Return where a scan's voxels lie as `read_dicom` does, its pixels not decoded.

    Parameters
    ----------
    files : list of (Path, Dataset)
        From `scan_files`.
    region : {"crop", "mask", "whole"} or int
        See `read_dicom`.
    notices : sequence of str
        Of `scan_files`.

    Returns
    -------
    Volume
        Zeros that take no memory.
    """
    check_alike(files)
    cut = choose_cut(files[0][1], region, files[0][0])
    rows, columns = cut.rows, cut.columns
    size = (rows[1] - rows[0], columns[1] - columns[0])
    if cut.is_masked:
        size = frame_shape(files[0][1])
    count = sum(frame_count(header) for _, header in files)
    nothing = np.broadcast_to(np.uint8(0), (count, *size))
    return _placed(nothing, files, cut, notices, None)


def read_dicom_grid(
    path: str | Path | Sequence[Path], *, region: RegionChoice = "crop"
) -> Volume:
    """Return where the voxels lie that `read_dicom` reads, as zeros without memory.

    Only headers are read. See `read_dicom` for parameters, metadata and errors.
    """
    files, notices = scan_files(path)
    return dicom_grid(files, region=region, notices=notices)


def _placed(
    array: NDArray[Any],
    files: Files,
    cut: Cut,
    notices: Sequence[str],
    grey: Grey | None,
) -> Volume:
    first, header = files[0]
    place = place_of([h for _, h in files], len(array), cut.pixel_mm, first)
    affine = place.affine.copy()
    row, column = cut.start
    affine[:3, 3] += affine[:3, 0] * column + affine[:3, 1] * row
    stated: dict[str, Any] = {**place.stated, **cut.stated}
    for key, keyword in (
        ("frame_time_ms", "FrameTime"),
        ("cine_rate_fps", "CineRate"),
    ):
        found = number(header, keyword)
        if found is not None and found > 0:
            stated[key] = found
    said = [] if grey is None else grey.notices
    stated["notices"] = [*notices, *cut.notices, *place.notices, *said]
    return Volume(
        array, affine, place.has_geometry, stated, is_oriented=place.is_oriented
    )


def dicom_frames(
    path: str | Path, *, region: RegionChoice = "crop"
) -> Iterator[NDArray[Any]]:
    """Yield the frames of a scan as `read_dicom` reads them, one in memory at a time.

    Yields
    ------
    ndarray, shape (Y, X)
        Grey.
    """
    files, _ = scan_files(path)
    check_alike(files)
    first, header = files[0]
    cut = choose_cut(header, region, first)
    yield from _cut_frames(files, cut, Grey(header, first, as_stored=False))


def scan_files(path: str | Path | Sequence[Path]) -> tuple[Files, list[str]]:
    """Return the files of one scan with their headers, in order, and notices.

    Raises
    ------
    InputError
        As `read_dicom` does.
    """
    if not isinstance(path, (str, Path)):
        files = [(one, read_header(one)) for one in path]
        for one, header in files:
            check_is_image(header, one)
        return in_order(files), []
    path = Path(path)
    if path.is_dir() or is_directory(path):
        return only_series(path)
    header = read_header(path)
    check_is_image(header, path)
    return [(path, header)], []


def check_alike(files: Files) -> None:
    """Refuse single frames of different sizes, and several files of many frames."""
    shapes = {frame_shape(header): path for path, header in files}
    if len(shapes) > 1:
        sizes = " and ".join(f"{h} × {w}" for h, w in list(shapes)[:2])
        names = " and ".join(path.name for path in list(shapes.values())[:2])
        raise InputError(
            f"Frames of a scan must have one size; got {sizes} in {names}. Put scans "
            "in folders of their own.",
            plain=f"The pictures in {names} are of different sizes, so they are not of "
            "one scan. Keep one scan per folder.",
        )
    if len(files) > 1:
        for path, header in files:
            if frame_count(header) > 1:
                raise InputError(
                    "Each file of a series must hold one frame; got "
                    f"{frame_count(header)} in {path.name}. Open that file alone.",
                    plain=f"{path.name} is a film of its own. Open that file alone.",
                )


def _read(files: Files, cut: Cut, grey: Grey) -> NDArray[Any]:
    path, header = files[0]
    count = sum(frame_count(h) for _, h in files)
    is_large = path.stat().st_size > _MAPPED_BYTES
    if len(files) == 1 and is_large and grey.keeps_values and not cut.is_masked:
        mapped = mapped_frames(path, header)
        if mapped is not None:
            return mapped[:, slice(*cut.rows), slice(*cut.columns)]
    array: NDArray[Any] | None = None
    for index, frame in enumerate(_cut_frames(files, cut, grey)):
        if array is None:
            array = _room((count, *frame.shape), frame.dtype, path)
        if frame.dtype != array.dtype:
            raise InputError(
                "Frames of a scan must have one kind of value; got "
                f"{array.dtype} and {frame.dtype} in {path.name}. Export them all "
                "alike.",
                plain=(
                    "The frames of this scan are stored in different ways, as "
                    f"{path.name} shows. Export them all alike."
                ),
            )
        array[index] = frame
    if array is None:
        raise damaged(Path(path.name), "DICOM")
    return array


def _cut_frames(files: Files, cut: Cut, grey: Grey) -> Iterator[NDArray[Any]]:
    rows, columns = slice(*cut.rows), slice(*cut.columns)
    for path, header in files:
        with closing(stored_frames(path, header)) as frames:
            for frame in frames:
                tissue = grey(frame[rows, columns])
                if cut.is_masked:
                    whole = np.zeros(frame.shape[:2], tissue.dtype)
                    whole[rows, columns] = tissue
                    tissue = whole
                yield tissue


def _room(shape: tuple[int, ...], dtype: np.dtype[Any], path: Path) -> NDArray[Any]:
    """Return an array to fill, in a temporary file where it is large."""
    size = int(np.prod(shape, dtype=np.float64)) * dtype.itemsize
    try:
        if size <= _SPILLED_BYTES:
            return np.empty(shape, dtype)
        with tempfile.TemporaryFile() as file:  # its room stays until the array goes
            return np.memmap(file, dtype, "w+", 0, shape)
    except (MemoryError, OSError, ValueError):
        raise InputError(
            "A scan must fit into memory or the temporary folder; got "
            f"{size >> 20} MiB in {path.name}. Free some space, or export fewer "
            "frames.",
            plain=(
                f"{path.name} is too large ({size >> 20} MiB) for the memory and "
                "the temporary folder of this computer. Free some space, or export "
                "fewer frames."
            ),
        ) from None
