"""*Scan properties* and the readout, as a user works with them."""

import json
import math

import numpy as np
import pytest
import slicer
from conftest import AFFINES
from MicroUSLib.scene import nodes, segments
from MicroUSLib.scene.scan_properties import properties_of
from panel import Child, choose, press

from napari_microus.core.io import (
    ScanProperties,
    read_mask,
    read_volume,
    write_mask,
    write_scan_properties,
)
from napari_microus.core.sweep import Sweep
from napari_microus.core.volumetry import mask_volume, psa_density

TURN = Sweep("rotational", "columns", -9.5, (-20.0, -10.0, 0.0, 10.0, 20.0))


def fill(widget, **texts):
    for name, text in texts.items():
        getattr(widget.ui, f"{name}LineEdit").setText(text)


def pick(box, key):
    index = box.findData(key)
    assert index >= 0
    box.setCurrentIndex(index)


@pytest.fixture
def picture(make_volume, tmp_path, pixels):
    """A stack whose file tells no size, as Slicer shows it: 1 mm."""
    import SimpleITK

    node = make_volume(pixels, np.diag([-1.0, -1.0, 1.0, 1.0]), name="sweep")
    path = tmp_path / "sweep.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(pixels), str(path))
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    node.SetAndObserveStorageNodeID(storage.GetID())
    return node


@pytest.fixture
def capsule(widget, picture, mask):
    choose(widget, volume=picture)
    press(widget.ui.applyButton)
    Child.made.finish(mask)
    return widget._parameterNode.segmentation


def test_unknown_size_is_asked_for(widget, picture, shown):
    assert widget.ui.propertiesSection.property("collapsed")
    choose(widget, volume=picture)
    words = widget.ui.propertiesLabel.text()
    assert "5 frames of 48 × 64 pixels of unknown size" in words
    assert "Slicer shows 1 mm, which nobody told" in words
    assert not widget.ui.propertiesSection.property("collapsed")
    assert shown == []


def test_known_size_asks_nothing(widget, nifti, load_volume, pixels):
    choose(widget, volume=load_volume(nifti(pixels, AFFINES["axis-aligned"])))
    assert "pixels of 0.1 × 0.1 mm, 0.5 mm apart." in widget.ui.propertiesLabel.text()
    assert widget.ui.propertiesSection.property("collapsed")
    assert widget.ui.pixelHeightLineEdit.text() == ""


def test_no_volume_without_a_size_and_none_without_a_sweep(widget, capsule, mask):
    label = widget.ui.sizeLabel
    assert label.text() == "1,800 pixels. No volume: the scan tells no pixel size."
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


def test_kept_beside_the_file_and_filled_in_when_it_is_opened_again(
    widget, picture, tmp_path, load_volume, shown
):
    choose(widget, volume=picture)
    fill(widget, pixelHeight="0.05", axisPlace="-9.5", angles="0, 1, 3, 6, 10")
    pick(widget.ui.sweepComboBox, "rotational")
    pick(widget.ui.axisComboBox, "rows")
    for name, word in (
        ("columns", "left"),
        ("rows", "posterior"),
        ("frames", "superior"),
    ):
        pick(getattr(widget.ui, f"{name}ToComboBox"), word)
    press(widget.ui.keepPropertiesButton)
    assert shown == []
    assert "Kept beside the scan in sweep.scan.json" in widget.ui.propertiesLabel.text()
    told = json.loads((tmp_path / "sweep.scan.json").read_text(encoding="utf-8"))
    assert told["pixel_mm"] == [0.05, 0.05]
    assert told["sweep"]["angles_deg"] == [0, 1, 3, 6, 10]
    assert told["orientation"]["frames"] == "superior"

    slicer.mrmlScene.Clear(0)
    again = load_volume(tmp_path / "sweep.nrrd")
    choose(widget, volume=again)
    assert again.GetSpacing() == pytest.approx((0.05, 0.05, 1.0))
    ui = widget.ui
    assert ui.pixelHeightLineEdit.text() == "0.05"
    assert ui.axisPlaceLineEdit.text() == "-9.5"
    assert ui.anglesLineEdit.text() == "0, 1, 3, 6, 10"
    assert ui.axisComboBox.itemData(ui.axisComboBox.currentIndex()) == "rows"
    assert "a rotational sweep of 10°" in ui.propertiesLabel.text()


def test_total_angle_is_spread_over_the_frames(widget, picture):
    choose(widget, volume=picture)
    pick(widget.ui.sweepComboBox, "rotational")
    fill(widget, pixelHeight="0.05", axisPlace="0", angles="60")
    press(widget.ui.keepPropertiesButton)
    assert properties_of(picture).sweep.angles_deg == (0, 15, 30, 45, 60)
    assert widget.ui.anglesLineEdit.text() == "0:60"


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ({"pixelHeight": "big"}, "height of a pixel must be a number"),
        ({"pixelHeight": "0"}, "0.001 to 10 mm"),
        ({"pixelHeight": "-1"}, "0.001 to 10 mm"),
        ({"pixelWidth": "0.05"}, "got a width alone"),
        ({"frameDistance": "1000"}, "0.001 to 100 mm"),
    ],
)
def test_wrong_words_are_told_and_change_nothing(
    widget, picture, shown, texts, sentence
):
    choose(widget, volume=picture)
    fill(widget, **texts)
    press(widget.ui.keepPropertiesButton)
    assert sentence in shown[0]
    assert picture.GetSpacing() == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("angles", "sentence"),
    [
        ("", "tell its axis"),
        ("1, 2", "got 2 angles and 5 frames"),
        ("0, 2, 1, 3, 4", "rise or fall"),
        ("a:b", "must be one number"),
        ("400", "no more than 360°"),
    ],
)
def test_wrong_angles_are_told(widget, picture, shown, angles, sentence):
    choose(widget, volume=picture)
    pick(widget.ui.sweepComboBox, "rotational")
    fill(widget, pixelHeight="0.05", axisPlace="-9.5", angles=angles)
    press(widget.ui.keepPropertiesButton)
    assert sentence in shown[0]
    assert properties_of(picture).is_empty


