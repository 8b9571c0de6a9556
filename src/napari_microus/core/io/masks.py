"""Read annotations, and bring them to the grid of their scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.io.colour import CONVERTED
from napari_microus.core.io.nifti import affines
from napari_microus.core.io.reading import read_stored, suffix_of
from napari_microus.core.mask import IGNORE_VALUE, value_of_label
from napari_microus.core.mask import as_mask as mask_of
from napari_microus.core.volume import BETWEEN_FRAMES, size_in_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_microus.core.volume import Volume

MASK_DESCRIPTION = "napari-microus mask"

# A shorter shift is one of rounding.
_SHOWN_SHIFT_MM = 1e-3
# A mask has few values; a scan saved in its place has more than this.
_MANY = 32


def distinct_values(array: NDArray[Any], limit: int = _MANY) -> list[float] | None:
    """Return the sorted values in ``array``, or None if more than ``limit``.

    Frames are looked at one by one, so a scan is distinguished from a mask at once.
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
    path: str | Path, *, label: int | str | None = None, grid: Volume | None = None
) -> Volume:
    """Read an annotation as 0 and 1, with 255 where a pixel is undecided.

    Parameters
    ----------
    path : str or Path
        Any format of `read_volume`. The values may be 0/1 of any type, 0/255 as in
        pictures, or several labels of which ``label`` is taken. Where 1 and 255
        both occur, 255 is undecided.
    label : int or str, optional
        Value that is the object in a file of several labels, or its name where the
        file states names.
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
    mask = as_mask(read_labels(path, label=label), label=label, name=str(path))
    return mask if grid is None else placed_on(mask, grid)


def read_labels(path: str | Path, *, label: int | str | None = None) -> Volume:
    """Read an annotation with the values it has; a palette's indices are labels.

    Of a DICOM Segmentation ``label`` is read alone.

    Raises
    ------
    InputError
        If the file cannot be read, or is a picture in true colour.
    """
    volume = read_stored(path, label=label)
    if CONVERTED in volume.metadata["notices"]:
        raise InputError(
            f"A mask must be grey or a palette of labels; got colour in {path}. "
            "Export the annotation alone, without the picture under it.",
            plain=f"{Path(path).name} is a colour picture and no mask. Export the "
            "annotation alone, without the picture under it.",
        )
    return volume


def as_mask(
    volume: Volume, *, label: int | str | None = None, name: str = ""
) -> Volume:
    """Return ``volume`` as 0, 1 and 255 after the rules of `read_mask`."""
    name = name or str(volume.metadata.get("source", "the mask"))
    label = _value(label, volume.metadata.get("labels", {}), name)
    array = volume.array
    ours = str(volume.metadata.get("description", "")).startswith(MASK_DESCRIPTION)
    values = distinct_values(array)
    if values is None or any(v != v or v < 0 or v % 1 for v in values):
        what = "many values" if values is None else f"{_listed(values)}"
        raise InputError(
            f"A mask must hold 0 and 1, 0 and 255, or labels; got {what} in {name}. "
            "Choose the annotation, or threshold it first.",
            plain=(
                f"{name} is no mask: it holds {what}. Choose the annotation, or "
                "threshold it first."
            ),
        )
    objects = {int(v) for v in values} - {0}
    if label is not None:
        if objects and label not in objects and not _is_named(volume, label):
            raise InputError(
                f"The label must be in the mask; got {label}, and {name} holds "
                f"{_listed(objects)}. Choose one of those.",
                plain=(
                    f"{name} has no label {label}; it holds {_listed(objects)}. "
                    "Choose one of those."
                ),
            )
        mask = mask_of(array, label, name=name)
    elif ours and objects == {IGNORE_VALUE}:
        mask = array.astype(np.uint8)  # we write 1 for an object: all is undecided
    elif len(objects - {IGNORE_VALUE}) > 1:
        named = volume.metadata.get("labels", {})
        stated = [
            f"{v} ({named[v]})" if v in named else f"{v}" for v in sorted(objects)
        ]
        raise InputError(
            f"A mask must hold one object; got labels {', '.join(stated)} in {name}. "
            "Choose one of them as the label.",
            plain=(
                f"More than one thing is drawn in {name} (labels "
                f"{', '.join(stated)}). Choose which label is the prostate."
            ),
        )
    else:
        mask = mask_of(array, name=name)
    return replace(volume, array=mask)


def _value(label: int | str | None, names: dict[int, str], name: str) -> int | None:
    """Return the value of a label that may be given by its name."""
    if label is None:
        return None
    value = value_of_label(label, names)
    if value is None:
        listed = (
            ", ".join(f"{v} ({stated})" for v, stated in names.items()) or "no names"
        )
        raise InputError(
            f"The label must be in the mask; got '{label}', and {name} holds "
            f"{listed}. Choose one of those, or a value.",
            plain=(
                f"{name} has no label '{label}'; it holds {listed}. Choose one of "
                "those, or a value."
            ),
        )
    return value


def _is_named(volume: Volume, label: int) -> bool:
    """Return whether a file lists a label that nothing in it has: it is empty."""
    is_listed = label in volume.metadata.get("labels", {})
    return is_listed and bool(volume.metadata.get("is_segmentation"))


def placed_on(mask: Volume, grid: Volume, *, under: str = "scan") -> Volume:
    """Return ``mask`` on the grid of ``grid``, without resampling.

    A ``.seg.nrrd`` that was cropped to its object, as 3D Slicer saves segments, and a
    DICOM Segmentation without its empty frames are put back at their place; a DICOM
    Segmentation of the whole picture is cut to the scan's region of tissue. Of any
    other file, and of a DICOM Segmentation without a place, another extent is more
    likely a mistake, and refused. A mask whose file
    states no geometry is taken to lie on the scan if it has its shape, and so is a
    DICOM Segmentation that is its scan's pixel by pixel. Errors call the owner of the
    grid what ``under`` says.

    Raises
    ------
    InputError
        If voxels of the mask do not lie on voxels of the grid, or something is drawn
        outside of it.
    """
    if mask.metadata.get("pixel_by_pixel"):
        mask = _as_scan(mask, grid)
    knows_both = mask.has_geometry and grid.has_geometry
    if mask.shape == grid.shape and (
        not knows_both or mask.metadata.get("pixel_by_pixel") or _lies_over(mask, grid)
    ):
        return _laid(mask.array, mask, grid)
    step = np.linalg.inv(grid.affine) @ mask.affine
    start = np.rint(step[:3, 3]).astype(int)
    whole = np.eye(4)
    whole[:3, 3] = start
    moved = replace(mask, affine=grid.affine @ whole)
    first = start[::-1]
    last = first + mask.shape
    is_dicom = bool(mask.metadata.get("is_segmentation"))
    is_dicom = is_dicom and not mask.metadata.get("pixel_by_pixel")
    is_cut = suffix_of(str(mask.metadata.get("source", ""))) == ".seg.nrrd"
    is_inside = (first >= 0).all() and (last <= grid.shape).all()
    fits = moved.shares_grid(mask) and (is_inside or is_dicom)
    if not fits or not (is_cut or is_dicom):
        raise InputError(
            f"Mask and image must share a grid; got {mask.shape} with voxels of "
            f"{_size(mask)} and {grid.shape} with {_size(grid)}"
            f"{difference(mask, grid)}. Resample the mask first.",
            plain=f"The mask does not fit the {under}: "
            f"{_what_differs(mask, grid, under)}. Choose a mask of the same scan, or "
            "resample it.",
        )
    array = np.zeros(grid.shape, mask.array.dtype)
    low, high = first.clip(0), last.clip(None, grid.shape)
    to = tuple(slice(a, max(a, b)) for a, b in zip(low, high, strict=True))
    begin, end = low - first, (high - first).clip(low - first)
    part = mask.array[tuple(slice(a, b) for a, b in zip(begin, end, strict=True))]
    lost = np.count_nonzero(mask.array) - np.count_nonzero(part)
    if lost:
        raise InputError(
            f"A segmentation must lie inside its scan; got {lost} pixels outside of "
            f"{grid.shape}. Read the whole picture of the scan.",
            plain=(
                f"{lost} pixels of the segmentation lie outside of the scan. Read "
                "the whole picture of the scan."
            ),
        )
    array[to] = part
    return _laid(array, mask, grid)


def _as_scan(mask: Volume, grid: Volume) -> Volume:
    """Return a segmentation of whole pictures cut as its scan is read.

    Without a place only the number of its frames identifies the scan, so that is kept.
    """
    region = grid.metadata.get("region")
    array, affine = mask.array, mask.affine.copy()
    if (
        region is not None
        and len(array) == len(grid.array)
        and array.shape[1:] != grid.shape[1:]
        and list(array.shape[1:]) == region["of"]
    ):
        rows, columns = slice(*region["rows"]), slice(*region["columns"])
        lost = np.count_nonzero(array) - np.count_nonzero(array[:, rows, columns])
        if lost:
            raise InputError(
                f"A segmentation must lie inside the region of tissue; got {lost} "
                "pixels outside. Read the whole picture of the scan.",
                plain=(
                    f"{lost} pixels of the segmentation lie outside the region of "
                    "tissue. Read the whole picture of the scan."
                ),
            )
        array = array[:, rows, columns]
        affine[:3, 3] += affine[:3, :2] @ (columns.start, rows.start)
    return replace(mask, array=array, affine=affine)


def _laid(array: NDArray[Any], mask: Volume, grid: Volume) -> Volume:
    """Return ``array`` on a grid, with what is known of the mask and of the grid."""
    own = {k: v for k, v in mask.metadata.items() if k not in BETWEEN_FRAMES}
    known = grid if grid.has_geometry else mask
    stated = {k: v for k, v in known.metadata.items() if k in BETWEEN_FRAMES}
    return grid.like(array, **own, **stated)


def _lies_over(mask: Volume, grid: Volume) -> bool:
    """Return whether both lie at one place, by any form that the scan's file states.

    A program that uses the other form of a NIfTI file draws its masks there. Where
    the distance of frames is unknown to one, that of the other says nothing.
    """
    is_known = grid.knows_frame_distance and mask.knows_frame_distance
    if grid.has_geometry and mask.has_geometry and not is_known:
        axes = mask.affine.copy()
        axes[:3, 2] = grid.affine[:3, 2]
        mask = replace(mask, affine=axes)
    return any(
        mask.shares_grid(replace(grid, affine=affine))
        for affine in (grid.affine, *(affines(grid.place) if grid.place else ()))
    )


def difference(mask: Volume, grid: Volume) -> str:
    """Return in words how two grids differ in place, "" where only in size.

    Returns
    -------
    str
        Such as ", turned by 3.0° and shifted by 1.2 mm".
    """
    if not (mask.has_geometry and grid.has_geometry):
        return ""
    axes = [
        v.affine[:3, :3] / np.linalg.norm(v.affine[:3, :3], axis=0)
        for v in (mask, grid)
    ]
    stated = []
    flipped = [
        name
        for name, one, other in zip(
            ("columns", "rows", "frames"), axes[0].T, axes[1].T, strict=True
        )
        if one @ other < -0.5
    ]
    if flipped:
        stated.append(f"{' and '.join(flipped)} running the other way")
    else:
        cosine = (np.trace(axes[0].T @ axes[1]) - 1) / 2
        angle = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
        if angle > 0.05:
            stated.append(f"turned by {angle:.1f}°")
    shift = float(np.linalg.norm(_centre(mask) - _centre(grid)))
    if shift > _SHOWN_SHIFT_MM:
        stated.append(f"centres {shift:.4g} mm apart")
    return f", {', '.join(stated)}" if stated else ""


def _centre(volume: Volume) -> NDArray[np.float64]:
    z, y, x = volume.shape
    middle = np.array([(x - 1) / 2, (y - 1) / 2, (z - 1) / 2, 1.0])
    centre: NDArray[np.float64] = (volume.affine @ middle)[:3]
    return centre


def _listed(values: Any) -> str:
    shown = [f"{v:g}" for v in sorted(values)]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:7], "…", shown[-1]])


def _what_differs(mask: Volume, grid: Volume, under: str) -> str:
    """Return in words why a mask lies on another grid: the first reason there is."""
    if mask.shape != grid.shape:
        return (
            f"it has {size_in_words(mask.shape)}, and the {under} "
            f"{size_in_words(grid.shape)}"
        )
    if not np.allclose(mask.spacing_mm, grid.spacing_mm, rtol=1e-3, atol=0):
        return f"its voxels have {_size(mask)}, and the {under}'s {_size(grid)}"
    return f"it lies elsewhere{difference(mask, grid)}"


def _size(volume: Volume) -> str:
    unit = "mm" if volume.has_geometry else "pixels"
    return " × ".join(f"{s:.4g}" for s in volume.spacing_mm) + f" {unit}"
