import nibabel
import numpy as np
import pytest
import slicer
import vtk
from conftest import AFFINES
from MicroUSLib.scene import nodes

from napari_microus.core.errors import InputError


@pytest.mark.parametrize("kind", AFFINES)
def test_volume_read_through_mrml_is_nibabels(kind, pixels, nifti, load_volume):
    path = nifti(pixels, AFFINES[kind])

    volume = nodes.volume_from_node(load_volume(path))

    image = nibabel.load(path)
    np.testing.assert_array_equal(
        volume.array, np.asarray(image.dataobj).transpose(2, 1, 0)
    )
    np.testing.assert_allclose(volume.affine, image.affine, atol=1e-5)
    assert volume.array.dtype == np.uint8


def test_volume_is_a_copy(make_volume):
    node = make_volume()
    volume = nodes.volume_from_node(node)

    volume.array[:] = 0

    assert slicer.util.arrayFromVolume(node).max() > 0


def test_picture_has_no_geometry(make_volume, pixels):
    # slicer-core has no PNG reader: what Slicer makes of one is put together here.
    node = make_volume(pixels[:1], np.diag([-1.0, -1.0, 1.0, 1.0]))
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName("frame.png")
    node.SetAndObserveStorageNodeID(storage.GetID())

    assert not nodes.volume_from_node(node).has_geometry

    node.SetSpacing(0.1, 0.1, 1)  # in the module Volumes
    assert nodes.volume_from_node(node).has_geometry


def test_no_volume_asks_for_one():
    with pytest.raises(InputError, match=r"chosen as the scan; got none"):
        nodes.volume_from_node(None)


def test_removed_volume_counts_as_none(make_volume):
    node = make_volume()
    slicer.mrmlScene.RemoveNode(node)
    with pytest.raises(InputError, match="got none"):
        nodes.volume_from_node(node)


def test_volume_without_pixels_is_refused():
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    with pytest.raises(InputError, match="empty volume 'empty'"):
        nodes.volume_from_node(node)


def test_series_of_values_per_pixel_is_refused():
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "many")
    image = vtk.vtkImageData()
    image.SetDimensions(4, 3, 2)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 12)
    node.SetAndObserveImageData(image)
    with pytest.raises(InputError, match="a colour per pixel; got 12 values"):
        nodes.volume_from_node(node)


@pytest.mark.parametrize("components", [3, 4])
def test_colour_becomes_grey_as_in_the_cores_readers(components):
    """0.299 R + 0.587 G + 0.114 B, rounded; alpha is dropped."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "colour")
    pixels = np.zeros((2, 3, 4, components), np.uint8)
    pixels[1, 2, 3, :3] = 100, 50, 200
    slicer.util.updateVolumeFromArray(node, pixels)
    array = nodes.volume_from_node(node).array
    assert array.shape == (2, 3, 4)
    assert array[1, 2, 3] == round(0.299 * 100 + 0.587 * 50 + 0.114 * 200)
    assert np.count_nonzero(array) == 1


def test_transform_that_is_not_linear_is_refused(make_volume):
    node = make_volume()
    grid = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
    grid.SetAndObserveTransformFromParent(vtk.vtkBSplineTransform())
    node.SetAndObserveTransformNodeID(grid.GetID())
    with pytest.raises(InputError, match="linear; got 'warp'"):
        nodes.volume_from_node(node)


def test_position_follows_the_parent_transform(make_volume, transform):
    node = make_volume()
    node.SetAndObserveTransformNodeID(transform.GetID())

    # i = 3, j = 2, k = 1: RAS = (10 - 0.3, 20 - 0.2, -3 + 0.5), turned by 90 degrees
    # about S (x, y -> -y, x) and shifted by (5, -7, 11)
    assert nodes.voxel_to_world(node, 1, 2, 3) == pytest.approx(
        [-19.8 + 5, 9.7 - 7, -2.5 + 11]
    )
    assert nodes.frame_at_world(node, nodes.voxel_to_world(node, 3, 24, 32)) == 3


def test_frame_beyond_the_volume_is_the_nearest(make_volume):
    node = make_volume()
    assert nodes.frame_at_world(node, np.array([0.0, 0.0, 1e6])) == 4
    assert nodes.frame_at_world(node, np.array([0.0, 0.0, -1e6])) == 0


def test_views_jump_to_a_voxel(make_volume, transform):
    node = make_volume(affine=AFFINES["oblique"])
    node.SetAndObserveTransformNodeID(transform.GetID())
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    view.SetLayoutName("Red")

    nodes.jump_to_voxel(node, 3, 23.5, 31.5)

    assert nodes.shown_frame(node) == 3


@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd"])
def test_frames_of_a_left_handed_file_count_as_in_the_file(
    suffix, pixels, nifti, load_volume, tmp_path
):
    path = nifti(pixels, AFFINES["left-handed"])
    if suffix == "nrrd":
        import SimpleITK

        image = SimpleITK.ReadImage(str(path))
        path = tmp_path / "scan.nrrd"
        SimpleITK.WriteImage(image, str(path))
    node = load_volume(path)
    assert nodes.is_reversed(node)

    volume = nodes.volume_from_node(node)

    np.testing.assert_array_equal(volume.array, pixels)
    # Voxel (i, j, k) = (10, 20, 1) lies at (-4 + 1, 8 - 2, 15 + 0.5).
    position = nodes.voxel_to_world(node, 1, 20, 10)
    assert position == pytest.approx([-3, 6, 15.5], abs=1e-5)
    assert nodes.frame_at_world(node, position) == 1
