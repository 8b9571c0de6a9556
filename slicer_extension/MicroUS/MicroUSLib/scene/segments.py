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

from .grids import require_same_place
from .labelmaps import read_labelmap, write_frames, write_labelmap, write_layer
from .nodes import frame_as_stored, frames_as_stored, is_in_scene
from .undo import save_state_for_undo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from napari_microus.core.volume import Volume

    SaveState = Callable[
        [slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLVolumeNode], bool
    ]

CAPSULE = "Capsule"
CAPSULE_COLOR = (0.941, 0.894, 0.259)  # that of napari's layer
PROSTATE = (
    "Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^123037004^Anatomical Structure~SCT^41216001^Prostate~^^"
    "~Anatomic codes - DICOM master list~^^~^^"
)
# Tag of a segment made here; its value shows how (JSON).
PROVENANCE_TAG = "MicroUS.Provenance"

LABELMAP = "Binary labelmap"
_SURFACE = "Closed surface"
_DERIVED = "MicroUS.Derived"  # an attribute, which scenes keep
_FILL = 0.2  # the tissue stays visible under a segment


def new_segmentation(
    volume: slicer.vtkMRMLVolumeNode, name: str, *, is_derived: bool = False
) -> slicer.vtkMRMLSegmentationNode:
    """Return a new segmentation node on the grid and under the transform of a volume.

    ``name`` gets a number where another node has it. A derived one shows what was
    computed from annotations and is none itself.
    """
    node = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLSegmentationNode", slicer.mrmlScene.GenerateUniqueName(name)
    )
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetOpacity2DFill(_FILL)
    if is_derived:
        node.SetAttribute(_DERIVED, "1")
    _lie_over(node, volume)
    put_beside(node, volume)
    return node


def put_beside(node: slicer.vtkMRMLNode, volume: slicer.vtkMRMLVolumeNode) -> None:
    """Put a node into the study or folder of the scan, in the subject hierarchy."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(
        slicer.mrmlScene
    )
    if hierarchy is None:
        return
    scan, none = hierarchy.GetItemByDataNode(volume), hierarchy.GetInvalidItemID()
    if scan == none:
        return
    study, item = hierarchy.GetItemParent(scan), hierarchy.GetItemByDataNode(node)
    if item == none:  # no plugin has made one yet
        hierarchy.CreateItem(study, node)
    else:
        hierarchy.SetItemParent(item, study)


def is_derived(node: slicer.vtkMRMLNode) -> bool:
    """Return whether a node shows a result of this module rather than an annotation."""
    return bool(node.GetAttribute(_DERIVED))


def remove_segmentation(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Remove a segmentation node of ours together with its display node."""
    if not is_in_scene(node):
        return  # its scene was closed
    display = node.GetDisplayNode()
    slicer.mrmlScene.RemoveNode(node)
    if display is not None:
        slicer.mrmlScene.RemoveNode(display)


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
    stored = frames_as_stored(mask, volume)
    with surface_kept(segmentation):
        if is_worked_on:
            write_layer(stored, segmentation, {segment_id: 1}, volume)
        else:
            write_labelmap(stored, segmentation, segment_id, volume)
    return segment_id


def add_labels(
    labels: np.ndarray,
    parts: Sequence[tuple[int, str, tuple[float, float, float]]],
    segmentation: slicer.vtkMRMLSegmentationNode,
    volume: slicer.vtkMRMLVolumeNode,
) -> None:
    """Add the values of ``labels`` (Z, Y, X; uint8) as segments of one layer.

    Parameters
    ----------
    labels : ndarray of uint8
        On the grid of ``volume``; values that no part names must not occur.
    parts : sequence of (value, name, colour)
        In the order of the list of segments.
    segmentation, volume
        As in `add_segment`.
    """
    inside = segmentation.GetSegmentation()
    values = {}
    for value, name, color in parts:
        segment_id = inside.AddEmptySegment("", _unique_name(inside, name), color)
        values[segment_id] = value
    write_layer(frames_as_stored(labels, volume), segmentation, values, volume)


def change_frames(
    mask: np.ndarray,
    frames: list[int],
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume: slicer.vtkMRMLVolumeNode,
) -> None:
    """Copy some frames of ``mask`` into a segment; the others stay."""
    in_node = [frame_as_stored(frame, volume) for frame in frames]
    with surface_kept(segmentation):
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
    *,
    name: str = "",
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
    name : str
        What was segmented where it is no capsule, such as a lesion.

    Returns
    -------
    tuple of vtkMRMLSegmentationNode and str
        The node and the ID of the segment.
    """
    is_new = segmentation is None
    if is_new:
        segmentation = new_segmentation(
            volume, f"{volume.GetName()} {name or 'capsule'}"
        )
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
        called = {"name": name, "terminology": ""} if name else {}
        return segmentation, add_segment(
            mask.array, segmentation, volume, provenance=provenance, **called
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


@contextmanager
def surface_kept(segmentation: slicer.vtkMRMLSegmentationNode) -> Iterator[None]:
    """Make the closed surface again where it was: writing voxels drops it."""
    had_surface = segmentation.GetSegmentation().ContainsRepresentation(_SURFACE)
    yield
    if had_surface:
        segmentation.RemoveClosedSurfaceRepresentation()  # it shows what was before
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
