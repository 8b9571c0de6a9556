"""A mask that is laid over a volume in the slice views and changes many times a second.

A label volume, not a segmentation: Slicer draws it again in a tenth of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from .nodes import ijk_to_ras, is_in_scene
from .segments import CAPSULE_COLOR

if TYPE_CHECKING:
    import numpy as np

_OPACITY = 0.4


class LiveOverlay:
    """Shows masks in every slice view whose background is a volume.

    Parameters
    ----------
    name : str
        Of the label volume; it is saved with no scene.
    volume : vtkMRMLVolumeNode
        What the masks lie over, also under its transform.
    """

    def __init__(self, name: str, volume: slicer.vtkMRMLVolumeNode) -> None:
        self._name, self._volume = name, volume
        self._node: slicer.vtkMRMLLabelMapVolumeNode | None = None
        self._color: slicer.vtkMRMLColorTableNode | None = None
        # Views with the label volume and opacity that they had before.
        self._before: dict[str, tuple[str | None, float]] = {}

    def show(self, mask: np.ndarray, affine: np.ndarray) -> None:
        """Show a mask (rows, columns) whose voxels lie as ``affine`` says."""
        if not is_in_scene(self._node):
            self._make()
        node = self._node
        image = node.GetImageData()
        if image is not None and image.GetDimensions() == (*mask.shape[::-1], 1):
            slicer.util.arrayFromVolume(node)[0] = mask
            slicer.util.arrayFromVolumeModified(node)
        else:
            slicer.util.updateVolumeFromArray(node, mask[None].copy())
        if image is None or (ijk_to_ras(node) != affine).any():
            node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
        if node.GetTransformNodeID() != self._volume.GetTransformNodeID():
            node.SetAndObserveTransformNodeID(self._volume.GetTransformNodeID())
        self._lay_over()

    def remove(self) -> None:
        """Take the mask away, and show what was shown before."""
        if is_in_scene(self._node):
            for view in self._views():
                if view.GetLabelVolumeID() == self._node.GetID():
                    label, opacity = self._before.get(view.GetID(), (None, 1.0))
                    view.SetLabelVolumeID(label)
                    view.SetLabelOpacity(opacity)
            display = self._node.GetDisplayNode()
            for node in (self._node, display, self._color):
                if is_in_scene(node):
                    slicer.mrmlScene.RemoveNode(node)
        self._node = self._color = None
        self._before.clear()

    def _make(self) -> None:
        color = slicer.vtkMRMLColorTableNode()
        color.SetName(self._name)
        color.SetTypeToUser()
        color.SetNumberOfColors(2)
        color.SetColor(0, "background", 0, 0, 0, 0)
        color.SetColor(1, self._name, *CAPSULE_COLOR, 1)
        color.SetHideFromEditors(True)
        color.SetSaveWithScene(False)
        slicer.mrmlScene.AddNode(color)
        node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLLabelMapVolumeNode",
            slicer.mrmlScene.GenerateUniqueName(self._name),
        )
        node.SetSaveWithScene(False)
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetSaveWithScene(False)
        node.GetDisplayNode().SetAndObserveColorNodeID(color.GetID())
        self._node, self._color = node, color

    def _lay_over(self) -> None:
        """Show the mask where the volume is the background and it is not shown yet."""
        for view in self._views():
            if view.GetBackgroundVolumeID() != self._volume.GetID():
                continue
            if view.GetLabelVolumeID() != self._node.GetID():
                known = (view.GetLabelVolumeID(), view.GetLabelOpacity())
                self._before.setdefault(view.GetID(), known)
                view.SetLabelVolumeID(self._node.GetID())
                view.SetLabelOpacity(_OPACITY)

    def _views(self) -> list[slicer.vtkMRMLSliceCompositeNode]:
        return list(slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"))
