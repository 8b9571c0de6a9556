"""What a scan's file alone states about its size, read without its pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.dicom import read_dicom_grid
from napari_microus.core.io.frames import PICTURE_SUFFIXES, frames_in
from napari_microus.core.io.itk import (
    META_SUFFIXES,
    NRRD_SUFFIXES,
    read_itk_grid,
    states_itk_frame_distance,
)
from napari_microus.core.io.names import suffix_of
from napari_microus.core.io.nifti import SUFFIXES as NIFTI_SUFFIXES
from napari_microus.core.io.nifti import (
    has_nifti_form,
    read_nifti_grid,
    states_nifti_size,
)
from napari_microus.core.io.tiff import TIFF_SUFFIXES, tiff_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray


@dataclass(frozen=True)
class FileSize:
    """What a file states, without what a person stated beside it.

    Parameters
    ----------
    pixel_mm : tuple of float or None
        Height and width of a pixel.
    frame_distance_mm : float or None
        Distance of two frames; None where it is not stated, and for a single frame.
    is_oriented : bool
        Whether the file states how the patient lies.
    start : tuple of int
        Row and column of the stored picture at which the one begins that
        `read_volume` gives: a machine's margins are cut off.
    whole : tuple of int or None
        Rows and columns of the stored picture, where less of it is read.
    """

    pixel_mm: tuple[float, float] | None = None
    frame_distance_mm: float | None = None
    is_oriented: bool = False
    start: tuple[int, int] = (0, 0)
    whole: tuple[int, int] | None = None


def size_in_file(path: str | Path | Sequence[str | Path]) -> FileSize:
    """Return what the file of a scan states about its size.

    Other programs put 1 mm where a file states nothing, or take a printing size for
    a pixel's; this shows whether `read_volume` would.

    Parameters
    ----------
    path : str, Path or sequence of those
        As in `read_volume`.

    Raises
    ------
    InputError
        If the file is missing, damaged or of no known format.
    """
    if not isinstance(path, (str, Path)):
        files = [Path(one) for one in path]
        if any(suffix_of(one) in (*PICTURE_SUFFIXES, *TIFF_SUFFIXES) for one in files):
            return _size_of_frames(files)
        return _size_in_dicom(files)
    path = Path(path)
    if not path.exists():
        raise InputError(
            f"The file must exist; got {path}. Check the path.",
            plain=f"{path} does not exist. Check the name.",
        )
    if path.is_dir():
        frames = frames_in(path)
        return _size_of_frames(frames) if frames else _size_in_dicom(path)
    suffix = suffix_of(path)
    if suffix in PICTURE_SUFFIXES:
        return FileSize()
    if suffix in TIFF_SUFFIXES:
        found = tiff_size(path)
        return FileSize() if found is None else FileSize(found[1:], found[0])
    if suffix in NIFTI_SUFFIXES:
        nifti = read_nifti_grid(path)
        if nifti is None or not states_nifti_size(path):
            return FileSize()
        return _size_of(nifti[0], nifti[1], has_nifti_form(nifti[2]))
    if suffix in (*NRRD_SUFFIXES, *META_SUFFIXES):
        itk = read_itk_grid(path)
        if itk is None:
            return FileSize()
        knows_distance = states_itk_frame_distance(path)
        return _size_of(itk[0], itk[1], True, knows_distance=knows_distance)
    return _size_in_dicom(path)


def _size_of_frames(paths: Sequence[Path]) -> FileSize:
    """Return the size of pictures in a row: that on which all agree."""
    sizes = {size_in_file(path) for path in paths}
    return sizes.pop() if len(sizes) == 1 else FileSize()


def _size_in_dicom(path: Path | Sequence[Path]) -> FileSize:
    grid = read_dicom_grid(path)
    size = FileSize()
    if grid.has_geometry:
        knows = grid.knows_frame_distance
        size = _size_of(grid.shape, grid.affine, grid.is_oriented, knows_distance=knows)
    region = grid.metadata.get("region")
    if region is None or tuple(region["of"]) == grid.shape[1:]:
        return size
    start, (rows, columns) = (region["rows"][0], region["columns"][0]), region["of"]
    return replace(size, start=start, whole=(rows, columns))


def _size_of(
    shape: tuple[int, ...],
    affine: NDArray[Any],
    is_oriented: bool,
    *,
    knows_distance: bool = True,
) -> FileSize:
    width, height, distance = map(float, np.linalg.norm(affine[:3, :3], axis=0))
    is_known = knows_distance and shape[0] > 1
    return FileSize((height, width), distance if is_known else None, is_oriented)
