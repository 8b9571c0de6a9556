"""*Scan properties* and the readout, as a user works with them."""

import json

import pytest
import slicer
from conftest import AFFINES
from MicroUSLib.scene.scan_properties import properties_of
from panel import choose, fill, pick, press

from napari_microus.core.io import (
    ScanProperties,
    write_scan_properties,
)
from napari_microus.core.sweep import Sweep

TURN = Sweep("rotational", "columns", -9.5, (-20.0, -10.0, 0.0, 10.0, 20.0))


def test_unknown_size_is_asked_for(widget, picture, shown):
    assert widget.ui.propertiesSection.property("collapsed")
    choose(widget, volume=picture)
    words = widget.ui.propertiesLabel.text()
    assert "5 frames of 48 × 64 pixels of unknown size" in words
    assert "Slicer shows 1 mm, which no file states" in words
    assert not widget.ui.propertiesSection.property("collapsed")
    assert shown == []


def test_known_size_asks_nothing(widget, nifti, load_volume, pixels):
    choose(widget, volume=load_volume(nifti(pixels, AFFINES["axis-aligned"])))
    assert "pixels of 0.1 × 0.1 mm, 0.5 mm apart." in widget.ui.propertiesLabel.text()
    assert widget.ui.propertiesSection.property("collapsed")
    assert widget.ui.pixelHeightLineEdit.text() == ""


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
    stated = json.loads((tmp_path / "sweep.scan.json").read_text(encoding="utf-8"))
    assert stated["pixel_mm"] == [0.05, 0.05]
    assert stated["sweep"]["angles_deg"] == [0, 1, 3, 6, 10]
    assert stated["orientation"]["frames"] == "superior"

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
    assert properties_of(picture).sweep.angles_deg == (-30, -15, 0, 15, 30)
    assert widget.ui.anglesLineEdit.text() == "-30:30"


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ({"pixelHeight": "big"}, "height of a pixel is 'big', which is no number"),
        ({"pixelHeight": "0"}, "in mm, from 0.001 to 10"),
        ({"pixelHeight": "-1"}, "in mm, from 0.001 to 10"),
        ({"pixelWidth": "0.05"}, "has a width and no height"),
        ({"frameDistance": "1000"}, "Give 0.001 to 100 mm"),
    ],
)
def test_wrong_words_are_reported_and_change_nothing(
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
        ("", "The axis or the angles"),
        ("1, 2", "2 angles were stated, and the scan has 5 frames"),
        ("0, 2, 1, 3, 4", "rise or fall"),
        ("a:b", "'a:b' is no list of angles"),
        ("400", "more than a full turn"),
    ],
)
def test_wrong_angles_are_reported(widget, picture, shown, angles, sentence):
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
    assert "states a pixel of 0.05 × 0.05 mm" in widget.ui.propertiesLabel.text()
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
    assert "annotations of this scan are being adjudicated" in shown[0]
    assert volume.GetSpacing()[:2] == pytest.approx((0.1, 0.1))


def test_word_beside_the_file_waits_while_somebody_adjudicates(
    compared, tmp_path, shown
):
    volume = compared._parameterNode.volume
    press(compared.ui.expertButton)
    path = tmp_path / "scan.nii"
    path.write_bytes(b"")
    write_scan_properties(path, ScanProperties((0.05, 0.05)))
    volume.SetAttribute("MicroUS.File", str(path))
    choose(compared, volume=None)
    choose(compared, volume=volume)
    assert "are being adjudicated" in compared.ui.propertiesLabel.text()
    assert volume.GetSpacing()[:2] == pytest.approx((0.1, 0.1))
    assert compared.compare.adjudicating.is_begun


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
