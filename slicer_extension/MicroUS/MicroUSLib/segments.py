"""Put masks into segmentation nodes, and read them back.

A segment that somebody made is never replaced: a mask becomes a new segment, and
only the frames of a segment of our own are changed in place, with undo. Masks are
(frames, rows, columns) in the order of the volume's file.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk

from .labelmaps import read_labelmap, write_frames, write_labelmap, write_layer
from .nodes import (
    frame_as_stored,
    frames_as_stored,
    ijk_to_ras,
    is_in_scene,
    require_linear_transform,
    require_volume,
    volume_from_node,
)
from .undo import save_state_for_undo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from napari_microus.core.volume import Volume

    SaveState = Callable[
        [slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLVolumeNode], None
    ]

CAPSULE = "Capsule"
CAPSULE_COLOR = (0.941, 0.894, 0.259)  # that of napari's layer
PROSTATE = (
    "Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^123037004^Anatomical Structure~SCT^41216001^Prostate~^^"
    "~Anatomic codes - DICOM master list~^^~^^"
)
# Tag of a segment made here; its value tells how (JSON).
PROVENANCE_TAG = "MicroUS.Provenance"

_SURFACE = "Closed surface"
_UNDECIDED = 255
_FILL = 0.2  # the tissue stays visible under a segment
_MOST_LABELS = 32


def new_segmentation(
    volume: slicer.vtkMRMLVolumeNode, name: str
) -> slicer.vtkMRMLSegmentationNode:
    """Return a new segmentation node on the grid and under the transform of a volume.

    ``name`` gets a number where another node has it.
    """
    node = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLSegmentationNode", slicer.mrmlScene.GenerateUniqueName(name)
    )
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetOpacity2DFill(_FILL)
    _lie_over(node, volume)
    return node


def remove_segmentation(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Remove a segmentation node of ours together with its display node."""
    display = node.GetDisplayNode()
    slicer.mrmlScene.RemoveNode(node)
    if display is not None:
        slicer.mrmlScene.RemoveNode(display)


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
            "Choose another, or none for a new one."
        )
    require_linear_transform(segmentation)
    if segmentation.GetSegmentation().GetNumberOfSegments() == 0:
        return
    if segmentation.GetTransformNodeID() != volume.GetTransformNodeID():
        raise InputError(
            f"'{segmentation.GetName()}' must lie under the transform of "
            f"'{volume.GetName()}'; got {_transform_name(segmentation)} and "
            f"{_transform_name(volume)}. Put both under one, or choose another "
            "segmentation."
        )
    grid = _grid(segmentation)
    own = _grid_of(volume)
    if grid is not None and not grid.shares_grid(own):
        raise InputError(
            f"'{segmentation.GetName()}' must share the grid of "
            f"'{volume.GetName()}'; got {grid.shape} and {own.shape} voxels or another "
            "place. Choose the volume it was drawn on, or another segmentation."
        )


def add_segment(
    mask: np.ndarray,
    segmentation: slicer.vtkMRMLSegmentationNode,
    volume: slicer.vtkMRMLVolumeNode,
    *,
    name: str = CAPSULE,
    color: tuple[float, float, float] = CAPSULE_COLOR,
    terminology: str = PROSTATE,
    provenance: Mapping[str, Any] | None = None,
    is_worked_on: bool = False,
) -> str:
    """Add ``mask`` as a new segment and return the segment's ID.

    Parameters
    ----------
    mask : ndarray, shape (Z, Y, X)
        0 or 1 on the grid of ``volume``.
    segmentation, volume : vtkMRMLSegmentationNode, vtkMRMLVolumeNode
        Where it goes and whose grid it has; see `require_same_place`.
    name : str
        Gets a number where a segment of that name exists: no segment is replaced.
    color : tuple of float
        Red, green, blue; 0 to 1.
    terminology : str
        Slicer's terminology entry, or "" for none.
    provenance : mapping, optional
        What made the segment; kept with it, also in files.
    is_worked_on : bool
        Give it a layer over the whole volume: more memory, but single frames of it
        then change at once.
    """
    _lie_over(segmentation, volume)
    inside = segmentation.GetSegmentation()
    unique = _unique_name(inside, name)
    segment_id = inside.AddEmptySegment("", unique, color)
    segment = inside.GetSegment(segment_id)
    if terminology:
        segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), terminology)
    if provenance is not None:
        segment.SetTag(PROVENANCE_TAG, json.dumps(dict(provenance)))
    segment.SetName(unique)
    segment.SetColor(*color)
    write = write_layer if is_worked_on else write_labelmap
    with _surface_kept(segmentation):
        write(frames_as_stored(mask, volume), segmentation, segment_id, volume)
    return segment_id


