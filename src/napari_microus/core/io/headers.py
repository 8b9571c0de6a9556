"""Where a file's voxels lie, without reading them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.io.frames import PICTURE_SUFFIXES
from napari_microus.core.io.itk import read_itk_grid
from napari_microus.core.io.nifti import SUFFIXES as NIFTI_SUFFIXES
from napari_microus.core.io.nifti import read_nifti_grid, states_nifti_size
from napari_microus.core.io.reading import read_volume, suffix_of
from napari_microus.core.io.scan_properties import with_properties
from napari_microus.core.io.scan_sidecar import read_scan_properties
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path

_ITK = (".nrrd", ".nhdr", ".seg.nrrd", ".mha", ".mhd")


def states_size(path: Path) -> bool:
    """Return whether a scan's file states the size of a pixel in mm."""
    if read_scan_properties(path).pixel_mm is not None:
        return True
    suffix = suffix_of(path)
    if suffix in PICTURE_SUFFIXES:
        return False
    if suffix in _ITK:
        return read_grid(path) is not None
    if suffix in NIFTI_SUFFIXES:
        return states_nifti_size(path)
    return read_volume(path).has_geometry


def read_grid(path: Path) -> Volume | None:
    """Return where the voxels of a file lie, as zeros that take no memory.

    Parameters
    ----------
    path : Path
        NIfTI, NRRD or MetaImage; others state no place worth comparing.

    Returns
    -------
    Volume or None
        None for other formats, and for a file that reading will refuse.
    """
    suffix = suffix_of(path)
    read = read_nifti_grid if suffix in NIFTI_SUFFIXES else read_itk_grid
    if suffix not in (*NIFTI_SUFFIXES, *_ITK):
        return None
    found: tuple[tuple[int, ...], Any, Any] | None = read(path)
    if found is None:
        return None
    shape, affine, place = found
    nothing = np.broadcast_to(np.uint8(0), shape)
    volume = Volume(nothing, affine, True, {"source": str(path)}, place)
    return with_properties(volume, read_scan_properties(path), is_mask=True)
