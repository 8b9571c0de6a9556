"""What a person stated about a scan, as it is kept with the scan's node."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk

if TYPE_CHECKING:
    from napari_microus.core.io import ScanProperties

_STATED = "MicroUS.ScanProperties"
# Sizes that differ by less, relative, went through a file.
_SAME = 1e-5


@dataclass(frozen=True, eq=False)
class Stated:
    """What a person stated about a scan, and its effect on the node.

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


def stated_of(node: slicer.vtkMRMLVolumeNode) -> Stated | None:
    """Return what a person stated about a scan, None where it no longer holds.

    That is so where somebody gave the volume another size since, in the module
    Volumes or by a transform: the newest counts.

    Raises
    ------
    InputError
        If the scene holds what cannot be.
    """
    kept = node.GetAttribute(_STATED)
    if not kept:
        return None
    from napari_microus.core.io import ScanProperties

    document = json.loads(kept)
    found = Stated(
        ScanProperties.from_dict(document["properties"]),
        np.array(document["before"], dtype=float),
        np.array(document["after"], dtype=float),
    )
    changed_by = _sizes_of(node) / _sizes(found.after) - 1
    return found if np.abs(changed_by).max() <= _SAME else None


def keep_stated(node: slicer.vtkMRMLVolumeNode, stated: Stated) -> None:
    """Keep with a node what a person stated, even if that is nothing."""
    document = {
        "properties": stated.properties.to_dict(),
        "before": stated.before.tolist(),
        "after": stated.after.tolist(),
    }
    node.SetAttribute(_STATED, json.dumps(document))


def was_asked(node: slicer.vtkMRMLVolumeNode) -> bool:
    """Return whether a scan's node keeps a person's statement, if only an empty one.

    What lies beside the scan's file is then not taken unasked.
    """
    return node.GetAttribute(_STATED) is not None


def _sizes(affine: np.ndarray) -> np.ndarray:
    return (affine[:3, :3] ** 2).sum(axis=0) ** 0.5


def _sizes_of(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return _sizes(slicer.util.arrayFromVTKMatrix(matrix))
