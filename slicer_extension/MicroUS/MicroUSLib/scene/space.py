"""Show a capsule in 3D, in millimetres, where the geometry of its scan is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from .grids import SCAN_ROLE, scan_of_annotation
from .made_nodes import scan_from_volume
from .nodes import grid_from_node, volume_from_node
from .results import RESULT
from .segments import (
    add_segment,
    is_derived,
    new_segmentation,
    put_beside,
    remove_segmentation,
    segment_array,
)

if TYPE_CHECKING:
    from napari_microus.core.volume import Volume

_IN_SPACE = "sweep in space"


def show_in_space(
    volume: slicer.vtkMRMLVolumeNode,
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
) -> None:
    """Show a segment as a closed surface.

    The voxels of parallel frames are Cartesian: Slicer's own surface of the segment is
    the capsule's. The frames of a rotational sweep are a fan, and have to be placed
    in space first; their copies are nodes of their own.

    Raises
    ------
    InputError
        If the scan has one frame, or it is unknown how its frames lie to each other.
    """
    from napari_microus.core.errors import InputError
    from napari_microus.core.sweep import sweep_of
    from napari_microus.core.volumetry import NO_PIXEL_SIZE, NO_SWEEP

    grid = grid_from_node(volume)
    if len(grid.array) == 1:
        raise InputError(
            "A surface must have two or more frames; got one. Choose the whole scan.",
            plain="One frame has no surface. Choose the whole scan.",
        )
    is_turned = sweep_of(grid.metadata).kind == "rotational"
    if not grid.has_geometry or not (is_turned or grid.knows_frame_distance):
        reason = NO_SWEEP if grid.has_geometry else NO_PIXEL_SIZE
        reason = reason.replace("No volume", "No surface")
        raise InputError(f"{reason} State them under Scan properties.")
    if is_turned:
        mask = grid.like(segment_array(segmentation, segment_id, volume))
        placed = resample_rotational_sweep(volume_from_node(volume), mask)
        show_resampled_sweep(*placed, volume)
        return
    _show_surface(segmentation)


def resample_rotational_sweep(scan: Volume, mask: Volume) -> tuple[Volume, Volume]:
    """Return a rotational sweep and its mask on a Cartesian grid in space.

    Raises
    ------
    InputError
        If the sweep's geometry is not known.
    """
    from napari_microus.core.events import drain
    from napari_microus.core.sweep_space import resample_sweep

    return drain(resample_sweep(scan)), drain(resample_sweep(mask, method="shape"))


def show_resampled_sweep(
    scan: Volume, mask: Volume, volume: slicer.vtkMRMLVolumeNode
) -> tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLSegmentationNode]:
    """Add a rotational sweep that was placed in space, and its capsule's surface.

    Parameters
    ----------
    scan, mask : Volume
        On one Cartesian grid; the mask is 0 or 1.
    volume : vtkMRMLVolumeNode
        The scan they come from: they lie under its transform and beside it, and what
        was shown of it before is replaced.

    Returns
    -------
    tuple of vtkMRMLScalarVolumeNode and vtkMRMLSegmentationNode
    """
    remove_resampled_sweep(volume)
    name = f"{volume.GetName()} in space"
    node = scan_from_volume(scan, name)
    node.SetName(name)  # what had it was removed
    node.SetAttribute(RESULT, _IN_SPACE)
    node.SetNodeReferenceID(SCAN_ROLE, volume.GetID())
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    put_beside(node, volume)
    capsule = new_segmentation(node, f"{node.GetName()} capsule", is_derived=True)
    capsule.SetName(f"{name} capsule")
    add_segment(mask.array, capsule, node)
    _show_surface(capsule)
    return node, capsule


def remove_resampled_sweep(volume: slicer.vtkMRMLVolumeNode) -> None:
    """Remove what `show_resampled_sweep` added for a scan: its size is another now."""
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        is_shown = node.GetAttribute(RESULT) == _IN_SPACE
        if not is_shown or scan_of_annotation(node) is not volume:
            continue
        for capsule in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
            if is_derived(capsule) and scan_of_annotation(capsule) is node:
                remove_segmentation(capsule)
        slicer.mrmlScene.RemoveNode(node)


def _show_surface(segmentation: slicer.vtkMRMLSegmentationNode) -> None:
    segmentation.RemoveClosedSurfaceRepresentation()  # it may show what was before
    segmentation.CreateClosedSurfaceRepresentation()
    display = segmentation.GetDisplayNode()
    display.SetVisibility(True)
    display.SetVisibility3D(True)
    if slicer.app.layoutManager() is not None:
        slicer.util.resetThreeDViews()
