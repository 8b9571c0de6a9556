import json

import numpy as np
import pytest
import slicer
import vtk
from conftest import AFFINES
from MicroUSLib.scene import annotations, grids, segments

from napari_microus.core.errors import InputError
from napari_microus.core.volume import Volume

PROVENANCE = {"model": "small", "version": "1"}


def put(volume, mask, segmentation=None, frames=None):
    return segments.put_capsule(Volume(mask), frames, volume, segmentation, PROVENANCE)


def editor():
    return slicer.util.getModuleWidget("SegmentEditor")


@pytest.mark.parametrize("kind", AFFINES)
def test_mask_comes_back_voxel_for_voxel(
    kind, pixels, nifti, load_volume, mask, transform
):
    volume = load_volume(nifti(pixels, AFFINES[kind]))
    volume.SetAndObserveTransformNodeID(transform.GetID())

    node, segment_id = put(volume, mask)

    back = segments.segment_array(node, segment_id, volume)
    np.testing.assert_array_equal(back, mask)
    assert back.dtype == np.uint8


def test_capsule_lies_where_the_volume_lies(make_volume, mask, transform):
    volume = make_volume(affine=AFFINES["oblique"])
    volume.SetAndObserveTransformNodeID(transform.GetID())

    node, segment_id = put(volume, mask)

    assert node.GetParentTransformNode() is transform
    # Voxel (i, j, k) = (35, 20, 2) is inside the block; the segment's own image
    # must say so at that RAS position.
    image = vtk.vtkMatrix4x4()
    labelmap = node.GetBinaryLabelmapInternalRepresentation(segment_id)
    labelmap.GetImageToWorldMatrix(image)
    np.testing.assert_allclose(
        slicer.util.arrayFromVTKMatrix(image), AFFINES["oblique"], atol=1e-6
    )


def test_capsule_has_name_colour_terminology_and_provenance(make_volume, mask):
    node, segment_id = put(make_volume(), mask)

    segment = node.GetSegmentation().GetSegment(segment_id)
    assert segment.GetName() == "Capsule"
    assert segment.GetColor() == pytest.approx(segments.CAPSULE_COLOR)
    entry = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    assert logic.DeserializeTerminologyEntry(segment.GetTerminology(), entry)
    assert entry.GetTypeObject().GetCodeMeaning() == "Prostate"
    text = vtk.reference("")
    segment.GetTag(segments.PROVENANCE_TAG, text)
    assert json.loads(str(text)) == PROVENANCE


def test_second_run_adds_a_segment(make_volume, mask):
    volume = make_volume()
    node, first = put(volume, mask)
    put(volume, 1 - mask, node)

    names = [name for _, name in annotations.parts_of(node)]
    assert names == ["Capsule", "Capsule 2"]
    np.testing.assert_array_equal(segments.segment_array(node, first, volume), mask)


def test_users_segment_of_that_name_stays(make_volume, mask):
    volume = make_volume()
    node = segments.new_segmentation(volume, "mine")
    node.GetSegmentation().AddEmptySegment("Capsule", "Capsule")
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, "Capsule", volume)

    put(volume, 1 - mask, node, frames=[2])

    np.testing.assert_array_equal(segments.segment_array(node, "Capsule", volume), mask)
    assert [name for _, name in annotations.parts_of(node)] == ["Capsule", "Capsule 2"]


def test_overlapping_segments_survive(make_volume, mask):
    volume = make_volume()
    node, first = put(volume, mask)
    _, second = put(volume, np.ones_like(mask), node)
    assert segments.segment_array(node, first, volume).sum() == mask.sum()
    assert segments.segment_array(node, second, volume).all()


def test_one_frame_changes_only_that_frame_of_our_segment(make_volume, mask):
    volume = make_volume()
    node, segment_id = put(volume, mask)

    _, same = put(volume, np.ones_like(mask), node, frames=[4])

    assert same == segment_id
    expected = mask.copy()
    expected[4] = 1
    np.testing.assert_array_equal(
        segments.segment_array(node, segment_id, volume), expected
    )


