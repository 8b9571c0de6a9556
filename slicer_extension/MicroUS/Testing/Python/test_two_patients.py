"""Two patients whose scans share a grid: nothing of one gets into the other."""

import zipfile

import numpy as np
import pytest
import SimpleITK
import slicer
from MicroUSLib.compare import adjudication, comparison
from MicroUSLib.event_pump import ignore
from MicroUSLib.scene import segments
from MicroUSLib.scene.annotations import Annotator, mask_from_node
from panel import Child, choose, press

from napari_microus.core.compare.adjudication.journal import journal_folder
from napari_microus.core.errors import InputError


def nodes():
    found = slicer.util.getNodesByClass("vtkMRMLNode")
    kept = ("vtkMRMLScriptedModuleNode", "vtkMRMLSegmentEditorNode")
    return sorted(n.GetID() for n in found if n.GetClassName() not in kept)


@pytest.fixture
def two(make_volume, pixels):
    return make_volume(name="A"), make_volume(pixels[:, ::-1].copy(), name="B")


def drawn(volume, *masks):
    node = segments.new_segmentation(volume, f"{volume.GetName()} annotations")
    for number, mask in enumerate(masks):
        segments.add_segment(mask, node, volume, name=f"annotator {number}")
    return node


def second(mask):
    other = mask.copy()
    other[1, 10:30, 50:55] = 1
    other[3, 10:14, 20:50] = 0
    return other


def test_output_of_one_scan_is_not_kept_for_the_next(widget, two, mask, shown):
    choose(widget, volume=two[0])
    press(widget.ui.applyButton)
    Child.made.finish(mask)
    of_a = widget._parameterNode.segmentation
    before = segments.segment_array(of_a, segments.own_capsule(of_a), two[0])

    choose(widget, volume=two[1], scope="Shown slice")
    assert widget._parameterNode.segmentation is None
    press(widget.ui.applyButton)
    Child.made.finish(1 - mask)

    of_b = widget._parameterNode.segmentation
    assert of_b is not of_a
    after = segments.segment_array(of_a, segments.own_capsule(of_a), two[0])
    np.testing.assert_array_equal(after, before)
    assert shown == []


def test_run_for_another_scans_segmentation_is_refused(widget, two, mask, shown):
    of_a = drawn(two[0], mask)
    choose(widget, volume=two[1])
    choose(widget, segmentation=of_a)
    before = nodes()
    press(widget.ui.applyButton)
    assert "was drawn on 'A', and not on 'B'" in shown[0]
    assert nodes() == before
    assert Child.made is None


@pytest.mark.parametrize("button", ["compareButton", "resampleButton"])
def test_annotations_of_another_scan_are_not_compared(button, widget, two, mask, shown):
    of_a = drawn(two[0], mask, second(mask))
    choose(widget, volume=two[1], expert=of_a, nonexpert=of_a)
    before = nodes()
    press(getattr(widget.ui, button))
    assert "was drawn on 'A', and not on 'B'" in shown[0]
    assert nodes() == before


def test_case_of_a_study_holds_one_patient(widget, two, mask):
    of_a = drawn(two[0], mask, second(mask))
    choose(widget, volume=two[1], expert=of_a, nonexpert=of_a)
    with pytest.raises(InputError, match="must belong to 'B'"):
        widget.compare.case(ignore)


def test_loaded_mask_belongs_to_the_scan_it_was_loaded_for(
    widget, two, mask, nifti, shown
):
    from conftest import AFFINES

    choose(widget, volume=two[0])
    path = nifti(mask, AFFINES["axis-aligned"], "mask.nii.gz")
    widget.compare.ask_mask = lambda: str(path)
    press(widget.ui.loadExpertButton)
    node = widget._parameterNode.expert
    assert mask_from_node(node, "1", two[0], "expert").array.sum() == mask.sum()
    with pytest.raises(InputError, match="must belong to 'B'"):
        mask_from_node(node, "1", two[1], "expert")


def found_on(volume, node):
    keys = node.GetSegmentation().GetSegmentIDs()
    annotators = [
        Annotator(node, key, role)
        for key, role in zip(keys, ("expert", "non-expert"), strict=True)
    ]
    return comparison.compare(
        volume,
        *annotators,
        kernel_size=4,
        rank_by="contour_distance",
        through_frames=False,
        on_event=ignore,
    )


