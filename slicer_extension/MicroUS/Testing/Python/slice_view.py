"""A red slice view without a window: Slicer's real displayable managers on EGL."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
)


class SliceView:
    """Shows one volume and all segmentations, frame by frame.

    Parameters
    ----------
    volume : vtkMRMLScalarVolumeNode
        Fills the view.
    width, height : int
        Size of the picture in pixels.
    """

    def __init__(self, volume, width=800, height=600):
        scene = slicer.mrmlScene
        for kind in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode"):
            for node in slicer.util.getNodesByClass(kind):
                scene.RemoveNode(node)  # singletons outlive a closed scene
        self._window = vtk.vtkEGLRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetSize(width, height)
        self._renderer = vtk.vtkRenderer()
        self._window.AddRenderer(self._renderer)
        self._image = vtk.vtkImageMapper()
        self._image.SetColorWindow(255)
        self._image.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self._image)
        actor.GetProperty().SetDisplayLocationToBackground()
        self._renderer.AddActor2D(actor)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(slicer._application_logic)
        self._logic.SetMRMLScene(scene)
        self.node = self._logic.AddSliceNode("Red")
        self.node.SetDimensions(width, height, 1)
        self._logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        self.node.SetOrientationToDefault()
        self.node.RotateToVolumePlane(volume)
        self._logic.FitSliceToAll()
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._managers = [getattr(slicer, name)() for name in _MANAGERS]
        for manager in self._managers:
            manager.SetMRMLApplicationLogic(slicer._application_logic)
            self._group.AddDisplayableManager(manager)
        self._group.SetRenderer(self._renderer)
        self._group.SetMRMLDisplayableNode(self.node)

    def close(self):
        """Let go of the scene, in the order in which a window does."""
        self._group.SetMRMLDisplayableNode(None)
        for manager in self._managers:
            manager.SetMRMLScene(None)
        self._group.SetRenderer(None)
        self._logic.SetMRMLScene(None)

    def picture(self):
        """Return what the view shows, uint8 (height, width, 3), first row on top."""
        self._logic.UpdatePipeline()
        blend = self._logic.GetBlend()
        blend.Update()
        self._image.SetInputConnection(blend.GetOutputPort())
        self._window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.ReadFrontBufferOff()
        grab.Update()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        colors = vtk_to_numpy(image.GetPointData().GetScalars())
        return np.flipud(colors.reshape(height, width, -1)[..., :3]).copy()
