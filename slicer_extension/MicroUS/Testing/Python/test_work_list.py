import json

import numpy as np
import pytest
import SimpleITK
import slicer
from panel import choose, press

from napari_microus.core.io import write_mask, write_volume
from napari_microus.core.volume import Volume


@pytest.fixture
def folder(tmp_path, pixels, mask):
    """Three cases on a left-handed grid; the student has not drawn the third."""
    affine = np.diag([0.1, -0.1, 0.5, 1.0])
    grid = Volume(pixels, affine)
    place = tmp_path / "list"
    for name in ("scans", "expert", "student"):
        (place / name).mkdir(parents=True)
    for number in (1, 2, 3):
        second = np.roll(mask, number, axis=2)
        write_volume(
            grid.like(np.roll(pixels, number)), place / "scans" / f"scan{number}.nii.gz"
        )
        write_mask(grid.like(mask), place / "expert" / f"e{number}.nii.gz")
        if number != 3:
            write_mask(grid.like(second), place / "student" / f"s{number}.nii.gz")
    return place


@pytest.fixture
def listed(widget, folder):
    widget.ui.workListPathLineEdit.currentPath = str(folder)
    return widget


def cells(widget):
    table = widget.ui.workListTable
    return [
        [table.item(line, column).text() for column in range(table.columnCount())]
        for line in range(table.rowCount())
    ]


def test_states_are_listed_by_case_and_annotator(listed):
    assert cells(listed) == [
        ["1", "drawn", "drawn", "open"],
        ["2", "drawn", "drawn", "open"],
        ["3", "drawn", "not yet", "needs two annotations"],
    ]
    assert "0 of 3 cases" in listed.ui.workListLabel.text()


def test_next_open_case_is_loaded_and_compared(listed, shown, pixels):
    press(listed.ui.nextCaseButton)
    assert shown == []
    volume = listed._parameterNode.volume
    assert volume.GetName() == "1"
    assert listed._parameterNode.expert.GetName() == "e1"
    assert "disputed regions" in listed.ui.totalsLabel.text()
    assert "Region 1 of" in listed.ui.regionLabel.text()
    from MicroUSLib.scene.nodes import volume_from_node

    assert (volume_from_node(volume).array == np.roll(pixels, 1)).all()


def test_whole_list_is_worked_through_and_saved(listed, folder, shown, mask):
    ui = listed.ui
    press(ui.nextCaseButton)
    for number in (1, 2):
        while "Decided" in ui.regionLabel.text():
            press(ui.nonexpertButton)
            done, of = (
                ui.regionLabel.text().split("Decided ")[1].rstrip(".").split(" of ")
            )
            if done == of:
                break
        press(ui.saveAndNextButton)
        assert shown == []
        saved = SimpleITK.ReadImage(str(folder / "adjudicated" / f"{number}.nii.gz"))
        expected = np.roll(mask, number, axis=2)
        assert (SimpleITK.GetArrayFromImage(saved) == expected).all()
        scan = SimpleITK.ReadImage(str(folder / "scans" / f"scan{number}.nii.gz"))
        assert saved.GetOrigin() == pytest.approx(scan.GetOrigin(), abs=1e-4)
        assert saved.GetDirection() == pytest.approx(scan.GetDirection(), abs=1e-4)
    assert "No case of the list is open" in ui.compareStatusLabel.text()
    assert [row[3] for row in cells(listed)[:2]] == ["done", "done"]


def test_started_case_is_resumed(listed, folder, shown):
    press(listed.ui.nextCaseButton)
    press(listed.ui.expertButton)
    press(listed.ui.saveAndNextButton)
    assert listed._parameterNode.volume.GetName() == "2"
    listed.ui.workListTable.selectRow(0)
    nodes = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLVolumeNode")
    press(listed.ui.openCaseButton)
    assert shown == []
    assert "Decided 1 of" in listed.ui.regionLabel.text()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == nodes


def test_case_with_one_annotation_is_opened_and_reported(listed):
    listed.ui.workListTable.selectRow(2)
    press(listed.ui.openCaseButton)
    assert listed._parameterNode.volume.GetName() == "3"
    assert "needs a second annotation" in listed.ui.compareStatusLabel.text()


def test_files_of_another_adjudication_are_not_replaced(listed, folder, shown):
    press(listed.ui.nextCaseButton)
    press(listed.ui.expertButton)
    (folder / "adjudicated").mkdir()
    result = folder / "adjudicated" / "1.nii.gz"
    result.write_bytes(b"somebody else's")
    press(listed.ui.saveAndNextButton)
    assert "exist" in shown[0]
    assert result.read_bytes() == b"somebody else's"
    assert listed._parameterNode.volume.GetName() == "1"


def test_unreadable_scan_leaves_the_scene_as_it_was(listed, folder, shown):
    (folder / "scans" / "scan1.nii.gz").write_bytes(b"nothing")
    before = slicer.mrmlScene.GetNumberOfNodes()
    press(listed.ui.nextCaseButton)
    assert len(shown) == 1
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_damaged_sidecar_is_reported(listed, folder):
    (folder / "adjudicated").mkdir()
    (folder / "adjudicated" / "1.json").write_text("{", encoding="utf-8")
    listed.compare.work_list.list_cases()
    assert cells(listed)[0][3] == "sidecar damaged"
    assert (
        "is damaged, or no record of decisions"
        in listed.ui.workListTable.item(0, 3).toolTip()
    )


def test_folder_without_annotators_is_reported(widget, tmp_path):
    widget.ui.workListPathLineEdit.currentPath = str(tmp_path)
    assert "No annotators were found" in widget.ui.workListLabel.text()
    assert not widget.ui.nextCaseButton.isEnabled()


def test_blind_case_shows_no_name(listed, shown):
    choose(listed, blind=True)
    press(listed.ui.nextCaseButton)
    press(listed.ui.expertButton)
    press(listed.ui.saveAndNextButton)
    assert shown == []
    texts = " ".join(
        [listed.ui.totalsLabel.text(), listed.ui.regionLabel.text()]
        + [
            listed.ui.frameTable.horizontalHeaderItem(i).text()
            for i in range(listed.ui.frameTable.columnCount())
        ]
    ).lower()
    assert "expert" not in texts
    assert "student" not in texts


def test_sidecar_keeps_who_and_settings(listed, folder):
    listed.ui.whoLineEdit.setText("ab")
    press(listed.ui.nextCaseButton)
    press(listed.ui.expertButton)
    press(listed.ui.saveAndNextButton)
    document = json.loads(
        (folder / "adjudicated" / "1.json").read_text(encoding="utf-8")
    )
    assert document["who"] == "ab"
