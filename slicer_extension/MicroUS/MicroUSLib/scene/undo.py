"""Let the Segment Editor's Undo take back what the module does to a segmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer

from .nodes import is_in_scene

if TYPE_CHECKING:
    from collections.abc import Iterator

# The panel's own editor, where the panel is open; see `use_editor`.
_own: list[Any] = []


def use_editor(editor: Any | None) -> None:
    """Keep the history in the panel's own editor too; None when the panel goes."""
    _own[:] = [] if editor is None else [editor]


def save_state_for_undo(
    segmentation: slicer.vtkMRMLSegmentationNode, volume: slicer.vtkMRMLVolumeNode
) -> bool:
    """Make the present state of ``segmentation`` the one that Undo returns to.

    An editor keeps the history of the segmentation it shows alone. One that shows
    another is left as it is: its history is of what somebody edits there. Call once
    per action of the user, before the first change.

    Returns
    -------
    bool
        Whether an editor can take the change back.
    """
    editors = list(_editors())
    showing = [e for e in editors if e.segmentationNode() is segmentation]
    if not showing:
        free = [e for e in editors if not is_in_scene(e.segmentationNode())]
        showing = free[:1]
        for editor in showing:
            editor.setSegmentationNode(segmentation)
            editor.setSourceVolumeNode(volume)
    for editor in showing:
        editor.saveStateForUndo()
    return bool(showing)


def end_history(
    segmentation: slicer.vtkMRMLSegmentationNode, volume: slicer.vtkMRMLVolumeNode
) -> None:
    """Forget the states that Undo could return to: they no longer lie on the scan."""
    showing = [e for e in _editors() if e.segmentationNode() is segmentation]
    if not showing:
        return
    # A history ends with another segmentation, and not with none.
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    for editor in showing:
        editor.setSegmentationNode(other)
        editor.setSegmentationNode(segmentation)
        editor.setSourceVolumeNode(volume)
    slicer.mrmlScene.RemoveNode(other)


def _editors() -> Iterator[Any]:
    """Yield the panel's editor, then the one of the module Segment Editor."""
    yield from _own
    module = slicer.util.getModuleWidget("SegmentEditor")
    if module.parameterSetNode is None:  # the editor has not been opened yet
        module.selectParameterNode()
    yield module.editor
