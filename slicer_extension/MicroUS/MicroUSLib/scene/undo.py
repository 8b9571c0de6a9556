"""Let the Segment Editor's Undo take back what the module does to a segmentation."""

from __future__ import annotations

import slicer


def save_state_for_undo(
    segmentation: slicer.vtkMRMLSegmentationNode, volume: slicer.vtkMRMLVolumeNode
) -> None:
    """Make the present state of ``segmentation`` the one that Undo returns to.

    The Segment Editor keeps the history of the segmentation it shows, so it is told
    to show this one. Call once per action of the user, before the first change.
    """
    module = slicer.util.getModuleWidget("SegmentEditor")
    if module.parameterSetNode is None:  # the editor has not been opened yet
        module.selectParameterNode()
    editor = module.editor
    if editor.segmentationNode() is not segmentation:
        editor.setSegmentationNode(segmentation)
        editor.setSourceVolumeNode(volume)
    editor.saveStateForUndo()