def change_frames(
    mask: np.ndarray,
    frames: list[int],
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume: slicer.vtkMRMLVolumeNode,
) -> None:
    """Copy some frames of ``mask`` into a segment; the others stay."""
    in_node = [frame_as_stored(frame, volume) for frame in frames]
    with _surface_kept(segmentation):
        write_frames(
            frames_as_stored(mask, volume), in_node, segmentation, segment_id, volume
        )


def segment_array(
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume: slicer.vtkMRMLVolumeNode,
) -> np.ndarray:
    """Return a segment as uint8 0/1 on the grid of ``volume``."""
    array = read_labelmap(segmentation, segment_id, volume)
    return frames_as_stored(array, volume).view(np.uint8)


def put_capsule(
    mask: Volume,
    frames: list[int] | None,
    volume: slicer.vtkMRMLVolumeNode,
    segmentation: slicer.vtkMRMLSegmentationNode | None,
    provenance: Mapping[str, Any],
    save_state: SaveState = save_state_for_undo,
) -> tuple[slicer.vtkMRMLSegmentationNode, str]:
    """Show a predicted mask as the segment *Capsule*; one undo takes it back.

    Parameters
    ----------
    mask : Volume
        0 or 1 on the grid of ``volume``.
    frames : list of int or None
        Frames that were predicted; None for all. With some frames, a capsule that
        this module made in ``segmentation`` changes in those frames only.
    volume, segmentation
        The scan, and where the segment goes; None makes a new node.
    provenance : mapping
        Model, version, settings.
    save_state : callable
        Called once with both nodes before the first change.

    Returns
    -------
    tuple of vtkMRMLSegmentationNode and str
        The node and the ID of the segment.
    """
    is_new = segmentation is None
    if is_new:
        segmentation = new_segmentation(volume, f"{volume.GetName()} capsule")
    else:
        require_same_place(segmentation, volume)
    try:
        save_state(segmentation, volume)
        ours = own_capsule(segmentation) if frames is not None else None
        if ours is not None:
            change_frames(mask.array, frames, segmentation, ours, volume)
            segment = segmentation.GetSegmentation().GetSegment(ours)
            segment.SetTag(PROVENANCE_TAG, json.dumps(dict(provenance)))
            return segmentation, ours
        return segmentation, add_segment(
            mask.array, segmentation, volume, provenance=provenance
        )
    except BaseException:
        if is_new:
            remove_segmentation(segmentation)
        raise


def own_capsule(segmentation: slicer.vtkMRMLSegmentationNode) -> str | None:
    """Return the ID of the latest segment that this module made, or None."""
    inside = segmentation.GetSegmentation()
    for segment_id in reversed(inside.GetSegmentIDs()):
        value = vtk.reference("")
        if inside.GetSegment(segment_id).GetTag(PROVENANCE_TAG, value):
            return segment_id
    return None


