"""Make one scan of a sequence of frames, as Slicer loads a cine of ultrasound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from MicroUSLib.scene.made_nodes import scan_from_volume
from MicroUSLib.scene.nodes import grid_from_node, volume_from_node
from MicroUSLib.scene.segments import put_beside
from MicroUSLib.scene.sequence_items import shown_one_by_one, with_items

if TYPE_CHECKING:
    from collections.abc import Callable

    import slicer

    from napari_microus.core.events import Event

_UIDS = "DICOM.instanceUIDs"


def frames_behind(volume: slicer.vtkMRMLVolumeNode | None) -> int:
    """Return how many single frames a volume shows one after another, 0 if it is a
    scan of its own or shows items of several frames.
    """
    if volume is None or volume.GetImageData() is None:
        return 0
    count = len(with_items(volume)) - 1
    return count if volume.GetImageData().GetDimensions()[2] == 1 else 0


def stack_frames(
    volume: slicer.vtkMRMLVolumeNode, on_event: Callable[[Event], None]
) -> slicer.vtkMRMLScalarVolumeNode:
    """Add a scan of all the frames that a browser shows in ``volume``.

    Pixels keep their size; the distance of the frames is unknown until somebody states
    it, or the sweep. The sequence stays.

    Raises
    ------
    InputError
        If it is no sequence of single frames, or they differ in size; the scene is
        unchanged then.
    """
    from napari_microus.core.errors import InputError
    from napari_microus.core.events import Progress
    from napari_microus.core.volume import UNKNOWN, Volume

    count = frames_behind(volume)
    if count < 2:
        raise InputError(
            "A sequence of two or more single frames must stand behind the volume; got "
            f"{count}. Choose the cine, or use the scan as it is.",
            plain=(
                "There is no sequence of two or more frames behind the "
                "volume. Choose the cine, or use the scan as it is."
            ),
        )
    first = grid_from_node(volume)
    array: np.ndarray | None = None
    for number in shown_one_by_one(volume):
        frame = volume_from_node(volume)
        if frame.shape != first.shape or not frame.shares_grid(first):
            raise InputError(
                "Frames of a scan must have one size and place; got others in frame "
                f"{number}. Choose a cine of one view.",
                plain=(
                    f"Frame {number} has another size or place than the first. "
                    "Choose a cine of one view."
                ),
            )
        if array is None:
            array = np.zeros((count, *frame.shape[1:]), frame.array.dtype)
        array[number] = frame.array[0]
        on_event(Progress(number + 1, count, "frames", "Making one scan"))
    affine = np.array(first.affine)
    affine[:3, 2] /= (affine[:3, 2] ** 2).sum() ** 0.5  # 1 stands for the unknown
    scan = Volume(
        array,
        affine,
        first.has_geometry,
        {"frame_distance": UNKNOWN},
        is_oriented=first.is_oriented,
    )
    node = scan_from_volume(scan, f"{volume.GetName()} as one scan")
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    node.SetAttribute(_UIDS, volume.GetAttribute(_UIDS))
    put_beside(node, volume)
    return node
