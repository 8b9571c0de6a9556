"""What a person states about a scan: its node, what was drawn on it, its file."""

import json

import numpy as np
import pytest
import slicer
from conftest import AFFINES
from MicroUSLib.scene import nodes, segments
from MicroUSLib.scene.annotations import mask_from_node
from MicroUSLib.scene.resampling import laid_over
from MicroUSLib.scene.scan_properties import (
    adopt_properties,
    keep_beside,
    properties_beside,
    properties_of,
    use_properties,
)
from MicroUSLib.scene.stated import stated_of

from napari_microus.core.errors import InputError
from napari_microus.core.io import (
    ScanProperties,
    read_scan_properties,
    read_volume,
    write_scan_properties,
)
from napari_microus.core.sweep import Sweep

TURN = Sweep("rotational", "columns", -9.5, (-20.0, -10.0, 0.0, 10.0, 20.0))
SMALL = ScanProperties(pixel_mm=(0.05, 0.04))
# Of both, one is left-handed: the frames must be turned round for Slicer.
FACING = {
    "right-handed": ("superior", "anterior", "left"),
    "left-handed": ("superior", "anterior", "right"),
}


@pytest.fixture
def drawn(make_volume, mask):
    """A scan with a segment, a second one that shares its layer, and a loaded mask."""
    volume = make_volume()
    node = segments.new_segmentation(volume, "drawn")
    key = segments.add_segment(mask, node, volume)
    label = laid_over(mask, volume, "loaded")
    return volume, node, key, label


@pytest.mark.parametrize("kind", AFFINES)
def test_scan_lies_where_the_core_puts_it(kind, pixels, nifti, load_volume):
    path = nifti(pixels, AFFINES[kind])
    node = load_volume(path)
    properties = ScanProperties((0.05, 0.04), 0.3, orientation=FACING["right-handed"])
    write_scan_properties(path, properties)

    assert adopt_properties(node)

    scan, ours = read_volume(path), nodes.volume_from_node(node)
    np.testing.assert_array_equal(ours.array, scan.array)
    np.testing.assert_allclose(ours.affine, scan.affine, atol=1e-5)
    assert (ours.has_geometry, ours.is_oriented) == (True, True)
    # Slicer's module has read no notice of the file itself.
    assert ours.metadata["notices"] == scan.metadata["notices"][-3:]
    assert node.GetSpacing() == pytest.approx((0.04, 0.05, 0.3))
    # Frames run to the left, away from the right: -x in RAS.
    first, second = (nodes.voxel_to_world(node, k, 0, 0) for k in (0, 1))
    assert second - first == pytest.approx([-0.3, 0, 0], abs=1e-6)


@pytest.mark.parametrize("facing", FACING)
@pytest.mark.parametrize("kind", AFFINES)
def test_what_was_drawn_keeps_its_pixels(
    kind, facing, pixels, mask, nifti, load_volume
):
    volume = load_volume(nifti(pixels, AFFINES[kind]))
    node = segments.new_segmentation(volume, "drawn")
    key = segments.add_segment(mask, node, volume)
    label = laid_over(mask, volume, "loaded")
    node.CreateClosedSurfaceRepresentation()

    use_properties(
        volume, ScanProperties((0.05, 0.04), 2.0, orientation=FACING[facing])
    )

    assert not nodes.is_left_handed(volume)
    np.testing.assert_array_equal(nodes.volume_from_node(volume).array, pixels)
    np.testing.assert_array_equal(segments.segment_array(node, key, volume), mask)
    loaded = mask_from_node(label, "1", volume, "expert").array
    np.testing.assert_array_equal(loaded, mask)
    # Slicer itself lays them over each other too, by its own resampling.
    slow = slicer.util.arrayFromSegmentBinaryLabelmap(node, key, volume)
    np.testing.assert_array_equal(nodes.frames_as_stored(slow, volume), mask)
    # The surface was made again: rows 10 to 29 are 20 · 0.05 mm along A.
    bounds = node.GetClosedSurfaceInternalRepresentation(key).GetBounds()
    assert bounds[3] - bounds[2] == pytest.approx(1.0, abs=0.06)
    # A segment drawn from now on has the new grid.
    new = segments.add_segment(mask, node, volume, name="later")
    np.testing.assert_array_equal(segments.segment_array(node, new, volume), mask)


