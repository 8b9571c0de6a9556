"""Give a scan another size or place, and take along what was drawn on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from .grids import scan_of_annotation
from .nodes import affine_in_file, ijk_to_ras, is_reversed, keep_frame_order
from .segments import LABELMAP, surface_kept
from .sequence_items import with_items
from .undo import end_history

if TYPE_CHECKING:
    from collections.abc import Iterator

# Axes that meet within this of a right angle are at right angles.
_SQUARE = 1e-3
_SAME_MM = 1e-6


def move_scan(volume: slicer.vtkMRMLVolumeNode, affine: np.ndarray) -> None:
    """Give a volume an affine of frames as in its file, and its annotations with it.

    Each voxel keeps its value, its frame and what was drawn on it: annotations are
    stretched and turned with the scan. Where the affine is left-handed, Slicer's order
    of frames is turned round, as it is when Slicer reads such a file. The Segment
    Editor's history of the annotations ends: it holds them where they were.

    Raises
    ------
    InputError
        If something that was drawn on the scan cannot go with it; the scene is
        unchanged then.
    """
    old = affine_in_file(volume)
    if np.abs(affine - old).max() <= _SAME_MM * np.abs(old).max():
        return
    # A map of the whole space, so that what lies beside the grid goes along too.
    change = motion_between(old, affine)
    drawn = list(_annotations(volume))
    for node in drawn:
        _check(node, volume, change)
    scans = with_items(volume)
    _check_items(volume, scans)
    for node in drawn:
        if node.IsA("vtkMRMLSegmentationNode"):
            end_history(node, volume)
    was_reversed, last = is_reversed(volume), volume.GetImageData().GetDimensions()[2]
    is_flipped = np.linalg.det(change[:3, :3]) < 0
    for node in drawn:
        if not node.IsA("vtkMRMLSegmentationNode"):
            _move_voxels(node, change, is_flipped)
            continue
        for item in with_items(node):
            _move_segments(item, change, is_flipped, last - 1)
    for scan in scans:
        _move_voxels(scan, change, is_flipped)
        keep_frame_order(scan, was_reversed != is_flipped)


def motion_between(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return the map of space that takes the affine ``old`` to ``new``, (4, 4)."""
    transposed = np.linalg.solve(old.T, new.T)
    return transposed.T


def _annotations(volume: slicer.vtkMRMLVolumeNode) -> Iterator[slicer.vtkMRMLNode]:
    for kind in ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode"):
        for node in slicer.util.getNodesByClass(kind):
            if node is not volume and scan_of_annotation(node) is volume:
                yield node


def _check(
    node: slicer.vtkMRMLNode, volume: slicer.vtkMRMLVolumeNode, change: np.ndarray
) -> None:
    """Raise a sentence unless an annotation can go where its scan goes."""
    from napari_microus.core.errors import InputError

    name, scan = node.GetName(), volume.GetName()
    if node.GetTransformNodeID() != volume.GetTransformNodeID():
        raise InputError(
            f"'{name}' must lie under the transform of '{scan}' to get its size; got "
            "another. Put both under one, or state the size first.",
            plain=(
                f"'{name}' and '{scan}' lie under different transforms, so "
                "that the size was left as it is. Put both under one, or "
                "state the size first."
            ),
        )
    if not node.IsA("vtkMRMLSegmentationNode"):
        grids = [ijk_to_ras(node)]
    else:
        inside = node.GetSegmentation()
        has_segments = inside.GetNumberOfSegments() > 0
        if has_segments and not inside.ContainsRepresentation(LABELMAP):
            raise InputError(
                f"'{name}' must hold a binary labelmap to get the size of '{scan}'; "
                "got a surface alone. Create the representation in the module "
                "Segmentations.",
                plain=(
                    f"'{name}' is a surface alone, and cannot get the size of "
                    f"'{scan}'. Create its binary labelmap in the module "
                    "Segmentations."
                ),
            )
        grids = [_image_affine(image) for image in _layers(node)]
    for grid in grids:
        axes = (change @ grid)[:3, :3]
        i, j, k = (axes / (axes**2).sum(axis=0) ** 0.5).T
        if max(abs(i @ j), abs(j @ k), abs(i @ k)) > _SQUARE:
            raise InputError(
                f"'{name}' must lie along the rows and columns of '{scan}' to get its "
                "size; got one that is turned against them. Resample it first, or "
                "remove it.",
                plain=(
                    f"'{name}' is turned against '{scan}', and cannot get its "
                    "size. Resample it first, or remove it."
                ),
            )


