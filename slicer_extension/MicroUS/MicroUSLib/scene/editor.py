"""Slicer's Segment Editor inside the panel, with a history of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from .nodes import is_in_scene
from .undo import use_editor

if TYPE_CHECKING:
    from types import SimpleNamespace

_TAG = "MicroUS"
_UNDO_STATES = 10


class EditorPanel:
    """Paint in a capsule or in *Adjudicated* without leaving the module.

    Its keys are not those of the module Segment Editor: digits decide on regions here.

    Parameters
    ----------
    ui : namespace
        The widgets of ``MicroUS.ui`` by name.
    """

    def __init__(self, ui: SimpleNamespace) -> None:
        self._ui = ui
        self.widget = slicer.qMRMLSegmentEditorWidget()
        self.widget.setMaximumNumberOfUndoStates(_UNDO_STATES)
        self.widget.setMRMLScene(slicer.mrmlScene)
        ui.editorSection.layout().addWidget(self.widget)

    def enter(self) -> None:
        """Work in the scene that is open now."""
        self.widget.setMRMLSegmentEditorNode(_editor_node())
        self.widget.setupViewObservations()
        use_editor(self.widget)

    def exit(self) -> None:
        """Let no effect work in the views of another module."""
        self.widget.setActiveEffect(None)
        self.widget.removeViewObservations()

    def release(self) -> None:
        """Let go of the scene: the module is going away."""
        use_editor(None)
        self.widget.setActiveEffect(None)
        self.widget.setMRMLSegmentEditorNode(None)

    def show(
        self,
        segmentation: slicer.vtkMRMLSegmentationNode,
        volume: slicer.vtkMRMLVolumeNode,
    ) -> None:
        """Show a segmentation that was just made; an older one's history ends."""
        shown = self.widget.segmentationNode()
        if shown is segmentation or not is_in_scene(segmentation):
            return
        self.widget.setSegmentationNode(segmentation)
        self.widget.setSourceVolumeNode(volume)


def _editor_node() -> slicer.vtkMRMLSegmentEditorNode:
    scene = slicer.mrmlScene
    node = scene.GetSingletonNode(_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag(_TAG)
        node = scene.AddNode(node)
    return node
