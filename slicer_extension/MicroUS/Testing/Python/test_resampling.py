"""Masks that lie elsewhere: loaded from files of all kinds, or resampled."""

import numpy as np
import pytest
import slicer
from conftest import AFFINES
from MicroUSLib.event_pump import ignore
from MicroUSLib.scene import annotations, resampling, segments
from MicroUSLib.scene.annotations import Annotator

from napari_microus.core.errors import InputError


def mask_of(node, part, volume):
    return annotations.mask_from_node(node, part, volume, "expert").array


@pytest.mark.parametrize("kind", AFFINES)
@pytest.mark.parametrize("made", ["read from a file", "made in the scene"])
def test_loaded_mask_lies_on_the_scan(
    kind, made, pixels, mask, nifti, load_volume, make_volume
):
    scan = (
        load_volume(nifti(pixels, AFFINES[kind]))
        if made == "read from a file"
        else make_volume(affine=AFFINES[kind])
    )
    values = mask * 1
    values[0, 2:5, 3:9] = 1  # so that a flip of the frames would show
    values[2, 20:25, 25:40] = 255  # undecided
    path = nifti(values, AFFINES[kind], "student_07.nii.gz")

    node = resampling.load_mask(str(path), scan, ignore)

    assert node.GetName() == "student_07"
    assert annotations.parts_of(node) == [("1", "label 1")]
    np.testing.assert_array_equal(mask_of(node, "1", scan), values)


def test_picture_is_laid_over_the_scan(make_volume, pixels, mask, tmp_path, transform):
    from PIL import Image

    scan = make_volume(pixels[:1], AFFINES["oblique"])
    scan.SetAndObserveTransformNodeID(transform.GetID())
    Image.fromarray(mask[1] * 255).save(tmp_path / "mask.png")
    node = resampling.load_mask(str(tmp_path / "mask.png"), scan, ignore)
    assert node.GetParentTransformNode() is transform
    np.testing.assert_array_equal(mask_of(node, "255", scan), mask[1:2])


def test_picture_without_a_scan_is_reported(mask, tmp_path):
    from PIL import Image

    Image.fromarray(mask[1] * 255).save(tmp_path / "mask.png")
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(InputError, match="must be chosen as the scan"):
        resampling.load_mask(str(tmp_path / "mask.png"), None, ignore)
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_file_that_is_no_mask_is_reported(make_volume, pixels, nifti, tmp_path):
    scan = make_volume()
    path = nifti(pixels / np.float32(300), AFFINES["oblique"], "probability.nii.gz")
    (tmp_path / "notes.nii.gz").write_text("no image")
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(InputError, match="whole numbers"):
        resampling.load_mask(str(path), scan, ignore)
    with pytest.raises(InputError):
        resampling.load_mask(str(tmp_path / "notes.nii.gz"), scan, ignore)
    assert slicer.mrmlScene.GetNumberOfNodes() == before


@pytest.fixture
def finer(make_volume, mask):
    """A volume of half the pixel size over the same place, and the mask on it."""

    def make(affine):
        fine = np.array(affine)
        fine[:3, :2] /= 2
        # The corner of the first voxel stays where it is.
        fine[:3, 3] += (affine - fine)[:3, :2] @ (-0.5, -0.5)
        doubled = mask.repeat(2, axis=1).repeat(2, axis=2)
        return make_volume(np.zeros_like(doubled), fine, "fine"), doubled

    return make


@pytest.mark.parametrize("kind", AFFINES)
@pytest.mark.parametrize("is_segment", [True, False])
def test_annotation_of_a_finer_grid_comes_onto_the_scan(
    kind, is_segment, pixels, mask, nifti, load_volume, make_volume, finer, transform
):
    scan = load_volume(nifti(pixels, AFFINES[kind]))
    scan.SetAndObserveTransformNodeID(transform.GetID())
    fine, doubled = finer(AFFINES[kind])
    if is_segment:
        node = segments.new_segmentation(fine, "drawn elsewhere")
        part = segments.add_segment(doubled, node, fine, name="student")
    else:
        node, part = (
            make_volume(
                doubled, slicer.util.arrayFromVTKMatrix(matrix_of(fine)), "loaded"
            ),
            "1",
        )
    node.SetAndObserveTransformNodeID(transform.GetID())
    chosen = Annotator(node, part, "expert")
    assert resampling.lies_elsewhere(chosen, scan)

    copy, key = resampling.resampled(chosen, scan, ignore)

    assert not resampling.lies_elsewhere(Annotator(copy, key, "expert"), scan)
    np.testing.assert_array_equal(mask_of(copy, key, scan), mask)
    assert copy.GetParentTransformNode() is transform
    assert copy is not node


def matrix_of(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix


def test_annotation_under_another_transform_is_met_in_the_world(
    make_volume, mask, transform
):
    """The scan is moved by the transform; the mask was drawn where it came from."""
    scan = make_volume(name="moved")
    scan.SetAndObserveTransformNodeID(transform.GetID())
    turn = slicer.util.arrayFromTransformMatrix(transform)
    there = make_volume(affine=turn @ AFFINES["axis-aligned"], name="there")
    node = segments.new_segmentation(there, "drawn")
    part = segments.add_segment(mask, node, there)

    copy, key = resampling.resampled(Annotator(node, part, "expert"), scan, ignore)

    np.testing.assert_array_equal(mask_of(copy, key, scan), mask)


def test_annotation_of_another_patient_is_reported(make_volume, mask):
    scan = make_volume()
    far = AFFINES["axis-aligned"].copy()
    far[:3, 3] += 500
    there = make_volume(affine=far, name="there")
    node = segments.new_segmentation(there, "drawn")
    part = segments.add_segment(mask, node, there)
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(InputError, match="no common voxel"):
        resampling.resampled(Annotator(node, part, "expert"), scan, ignore)
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_surface_without_voxels_is_reported(make_volume, mask):
    volume = make_volume()
    node = segments.new_segmentation(volume, "surface")
    key = segments.add_segment(mask, node, volume)
    node.CreateClosedSurfaceRepresentation()
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    node.GetSegmentation().RemoveRepresentation("Binary labelmap")
    with pytest.raises(InputError, match="must hold a binary labelmap"):
        annotations.mask_from_node(node, key, volume, "expert")


def test_labels_of_a_volume_follow_its_changes(make_volume, mask):
    node = make_volume(mask * 3)
    assert annotations.parts_of(node) == [("3", "label 3")]
    slicer.util.updateVolumeFromArray(node, mask * 5)
    assert annotations.parts_of(node) == [("5", "label 5")]
    slicer.util.updateVolumeFromArray(node, mask * np.float32(0.5))
    assert annotations.parts_of(node) == []
