"""Bring annotations that lie elsewhere onto the scan: loaded or resampled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import slicer

from MicroUSLib.event_pump import drain

from .annotations import mask_from_node, require_segment
from .grids import (
    SCAN_ROLE,
    grid_of,
    require_same_grid,
    require_same_scan,
    scan_of_annotation,
)
from .labelmaps import own_labelmap
from .made_nodes import labelmap_from_volume
from .nodes import (
    affine_in_file,
    frames_as_stored,
    grid_from_node,
    ijk_to_ras,
    require_linear_transform,
    require_volume,
    transform_to_world,
)
from .segments import add_segment, new_segmentation
from .stated import stated_of

# A mask is drawn on a grid if its voxels are off by less than this part of one.
_OFF_GRID = 1e-3
_UNIT = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume

    from .annotations import Annotator


def lies_elsewhere(annotator: Annotator, volume: slicer.vtkMRMLVolumeNode) -> bool:
    """Return whether an annotation must be resampled before it can be compared.

    Raises
    ------
    InputError
        If it lies on the same grid and was drawn on another scan: it needs no
        resampling, it is another patient's.
    """
    from napari_microus.core.errors import InputError

    _require_no_twin(annotator, volume)
    try:
        require_linear_transform(annotator.node)
        require_volume(volume)
        require_same_grid(annotator.node, volume, annotator.role)
    except InputError:
        return True
    return False


def _require_no_twin(annotator: Annotator, volume: slicer.vtkMRMLVolumeNode) -> None:
    """Raise a sentence for another scan's annotation on the very grid of this one."""
    scan = scan_of_annotation(annotator.node)
    if scan is None or scan is volume or volume is None:
        return
    if (
        grid_of(scan).shares_grid(grid_of(volume))
        and scan.GetTransformNodeID() == volume.GetTransformNodeID()
    ):
        require_same_scan(annotator.node, volume)


def resampled(
    annotator: Annotator,
    volume: slicer.vtkMRMLVolumeNode,
    on_event: Callable[[Event], None],
) -> tuple[Any, str]:
    """Add a copy of an annotation on the grid and under the transform of ``volume``.

    A segment becomes a segment of a new segmentation, a loaded mask a label volume,
    which keeps undecided pixels. Nearest neighbour, in world coordinates; what was
    drawn before somebody stated the size of the scan keeps its pixels.

    Returns
    -------
    tuple of node and str
        The copy and its part.

    Raises
    ------
    InputError
        If there is nothing to resample, it does not meet the scan, or a transform
        is not linear; the scene is unchanged then.
    """
    from napari_microus.core.compare.grid import resample_frames

    require_volume(volume)
    require_linear_transform(annotator.node)
    grid = grid_from_node(volume)
    mask = _sized_like(volume, _in_world(annotator))
    # The array stays in the order of the scan's file; only its affine is the world's.
    above = transform_to_world(volume)
    place = type(grid)(grid.array, above @ affine_in_file(volume))
    array = drain(resample_frames(mask, place), on_event).array
    require_volume(volume)  # the window lived meanwhile
    name = f"{annotator.name} on {volume.GetName()}"
    if annotator.node.IsA("vtkMRMLSegmentationNode"):
        node = new_segmentation(volume, name)
        return node, add_segment(
            array == 1,
            node,
            volume,
            name=annotator.name,
            terminology="",
            provenance=None,
        )
    return laid_over(array, volume, name), "1"


def load_mask(
    path: str,
    volume: slicer.vtkMRMLVolumeNode | None,
    on_event: Callable[[Event], None],
) -> slicer.vtkMRMLLabelMapVolumeNode:
    """Add a mask file of any kind the core reads as a label volume.

    One that states no pixel size, such as a PNG, is laid over the scan.

    Raises
    ------
    InputError
        If the file cannot be read or holds no mask, or it states no size and there
        is no scan to lay it over; the scene is unchanged then.
    """
    from napari_microus.core.compare import as_mask
    from napari_microus.core.compare.grid import resample_frames
    from napari_microus.core.io import read_labels
    from napari_microus.core.io.reading import stem_of
    from napari_microus.core.mask import label_values

    mask = read_labels(path)
    label_values(mask.array)  # refuses fractions
    if mask.has_geometry:
        node = labelmap_from_volume(mask.like(_small(mask.array)), stem_of(path))
        if volume is not None and grid_of(node).shares_grid(grid_of(volume)):
            node.SetNodeReferenceID(SCAN_ROLE, volume.GetID())
        return node
    grid = grid_from_node(volume)
    laid = mask.array
    if mask.shape != grid.shape:
        as_mask(mask.array, name="the loaded mask")  # refuses several labels
        laid = drain(resample_frames(mask, grid), on_event).array
        require_volume(volume)
    return laid_over(laid, volume, stem_of(path))


def laid_over(
    array: np.ndarray, volume: slicer.vtkMRMLVolumeNode, name: str
) -> slicer.vtkMRMLLabelMapVolumeNode:
    """Add a mask on the pixels of ``volume`` as a label volume that belongs to it.

    ``array`` has its frames (frames, rows, columns) in the order of the volume's file.
    """
    node = slicer.mrmlScene.AddNewNodeByClass(
        "vtkMRMLLabelMapVolumeNode", slicer.mrmlScene.GenerateUniqueName(name)
    )
    stored = frames_as_stored(_small(array), volume)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(stored))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijk_to_ras(volume)))
    node.CreateDefaultDisplayNodes()
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    node.SetNodeReferenceID(SCAN_ROLE, volume.GetID())
    return node


def _in_world(annotator: Annotator) -> Volume:
    """Return an annotation on its own grid, placed in the world."""
    from napari_microus.core.errors import InputError
    from napari_microus.core.volume import Volume

    node, part = annotator.node, annotator.part
    if not node.IsA("vtkMRMLSegmentationNode"):
        require_volume(node, f"{annotator.role} mask")
        mask = mask_from_node(node, part, node, annotator.role)
        return Volume(mask.array, transform_to_world(node) @ affine_in_file(node))
    require_segment(node, part, annotator.role)
    drawn = own_labelmap(node, part)
    if drawn is None:
        raise InputError(
            f"The {annotator.role} segment must hold something to resample; got the "
            f"empty '{annotator.name}'. Draw it first.",
            plain=(
                f"The {annotator.role} segment '{annotator.name}' is empty. "
                "Draw it first."
            ),
        )
    array, affine = drawn
    return Volume(array, transform_to_world(node) @ affine)


def _sized_like(volume: slicer.vtkMRMLVolumeNode, mask: Volume) -> Volume:
    """Return a mask on the pixels of a scan as it was before its size was stated, on
    those that it has now; any other mask as it is.
    """
    stated = stated_of(volume)
    if stated is None:
        return mask
    above = transform_to_world(volume)
    # In voxels of the scan: one step along an axis, and a whole number from the first.
    voxels = np.linalg.solve(above @ stated.before, mask.affine)
    off_axes = np.abs(np.abs(voxels[:3, :3]) - _UNIT).max()
    off_grid = np.abs(voxels[:3, 3] - voxels[:3, 3].round()).max()
    if max(off_axes, off_grid) > _OFF_GRID:
        return mask
    return type(mask)(mask.array, above @ affine_in_file(volume) @ voxels)


def _small(array: np.ndarray) -> np.ndarray:
    """Return a mask as whole numbers that a label volume can hold."""
    if array.dtype.kind == "b":
        return array.astype("uint8")
    return array.astype("int16") if array.dtype.itemsize > 2 else array