def test_segment_drawn_on_another_lattice_is_resampled(make_volume, mask):
    # A segmentation without a reference geometry, such as one made from a model.
    volume = make_volume(affine=np.diag([1.0, 1.0, 1.0, 1.0]))
    node = segments.new_segmentation(volume, "coarse")
    image = slicer.vtkOrientedImageData()
    image.SetExtent(0, 31, 0, 23, 0, 4)
    image.SetImageToWorldMatrix(
        slicer.util.vtkMatrixFromArray(np.diag([2.0, 2.0, 1.0, 1.0]))
    )
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    image.GetPointData().GetScalars().Fill(1)
    segment = slicer.vtkSegment()
    segment.AddRepresentation("Binary labelmap", image)
    node.GetSegmentation().AddSegment(segment, "a")

    array = segments.segment_array(node, "a", volume)

    # Its voxels are 2 × 2 of the volume's, from -1 to 63 and 47.
    assert array[:, :47, :63].all()


def test_segment_that_reaches_beyond_the_volume_is_cut(make_volume, mask):
    volume = make_volume()
    node, segment_id = put(volume, mask)
    larger = make_volume(np.zeros((8, 60, 70), np.uint8), name="larger")
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        np.ones((8, 60, 70), np.uint8), node, segment_id, larger
    )
    assert segments.segment_array(node, segment_id, volume).all()


def test_one_undo_takes_a_run_back(make_volume, mask):
    volume = make_volume()
    node, segment_id = put(volume, mask)
    put(volume, np.ones_like(mask), node, frames=[0, 4])
    assert editor().saves == 2

    editor().undo()

    np.testing.assert_array_equal(
        segments.segment_array(node, segment_id, volume), mask
    )


def test_undo_removes_a_segment_that_was_added(make_volume, mask):
    volume = make_volume()
    node, _ = put(volume, mask)
    put(volume, mask, node)

    editor().undo()

    assert [name for _, name in annotations.parts_of(node)] == ["Capsule"]


def test_closed_surface_is_shown_again(make_volume, mask):
    volume = make_volume()
    node, _ = put(volume, mask)
    node.CreateClosedSurfaceRepresentation()

    put(volume, mask, node, frames=[2])

    assert node.GetSegmentation().ContainsRepresentation("Closed surface")


def test_surface_is_not_made_where_none_was(make_volume, mask):
    volume = make_volume()
    node, _ = put(volume, mask)
    put(volume, mask, node)
    assert not node.GetSegmentation().ContainsRepresentation("Closed surface")


def test_segmentation_of_another_grid_is_refused_and_unchanged(make_volume, mask):
    node, _ = put(make_volume(name="a"), mask)
    other = make_volume(affine=AFFINES["oblique"], name="b")
    before = slicer.mrmlScene.GetNumberOfNodes()

    with pytest.raises(InputError, match="must share the grid of 'b'"):
        put(other, mask, node)

    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert [name for _, name in annotations.parts_of(node)] == ["Capsule"]


def test_segmentation_under_another_transform_is_refused(make_volume, mask, transform):
    volume = make_volume()
    node, _ = put(volume, mask)
    node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(InputError, match="got 'tilt' and none"):
        put(volume, mask, node)


def test_failure_leaves_no_new_node(make_volume, mask, monkeypatch):
    volume = make_volume()

    def fail(*_):
        raise RuntimeError("Importing of segment failed.")

    monkeypatch.setattr(segments, "write_labelmap", fail)
    with pytest.raises(RuntimeError):
        put(volume, mask)
    for kind in ("vtkMRMLSegmentationNode", "vtkMRMLSegmentationDisplayNode"):
        assert slicer.mrmlScene.GetNumberOfNodesByClass(kind) == 0