def test_other_segments_of_a_layer_stay_apart(make_volume, mask):
    volume = make_volume()
    node = segments.new_segmentation(volume, "drawn")
    labels = mask + 2 * np.roll(mask, 30, axis=2)
    parts = [(1, "one", (1, 0, 0)), (2, "two", (0, 1, 0)), (3, "both", (0, 0, 1))]
    segments.add_labels(labels.astype(np.uint8), parts, node, volume)
    use_properties(
        volume, ScanProperties((0.05, 0.05), orientation=FACING["left-handed"])
    )
    for value, segment_id in enumerate(node.GetSegmentation().GetSegmentIDs(), start=1):
        array = segments.segment_array(node, segment_id, volume)
        np.testing.assert_array_equal(array, labels == value)


def test_forgetting_gives_the_size_that_slicer_loaded(drawn, mask):
    volume, node, key, _label = drawn
    before = nodes.ijk_to_ras(volume)
    use_properties(
        volume, ScanProperties((0.05, 0.04), orientation=FACING["left-handed"])
    )
    use_properties(volume, ScanProperties((0.2, 0.2), 1.0))
    assert volume.GetSpacing() == pytest.approx((0.2, 0.2, 1.0))
    use_properties(volume, ScanProperties())
    np.testing.assert_allclose(nodes.ijk_to_ras(volume), before, atol=1e-9)
    np.testing.assert_array_equal(segments.segment_array(node, key, volume), mask)


def test_undo_gives_no_mask_of_the_old_size_back(drawn, mask):
    from MicroUSLib.scene.undo import save_state_for_undo

    volume, node, key, _label = drawn
    save_state_for_undo(node, volume)
    segments.change_frames(np.zeros_like(mask), [1], node, key, volume)
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    use_properties(volume, SMALL)
    editor.undo()
    assert editor.segmentationNode() is node
    changed = mask.copy()
    changed[1] = 0
    np.testing.assert_array_equal(segments.segment_array(node, key, volume), changed)


def test_segmentation_under_another_transform_is_refused(drawn, transform):
    volume, node, _key, _label = drawn
    node.SetAndObserveTransformNodeID(transform.GetID())
    before = nodes.ijk_to_ras(volume)
    with pytest.raises(InputError, match="must lie under the transform"):
        use_properties(volume, SMALL)
    np.testing.assert_array_equal(nodes.ijk_to_ras(volume), before)
    assert stated_of(volume) is None


def test_segmentation_that_is_turned_against_the_scan_is_refused(drawn, mask):
    volume, node, key, _label = drawn
    turn = np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    image = node.GetSegmentation().GetSegment(key).GetRepresentation(segments.LABELMAP)
    image.SetImageToWorldMatrix(
        slicer.util.vtkMatrixFromArray(turn @ nodes.ijk_to_ras(volume))
    )
    with pytest.raises(InputError, match="turned against them"):
        use_properties(volume, SMALL)
    use_properties(volume, ScanProperties((0.05, 0.05), 0.25))  # halves everything


def test_surface_alone_is_refused(drawn):
    volume, node, _key, _label = drawn
    node.CreateClosedSurfaceRepresentation()
    node.SetSourceRepresentationToClosedSurface()
    node.RemoveBinaryLabelmapRepresentation()
    with pytest.raises(InputError, match="a surface alone"):
        use_properties(volume, SMALL)


def test_another_scans_segmentation_stays(drawn, make_volume, mask):
    other = make_volume(name="other")
    theirs = segments.new_segmentation(other, "theirs")
    key = segments.add_segment(mask, theirs, other)
    use_properties(drawn[0], SMALL)
    np.testing.assert_array_equal(segments.segment_array(theirs, key, other), mask)
    assert other.GetSpacing() == pytest.approx((0.1, 0.1, 0.5))


def test_parent_transform_stays_above_scan_and_mask(drawn, transform, mask):
    volume, node, key, label = drawn
    for one in (volume, node, label):
        one.SetAndObserveTransformNodeID(transform.GetID())
    use_properties(volume, SMALL)
    assert volume.GetTransformNodeID() == transform.GetID()
    np.testing.assert_array_equal(segments.segment_array(node, key, volume), mask)


