"""What is known of a size where Slicer says 1 mm or a printing size."""

import shutil
import types

import numpy as np
import pytest
import SimpleITK
import slicer
from MicroUSLib.scene import nodes
from MicroUSLib.scene.loaded_size import size_stated_by_file
from pydicom.data import get_testdata_file


def test_ultrasound_without_calibration_has_no_size(dicom, load_volume):
    node = load_volume(dicom())
    assert node.GetSpacing() == (1.0, 1.0, 1.0)
    grid = nodes.grid_from_node(node)
    assert not grid.has_geometry
    assert size_stated_by_file(node).pixel_mm is None


def test_calibration_that_slicer_left_out_is_reported_and_not_taken_unasked(
    dicom, load_volume
):
    node = load_volume(dicom(cm=0.005))
    assert node.GetSpacing()[:2] == (1.0, 1.0)
    assert not nodes.grid_from_node(node).has_geometry
    assert size_stated_by_file(node).pixel_mm == pytest.approx((0.05, 0.05))


def test_calibration_that_slicer_took_is_known(dicom, load_volume):
    node = load_volume(dicom(cm=0.005))
    node.SetSpacing(0.05, 0.05, 1.0)  # as its reader of image sequences does
    grid = nodes.grid_from_node(node)
    assert grid.has_geometry
    assert not grid.knows_frame_distance
    assert not grid.is_oriented
    assert grid.spacing_mm == pytest.approx((1.0, 0.05, 0.05))


def test_cine_with_a_pixel_size_has_no_frame_distance(dicom, load_volume):
    node = load_volume(dicom(PixelSpacing=[0.05, 0.04], FrameTime="33.3"))
    assert node.GetSpacing() == pytest.approx((0.04, 0.05, 1.0))
    grid = nodes.grid_from_node(node)
    assert grid.spacing_mm == pytest.approx((1.0, 0.05, 0.04))
    assert not grid.knows_frame_distance


def test_pydicoms_own_ultrasound_files_have_no_size_in_slicer(load_volume, tmp_path):
    for name in ("examples_rgb_color.dcm", "examples_palette.dcm"):
        path = get_testdata_file(name, download=False)
        if path is None:
            pytest.skip("not in the wheel")
        copy = tmp_path / name
        shutil.copy(path, copy)
        node = load_volume(copy, "vtkMRMLVectorVolumeNode")
        assert node.GetSpacing() == (1.0, 1.0, 1.0)
        assert not nodes.grid_from_node(node).has_geometry


def test_sequence_asks_slicers_dicom_database(dicom, make_volume, monkeypatch, pixels):
    path = dicom()
    node = make_volume(pixels[:1], np.diag([-1.0, -1.0, 1.0, 1.0]))
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    assert nodes.grid_from_node(node).has_geometry  # nobody can be asked

    files = {"1.2.3": str(path)}
    database = types.SimpleNamespace(fileForInstance=files.get)
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    assert not nodes.grid_from_node(node).has_geometry


def test_printing_size_of_a_picture_is_no_pixel_size(make_volume, tmp_path, pixels):
    path = tmp_path / "frame.tif"
    image = SimpleITK.GetImageFromArray(pixels[0])
    image.SetSpacing((25.4 / 72, 25.4 / 72))
    SimpleITK.WriteImage(image, str(path))
    x, y = SimpleITK.ReadImage(str(path)).GetSpacing()
    assert x == pytest.approx(25.4 / 72, rel=1e-3)
    # slicer-core has no TIFF reader: what Slicer makes of one is put together here.
    node = make_volume(pixels[:1], np.diag([-x, -y, 1.0, 1.0]))
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    node.SetAndObserveStorageNodeID(storage.GetID())

    grid = nodes.grid_from_node(node)

    assert not grid.has_geometry
    assert grid.spacing_mm == (1.0, 1.0, 1.0)
    np.testing.assert_allclose(nodes.ijk_to_ras(node)[0, 0], -x)


@pytest.mark.parametrize("sized", [True, False])
def test_header_is_asked_whether_it_states_a_millimetre(
    sized, load_volume, tmp_path, pixels
):
    """A voxel of 1 mm can be true; NIfTI's unit shows it."""
    import nibabel

    image = nibabel.Nifti1Image(pixels.transpose(2, 1, 0), np.diag([-1.0, -1, 1, 1]))
    image.header.set_xyzt_units("mm" if sized else 0)
    path = tmp_path / "scan.nii"
    nibabel.save(image, path)
    assert nodes.grid_from_node(load_volume(path)).has_geometry is sized


def test_size_that_somebody_set_in_slicer_is_known(dicom, load_volume):
    node = load_volume(dicom())
    assert not nodes.grid_from_node(node).has_geometry
    node.SetSpacing(0.1, 0.1, 0.5)
    grid = nodes.grid_from_node(node)
    assert grid.has_geometry
    assert grid.knows_frame_distance


def test_what_the_file_stated_is_known_in_a_saved_scene(dicom, load_volume, reopen):
    """The scene's own copy of the voxels is a NRRD, which states 1 mm."""
    load_volume(dicom())
    nodes.keep_sizes_of_files()
    reopen()

    [node] = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert node.GetImageData().GetDimensions() == (64, 48, 5)
    assert not nodes.grid_from_node(node).has_geometry
