"""What a person told about a scan, as it is kept with the scan's node."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk

if TYPE_CHECKING:
    from napari_microus.core.io import ScanProperties

_TOLD = "MicroUS.ScanProperties"
# Sizes that differ by less, relative, went through a file.
_SAME = 1e-5


@dataclass(frozen=True, eq=False)
class Told:
    """A person's word about a scan, and what it did to the node.

    Parameters
    ----------
    properties : ScanProperties
        With the axis of a sweep counted in the picture that Slicer shows.
    before, after : ndarray, shape (4, 4)
        IJKToRAS without and with them, of frames in the order of the scan's file.
    """

    properties: ScanProperties
    before: np.ndarray
    after: np.ndarray


def told_of(node: slicer.vtkMRMLVolumeNode) -> Told | None:
    """Return what a person told about a scan, None where it no longer holds.

    That is so where somebody gave the volume another size since, in the module
    Volumes or by a transform: the newest word counts.

    Raises
    ------
    InputError
        If the scene holds what cannot be.
    """
    kept = node.GetAttribute(_TOLD)
    if not kept:
        return None
    from napari_microus.core.io import ScanProperties

    document = json.loads(kept)
    told = Told(
        ScanProperties.from_dict(document["properties"]),
        np.array(document["before"], dtype=float),
        np.array(document["after"], dtype=float),
    )
    changed_by = _sizes_of(node) / _sizes(told.after) - 1
    return told if np.abs(changed_by).max() <= _SAME else None


def keep_told(node: slicer.vtkMRMLVolumeNode, told: Told) -> None:
    """Keep with a node what a person told, also that it is nothing."""
    document = {
        "properties": told.properties.to_dict(),
        "before": told.before.tolist(),
        "after": told.after.tolist(),
    }
    node.SetAttribute(_TOLD, json.dumps(document))


def was_asked(node: slicer.vtkMRMLVolumeNode) -> bool:
    """Return whether a scan's node keeps a person's word, if only that it is nothing.

    What lies beside the scan's file is then not taken unasked.
    """
    return node.GetAttribute(_TOLD) is not None


def _sizes(affine: np.ndarray) -> np.ndarray:
    return (affine[:3, :3] ** 2).sum(axis=0) ** 0.5


def _sizes_of(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return _sizes(slicer.util.arrayFromVTKMatrix(matrix))
