"""The readout: volumes by the core's methods, on the same pixels as the core's."""

import math

import numpy as np
import pytest
import slicer
from conftest import AFFINES
from MicroUSLib.scene import nodes, segments
from panel import Child, choose, fill, pick, press

from napari_microus.core.io import read_mask, read_volume, write_mask
from napari_microus.core.volumetry import mask_volume, psa_density


@pytest.fixture
def capsule(widget, picture, mask):
    choose(widget, volume=picture)
    press(widget.ui.applyButton)
    Child.made.finish(mask)
    return widget._parameterNode.segmentation


def test_no_volume_without_a_size_and_none_without_a_sweep(widget, capsule, mask):
    label = widget.ui.sizeLabel
    assert label.text() == "1,800 pixels. No volume: the scan states no pixel size."
    fill(widget, pixelHeight="0.05", pixelWidth="0,04", psa="6.5")
    press(widget.ui.keepPropertiesButton)
    assert label.text().startswith("1,800 pixels. No volume: neither the distance")
    assert "PSA density" not in label.text()
    assert "distance of the frames is unknown" in widget.ui.propertiesLabel.text()


def test_rotational_sweep_gives_the_cores_volume(
    widget, capsule, picture, mask, tmp_path, shown
):
    fill(widget, pixelHeight="0.05", pixelWidth="0.04", axisPlace="-9.5")
    pick(widget.ui.sweepComboBox, "rotational")
    fill(widget, angles="-20:20", psa="6,5")
    press(widget.ui.keepPropertiesButton)

    assert shown == []
    words = widget.ui.sizeLabel.text()
    # Area × way of its centroid: 600 · 0.05 · 0.04 mm² at 9.5 + 19.5 · 0.05 mm, 30°.
    by_hand = 1.2 * 10.475 * math.radians(30) / 1000
    assert words.startswith(
        f"Volume {by_hand:.2f} mL, sectors of a rotational sweep (Pappus)"
    )
    # The core on the same files, without Slicer.
    path = tmp_path / "sweep.nrrd"
    write_mask(read_volume(path).like(mask), tmp_path / "mask.nii.gz")
    scan = read_volume(path)
    theirs = mask_volume(read_mask(tmp_path / "mask.nii.gz", grid=scan))
    ours = widget.segment.measures._found.volume
    assert ours.ml == pytest.approx(by_hand, rel=1e-9)
    assert ours.ml == pytest.approx(theirs.ml, rel=1e-6)
    assert ours.method == theirs.method
    density = psa_density(6.5, theirs.ml)
    assert words.endswith(f"\nPSA density {density:.2f} ng/mL per mL")
    # What was drawn keeps its pixels.
    key = segments.own_capsule(capsule)
    np.testing.assert_array_equal(segments.segment_array(capsule, key, picture), mask)


def test_volume_follows_the_brush(widget, make_volume, mask, wait):
    volume = make_volume()
    choose(widget, volume=volume)
    press(widget.ui.applyButton)
    Child.made.finish(np.repeat(mask, 1, axis=0))
    node = widget._parameterNode.segmentation
    key = segments.own_capsule(node)
    segments.change_frames(np.ones_like(mask), [0], node, key, volume)
    found = widget.segment.measures
    wait(lambda: found._found is not None and found._found.pixels == 1800 + 48 * 64)
    expected = (1800 + 48 * 64) * 0.1 * 0.1 * 0.5 / 1000
    assert widget.ui.sizeLabel.text().startswith(f"Volume {expected:.2f} mL")


def test_capsule_that_is_chosen_is_measured(widget, make_volume, mask, wait):
    volume = make_volume()
    node = segments.new_segmentation(volume, "mine")
    segments.add_segment(mask, node, volume)
    choose(widget, volume=volume, segmentation=node)
    wait(lambda: widget.ui.sizeLabel.text().startswith("Volume 0.01 mL"))
    choose(widget, segmentation=None)
    assert widget.ui.sizeLabel.text() == ""


def test_large_sweep_says_that_it_was_changed(widget, make_volume, mask, monkeypatch):
    from MicroUSLib.segment import measure_panel

    monkeypatch.setattr(measure_panel, "_MOST_VOXELS", 10)
    volume = make_volume()
    choose(widget, volume=volume)
    press(widget.ui.applyButton)
    Child.made.finish(mask)
    node = widget._parameterNode.segmentation
    segments.change_frames(
        np.ones_like(mask), [0], node, segments.own_capsule(node), volume
    )
    assert widget.ui.sizeLabel.text() == "The capsule was changed: press Measure."
    press(widget.ui.measureButton)
    assert widget.ui.sizeLabel.text().startswith("Volume")


def test_segment_that_a_person_drew_is_measured(widget, make_volume, mask, shown):
    volume = make_volume()
    node = segments.new_segmentation(volume, "mine")
    segments.add_segment(mask, node, volume)
    choose(widget, volume=volume, segmentation=node)
    press(widget.ui.measureButton)
    assert widget.ui.sizeLabel.text().startswith("Volume 0.01 mL")
    segments.add_segment(mask, node, volume, name="two")
    press(widget.ui.measureButton)
    assert "several segments" in shown[0]


@pytest.mark.parametrize("psa", ["abc", "-1"])
def test_wrong_psa_is_said_and_the_volume_stays(widget, make_volume, mask, psa):
    choose(widget, volume=make_volume())
    press(widget.ui.applyButton)
    Child.made.finish(mask)
    fill(widget, psa=psa)
    words = widget.ui.sizeLabel.text()
    assert words.startswith("Volume 0.01 mL")
    assert "Correct the value." in words
    fill(widget, psa="")
    assert "PSA" not in widget.ui.sizeLabel.text()


