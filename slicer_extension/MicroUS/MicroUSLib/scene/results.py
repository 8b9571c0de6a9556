"""Results of this module: one of a kind per scan, the older one goes."""

from __future__ import annotations

import slicer

from .grids import SCAN_ROLE, scan_of_annotation
from .segments import remove_segmentation

# Attribute that names what a node shows; nodes of one kind replace each other.
RESULT = "MicroUS.Result"


def replace_older(node: slicer.vtkMRMLNode, volume: slicer.vtkMRMLVolumeNode) -> None:
    """Remove older results of the kind of ``node`` for this scan, and take their name.

    Nothing that somebody drew is of such a kind.
    """
    if not node.IsA("vtkMRMLSegmentationNode"):
        node.SetNodeReferenceID(SCAN_ROLE, volume.GetID())
    kind = node.GetAttribute(RESULT)
    for other in slicer.util.getNodesByClass(node.GetClassName()):
        is_older = other is not node and other.GetAttribute(RESULT) == kind
        if not is_older or scan_of_annotation(other) is not volume:
            continue
        name = other.GetName()
        if other.IsA("vtkMRMLSegmentationNode"):
            remove_segmentation(other)
        else:
            slicer.mrmlScene.RemoveNode(other)
        node.SetName(name)


def remove_table(volume: slicer.vtkMRMLVolumeNode) -> None:
    """Remove the table of a scan's frames: its numbers are of another size."""
    for node in slicer.util.getNodesByClass("vtkMRMLTableNode"):
        if node.GetAttribute(RESULT) and scan_of_annotation(node) is volume:
            slicer.mrmlScene.RemoveNode(node)


def hide_older(node: slicer.vtkMRMLSegmentationNode, kind: str) -> None:
    """Mark a segmentation as work of a kind, and hide older ones of its scan."""
    node.SetAttribute(RESULT, kind)
    for other in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if (
            other is not node
            and other.GetAttribute(RESULT) == kind
            and scan_of_annotation(other) is scan_of_annotation(node)
        ):
            other.SetDisplayVisibility(False)
