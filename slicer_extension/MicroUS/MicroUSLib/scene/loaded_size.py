"""What is known of a volume's size as Slicer loaded it.

Slicer has a number for every size. Where a file states none it says 1 mm; a printing
size it takes for a pixel's; the calibrated regions of ultrasound it reads in one of
its DICOM readers and not in the other. The core reads what a file states, and the
volume's attribute keeps it, also in a saved scene.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import slicer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_microus.core.io.file_size import FileSize

#: Attribute: the file that the module itself read a node from.
FILE = "MicroUS.File"

_AS_LOADED = "MicroUS.SizeAsLoaded"
_UIDS = "DICOM.instanceUIDs"
# Files that often state no pixel size; 1 mm is none where they are gone.
_TELL_LITTLE = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm")
# Sizes that differ by less are one, rounded.
_SAME = 1e-3


@dataclass(frozen=True)
class LoadedSize:
    """Which of a volume's sizes its file states.

    Parameters
    ----------
    spacing : tuple of float
        As Slicer has it: column, row, frame.
    pixel, distance, orientation : bool
        Whether those of a pixel, between two frames, and the directions in the
        patient are stated.
    """

    spacing: tuple[float, float, float]
    pixel: bool = True
    distance: bool = True
    orientation: bool = True

    def after(self, spacing: Sequence[float]) -> LoadedSize:
        """Return what is known once somebody set another ``spacing`` in Slicer."""
        x, y, z = spacing
        old_x, old_y, old_z = self.spacing
        is_pixel_new = not (_is_same(x, old_x) and _is_same(y, old_y))
        return LoadedSize(
            (x, y, z),
            self.pixel or is_pixel_new,
            self.distance or not _is_same(z, old_z),
            self.orientation,
        )


def size_as_loaded(
    node: slicer.vtkMRMLVolumeNode, spacing: Sequence[float]
) -> LoadedSize:
    """Return what is known of a node that has this ``spacing`` (column, row, frame).

    The answer is kept with the node: a scene that is saved writes its voxels into a
    file of its own, whose header states nothing of the first one.
    """
    kept = node.GetAttribute(_AS_LOADED)
    if kept is not None:
        stated = json.loads(kept)
        stated["spacing"] = tuple(stated["spacing"])
        return LoadedSize(**stated).after(spacing)
    x, y, z = spacing
    files = files_of(node)
    if files is None:
        return LoadedSize((x, y, z))  # made here: its size is somebody's word
    stated = size_stated_by_file(node)
    if stated is None:
        return _by_name(files[0], (x, y, z))
    frames = node.GetImageData().GetDimensions()[2]
    found = _compared(files, stated, (x, y, z), frames)
    keep_size(node, found)
    return found


def keep_size(node: slicer.vtkMRMLVolumeNode, size: LoadedSize) -> None:
    """Keep with a node what is known of its size."""
    node.SetAttribute(_AS_LOADED, json.dumps(asdict(size)))


def files_of(node: slicer.vtkMRMLVolumeNode) -> tuple[Path, ...] | None:
    """Return the files that a node was read from, None where it has none."""
    storage = node.GetStorageNode()
    name = storage.GetFileName() if storage is not None else None
    if name:
        several = [
            storage.GetNthFileName(n) for n in range(storage.GetNumberOfFileNames())
        ]
        return tuple(map(Path, several if len(several) > 1 else [name]))
    own = node.GetAttribute(FILE)
    if own:
        return (Path(own),)
    database = getattr(slicer, "dicomDatabase", None)
    uids = (node.GetAttribute(_UIDS) or "").split()
    if database is None or not uids:
        return None
    found = [database.fileForInstance(uid) for uid in dict.fromkeys(uids)]
    return tuple(map(Path, found)) if all(found) else None


def size_stated_by_file(node: slicer.vtkMRMLVolumeNode) -> FileSize | None:
    """Return what a node's file states, None where nobody can ask it."""
    import napari_microus.core.io.file_size  # noqa: F401  where it is missing, say so

    files = files_of(node)
    return None if files is None else _file_size(files, _changed_when(files))


def _by_name(file: Path, spacing: tuple[float, float, float]) -> LoadedSize:
    """Return what is known of a file that is gone or that the core cannot read."""
    x, y, z = spacing
    if file.suffix.lower() not in _TELL_LITTLE:
        return LoadedSize(spacing)
    return LoadedSize(spacing, not x == y == 1.0, z != 1.0, False)


def _compared(
    files: tuple[Path, ...],
    stated: FileSize,
    spacing: tuple[float, float, float],
    frames: int,
) -> LoadedSize:
    """Return which of the sizes that Slicer loaded are the file's."""
    x, y, z = spacing
    is_pixel_stated = stated.pixel_mm is not None and (
        _is_same(y, stated.pixel_mm[0]) and _is_same(x, stated.pixel_mm[1])
    )
    is_distance_stated = frames == 1 or (
        stated.frame_distance_mm is not None and _is_same(z, stated.frame_distance_mm)
    )
    if not (is_pixel_stated and is_distance_stated):
        # What neither the file nor Slicer's reader says, somebody has set.
        read_x, read_y, read_z = _read_by_itk(files[0], _changed_when(files))
        is_unset = x == y == 1.0 or (_is_same(x, read_x) and _is_same(y, read_y))
        is_pixel_stated |= not is_unset
        is_distance_stated |= not (z == 1.0 or _is_same(z, read_z))
    return LoadedSize(spacing, is_pixel_stated, is_distance_stated, stated.is_oriented)


def _is_same(one: float, other: float) -> bool:
    return abs(one - other) <= _SAME * max(abs(one), abs(other))


def _changed_when(files: tuple[Path, ...]) -> tuple[float, ...]:
    return tuple(path.stat().st_mtime if path.exists() else 0.0 for path in files[:1])


@cache  # a file may vanish while its node is at work
def _file_size(files: tuple[Path, ...], when: tuple[float, ...]) -> FileSize | None:
    from napari_microus.core.errors import MicroUSError
    from napari_microus.core.io.file_size import size_in_file

    try:
        return size_in_file(files if len(files) > 1 else files[0])
    except MicroUSError:
        return None


@cache
def _read_by_itk(path: Path, when: tuple[float, ...]) -> tuple[float, float, float]:
    """Return the spacing that ITK, and with it Slicer, takes from a file."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return 1.0, 1.0, 1.0
    x, y, z = (*reader.GetSpacing(), 1.0)[:3]
    return x, y, z