def test_empty_mask_is_an_empty_segment(make_volume, mask):
    volume = make_volume()
    node, segment_id = put(volume, np.zeros_like(mask))
    assert segments.segment_array(node, segment_id, volume).sum() == 0


@pytest.mark.parametrize("kind", AFFINES)
def test_seg_nrrd_round_trip(kind, make_volume, mask, tmp_path):
    volume = make_volume(affine=AFFINES[kind])
    node, _ = put(volume, mask)
    put(volume, np.ones_like(mask), node)
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "capsule.seg.nrrd"))
    assert storage.WriteData(node)
    again = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(again)

    assert [name for _, name in annotations.parts_of(again)] == ["Capsule", "Capsule 2"]
    key = annotations.parts_of(again)[0][0]
    grids.require_same_place(again, volume)
    np.testing.assert_array_equal(segments.segment_array(again, key, volume), mask)
    assert segments.own_capsule(again) is not None


@pytest.mark.parametrize("kind", AFFINES)
def test_nifti_export_is_what_nibabel_reads(kind, make_volume, mask, tmp_path):
    import nibabel

    volume = make_volume(affine=AFFINES[kind])
    node, segment_id = put(volume, mask)
    label = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    ids = vtk.vtkStringArray()
    ids.InsertNextValue(segment_id)
    slicer.modules.segmentations.logic().ExportSegmentsToLabelmapNode(
        node, ids, label, volume
    )
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(tmp_path / "capsule.nii.gz"))
    assert storage.WriteData(label)

    image = nibabel.load(tmp_path / "capsule.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), mask)
    np.testing.assert_allclose(image.affine, AFFINES[kind], atol=1e-5)


@pytest.mark.parametrize("kind", AFFINES)
def test_mask_loaded_as_a_volume_counts_as_annotation(
    kind, mask, nifti, load_volume, pixels
):
    scan = load_volume(nifti(pixels, AFFINES[kind]))
    label = load_volume(
        nifti(mask * 3, AFFINES[kind], "expert.nii.gz"),
        "vtkMRMLLabelMapVolumeNode",
    )
    assert annotations.parts_of(label) == [("3", "label 3")]

    volume = annotations.mask_from_node(label, "3", scan, "expert")

    np.testing.assert_array_equal(volume.array, mask)


@pytest.mark.parametrize("kind", AFFINES)
def test_mask_loaded_as_a_segmentation_counts_as_annotation(
    kind, mask, nifti, load_volume, pixels
):
    scan = load_volume(nifti(pixels, AFFINES[kind]))
    path = nifti(mask, AFFINES[kind], "expert.nii.gz")
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(node)
    [(key, _)] = annotations.parts_of(node)

    volume = annotations.mask_from_node(node, key, scan, "expert")

    np.testing.assert_array_equal(volume.array, mask)
    np.testing.assert_allclose(volume.affine, AFFINES[kind], atol=1e-5)


def test_mask_of_another_grid_is_refused(make_volume, mask):
    scan = make_volume()
    other = make_volume(mask[:, :-1], name="other")
    with pytest.raises(InputError, match="share a grid"):
        annotations.mask_from_node(other, "1", scan, "expert")


def test_missing_annotation_is_asked_for(make_volume):
    with pytest.raises(InputError, match="Choose the expert annotation"):
        annotations.mask_from_node(None, "", make_volume(), "expert")


def test_segments_of_one_layer_do_not_disturb_each_other(make_volume, mask):
    volume = make_volume()
    node, first = put(volume, mask)
    _, second = put(volume, 1 - mask, node)  # no overlap: Slicer shares the layer

    segments.change_frames(np.ones_like(mask), [1], node, second, volume)
    segments.change_frames(np.zeros_like(mask), [2], node, second, volume)

    np.testing.assert_array_equal(segments.segment_array(node, first, volume), mask)
    expected = 1 - mask
    expected[1], expected[2] = 1, 0
    np.testing.assert_array_equal(
        segments.segment_array(node, second, volume), expected
    )
