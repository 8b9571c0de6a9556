"""Make nodes of scans and masks that the core has read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import slicer

from .loaded_size import LoadedSize, keep_size
from .nodes import keep_frame_order

if TYPE_CHECKING:
    from napari_microus.core.volume import Volume


def labelmap_from_volume(volume: Volume, name: str) -> slicer.vtkMRMLLabelMapVolumeNode:
    """Add a label volume node of a mask; its frames run as Slicer's own do."""
    return _node_from_volume(volume, name, "vtkMRMLLabelMapVolumeNode")


def scan_from_volume(volume: Volume, name: str) -> slicer.vtkMRMLScalarVolumeNode:
    """Add a volume node of a scan that the core has read.

    Frame numbers stay those of the file, see `frames_as_stored`, and a scan without
    a known pixel size stays one.
    """
    node = _node_from_volume(volume, name, "vtkMRMLScalarVolumeNode")
    is_turned = np.linalg.det(volume.affine[:3, :3]) < 0
    keep_frame_order(node, bool(is_turned))
    keep_size(
        node,
        LoadedSize(
            node.GetSpacing(),
            volume.has_geometry,
            volume.knows_frame_distance or len(volume.array) == 1,
            volume.is_oriented,
        ),
    )
    return node


def _node_from_volume(
    volume: Volume, name: str, kind: str
) -> slicer.vtkMRMLScalarVolumeNode:
    array, affine = volume.array, np.array(volume.affine)
    if np.linalg.det(affine[:3, :3]) < 0:
        array = array[::-1]
        affine[:3, 3] += affine[:3, 2] * (len(array) - 1)
        affine[:3, 2] *= -1
    node = slicer.mrmlScene.AddNewNodeByClass(
        kind, slicer.mrmlScene.GenerateUniqueName(name)
    )
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(array))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
    node.CreateDefaultDisplayNodes()
    return node
