"""Read and write a segment's voxels without resampling.

`slicer.util` goes through a temporary label volume and resamples the whole scan,
which takes long for a long sweep. Here the segment's own labelmap is used where it
lies on the volume's lattice. Arrays are (k, j, i) in the order of the node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from .nodes import ijk_to_ras

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Two matrices of one lattice may differ by this after a trip through a file.
_TOLERANCE_MM = 1e-3
_LABELMAP = "Binary labelmap"


def read_labelmap(
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume: slicer.vtkMRMLVolumeNode,
) -> np.ndarray:
    """Return a segment as bool on the grid of ``volume``, shape (k, j, i)."""
    columns, rows, frames = volume.GetImageData().GetDimensions()
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    image = segmentation.GetBinaryLabelmapInternalRepresentation(segment_id)
    if image is None or image.IsEmpty():
        return np.zeros((frames, rows, columns), bool)
    if not _is_on_lattice(image, volume):
        nothing = np.zeros((frames, rows, columns), bool)
        image = _resampled(image, _image(nothing, volume))
    i0, i1, j0, j1, k0, k1 = image.GetExtent()
    values = vtk_to_numpy(image.GetPointData().GetScalars())
    values = values.reshape(k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
    if (i0, j0, k0) == (0, 0, 0) and values.shape == (frames, rows, columns):
        return values == segment.GetLabelValue()
    result = np.zeros((frames, rows, columns), bool)
    # A segment may have been drawn beyond the volume.
    k, j, i = (
        slice(max(low, 0), min(high + 1, size))
        for low, high, size in (*((k0, k1, frames), (j0, j1, rows), (i0, i1, columns)),)
    )
    inside = values[
        k.start - k0 : k.stop - k0,
        j.start - j0 : j.stop - j0,
        i.start - i0 : i.stop - i0,
    ]
    result[k, j, i] = inside == segment.GetLabelValue()
    return result


def read_frame(
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume: slicer.vtkMRMLVolumeNode,
    frame: int,
) -> np.ndarray:
    """Return frame ``frame`` (k) of a segment as bool, shape (j, i); see above."""
    columns, rows, _ = volume.GetImageData().GetDimensions()
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    image = segmentation.GetBinaryLabelmapInternalRepresentation(segment_id)
    if image is not None and not image.IsEmpty() and not _is_on_lattice(image, volume):
        return read_labelmap(segmentation, segment_id, volume)[frame]
    result = np.zeros((rows, columns), bool)
    if image is None or image.IsEmpty():
        return result
    i0, i1, j0, j1, k0, k1 = image.GetExtent()
    if not k0 <= frame <= k1:
        return result
    values = vtk_to_numpy(image.GetPointData().GetScalars())
    values = values.reshape(k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)[frame - k0]
    j, i = (
        slice(max(low, 0), min(high + 1, size))
        for low, high, size in ((j0, j1, rows), (i0, i1, columns))
    )
    inside = values[j.start - j0 : j.stop - j0, i.start - i0 : i.stop - i0]
    result[j, i] = inside == segment.GetLabelValue()
    return result


def write_labelmap(
    mask: np.ndarray,
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume: slicer.vtkMRMLVolumeNode,
) -> None:
    """Make ``mask`` (k, j, i) the whole content of a segment."""
    from napari_microus.core.compare.surfaces import crop_to

    box = crop_to(mask, margin=0)
    if box is not None and _is_alone(segmentation, segment_id):
        # Slicer's own way takes ten times as long for a long sweep.
        _put_layer(_image(mask, volume, box), segmentation, {segment_id: 1})
        return
    image = _image(mask, volume)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    # Replacing keeps the other segments; merging a few frames loses those that
    # share a layer with this one.
    if not logic.SetBinaryLabelmapToSegment(
        image, segmentation, segment_id, logic.MODE_REPLACE, image.GetExtent()
    ):
        raise RuntimeError(
            f"Slicer did not take the mask into '{segmentation.GetName()}'. "
            "Its error log says why."
        )


def write_layer(
    labels: np.ndarray,
    segmentation: slicer.vtkMRMLSegmentationNode,
    values: Mapping[str, int],
    volume: slicer.vtkMRMLVolumeNode,
) -> None:
    """Make ``labels`` (k, j, i; uint8) a layer that new segments share.

    The layer covers the whole volume; ``values`` gives which label each segment is.
    """
    _put_layer(_image(labels, volume), segmentation, values)


def _put_layer(
    image: slicer.vtkOrientedImageData,
    segmentation: slicer.vtkMRMLSegmentationNode,
    values: Mapping[str, int],
) -> None:
    for segment_id, value in values.items():
        segment = segmentation.GetSegmentation().GetSegment(segment_id)
        segment.AddRepresentation(_LABELMAP, image)
        segment.SetLabelValue(value)


def own_labelmap(
    segmentation: slicer.vtkMRMLSegmentationNode, segment_id: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a segment as bool (k, j, i) on the grid it was drawn on, with its affine.

    None where it holds no voxel.
    """
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    image = segmentation.GetBinaryLabelmapInternalRepresentation(segment_id)
    if image is None or image.IsEmpty():
        return None
    i0, i1, j0, j1, k0, k1 = image.GetExtent()
    values = vtk_to_numpy(image.GetPointData().GetScalars())
    values = values.reshape(k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = slicer.util.arrayFromVTKMatrix(matrix)
    affine[:3, 3] += affine[:3, :3] @ (i0, j0, k0)
    return values == segment.GetLabelValue(), affine


def changed_when(
    segmentation: slicer.vtkMRMLSegmentationNode, segment_id: str
) -> tuple[str, int]:
    """Return what differs after any change of a segment's voxels."""
    image = segmentation.GetBinaryLabelmapInternalRepresentation(segment_id)
    return image.GetAddressAsString(""), image.GetMTime()


def _whole_layer(
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume: slicer.vtkMRMLVolumeNode,
) -> tuple[slicer.vtkOrientedImageData, np.ndarray] | None:
    """Return a segment's labelmap and its live voxels, None unless it is alone in it
    and covers the volume.
    """
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    if segment.GetLabelValue() != 1 or not _is_alone(segmentation, segment_id):
        return None
    return _layer_of(segmentation, segment_id, volume)


def _layer_of(
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume: slicer.vtkMRMLVolumeNode,
) -> tuple[slicer.vtkOrientedImageData, np.ndarray] | None:
    """Return the labelmap that holds a segment and its live voxels (k, j, i).

    None where it does not cover the volume.
    """
    image = segmentation.GetBinaryLabelmapInternalRepresentation(segment_id)
    columns, rows, frames = volume.GetImageData().GetDimensions()
    whole = (0, columns - 1, 0, rows - 1, 0, frames - 1)
    if image is None or image.GetExtent() != whole or not _is_on_lattice(image, volume):
        return None
    values = vtk_to_numpy(image.GetPointData().GetScalars())
    return image, values.reshape(frames, rows, columns)


def write_layer_frame(
    labels: np.ndarray,
    frame: int,
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_ids: Sequence[str],
    volume: slicer.vtkMRMLVolumeNode,
) -> bool:
    """Put ``labels`` (j, i; uint8) into one frame of the layer of some segments.

    Returns
    -------
    bool
        False, and nothing is changed, where the layer does not cover the volume or a
        segment was removed.
    """
    inside = segmentation.GetSegmentation()
    segments = [inside.GetSegment(segment_id) for segment_id in segment_ids]
    if None in segments:
        return False
    layer = _layer_of(segmentation, segment_ids[0], volume)
    if layer is None:
        return False
    image, values = layer
    values[frame] = labels
    image.GetPointData().GetScalars().Modified()
    image.Modified()
    for segment in segments:
        segment.Modified()
    return True


def write_frames(
    mask: np.ndarray,
    frames: Sequence[int],
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume: slicer.vtkMRMLVolumeNode,
) -> None:
    """Copy some frames of ``mask`` (k, j, i) into a segment; the others stay.

    Where the segment has a layer of its own over the whole volume, see `write_layer`,
    this takes as long for a sweep as for a frame.
    """
    layer = _whole_layer(segmentation, segment_id, volume)
    if layer is not None:
        image, values = layer
        values[list(frames)] = mask[list(frames)] != 0
        image.GetPointData().GetScalars().Modified()
        image.Modified()
        segmentation.GetSegmentation().GetSegment(segment_id).Modified()
        return
    present = read_labelmap(segmentation, segment_id, volume)
    present[list(frames)] = mask[list(frames)]
    write_labelmap(present, segmentation, segment_id, volume)


def _is_alone(segmentation: slicer.vtkMRMLSegmentationNode, segment_id: str) -> bool:
    """Return whether no other segment shares this one's layer."""
    sharing: list[str] = []
    segmentation.GetSegmentation().GetSegmentIDsSharingBinaryLabelmapRepresentation(
        segment_id, sharing, True
    )
    return len(sharing) <= 1


def _image(
    mask: np.ndarray,
    volume: slicer.vtkMRMLVolumeNode,
    box: Sequence[slice] = (),
) -> slicer.vtkOrientedImageData:
    """Return ``mask`` (k, j, i) or the part of it in ``box`` as Slicer's image."""
    k, j, i = box or (slice(0, size) for size in mask.shape)
    image = slicer.vtkOrientedImageData()
    image.SetExtent(i.start, i.stop - 1, j.start, j.stop - 1, k.start, k.stop - 1)
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(ijk_to_ras(volume)))
    part = mask[k, j, i]
    if part.dtype == bool:
        part = part.view(np.uint8)  # without a copy
    values = np.ascontiguousarray(part, dtype=np.uint8).ravel()
    image.GetPointData().SetScalars(numpy_to_vtk(values, deep=True))
    return image


def _resampled(
    image: slicer.vtkOrientedImageData, grid: slicer.vtkOrientedImageData
) -> slicer.vtkOrientedImageData:
    result = slicer.vtkOrientedImageData()
    resample = slicer.vtkOrientedImageDataResample
    if not resample.ResampleOrientedImageToReferenceOrientedImage(image, grid, result):
        raise RuntimeError("Slicer could not resample the segment to the volume.")
    return result


def _is_on_lattice(
    image: slicer.vtkOrientedImageData, volume: slicer.vtkMRMLVolumeNode
) -> bool:
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    own = slicer.util.arrayFromVTKMatrix(matrix)
    # Compared at the corners of the volume, so that a small turn counts as far.
    corner = np.append(volume.GetImageData().GetDimensions(), 1.0)
    difference = np.abs(own - ijk_to_ras(volume)) @ corner
    return bool(difference.max() <= _TOLERANCE_MM)
