"""Return whether nodes share a grid and a transform, so that voxels meet voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk

from .nodes import ijk_to_ras, is_in_scene, require_linear_transform, require_volume

# A loaded mask's reference to the scan it was laid over.
SCAN_ROLE = "MicroUS.Scan"

if TYPE_CHECKING:
    from napari_microus.core.volume import Volume


def require_same_place(
    segmentation: slicer.vtkMRMLSegmentationNode, volume: slicer.vtkMRMLVolumeNode
) -> None:
    """Raise a sentence unless a segmentation lies on the grid of ``volume``.

    Raises
    ------
    InputError
        If the node left the scene, was drawn on another grid, or has another
        parent transform. An empty segmentation fits every volume.
    """
    from napari_microus.core.errors import InputError

    if not is_in_scene(segmentation):
        raise InputError(
            "The segmentation must be in the scene; got one that was removed. "
            "Choose another, or none for a new one.",
            plain=(
                "The segmentation was removed from the scene. Choose another, "
                "or none for a new one."
            ),
        )
    require_linear_transform(segmentation)
    if segmentation.GetSegmentation().GetNumberOfSegments() == 0:
        return
    if segmentation.GetTransformNodeID() != volume.GetTransformNodeID():
        raise InputError(
            f"'{segmentation.GetName()}' must lie under the transform of "
            f"'{volume.GetName()}'; got {_transform_name(segmentation)} and "
            f"{_transform_name(volume)}. Put both under one, or choose another "
            "segmentation.",
            plain=(
                f"'{segmentation.GetName()}' and '{volume.GetName()}' lie under "
                f"different transforms ({_transform_name(segmentation)} and "
                f"{_transform_name(volume)}). Put both under one, or choose another "
                "segmentation."
            ),
        )
    grid = drawn_grid(segmentation)
    own = grid_of(volume)
    if grid is not None and not grid.shares_grid(own):
        raise InputError(
            f"'{segmentation.GetName()}' must share the grid of "
            f"'{volume.GetName()}'; got {grid.shape} and {own.shape} voxels or another "
            "place. Choose the volume it was drawn on, or another segmentation.",
            plain=(
                f"'{segmentation.GetName()}' was not drawn on "
                f"'{volume.GetName()}': {grid.shape} and {own.shape} voxels, "
                "or another place. Choose the volume it was drawn on, or "
                "another segmentation."
            ),
        )
    require_same_scan(segmentation, volume)


def require_same_scan(
    node: slicer.vtkMRMLNode, volume: slicer.vtkMRMLVolumeNode
) -> None:
    """Raise a sentence where an annotation was drawn on another scan in the scene.

    Two patients' scans often share a grid. An annotation from a file states no scan
    and is taken.
    """
    from napari_microus.core.errors import InputError

    scan = scan_of_annotation(node)
    if scan is not None and scan is not volume:
        raise InputError(
            f"'{node.GetName()}' must belong to '{volume.GetName()}'; it was drawn on "
            f"'{scan.GetName()}'. Choose that scan, or another annotation.",
            plain=(
                f"'{node.GetName()}' was drawn on '{scan.GetName()}', and not "
                f"on '{volume.GetName()}'. Choose that scan, or another "
                "annotation."
            ),
        )


def scan_of_annotation(
    node: slicer.vtkMRMLNode | None,
) -> slicer.vtkMRMLVolumeNode | None:
    """Return the scan an annotation was drawn on or laid over, None if not stated."""
    if not is_in_scene(node):
        return None
    if node.IsA("vtkMRMLSegmentationNode"):
        return node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    return node.GetNodeReference(SCAN_ROLE)


def require_same_grid(
    node: slicer.vtkMRMLNode, volume: slicer.vtkMRMLVolumeNode, role: str
) -> None:
    """Raise a sentence unless an annotation lies on the grid of ``volume``."""
    from napari_microus.core.errors import InputError

    if node.IsA("vtkMRMLSegmentationNode"):
        require_same_place(node, volume)
        return
    require_volume(node, f"{role} mask")
    mine, grid = grid_of(node), grid_of(volume)
    if not mine.shares_grid(grid):
        raise InputError(
            f"Mask and scan must share a grid; got {mine.shape} in "
            f"'{node.GetName()}' and {grid.shape}, or another place. Choose the "
            "volume it was drawn on, or press Resample.",
            plain=(
                f"'{node.GetName()}' was not drawn on this scan: {mine.shape} "
                f"and {grid.shape} voxels, or another place. Choose the volume "
                "it was drawn on, or press Resample."
            ),
        )
    if node.GetTransformNodeID() != volume.GetTransformNodeID():
        raise InputError(
            "Mask and scan must lie under one transform; got "
            f"{_transform_name(node)} and {_transform_name(volume)}. "
            "Put both under one, or press Resample.",
            plain=(
                "Mask and scan lie under different transforms "
                f"({_transform_name(node)} and {_transform_name(volume)}). Put both "
                "under one, or press Resample."
            ),
        )
    require_same_scan(node, volume)


def drawn_grid(segmentation: slicer.vtkMRMLSegmentationNode) -> Volume | None:
    """Return the grid a segmentation was drawn on, or None where none is stated."""
    converter = slicer.vtkSegmentationConverter
    text = segmentation.GetSegmentation().GetConversionParameter(
        converter.GetReferenceImageGeometryParameterName()
    )
    image = slicer.vtkOrientedImageData()
    if not text or not converter.DeserializeImageGeometry(text, image, False):
        return None
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = slicer.util.arrayFromVTKMatrix(matrix)
    extent = np.reshape(image.GetExtent(), (3, 2))
    affine[:3, 3] += affine[:3, :3] @ extent[:, 0]
    return _empty_volume(extent[:, 1] - extent[:, 0] + 1, affine)


def grid_of(volume: slicer.vtkMRMLVolumeNode) -> Volume:
    """Return the grid of a volume, to compare others with."""
    return _empty_volume(volume.GetImageData().GetDimensions(), ijk_to_ras(volume))


def _empty_volume(dimensions: Any, affine: np.ndarray) -> Volume:
    """Return a volume to compare grids by, right-handed as Slicer's volumes are."""
    from napari_microus.core.volume import Volume

    if np.linalg.det(affine[:3, :3]) < 0:
        affine[:3, 3] += affine[:3, 2] * (dimensions[2] - 1)
        affine[:3, 2] *= -1
    # One zero in memory, whatever the size.
    return Volume(np.broadcast_to(np.uint8(0), tuple(dimensions)[::-1]), affine)


def _transform_name(node: slicer.vtkMRMLTransformableNode) -> str:
    parent = node.GetParentTransformNode()
    return f"'{parent.GetName()}'" if parent is not None else "none"