def _check_items(
    volume: slicer.vtkMRMLVolumeNode, items: list[slicer.vtkMRMLVolumeNode]
) -> None:
    from napari_microus.core.errors import InputError

    own = ijk_to_ras(volume)
    if any(np.abs(ijk_to_ras(item) - own).max() > _SAME_MM for item in items):
        raise InputError(
            "The items of a sequence must lie in one place to get a size; got several "
            f"in that of '{volume.GetName()}'. Set their size in the module Volumes.",
            plain=(
                f"The items of the sequence of '{volume.GetName()}' lie in "
                "several places, and cannot get one size. Set their size in "
                "the module Volumes."
            ),
        )


def _layers(
    node: slicer.vtkMRMLSegmentationNode,
) -> list[slicer.vtkOrientedImageData]:
    """Return each labelmap of a segmentation once; several segments may share one."""
    inside = node.GetSegmentation()
    found = {}
    for segment_id in inside.GetSegmentIDs():
        image = inside.GetSegment(segment_id).GetRepresentation(LABELMAP)
        if image is not None:
            found[image.GetAddressAsString("")] = image
    return list(found.values())


def _move_segments(
    node: slicer.vtkMRMLSegmentationNode,
    change: np.ndarray,
    is_flipped: bool,
    last: int,
) -> None:
    """Move the labelmaps of a segmentation; ``last`` is the scan's last frame."""
    inside = node.GetSegmentation()
    with surface_kept(node):
        for image in _layers(node):
            _move_image(image, change, is_flipped, last)
        for segment_id in inside.GetSegmentIDs():
            inside.GetSegment(segment_id).Modified()
    # The grid that new segments get.
    converter = slicer.vtkSegmentationConverter
    parameter = converter.GetReferenceImageGeometryParameterName()
    grid = slicer.vtkOrientedImageData()
    text = inside.GetConversionParameter(parameter)
    if text and converter.DeserializeImageGeometry(text, grid, False):
        _move_image(grid, change, is_flipped, last)
        inside.SetConversionParameter(parameter, converter.SerializeImageGeometry(grid))


def _move_image(
    image: slicer.vtkOrientedImageData,
    change: np.ndarray,
    is_flipped: bool,
    last: int,
) -> None:
    """Move an image that may cover a part of the scan, frame by frame the same."""
    affine = change @ _image_affine(image)
    if is_flipped:
        i0, i1, j0, j1, k0, k1 = image.GetExtent()
        affine[:3, 3] += affine[:3, 2] * last
        affine[:3, 2] *= -1
        scalars = image.GetPointData().GetScalars()
        image.SetExtent(i0, i1, j0, j1, last - k1, last - k0)
        if scalars is not None:
            frames = vtk_to_numpy(scalars).reshape(max(k1 - k0 + 1, 1), -1)
            turned = np.ascontiguousarray(frames[::-1]).reshape(-1)
            image.GetPointData().SetScalars(numpy_to_vtk(turned, deep=True))
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(affine))
    image.Modified()


def _move_voxels(
    node: slicer.vtkMRMLVolumeNode, change: np.ndarray, is_flipped: bool
) -> None:
    affine = change @ ijk_to_ras(node)
    with slicer.util.NodeModify(node):
        if is_flipped:
            last = node.GetImageData().GetDimensions()[2] - 1
            affine[:3, 3] += affine[:3, 2] * last
            affine[:3, 2] *= -1
            voxels = slicer.util.arrayFromVolume(node)
            voxels[:] = voxels[::-1].copy()
            slicer.util.arrayFromVolumeModified(node)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))


def _image_affine(image: slicer.vtkOrientedImageData) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)
