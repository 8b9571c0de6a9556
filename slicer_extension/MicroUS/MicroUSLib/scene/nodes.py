"""Carry scans and masks between MRML nodes and the core's `Volume`.

Only here do the two worlds meet: a node's voxels are (k, j, i) and its IJKToRAS is
the core's affine. Geometry stays in the node's own space; a parent transform is
handed on to whatever is derived from the node.

Slicer turns the frames of a left-handed file round when it reads it. The core gets
them as the file has them, so that frame numbers, masks and sidecars are those of
napari; `frames_as_stored` goes both ways.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk

from .loaded_size import size_as_loaded
from .stated import stated_of

if TYPE_CHECKING:
    from napari_microus.core.volume import Volume

_COLOURS = (3, 4)  # RGB and RGBA, as an ultrasound cine often has
# Attribute that keeps the order of frames of the file a node was first read from.
_REVERSED = "MicroUS.FramesReversed"


def is_in_scene(node: vtk.vtkObject | None) -> bool:
    """Return whether ``node`` is set and still part of the scene."""
    return node is not None and bool(slicer.mrmlScene.IsNodePresent(node))


def require_volume(node: slicer.vtkMRMLVolumeNode | None, role: str = "scan") -> None:
    """Raise a sentence unless ``node`` is a grey or colour 3D volume in the scene.

    Raises
    ------
    InputError
        If there is no volume, it holds no pixels or several values a pixel that are
        no colour (a 4D series), or lies under a transform that is not linear.
    """
    from napari_microus.core.errors import InputError

    if not is_in_scene(node):
        raise InputError(
            f"A volume must be chosen as the {role}; got none. "
            "Load one, or choose it in the selector.",
            plain=(
                f"No volume is chosen as the {role}. Load one, or choose it in "
                "the selector."
            ),
        )
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        raise InputError(
            f"The {role} must hold pixels; got the empty volume '{node.GetName()}'. "
            "Load the file again.",
            plain=f"The volume '{node.GetName()}' is empty. Load the file again.",
        )
    components = image.GetNumberOfScalarComponents()
    is_colour = node.IsA("vtkMRMLVectorVolumeNode") and components in _COLOURS
    if components != 1 and not is_colour:
        raise InputError(
            f"The {role} must have one grey value or a colour per pixel; got "
            f"{components} values in '{node.GetName()}'. Load a 4D series as a "
            "sequence.",
            plain=(
                f"'{node.GetName()}' has {components} values per pixel, which "
                "are neither a grey value nor a colour. Load a 4D series as a "
                "sequence."
            ),
        )
    require_linear_transform(node)


def require_linear_transform(node: slicer.vtkMRMLTransformableNode) -> None:
    """Raise a sentence unless every transform above ``node`` is linear."""
    from napari_microus.core.errors import InputError

    parent = node.GetParentTransformNode()
    if parent is not None and not parent.IsTransformToWorldLinear():
        raise InputError(
            f"The transform above a volume must be linear; got '{parent.GetName()}' "
            f"above '{node.GetName()}'. Harden it in the module Transforms, or take "
            "the volume out of it.",
            plain=(
                f"The transform '{parent.GetName()}' above '{node.GetName()}' "
                "bends space. Harden it in the module Transforms, or take the "
                "volume out of it."
            ),
        )


def ijk_to_ras(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the node's own affine, voxel (i, j, k) to RAS mm, shape (4, 4)."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def grid_from_node(node: slicer.vtkMRMLVolumeNode | None, role: str = "scan") -> Volume:
    """Return where a volume node's voxels lie, without the voxels.

    Parameters
    ----------
    node : vtkMRMLScalarVolumeNode
        A grey volume; its parent transform, if any, must be linear and is not
        applied.
    role : str
        What the volume is called in a message.

    Returns
    -------
    Volume
        Zeros (frames, rows, columns) that take no memory, with the affine of the
        order in the file the node came from, and with what a person stated about the
        scan. What is unknown is 1 instead of Slicer's number: ``has_geometry`` is
        False where that is the pixel size, see `loaded_size`. Lay nodes over the
        volume with `affine_in_file` instead, where Slicer shows it.

    Raises
    ------
    InputError
        See `require_volume`; or the sweep that was stated lacks an angle for a frame.
    """
    from napari_microus.core.io.scan_properties import with_properties

    require_volume(node, role)
    stated = stated_of(node)
    if stated is None:
        return grid_as_loaded(node, affine_in_file(node))
    grid = with_properties(grid_as_loaded(node, stated.before), stated.properties)
    # The node may have been moved since, and stays where it is.
    affine = affine_in_file(node)
    affine[:3, :3] *= _sizes(grid.affine) / _sizes(affine)
    return replace(grid, affine=affine)


def grid_as_loaded(node: slicer.vtkMRMLVolumeNode, affine: np.ndarray) -> Volume:
    """Return a node's grid without what a person stated about it.

    ``affine`` is the node's own, or the one it had before anything was stated.
    """
    from napari_microus.core.volume import UNKNOWN, Volume

    columns, rows, frames = node.GetImageData().GetDimensions()
    sizes = _sizes(affine)
    size = size_as_loaded(node, sizes.tolist())
    affine = np.array(affine)
    if not size.pixel:
        affine[:3, :2] /= sizes[:2]
    if not size.distance:
        affine[:3, 2] /= sizes[2]
    metadata: dict[str, Any] = {"source": node.GetName(), "notices": []}
    if size.pixel and not size.distance:
        metadata["frame_distance"] = UNKNOWN
    return Volume(
        np.broadcast_to(np.uint8(0), (frames, rows, columns)),
        affine,
        has_geometry=size.pixel,
        metadata=metadata,
        is_oriented=size.pixel and size.orientation,
    )


def _sizes(affine: np.ndarray) -> np.ndarray:
    return (affine[:3, :3] ** 2).sum(axis=0) ** 0.5


def affine_in_file(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the affine of a node's voxels as Slicer has it, frames as in the file."""
    affine = ijk_to_ras(node)
    if is_reversed(node):
        last = node.GetImageData().GetDimensions()[2] - 1
        affine[:3, 3] += affine[:3, 2] * last
        affine[:3, 2] *= -1
    return affine


