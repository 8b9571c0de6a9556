"""What a person states about a scan: kept with its node and beside its file, and used.

The rules are the core's. Here they meet the node: its size, what was drawn on it, and
that Slicer shows the whole picture of a DICOM file of which the core reads a part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer

from .loaded_size import files_of, size_stated_by_file
from .nodes import affine_in_file, grid_as_loaded, grid_from_node
from .placing import motion_between, move_scan
from .sequence_items import with_items
from .stated import Stated, keep_stated, stated_of, was_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_microus.core.io import ScanProperties
    from napari_microus.core.io.blanking import Rectangle

_SAME_MM = 1e-6
_DIGITS = 6  # of a millimetre


@dataclass(frozen=True)
class Kept:
    """Where properties were kept beside the scene, or why they were not.

    ``file`` is None where the scan has no file of its own; ``problem`` is a sentence.
    """

    file: Path | None = None
    problem: str = ""


def properties_of(volume: slicer.vtkMRMLVolumeNode) -> ScanProperties:
    """Return what a person stated about a scan in this scene.

    The axis of a sweep is counted in the picture that Slicer shows.
    """
    from napari_microus.core.io import ScanProperties

    stated = stated_of(volume)
    return ScanProperties() if stated is None else stated.properties


def properties_beside(volume: slicer.vtkMRMLVolumeNode) -> ScanProperties:
    """Return what is kept beside a scan's file, nothing where there is no such file.

    Raises
    ------
    InputError
        If it is damaged.
    """
    from napari_microus.core.io import ScanProperties, read_scan_properties

    path = scan_path(volume)
    if path is None:
        return ScanProperties()
    return _shifted(read_scan_properties(path), volume, 1)


def adopt_properties(
    volume: slicer.vtkMRMLVolumeNode,
    checks: Sequence[Callable[[slicer.vtkMRMLVolumeNode], None]] = (),
) -> bool:
    """Use what is kept beside a scan's file, unless something was stated for its node.

    Parameters
    ----------
    volume : vtkMRMLVolumeNode
        The scan.
    checks : sequence of callable
        Called before the scan changes, and may raise.

    Returns
    -------
    bool
        Whether something was found there.

    Raises
    ------
    InputError
        If it is damaged or does not fit; the scene is unchanged then.
    """
    if was_asked(volume):
        return False
    found = properties_beside(volume)
    if found.is_empty:
        return False
    for check in checks:
        check(volume)
    use_properties(volume, found)
    return True


def use_properties(
    volume: slicer.vtkMRMLVolumeNode, properties: ScanProperties
) -> None:
    """Give a scan, and what was drawn on it, the properties that a person states.

    Parameters
    ----------
    volume : vtkMRMLVolumeNode
        The scan.
    properties : ScanProperties
        Replace what was stated before; with none, the scan is as Slicer loaded it.

    Raises
    ------
    InputError
        If they do not fit the scan, or something that was drawn on it cannot follow;
        the scene is unchanged then.
    """
    from napari_microus.core.io.scan_properties import with_properties

    before = _before(volume)
    loaded = grid_as_loaded(volume, before)
    wanted = with_properties(loaded, properties)
    is_as_loaded = bool((wanted.affine == loaded.affine).all())
    after = before if is_as_loaded else wanted.affine
    move_scan(volume, after)
    for node in with_items(volume):
        keep_stated(node, Stated(properties, before, after))


def keep_beside(volume: slicer.vtkMRMLVolumeNode, properties: ScanProperties) -> Kept:
    """Write properties beside the scan's file, where napari finds them too."""
    from napari_microus.core.errors import MicroUSError
    from napari_microus.core.io import write_scan_properties

    path = scan_path(volume)
    if path is None:
        return Kept()
    try:
        in_file = _shifted(properties, volume, -1)
        return Kept(write_scan_properties(path, in_file))
    except MicroUSError as error:
        return Kept(problem=error.plain)


def scan_path(volume: slicer.vtkMRMLVolumeNode) -> Path | None:
    """Return the file or the folder of frames that a scan was read from.

    None where it is gone, as a scene's own copies are, and for files that lie in the
    database that Slicer copies DICOM into: nobody looks there.
    """
    files = files_of(volume)
    if files is None or not files[0].exists():
        return None
    database = getattr(getattr(slicer, "dicomDatabase", None), "databaseDirectory", "")
    if database and Path(database) in files[0].parents:
        return None
    return files[0].parent if len(files) > 1 else files[0]


def _before(volume: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the affine that a scan would have without what was stated."""
    stated, now = stated_of(volume), affine_in_file(volume)
    if stated is None:
        return now
    if np.abs(now - stated.after).max() <= _SAME_MM:
        return stated.before
    # Somebody has moved the scan since, by hardening a transform.
    return motion_between(stated.after, now) @ stated.before


def _shifted(
    properties: ScanProperties, volume: slicer.vtkMRMLVolumeNode, sign: int
) -> ScanProperties:
    """Count the axis of a sweep in Slicer's picture (1), or in the core's (-1).

    Raises
    ------
    InputError
        If the two differ and the size of a pixel is unknown.
    """
    from napari_microus.core.errors import InputError

    sweep, file = properties.sweep, size_stated_by_file(volume)
    columns, rows, _ = volume.GetImageData().GetDimensions()
    is_whole = file is not None and file.whole == (rows, columns)
    if properties.blank and is_whole:
        properties = replace(
            properties, blank=_moved(properties.blank, file.start, sign)
        )
    if sweep is None or sweep.axis_at_mm is None or not is_whole:
        return properties
    pixel_mm = properties.pixel_mm or file.pixel_mm
    if pixel_mm is None and grid_from_node(volume).has_geometry:
        pixel_mm = grid_from_node(volume).spacing_mm[1:]
    if pixel_mm is None:
        raise InputError(
            "The size of a pixel must be known to place the axis of a sweep in a part "
            "of the picture; got none. State the pixel size too.",
            plain=(
                "The axis of the sweep cannot be placed in this part of the "
                "picture without the size of a pixel. State the pixel size "
                "too."
            ),
        )
    along = 0 if sweep.axis_along == "columns" else 1
    moved = sign * file.start[along] * pixel_mm[along]
    at_mm = round(sweep.axis_at_mm + moved, _DIGITS)
    return replace(properties, sweep=replace(sweep, axis_at_mm=at_mm))


def _moved(
    parts: Sequence[Rectangle], start: Sequence[int], sign: int
) -> tuple[Rectangle, ...]:
    """Return the parts of a picture to blank out, in the other one's pixels."""
    down, right = (sign * pixels for pixels in start)
    return tuple(
        (top + down, bottom + down, left + right, end + right)
        for top, bottom, left, end in parts
    )