def test_journal_of_one_patient_is_not_offered_for_the_other(two, mask, widget):
    """Names and shapes are the same; one pixel of one annotator differs."""
    third = second(mask)
    third[1, 10, 50] = 0
    found = [
        found_on(volume, drawn(volume, mask, other))
        for volume, other in zip(two, (second(mask), third), strict=True)
    ]
    assert found[0].names == found[1].names
    case = adjudication.begin(found[0], "A.B.")
    case.decide(found[0].regions[0], "expert")
    case.keep()
    assert adjudication.unsaved(found[1]) is None
    assert adjudication.unsaved(found[0])["masks_sha256"] == found[0].masks_sha256


def test_two_patients_from_the_first_scan_to_the_reloaded_scene(
    widget, two, mask, tmp_path, shown
):
    """Segment, switch, segment, compare, adjudicate, save, reload, resume."""
    capsules = [mask, np.roll(mask, 5, axis=2)]
    made = []
    for volume, capsule in zip(two, capsules, strict=True):
        choose(widget, volume=volume)
        press(widget.ui.applyButton)
        Child.made.finish(capsule)
        made.append(widget._parameterNode.segmentation)
    assert made[0] is not made[1]

    of_b = drawn(two[1], capsules[1], np.roll(second(mask), 5, axis=2))
    choose(widget, volume=two[1], expert=of_b, nonexpert=of_b)
    press(widget.ui.compareButton)
    press(widget.ui.expertButton)
    press(widget.ui.nonexpertButton)
    press(widget.ui.undoButton)
    regions = widget.compare.found.regions
    saved = tmp_path / "adjudicated.nii.gz"
    widget.compare.adjudicating.ask_save = lambda: str(saved)
    press(widget.ui.saveAdjudicationButton)
    assert shown == []

    # What the file must hold, worked out from the masks alone.
    one, other = capsules[1], np.roll(second(mask), 5, axis=2)
    expected = np.where(one == other, one, 255)
    region = regions[0]
    part = expected[region.box]
    part[region.mask] = one[region.box][region.mask]
    image = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(saved)))
    np.testing.assert_array_equal(image, expected)

    # A bundle holds a file per node; what SimpleITK reads there is what was made.
    scene = slicer.mrmlScene
    bundle = str(tmp_path / "two.mrb")
    assert scene.WriteToMRB(bundle)
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "bundle")
    for node, capsule in zip(made, capsules, strict=True):
        [path] = (tmp_path / "bundle").rglob(f"{node.GetName()}.seg.nrrd")
        image = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
        assert np.count_nonzero(image) == capsule.sum()
    names, count = [node.GetName() for node in made], len(nodes())
    scene.Clear(0)
    # As Slicer opens a bundle: unpacked, then the scene file in it.
    [unpacked] = (tmp_path / "bundle").rglob("*.mrml")
    scene.SetURL(str(unpacked))
    assert scene.Import()
    assert len(nodes()) == count

    for name, scan, capsule in zip(names, "AB", capsules, strict=True):
        node, volume = slicer.util.getNode(name), slicer.util.getNode(scan)
        key = segments.own_capsule(node)
        np.testing.assert_array_equal(
            segments.segment_array(node, key, volume), capsule
        )
    b = slicer.util.getNode("B")
    annotations = slicer.util.getNode("B annotations")
    choose(widget, volume=b, expert=annotations, nonexpert=annotations)
    press(widget.ui.compareButton)
    widget.compare.adjudicating.ask_open = lambda: str(tmp_path / "adjudicated.json")
    press(widget.ui.loadAdjudicationButton)
    assert shown == []
    case = widget.compare.adjudicating._case
    np.testing.assert_array_equal(case.work.mask, expected)
    assert case.work.decided_count == 1
    # Comparing again replaced the older differences and table; nothing was left over.
    results = [
        n.GetAttribute("MicroUS.Result")
        for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    ]
    assert sorted(filter(None, results)).count("differences") == 1
    assert len(slicer.util.getNodesByClass("vtkMRMLTableNode")) == 1
    journals = journal_folder()
    assert not journals.exists() or not list(journals.glob("*.json"))
