"""A 3D view without a window: Slicer's real displayable manager on EGL."""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy


class SpaceView:
    """Shows the closed surfaces of all segmentations.

    Parameters
    ----------
    width, height : int
        Size of the picture in pixels.
    """

    def __init__(self, width=800, height=600):
        self._window = vtk.vtkEGLRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetSize(width, height)
        self._renderer = vtk.vtkRenderer()
        self._renderer.SetBackground(0.1, 0.1, 0.15)
        self._window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        self.node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLViewNode", "View1")
        self.node.SetLayoutName("1")
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._manager = slicer.vtkMRMLSegmentationsDisplayableManager3D()
        self._manager.SetMRMLApplicationLogic(slicer._application_logic)
        self._group.AddDisplayableManager(self._manager)
        self._group.SetRenderer(self._renderer)
        self._group.SetMRMLDisplayableNode(self.node)

    def close(self):
        """Let go of the scene, in the order in which a window does."""
        self._group.SetMRMLDisplayableNode(None)
        self._manager.SetMRMLScene(None)
        self._group.SetRenderer(None)

    def picture(self, azimuth=0.0, elevation=0.0):
        """Return what is seen from there, uint8 (height, width, 3)."""
        self._renderer.ResetCamera()
        camera = self._renderer.GetActiveCamera()
        camera.ParallelProjectionOn()
        camera.Azimuth(azimuth)
        camera.Elevation(elevation)
        self._renderer.ResetCamera()
        self._window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.ReadFrontBufferOff()
        grab.Update()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        colors = vtk_to_numpy(image.GetPointData().GetScalars())
        return np.flipud(colors.reshape(height, width, -1)[..., :3]).copy()