@pytest.mark.parametrize("facing", FACING)
@pytest.mark.parametrize("kind", ["segment", "loaded mask"])
def test_mask_from_a_file_of_the_old_size_keeps_its_pixels_when_resampled(
    kind, facing, make_volume, mask
):
    """As one that was saved before, and opened again after, the size was stated."""
    from MicroUSLib.event_pump import ignore
    from MicroUSLib.scene.annotations import Annotator
    from MicroUSLib.scene.grids import SCAN_ROLE
    from MicroUSLib.scene.resampling import resampled

    volume = make_volume(affine=np.diag([-1.0, -1.0, 1.0, 1.0]))
    if kind == "segment":
        node = segments.new_segmentation(volume, "old")
        part = segments.add_segment(mask, node, volume)
        node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), None)
    else:
        node, part = laid_over(mask, volume, "old"), "1"
        node.SetNodeReferenceID(SCAN_ROLE, None)
    use_properties(volume, ScanProperties((0.05, 0.04), orientation=FACING[facing]))

    copy, part = resampled(Annotator(node, part, "expert"), volume, ignore)

    array = mask_from_node(copy, part, volume, "expert").array
    np.testing.assert_array_equal(array, mask)


# --- what lasts ------------------------------------------------------------------
def test_size_given_later_in_slicer_counts(drawn):
    volume = drawn[0]
    use_properties(volume, ScanProperties((0.05, 0.05), "unknown"))
    assert not nodes.grid_from_node(volume).knows_frame_distance
    volume.SetSpacing(0.2, 0.2, 0.5)  # in the module Volumes
    assert properties_of(volume).is_empty
    assert nodes.grid_from_node(volume).spacing_mm == pytest.approx((0.5, 0.2, 0.2))


