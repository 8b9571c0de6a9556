"""Read annotations, and bring them to the grid of their scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.frames import PICTURE_SUFFIXES, read_picture
from napari_microus.core.io.reading import read_volume, suffix_of
from napari_microus.core.mask import IGNORE_VALUE
from napari_microus.core.mask import as_mask as mask_of
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

MASK_DESCRIPTION = "napari-microus mask"

# A mask has few values; a scan saved in its place has more than this.
_MANY = 32


def distinct_values(array: NDArray[Any], limit: int = _MANY) -> list[float] | None:
    """Return the sorted values in ``array``, or None if more than ``limit``.

    Frames are looked at one by one, so a scan is told from a mask at once.
    """
    found: set[float] = set()
    for frame in array:
        if frame.dtype == np.uint8:
            values = np.flatnonzero(np.bincount(frame.ravel(), minlength=256))
        else:
            values = np.unique(frame)
        found.update(values.tolist())
        if len(found) > limit:
            return None
    return sorted(found)


def read_mask(
    path: str | Path, *, label: int | None = None, grid: Volume | None = None
) -> Volume:
    """Read an annotation as 0 and 1, with 255 where a pixel is undecided.

    Parameters
    ----------
    path : str or Path
        Any format of `read_volume`. The values may be 0/1 of any type, 0/255 as in
        pictures, or several labels of which ``label`` is taken. Where 1 and 255
        both occur, 255 is undecided.
    label : int, optional
        Value that is the object in a file of several labels.
    grid : Volume, optional
        The scan; the mask is brought to its grid by `placed_on`.

    Returns
    -------
    Volume
        uint8 of 0, 1 and 255.

    Raises
    ------
    InputError
        If the file cannot be read, is not a mask, holds several labels and none
        was named, or does not fit the grid.
    """
    path = Path(path)
    mask = as_mask(read_labels(path), label=label, name=str(path))
    return mask if grid is None else placed_on(mask, grid)


def read_labels(path: str | Path) -> Volume:
    """Read an annotation with the values it has; a palette's indices are labels.

    Raises
    ------
    InputError
        If the file cannot be read, or is a picture in true colour.
    """
    path = Path(path)
    volume = read_volume(path)
    if suffix_of(path) not in PICTURE_SUFFIXES:
        return volume
    labels = read_picture(path, palette_as_labels=True)
    if labels.metadata["notices"]:
        raise InputError(
            f"A mask must be grey or a palette of labels; got colour in {path}. "
            "Export the annotation alone, without the picture under it."
        )
    return replace(labels, metadata=volume.metadata | labels.metadata)


def as_mask(volume: Volume, *, label: int | None = None, name: str = "") -> Volume:
    """Return ``volume`` as 0, 1 and 255 after the rules of `read_mask`."""
    name = name or str(volume.metadata.get("source", "the mask"))
    array = volume.array
    ours = str(volume.metadata.get("description", "")).startswith(MASK_DESCRIPTION)
    values = distinct_values(array)
    if values is None or any(v != v or v < 0 or v % 1 for v in values):
        what = "many values" if values is None else f"{_listed(values)}"
        raise InputError(
            f"A mask must hold 0 and 1, 0 and 255, or labels; got {what} in {name}. "
            "Choose the annotation, or threshold it first."
        )
    objects = {int(v) for v in values} - {0}
    if label is not None:
        if objects and label not in objects:
            raise InputError(
                f"The label must be in the mask; got {label}, and {name} holds "
                f"{_listed(objects)}. Choose one of those."
            )
        mask = mask_of(array, label, name=name)
    elif ours and objects == {IGNORE_VALUE}:
        mask = array.astype(np.uint8)  # we write 1 for an object: all is undecided
    elif len(objects - {IGNORE_VALUE}) > 1:
        named = volume.metadata.get("labels", {})
        told = [f"{v} ({named[v]})" if v in named else f"{v}" for v in sorted(objects)]
        raise InputError(
            f"A mask must hold one object; got labels {', '.join(told)} in {name}. "
            "Choose one of them as the label."
        )
    else:
        mask = mask_of(array, name=name)
    return replace(volume, array=mask)


def placed_on(mask: Volume, grid: Volume) -> Volume:
    """Return ``mask`` on the grid of ``grid``, without resampling.

    A ``.seg.nrrd`` that was cropped to its object, as 3D Slicer saves segments, is
    put back at its place; of any other file a smaller extent is more likely a
    mistake, and refused. A mask whose file tells no geometry is taken to lie on the
    scan if it has its shape.

    Raises
    ------
    InputError
        If voxels of the mask do not lie on voxels of the grid.
    """
    if mask.shares_grid(grid):
        return replace(mask, affine=grid.affine, has_geometry=grid.has_geometry)
    if mask.shape == grid.shape and not (mask.has_geometry and grid.has_geometry):
        return replace(mask, affine=grid.affine, has_geometry=grid.has_geometry)
    step = np.linalg.inv(grid.affine) @ mask.affine
    start = np.rint(step[:3, 3]).astype(int)
    whole = np.eye(4)
    whole[:3, 3] = start
    moved = replace(mask, affine=grid.affine @ whole)
    first = start[::-1]
    last = first + mask.shape
    fits = moved.shares_grid(mask) and (first >= 0).all() and (last <= grid.shape).all()
    if not fits or not str(mask.metadata.get("source", "")).endswith(".seg.nrrd"):
        raise InputError(
            f"Mask and image must share a grid; got {mask.shape} with voxels of "
            f"{_size(mask)} and {grid.shape} with {_size(grid)}. "
            "Resample the mask first."
        )
    array = np.zeros(grid.shape, mask.array.dtype)
    array[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = mask.array
    return Volume(array, grid.affine, grid.has_geometry, mask.metadata)


def _listed(values: Any) -> str:
    shown = [f"{v:g}" for v in sorted(values)]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:7], "…", shown[-1]])


def _size(volume: Volume) -> str:
    unit = "mm" if volume.has_geometry else "pixels"
    return " × ".join(f"{s:.4g}" for s in volume.spacing_mm) + f" {unit}"