def volume_from_node(
    node: slicer.vtkMRMLVolumeNode | None, role: str = "scan"
) -> Volume:
    """Return a copy of a volume node's voxels, where `grid_from_node` says.

    Colour becomes grey as in the core's own readers.
    """
    from napari_microus.core.io.colour import to_grey

    grid = grid_from_node(node, role)
    array = frames_as_stored(slicer.util.arrayFromVolume(node), node)
    # arrayFromVolume looks into the node: the core must get its own.
    grey = to_grey(array)[0] if array.ndim == 4 else array.copy()
    return replace(grid, array=grey)


def frames_as_stored(array: np.ndarray, node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Change frames (k, j, i) between the order of the node and that of its file.

    It is its own inverse, and changes nothing for a right-handed file.
    """
    return array[::-1] if is_reversed(node) else array


def frame_as_stored(frame: int, node: slicer.vtkMRMLVolumeNode) -> int:
    """Change a frame's number between the node and its file, either way."""
    last = node.GetImageData().GetDimensions()[2] - 1
    return last - frame if is_reversed(node) else frame


def is_reversed(node: slicer.vtkMRMLVolumeNode) -> bool:
    """Return whether Slicer turned the frames round when it read the node's file.

    The answer is kept with the node: a scene that is saved writes the turned frames
    into a file of its own, whose header states nothing of the first one.
    """
    kept = node.GetAttribute(_REVERSED)
    if kept is not None:
        return bool(kept == "1")
    storage = node.GetStorageNode()
    name = storage.GetFileName() if storage is not None else None
    if not name:
        return False
    forces = getattr(storage, "GetForceRightHandedIJKCoordinateSystem", lambda: False)
    is_turned = bool(forces()) and _is_left_handed(name)
    keep_frame_order(node, is_turned)
    return is_turned


def keep_frame_order(node: slicer.vtkMRMLVolumeNode, is_turned: bool) -> None:
    """Keep with a node whether its frames run against those of its file."""
    node.SetAttribute(_REVERSED, "1" if is_turned else "0")


def first_scan() -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return the scene's first volume that is no mask, None if there is none."""
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    masks = "vtkMRMLLabelMapVolumeNode"
    return next((node for node in volumes if not node.IsA(masks)), None)


def keep_sizes_of_files() -> None:
    """Write down what only the file of each volume states, before a scene is saved."""
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        is_reversed(node)
        if node.GetImageData() is None:
            continue
        with suppress(ImportError):  # nothing was installed yet
            size_as_loaded(node, node.GetSpacing())


def is_left_handed(node: slicer.vtkMRMLVolumeNode) -> bool:
    """Return whether the node's own axes are left-handed; Slicer reads none so."""
    return bool(np.linalg.det(ijk_to_ras(node)[:3, :3]) < 0)


@cache  # a file may vanish while its node is at work
def _is_left_handed(name: str) -> bool:
    """Return from its header whether a NIfTI, NRRD or MetaImage file is left-handed."""
    if not Path(name).is_file():
        return False
    if name.endswith((".nii", ".nii.gz")):
        import nibabel

        return bool(np.linalg.det(nibabel.load(name).affine[:3, :3]) < 0)
    if name.endswith((".nrrd", ".nhdr", ".mha", ".mhd")):
        import SimpleITK

        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(name)
        reader.ReadImageInformation()
        size = reader.GetDimension()
        direction = np.reshape(reader.GetDirection(), (size, size))
        return bool(np.linalg.det(direction) < 0)
    return False


def voxel_to_world(
    node: slicer.vtkMRMLVolumeNode, frame: float, row: float, column: float
) -> np.ndarray:
    """Return a voxel's world position (RAS mm, shape (3,)), transforms applied.

    ``frame`` counts as in the file.
    """
    ijk = column, row, frame_as_stored(frame, node)
    return (ijk_to_world(node) @ np.append(ijk, 1.0))[:3]


def frame_at_world(node: slicer.vtkMRMLVolumeNode, ras: np.ndarray) -> int:
    """Return the frame (as in the file) nearest to a world position."""
    ijk = np.linalg.solve(ijk_to_world(node), np.append(ras, 1.0))
    last = node.GetImageData().GetDimensions()[2] - 1
    return frame_as_stored(int(np.clip(round(float(ijk[2])), 0, last)), node)


def ijk_to_world(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the node's affine to world RAS mm, linear parent transforms applied."""
    return transform_to_world(node) @ ijk_to_ras(node)


def transform_to_world(node: slicer.vtkMRMLTransformableNode) -> np.ndarray:
    """Return the matrix (4, 4) of all transforms above a node."""
    to_world = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(
        node.GetParentTransformNode(), None, to_world
    )
    return slicer.util.arrayFromVTKMatrix(to_world)


def jump_to_voxel(
    node: slicer.vtkMRMLVolumeNode, frame: float, row: float, column: float
) -> None:
    """Move every slice view to a voxel of ``node``, centred on it."""
    r, a, s = voxel_to_world(node, frame, row, column)
    for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        view.JumpSliceByCentering(r, a, s)


def shown_frame(node: slicer.vtkMRMLVolumeNode) -> int:
    """Return the frame at the centre of the red slice view (or the first one)."""
    views = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    view = next((v for v in views if v.GetLayoutName() == "Red"), None)
    view = view or (views[0] if views else None)
    if view is None:
        return 0
    matrix = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
    return frame_at_world(node, matrix[:3, 3])