def test_scan_that_was_turned_since_keeps_its_size_and_goes_back_turned(drawn):
    volume = drawn[0]
    before = nodes.ijk_to_ras(volume)
    use_properties(volume, SMALL)
    turn = np.array([[0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    moved = slicer.util.vtkMatrixFromArray(turn @ nodes.ijk_to_ras(volume))
    volume.SetIJKToRASMatrix(moved)  # as hardening a transform does
    for node in drawn[1:4:2]:
        slicer.mrmlScene.RemoveNode(node)
    assert properties_of(volume) == SMALL
    use_properties(volume, ScanProperties())
    np.testing.assert_allclose(nodes.ijk_to_ras(volume), turn @ before, atol=1e-9)


def test_saved_scene_keeps_what_was_stated(drawn, mask, reopen, pixels):
    volume, *_ = drawn
    stated = ScanProperties(None, None, TURN, FACING["left-handed"])
    use_properties(volume, stated)
    grid = nodes.grid_from_node(volume)
    reopen()
    [again] = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        if node.GetName() == "scan"
    ]
    assert properties_of(again) == stated
    ours = nodes.volume_from_node(again)
    np.testing.assert_allclose(ours.affine, grid.affine, atol=1e-6)
    np.testing.assert_array_equal(ours.array, pixels)
    assert ours.metadata["sweep"] == grid.metadata["sweep"]
    node = slicer.util.getNode("drawn")
    [key] = node.GetSegmentation().GetSegmentIDs()
    np.testing.assert_array_equal(segments.segment_array(node, key, again), mask)


def test_sidecar_is_the_cores(pixels, nifti, load_volume):
    path = nifti(pixels, AFFINES["axis-aligned"])
    node = load_volume(path)
    stated = ScanProperties((0.05, 0.04), None, TURN)
    use_properties(node, stated)
    kept = keep_beside(node, stated)
    assert kept.file == path.parent / "scan.scan.json"
    assert read_scan_properties(path) == stated
    assert "PatientName" not in kept.file.read_text(encoding="utf-8")
    np.testing.assert_allclose(
        read_volume(path).affine, nodes.grid_from_node(node).affine, atol=1e-5
    )
    assert keep_beside(node, ScanProperties()).problem == ""
    assert not kept.file.exists()


def test_foreign_file_in_the_place_is_left_alone(pixels, nifti, load_volume):
    path = nifti(pixels, AFFINES["axis-aligned"])
    node = load_volume(path)
    foreign = path.parent / "scan.scan.json"
    foreign.write_text("{}", encoding="utf-8")
    assert "other" in keep_beside(node, SMALL).problem
    assert foreign.read_text(encoding="utf-8") == "{}"


def test_node_without_a_file_keeps_it_alone(make_volume):
    node = make_volume()
    assert keep_beside(node, SMALL).file is None
    assert properties_beside(node).is_empty


def test_damaged_sidecar_is_reported_and_changes_nothing(pixels, nifti, load_volume):
    path = nifti(pixels, AFFINES["axis-aligned"])
    node = load_volume(path)
    (path.parent / "scan.scan.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="must be JSON"):
        adopt_properties(node)
    assert node.GetSpacing() == pytest.approx((0.1, 0.1, 0.5))


def test_scene_goes_before_the_sidecar(pixels, nifti, load_volume):
    path = nifti(pixels, AFFINES["axis-aligned"])
    node = load_volume(path)
    use_properties(node, SMALL)
    write_scan_properties(path, ScanProperties((0.3, 0.3)))
    assert not adopt_properties(node)
    assert properties_of(node) == SMALL


def test_wrong_number_of_angles_is_refused(drawn):
    volume = drawn[0]
    angles = Sweep("rotational", "columns", 0.0, (0.0, 1.0))
    with pytest.raises(InputError, match="got 2 angles and 5 frames"):
        use_properties(volume, ScanProperties(sweep=angles))
    assert stated_of(volume) is None


# --- unknown sizes, and DICOM ----------------------------------------------------
def test_pixel_size_alone_gives_a_picture_stack_no_frame_distance(
    make_volume, tmp_path, pixels
):
    node = make_volume(affine=np.diag([-1.0, -1.0, 1.0, 1.0]))
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(tmp_path / "0.png"))
    node.SetAndObserveStorageNodeID(storage.GetID())
    use_properties(node, SMALL)
    grid = nodes.grid_from_node(node)
    assert grid.has_geometry
    assert not grid.knows_frame_distance
    assert not grid.is_oriented
    use_properties(node, ScanProperties((0.05, 0.04), 0.3))
    assert nodes.grid_from_node(node).knows_frame_distance
    assert node.GetSpacing() == pytest.approx((0.04, 0.05, 0.3))


def test_axis_is_counted_in_the_picture_that_is_shown(dicom, load_volume):
    """The core cuts the tissue out: rows from 8 on, of 0.05 mm, are 0.4 mm less."""
    path = dicom(cm=0.005, box=((8, 47), (4, 63)))
    node = load_volume(path)
    assert node.GetImageData().GetDimensions() == (64, 48, 5)
    stated = ScanProperties((0.05, 0.05), None, TURN)
    use_properties(node, stated)
    kept = keep_beside(node, stated)
    document = json.loads(kept.file.read_text(encoding="utf-8"))
    assert document["sweep"]["axis"]["at_mm"] == pytest.approx(-9.9)
    assert properties_beside(node) == stated
    assert read_volume(path).metadata["sweep"]["axis"]["at_mm"] == pytest.approx(-9.9)


# --- sequences -------------------------------------------------------------------
def test_parts_to_blank_out_are_counted_in_the_picture_that_is_shown(
    dicom, load_volume
):
    path = dicom(cm=0.005, box=((8, 47), (4, 63)))
    node = load_volume(path)
    write_scan_properties(path, ScanProperties(blank=((0, 3, 5, 20),)))
    assert properties_beside(node).blank == ((8, 11, 9, 24),)
    keep_beside(node, properties_beside(node))
    assert read_scan_properties(path).blank == ((0, 3, 5, 20),)


def test_every_item_of_a_sequence_gets_the_size(make_volume, pixels, mask):
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "cine")
    for number in range(3):
        node = make_volume(pixels[number : number + 1], name=f"item{number}")
        sequence.SetDataNodeAtValue(node, str(number))
        slicer.mrmlScene.RemoveNode(node)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    logic = slicer.modules.sequences.logic()
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    logic.UpdateProxyNodesFromSequences(browser)
    volume = browser.GetProxyNode(sequence)
    use_properties(volume, SMALL)
    for number in range(3):
        browser.SetSelectedItemNumber(number)
        logic.UpdateProxyNodesFromSequences(browser)
        assert volume.GetSpacing() == pytest.approx((0.04, 0.05, 0.5))
        assert properties_of(volume) == SMALL
        array = nodes.volume_from_node(volume).array
        np.testing.assert_array_equal(array, pixels[number : number + 1])