def test_interval_stands_beside_the_volume(make_volume, mask):
    from MicroUSLib.segment.measuring import in_words, measure

    volume = make_volume()
    node = segments.new_segmentation(volume, "mine")
    key = segments.add_segment(mask * 0 + np.uint8(1), node, volume)
    found = measure(volume, node, key, area_sd_mm2=3.072)
    # 5 frames of 48 × 64 pixels of 0.01 mm², 0.5 mm apart; a tenth of the area is sd.
    ml = 5 * 30.72 * 0.5 / 1000
    low, high = ml * (1 - 0.196), ml * (1 + 0.196)
    assert in_words(found) == (
        f"Volume {ml:.2f} mL, planimetry of parallel frames; 95 % interval "
        f"{low:.2f} to {high:.2f} mL"
    )


def test_outline_on_both_sides_of_the_axis_is_refused_in_words(widget, capsule, shown):
    pick(widget.ui.sweepComboBox, "rotational")
    fill(widget, pixelHeight="0.05", axisPlace="1", angles="0:200")
    press(widget.ui.keepPropertiesButton)
    assert "sees a part of the gland twice" in widget.ui.sizeLabel.text()
    assert shown == []
    assert "mL" not in widget.ui.sizeLabel.text()


def test_parity_on_every_kind_of_grid(
    widget, nifti, load_volume, pixels, mask, tmp_path
):
    """Planimetry, to the digit that a NIfTI header keeps of a spacing."""
    for number, (kind, affine) in enumerate(AFFINES.items()):
        path = nifti(pixels, affine, f"scan{number}.nii.gz")
        volume = load_volume(path)
        choose(widget, volume=volume, segmentation=None)
        press(widget.ui.applyButton)
        Child.made.finish(mask)
        scan = read_volume(path)
        write_mask(scan.like(mask), tmp_path / f"mask{number}.nii.gz")
        theirs = mask_volume(read_mask(tmp_path / f"mask{number}.nii.gz", grid=scan))
        ours = widget.segment.measures._found.volume
        assert ours.ml == pytest.approx(theirs.ml, rel=1e-6), kind
        assert f"{theirs.ml:.2f} mL, {theirs.method}" in widget.ui.sizeLabel.text()
        nodes.grid_from_node(volume)


# --- a cine as Slicer's DICOM module loads it ------------------------------------
@pytest.fixture
def cine(make_volume, pixels, dicom, monkeypatch):
    """A sequence of colour frames of 1 mm, and the volume that shows them."""
    import types

    path = dicom(cm=0.005, box=((8, 47), (0, 63)))
    database = types.SimpleNamespace(
        fileForInstance={"1.2.3": str(path)}.get, databaseDirectory=""
    )
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "cine")
    for number, frame in enumerate(pixels):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "frame")
        slicer.util.updateVolumeFromArray(node, np.stack([frame[None]] * 3, axis=-1))
        node.SetIJKToRASMatrix(
            slicer.util.vtkMatrixFromArray(np.diag([-1.0, -1.0, 1.0, 1.0]))
        )
        node.SetAttribute("DICOM.instanceUIDs", "1.2.3")
        sequence.SetDataNodeAtValue(node, str(number))
        slicer.mrmlScene.RemoveNode(node)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    logic = slicer.modules.sequences.logic()
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    logic.UpdateProxyNodesFromSequences(browser)
    return browser, browser.GetProxyNode(sequence), path


def test_cine_becomes_one_scan_and_is_measured_as_the_core_does(
    widget, cine, pixels, mask, tmp_path, shown
):
    browser, volume, path = cine
    browser.SetSelectedItemNumber(2)
    choose(widget, volume=volume)
    words = widget.ui.propertiesLabel.text()
    assert "One of 5 frames of a sequence" in words
    assert "states a pixel of 0.05 × 0.05 mm" in words
    press(widget.ui.stackFramesButton)
    assert shown == []
    assert browser.GetSelectedItemNumber() == 2
    scan = widget._parameterNode.volume
    assert scan is not volume
    np.testing.assert_array_equal(nodes.volume_from_node(scan).array, pixels)
    assert not nodes.grid_from_node(scan).has_geometry
    assert widget.ui.pixelHeightLineEdit.text() == "0.05"

    pick(widget.ui.sweepComboBox, "rotational")
    fill(widget, axisPlace="-9.5", angles="-20:20")
    press(widget.ui.keepPropertiesButton)
    press(widget.ui.applyButton)
    Child.made.finish(mask)
    assert shown == []
    # 600 pixels of 0.05² mm at 9.5 + 19.5 · 0.05 mm from the axis, 30°.
    by_hand = 1.5 * 10.475 * math.radians(30) / 1000
    ours = widget.segment.measures._found.volume
    assert ours.ml == pytest.approx(by_hand, rel=1e-9)
    # The core reads the tissue alone, from row 8 on, with what was kept beside it.
    core = read_volume(path)
    assert core.shape == (5, 40, 64)
    theirs = mask_volume(core.like(mask[:, 8:]))
    assert theirs.ml == pytest.approx(ours.ml, rel=1e-9)
    assert theirs.method == ours.method


def test_scan_of_its_own_is_not_stacked(widget, picture):
    choose(widget, volume=picture)
    assert not widget.ui.stackFramesButton.isEnabled()


def test_frames_of_several_places_are_not_stacked(widget, cine, shown):
    browser, volume, _path = cine
    item = browser.GetSequenceNode(volume).GetNthDataNode(3)
    item.SetOrigin(5, 0, 0)
    choose(widget, volume=volume)
    count = slicer.mrmlScene.GetNumberOfNodes()
    press(widget.ui.stackFramesButton)
    assert "Frame 3 has another size or place" in shown[0]
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert widget._parameterNode.volume is volume
