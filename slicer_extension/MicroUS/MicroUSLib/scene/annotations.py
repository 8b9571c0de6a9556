"""Read what an annotator drew: a segment, or a mask loaded as a volume."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import slicer

from MicroUSLib.event_pump import ignore

from .grids import require_same_grid
from .nodes import frames_as_stored, grid_from_node, is_in_scene, is_left_handed
from .segments import LABELMAP, segment_array

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_microus.core.events import Event
    from napari_microus.core.volume import Volume

_UNDECIDED = 255
_MOST_LABELS = 32


@dataclass(frozen=True)
class Annotator:
    """One annotation as the user chose it: a node and a part of it."""

    node: slicer.vtkMRMLNode | None
    part: str
    role: str

    @property
    def name(self) -> str:
        """What to call it in tables and sidecars: as napari calls the file's layer."""
        is_volume = not self.node.IsA("vtkMRMLSegmentationNode")
        if is_volume or self.node.GetSegmentation().GetNumberOfSegments() == 1:
            return str(self.node.GetName())
        return str(self.node.GetSegmentation().GetSegment(self.part).GetName())


def mask_from_node(
    node: slicer.vtkMRMLNode | None,
    part: str,
    volume: slicer.vtkMRMLVolumeNode,
    role: str,
    on_event: Callable[[Event], None] = ignore,
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
    on_event : callable
        Called with every frame of a loaded mask, and with a segment as a whole.

    Raises
    ------
    InputError
        If the node is missing, lies on another grid or under another transform,
        or has no such part.
    """
    from napari_microus.core.errors import InputError
    from napari_microus.core.events import Progress

    if not is_in_scene(node):
        raise InputError(
            f"Choose the {role} annotation; got none. "
            "Draw or load it, then choose it in the selector.",
            plain=(
                f"There is no {role} annotation. Draw or load it, then choose "
                "it in the selector."
            ),
        )
    scan = grid_from_node(volume)
    require_same_grid(node, volume, role)
    if not node.IsA("vtkMRMLSegmentationNode"):
        return scan.like(_loaded_mask(node, int(part), volume, role, on_event))
    require_segment(node, part, role)
    mask = segment_array(node, part, volume)
    on_event(Progress(len(mask), len(mask), message="Reading the segment"))
    return scan.like(mask)


def require_segment(node: slicer.vtkMRMLSegmentationNode, part: str, role: str) -> None:
    """Raise a sentence unless a segmentation has a segment, made of voxels."""
    from napari_microus.core.errors import InputError

    inside = node.GetSegmentation()
    if inside.GetSegment(part) is None:
        raise InputError(
            f"'{node.GetName()}' must hold the {role} segment; got none of that name. "
            "Choose a segment in the list.",
            plain=(
                f"'{node.GetName()}' has no such {role} segment any more. "
                "Choose a segment in the list."
            ),
        )
    if not inside.ContainsRepresentation(LABELMAP):
        raise InputError(
            f"'{node.GetName()}' must hold a binary labelmap; got a surface alone. "
            "Create the representation in the module Segmentations.",
            plain=(
                f"'{node.GetName()}' is a surface alone. Create its binary "
                "labelmap in the module Segmentations."
            ),
        )


def _loaded_mask(
    node: slicer.vtkMRMLVolumeNode,
    value: int,
    volume: slicer.vtkMRMLVolumeNode,
    role: str,
    on_event: Callable[[Event], None],
) -> np.ndarray:
    """Return a label of a loaded mask as 0, 1 and 255, frames as in the scan's file."""
    from napari_microus.core.compare import as_mask
    from napari_microus.core.events import Progress

    stored = slicer.util.arrayFromVolume(node)
    if is_left_handed(node) != is_left_handed(volume):
        stored = stored[::-1]
    stored = frames_as_stored(stored, volume)
    mask = np.zeros(stored.shape, np.uint8)
    for number, frame in enumerate(stored):
        mask[number] = as_mask(frame, value, name=f"the {role} mask")
        on_event(Progress(number + 1, len(stored), message="Reading the mask"))
    return mask


def parts_of(node: slicer.vtkMRMLNode | None) -> list[tuple[str, str]]:
    """Return what can be chosen in a node as (key, name): segments or label values."""
    if not is_in_scene(node):
        return []
    if node.IsA("vtkMRMLSegmentationNode"):
        inside = node.GetSegmentation()
        return [(i, inside.GetSegment(i).GetName()) for i in inside.GetSegmentIDs()]
    image = node.GetImageData()
    if image is None or image.GetPointData() is None:
        return []
    labels = _labels_of(node.GetID(), image.GetMTime())
    # Beside another label, 255 means undecided.
    shown = [v for v in labels if v != _UNDECIDED] or labels
    return [(str(v), f"label {v}") for v in shown]


@lru_cache(maxsize=32)  # a panel asks often, and a sweep takes a while to look through
def _labels_of(node_id: str, when: int) -> list[int]:
    """Return the first label values of a volume; none where it holds fractions.

    ``when`` it was last changed is asked for so that a change is seen.
    """
    found: set[int] = set()
    for frame in slicer.util.arrayFromVolume(slicer.mrmlScene.GetNodeByID(node_id)):
        values = np.unique(frame) if frame.any() else ()
        if any(value != int(value) for value in values):
            return []
        found |= {int(value) for value in values if value > 0}
        if len(found) > _MOST_LABELS:
            break  # a scan rather than a mask
    return sorted(found)[:_MOST_LABELS]