def mask_from_node(
    node: slicer.vtkMRMLNode | None,
    part: str,
    volume: slicer.vtkMRMLVolumeNode,
    role: str,
) -> Volume:
    """Return an annotation as a mask on the grid of ``volume``.

    It holds 0, 1 and, in a loaded mask, 255 where a pixel was left undecided.

    Parameters
    ----------
    node : vtkMRMLSegmentationNode or vtkMRMLScalarVolumeNode
        A segmentation, or a mask that was loaded as a volume.
    part : str
        The segment's ID; in a volume, the label value (as text).
    volume : vtkMRMLVolumeNode
        The scan both annotations lie on.
    role : str
        What the annotation is called in a message.

    Raises
    ------
    InputError
        If the node is missing, lies on another grid or under another transform,
        or has no such part.
    """
    from napari_microus.core.compare import as_mask
    from napari_microus.core.errors import InputError

    if not is_in_scene(node):
        raise InputError(
            f"Choose the {role} annotation; got none. "
            "Draw or load it, then choose it in the selector."
        )
    scan = volume_from_node(volume)
    if not node.IsA("vtkMRMLSegmentationNode"):
        require_volume(node, f"{role} mask")
        if not _grid_of(node).shares_grid(_grid_of(volume)):
            raise InputError(
                f"Mask and scan must share a grid; got {_grid_of(node).shape} in "
                f"'{node.GetName()}' and {scan.shape}, or another place. Choose the "
                "volume it was drawn on, or resample it (Resample Image (BRAINS))."
            )
        if node.GetTransformNodeID() != volume.GetTransformNodeID():
            raise InputError(
                "Mask and scan must lie under one transform; got "
                f"{_transform_name(node)} and {_transform_name(volume)}. "
                "Put both under one."
            )
        stored = frames_as_stored(slicer.util.arrayFromVolume(node), volume)
        return scan.like(as_mask(stored, int(part), name=f"the {role} mask"))
    if node.GetSegmentation().GetSegment(part) is None:
        raise InputError(
            f"'{node.GetName()}' must hold the {role} segment; got none of that name. "
            "Choose a segment in the list."
        )
    require_same_place(node, volume)
    return scan.like(segment_array(node, part, volume))


def parts_of(node: slicer.vtkMRMLNode | None) -> list[tuple[str, str]]:
    """Return what can be chosen in a node as (key, name): segments or label values."""
    if not is_in_scene(node):
        return []
    if node.IsA("vtkMRMLSegmentationNode"):
        inside = node.GetSegmentation()
        return [(i, inside.GetSegment(i).GetName()) for i in inside.GetSegmentIDs()]
    if node.GetImageData() is None or node.GetImageData().GetPointData() is None:
        return []
    values = np.unique(slicer.util.arrayFromVolume(node)).tolist()
    labels = [int(v) for v in values if v == int(v) and v > 0][:_MOST_LABELS]
    # Beside another label, 255 means undecided.
    shown = [v for v in labels if v != _UNDECIDED] or labels
    return [(str(v), f"label {v}") for v in shown]


@contextmanager
def _surface_kept(segmentation: slicer.vtkMRMLSegmentationNode) -> Iterator[None]:
    """Make the closed surface again where it was: writing voxels drops it."""
    had_surface = segmentation.GetSegmentation().ContainsRepresentation(_SURFACE)
    yield
    if had_surface:
        segmentation.CreateClosedSurfaceRepresentation()


def _lie_over(
    segmentation: slicer.vtkMRMLSegmentationNode, volume: slicer.vtkMRMLVolumeNode
) -> None:
    """Give a segmentation without segments the grid and transform of ``volume``."""
    if segmentation.GetSegmentation().GetNumberOfSegments() == 0:
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        segmentation.SetAndObserveTransformNodeID(volume.GetTransformNodeID())


def _unique_name(segments: slicer.vtkSegmentation, name: str) -> str:
    taken = {segments.GetSegment(i).GetName() for i in segments.GetSegmentIDs()}
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name} {number}"
    return unique


def _grid(segmentation: slicer.vtkMRMLSegmentationNode) -> Volume | None:
    """Return the grid a segmentation was drawn on, or None where it tells none."""
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


def _grid_of(volume: slicer.vtkMRMLVolumeNode) -> Volume:
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
