"""A capsule in 3D: Slicer's closed surface where the geometry is known."""

import math

import numpy as np
import pytest
import slicer
import vtk
from MicroUSLib.scene import nodes, segments
from MicroUSLib.scene.scan_properties import use_properties
from MicroUSLib.scene.space import show_in_space, show_resampled_sweep
from panel import choose, press
from space_view import SpaceView

from napari_microus.core.errors import InputError
from napari_microus.core.io import ScanProperties
from napari_microus.core.sweep import Sweep
from napari_microus.core.volume import Volume
from napari_microus.core.volumetry import mask_volume

RADIUS = 20.0  # mm, of a ball that is sampled by frames of 1 mm, pixels of 0.5 mm


@pytest.fixture
def ball(make_volume):
    z, y, x = np.ogrid[:48, :96, :96]
    inside = ((z - 24) ** 2 + ((y - 48) / 2) ** 2 + ((x - 48) / 2) ** 2) <= RADIUS**2
    affine = np.diag([-0.5, -0.5, 1.0, 1.0])
    volume = make_volume(inside.astype(np.uint8) * 90, affine)
    node = segments.new_segmentation(volume, "capsule")
    key = segments.add_segment(inside.astype(np.uint8), node, volume)
    return volume, node, key


def volume_of_surface(node, key):
    mesh = vtk.vtkPolyData()
    node.GetClosedSurfaceRepresentation(key, mesh)
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputData(mesh)
    measured = vtk.vtkMassProperties()
    measured.SetInputConnection(triangles.GetOutputPort())
    return measured.GetVolume()


def test_surface_of_parallel_frames_encloses_the_measured_volume(ball):
    volume, node, key = ball
    show_in_space(volume, node, key)
    display = node.GetDisplayNode()
    assert display.GetVisibility()
    assert display.GetVisibility3D()
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")
    exact = 4 / 3 * math.pi * RADIUS**3
    mask = nodes.grid_from_node(volume).like(segments.segment_array(node, key, volume))
    assert mask_volume(mask).ml * 1000 == pytest.approx(exact, rel=0.01)
    # Slicer smooths its surfaces, which takes a little off.
    assert volume_of_surface(node, key) == pytest.approx(exact, rel=0.03)


def test_slicers_3d_view_shows_a_ball_as_round(ball):
    volume, node, key = ball
    show_in_space(volume, node, key)
    view = SpaceView(300, 300)
    shown = view.picture(azimuth=30, elevation=20)[..., 0] > 60
    view.close()
    height = np.count_nonzero(shown.any(axis=1))
    width = np.count_nonzero(shown.any(axis=0))
    assert height > 100
    assert height == pytest.approx(width, rel=0.03)


def test_surface_follows_the_size_that_is_reported(ball):
    volume, node, key = ball
    show_in_space(volume, node, key)
    before = volume_of_surface(node, key)
    use_properties(volume, ScanProperties((0.25, 0.25), 2.0))
    assert volume_of_surface(node, key) == pytest.approx(before / 2, rel=0.02)


def test_unknown_geometry_has_no_surface(ball):
    volume, node, key = ball
    use_properties(volume, ScanProperties((0.25, 0.25), "unknown"))
    with pytest.raises(InputError, match="No surface: neither the distance"):
        show_in_space(volume, node, key)
    assert not node.GetSegmentation().ContainsRepresentation("Closed surface")


def test_rotational_sweep_is_placed_in_space_first(ball):
    volume, node, key = ball
    angles = tuple(float(n) for n in range(48))
    use_properties(
        volume, ScanProperties(None, None, Sweep("rotational", "columns", -9.5, angles))
    )
    show_in_space(volume, node, key)
    assert not node.GetSegmentation().ContainsRepresentation("Closed surface")
    grid = nodes.grid_from_node(volume)
    mask = grid.like(segments.segment_array(node, key, volume), **grid.metadata)
    found = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    [capsule] = [one for one in found if one is not node]
    [segment_id] = capsule.GetSegmentation().GetSegmentIDs()
    ml = volume_of_surface(capsule, segment_id) / 1000
    assert ml == pytest.approx(mask_volume(mask).ml, rel=0.05)


def test_single_frame_has_no_surface(make_volume, pixels, mask):
    volume = make_volume(pixels[:1])
    node = segments.new_segmentation(volume, "capsule")
    key = segments.add_segment(mask[1:2], node, volume)
    with pytest.raises(InputError, match="two or more frames"):
        show_in_space(volume, node, key)


def test_sweep_that_was_placed_in_space_is_a_volume_and_a_surface(ball, transform):
    volume, node, key = ball
    volume.SetAndObserveTransformNodeID(transform.GetID())
    array = segments.segment_array(node, key, volume)
    place = np.diag([-0.5, -0.5, 1.0, 1.0])
    mask = Volume(array, place)
    shown = [
        show_resampled_sweep(mask.like(array * 90), mask, volume) for _ in range(2)
    ]
    placed, capsule = shown[-1]
    assert placed.GetName() == "scan in space"
    assert placed.GetTransformNodeID() == transform.GetID()
    [segment_id] = capsule.GetSegmentation().GetSegmentIDs()
    exact = 4 / 3 * math.pi * RADIUS**3
    assert volume_of_surface(capsule, segment_id) == pytest.approx(exact, rel=0.03)
    # The second replaced the first; what a person made stays.
    names = [
        n.GetName() for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    ]
    assert names == ["capsule", "scan in space capsule"]


def test_placed_sweep_goes_when_the_size_changes(widget, ball):
    volume, node, key = ball
    mask = Volume(
        segments.segment_array(node, key, volume), np.diag([-0.5, -0.5, 1, 1])
    )
    show_resampled_sweep(mask, mask, volume)
    choose(widget, volume=volume)
    widget.ui.pixelHeightLineEdit.setText("0.25")
    press(widget.ui.keepPropertiesButton)
    names = [
        n.GetName() for n in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    ]
    assert names == ["scan"]


def test_button_shows_it_or_says_why_not(widget, ball, shown):
    volume, node, _key = ball
    choose(widget, volume=volume, segmentation=node)
    press(widget.ui.showInSpaceButton)
    assert shown == []
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")
    use_properties(volume, ScanProperties((0.25, 0.25), "unknown"))
    press(widget.ui.showInSpaceButton)
    assert "No surface" in shown[0]