def test_part_of_an_orientation_is_refused(widget, picture, shown):
    choose(widget, volume=picture)
    pick(widget.ui.rowsToComboBox, "anterior")
    press(widget.ui.keepPropertiesButton)
    assert "Choose all three" in shown[0]


def test_fields_of_a_rotation_wait_for_one(widget, picture):
    choose(widget, volume=picture)
    assert not widget.ui.anglesLineEdit.isEnabled()
    assert widget.ui.frameDistanceLineEdit.isEnabled()
    pick(widget.ui.sweepComboBox, "rotational")
    assert widget.ui.anglesLineEdit.isEnabled()
    assert not widget.ui.frameDistanceLineEdit.isEnabled()


def test_calibration_of_ultrasound_stands_in_the_fields_and_is_not_used_unasked(
    widget,
    dicom,
    load_volume,
    shown,
):
    node = load_volume(dicom(cm=0.005))
    choose(widget, volume=node)
    assert "tells a pixel of 0.05 × 0.05 mm" in widget.ui.propertiesLabel.text()
    assert node.GetSpacing()[:2] == (1.0, 1.0)
    assert widget.ui.pixelHeightLineEdit.text() == "0.05"
    press(widget.ui.keepPropertiesButton)
    assert node.GetSpacing()[:2] == pytest.approx((0.05, 0.05))
    assert shown == []


def test_read_only_folder_keeps_it_with_the_scene(widget, picture, monkeypatch, shown):
    from napari_microus.core import io
    from napari_microus.core.errors import OutputError

    def refuse(path, properties):
        raise OutputError("The folder must be writable; got none. Choose another.")

    monkeypatch.setattr(io, "write_scan_properties", refuse)
    choose(widget, volume=picture)
    fill(widget, pixelHeight="0.05")
    press(widget.ui.keepPropertiesButton)
    assert "Kept with the scene alone: The folder" in widget.ui.propertiesLabel.text()
    assert picture.GetSpacing()[:2] == pytest.approx((0.05, 0.05))
    assert shown == []


def test_read_from_file_takes_the_file_instead_of_the_scene(widget, picture, tmp_path):
    choose(widget, volume=picture)
    fill(widget, pixelHeight="0.05")
    press(widget.ui.keepPropertiesButton)
    write_scan_properties(tmp_path / "sweep.nrrd", ScanProperties((0.2, 0.2), 0.7))
    press(widget.ui.readPropertiesButton)
    assert picture.GetSpacing() == pytest.approx((0.2, 0.2, 0.7))
    assert widget.ui.frameDistanceLineEdit.text() == "0.7"


def test_emptied_fields_forget_it(widget, picture, tmp_path):
    choose(widget, volume=picture)
    fill(widget, pixelHeight="0.05")
    press(widget.ui.keepPropertiesButton)
    fill(widget, pixelHeight="", pixelWidth="")
    press(widget.ui.keepPropertiesButton)
    assert picture.GetSpacing() == (1.0, 1.0, 1.0)
    assert not (tmp_path / "sweep.scan.json").exists()
    assert "unknown size" in widget.ui.propertiesLabel.text()


def test_size_stays_while_somebody_adjudicates(compared, shown):
    volume = compared._parameterNode.volume
    press(compared.ui.expertButton)
    fill(compared, pixelHeight="0.05")
    press(compared.ui.keepPropertiesButton)
    assert "must stay while its annotations are adjudicated" in shown[0]
    assert volume.GetSpacing()[:2] == pytest.approx((0.1, 0.1))


def test_numbers_of_the_old_size_go(compared, shown):
    assert compared.ui.frameTable.rowCount() > 0
    fill(compared, pixelHeight="0.05")
    press(compared.ui.keepPropertiesButton)
    assert shown == []
    assert compared.ui.frameTable.rowCount() == 0
    assert compared.ui.totalsLabel.text() == ""
    assert "press Compare again" in compared.ui.compareStatusLabel.text()
    assert slicer.util.getNodesByClass("vtkMRMLTableNode") == []
    before = 12.0 / 2 / 2  # 600 pixels of 0.1² mm are 6, of 0.05² 1.5 mm²
    press(compared.ui.compareButton)
    assert shown == []
    rows = [row for row in compared.compare.found.rows if row.expert_mm2]
    assert rows[0].expert_mm2 == pytest.approx(before / 2)


# --- the readout -----------------------------------------------------------------
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
    assert "PSA must be" in words
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
    assert "within 180°" in widget.ui.sizeLabel.text()
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
    assert "tells a pixel of 0.05 × 0.05 mm" in words
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
    assert "one size and place; got others in frame 3" in shown[0]
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert widget._parameterNode.volume is volume
