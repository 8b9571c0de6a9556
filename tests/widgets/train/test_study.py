import json

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialogButtonBox

from napari_microus.core.io import read_mask, read_volume, write_mask, write_volume
from napari_microus.core.runs.workspace import Workspace
from napari_microus.core.study import Study, StudyCase
from napari_microus.core.volume import Volume
from napari_microus.widgets.train import study as study_page
from napari_microus.widgets.train.label_picker import label_picker
from napari_microus.widgets.train.study import StudyPage

SHAPE = (3, 20, 30)
PLACE = {
    "scale": (2.0, 0.1, 0.2),
    "translate": (5.0, 1.0, 2.0),
    "units": ("mm", "mm", "mm"),
}


def box(value=1):
    mask = np.zeros(SHAPE, np.int32)
    mask[:, 5:11, 8:18] = value
    return mask


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    noise = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)
    viewer.add_image(noise, name="scan one", **PLACE)
    viewer.add_labels(box(), name="non-expert", **PLACE)
    viewer.add_labels(box(2), name="expert", **PLACE)
    return viewer


@pytest.fixture
def page(qtbot, viewer, tmp_path):
    page = StudyPage(viewer, Workspace(tmp_path / "home"), list)
    qtbot.addWidget(page)
    page.show()
    page.create_study(tmp_path / "study")
    return page


def wait(qtbot, page):
    qtbot.waitUntil(lambda: page._worker is None, timeout=30_000)


def test_roles_names_and_pseudonym_are_suggested(page):
    assert page.form.image_box.currentText() == "scan one"
    assert page.form.expert_box.currentText() == "expert"
    assert page.form.nonexpert_box.currentText() == "non-expert"
    assert page.form.case_edit.text() == "scan-one"
    assert page.form.patient_edit.text() == "P001"


def test_open_layers_become_a_case_in_their_geometry(qtbot, page, viewer, tmp_path):
    page.form.add_button.click()
    wait(qtbot, page)

    assert page.message.text() == (
        "Added 'scan-one'. The study has 1 case of 1 patient."
    )
    (case,) = Study.open(tmp_path / "study").cases
    scan = read_volume(tmp_path / "study" / case.image)
    expert = read_mask(tmp_path / "study" / case.expert)
    assert scan.spacing_mm == pytest.approx((2.0, 0.1, 0.2))
    np.testing.assert_array_equal(scan.array, viewer.layers["scan one"].data)
    # Where napari's world begins at (5, 1, 2) the patient's left and front end.
    np.testing.assert_allclose(scan.affine[:3, 3], (-2, -1, 5), atol=1e-5)
    assert expert.shares_grid(scan)
    np.testing.assert_array_equal(expert.array, box() > 0)
    assert page.form.patient_edit.text() == "P002"
    assert page.form.case_edit.text() == "scan-one-2"
    assert page.table.topLevelItem(0).text(2) == "expert, nonexpert"


def test_undecided_pixels_stay_undecided(qtbot, page, viewer, tmp_path):
    viewer.layers["expert"].data[0, 0, 0] = 255
    page.form.add_button.click()
    wait(qtbot, page)

    (case,) = Study.open(tmp_path / "study").cases
    mask = read_mask(tmp_path / "study" / case.expert)

    assert mask.array[0, 0, 0] == 255
    assert (mask.array == 1).sum() == (box() > 0).sum()


def test_scan_without_annotation_waits_and_is_annotated_later(
    qtbot, page, viewer, tmp_path
):
    masks = {name: viewer.layers.pop(name) for name in ("expert", "non-expert")}
    assert page.form.expert_box.currentText() == "none yet: annotate later"
    page.form.patient_edit.setText("P7")
    page.form.add_button.click()
    wait(qtbot, page)
    assert page.message.text().startswith("Added 'scan-one', to be annotated.")
    assert page.table.topLevelItem(0).text(2) == "none"
    assert page.form.patient == "P7"  # it is the same case that is offered again

    page.form.add_button.click()
    assert page.message.text().startswith("Choose the layer that the expert drew")

    for mask in masks.values():
        viewer.add_layer(mask)
    assert page.form.add_button.text() == "Save the annotation of this case"
    page.form.add_button.click()
    wait(qtbot, page)

    assert page.message.text().startswith("Annotated 'scan-one'.")
    (case,) = Study.open(tmp_path / "study").cases
    assert (case.case, case.patient) == ("scan-one", "P7")
    mask = read_mask(tmp_path / "study" / case.expert)
    np.testing.assert_array_equal(mask.array, box() > 0)
    assert page.form.case == "scan-one-2"
    assert page.form.add_button.text() == "Add open layers as a case"


def test_annotation_of_another_scan_is_refused(qtbot, page, viewer, tmp_path):
    page.form.expert_box.setCurrentIndex(0)
    page.form.nonexpert_box.setCurrentIndex(0)
    page.form.add_button.click()
    wait(qtbot, page)
    viewer.layers["scan one"].data = viewer.layers["scan one"].data // 2

    page.form.expert_box.setCurrentText("expert")
    page.form.add_button.click()
    wait(qtbot, page)

    assert "Case 'scan-one' has another scan" in page.message.text()
    assert not Study.open(tmp_path / "study").cases[0].expert


def test_second_annotation_alone_is_refused(page):
    page.form.expert_box.setCurrentIndex(0)

    page.form.add_button.click()

    assert page.message.text().startswith("Choose the layer that the expert drew")


def test_empty_annotation_is_refused(qtbot, page, viewer, tmp_path):
    viewer.layers["expert"].data = np.zeros(SHAPE, np.int32)

    page.form.add_button.click()
    wait(qtbot, page)

    assert "Nothing is drawn in 'expert'" in page.message.text()
    assert Study.open(tmp_path / "study").cases == []


def test_one_layer_cannot_be_both_annotators(page):
    page.form.nonexpert_box.setCurrentText("expert")

    page.form.add_button.click()

    assert page.message.text().startswith("Expert and non-expert are the same layer")


def test_mask_elsewhere_is_refused(qtbot, page, viewer):
    viewer.layers["expert"].translate = (0, 0, 0)

    page.form.add_button.click()
    wait(qtbot, page)

    assert page.message.text().startswith("The mask 'expert' has another size")


def test_unfit_name_is_refused(qtbot, page):
    page.form.patient_edit.setText("Doe, John")

    page.form.add_button.click()
    wait(qtbot, page)

    assert "Take letters, digits and _ . - alone" in page.message.text()


def test_single_frame_is_a_case(qtbot, page, viewer, tmp_path):
    viewer.layers.clear()
    viewer.add_image(np.arange(600.0).reshape(20, 30), name="frame")
    viewer.add_labels(box()[0], name="expert")
    page.form.add_button.click()
    wait(qtbot, page)

    (case,) = Study.open(tmp_path / "study").cases
    assert read_volume(tmp_path / "study" / case.image).shape == (1, 20, 30)


@pytest.fixture
def folder(tmp_path):
    """Images and masks of two patients."""
    for name in ("p1", "p2"):
        image = np.full((1, 20, 30), 7, np.uint8)
        image[0, 3, int(name[1])] = 9
        for part in ("images", "masks"):
            (tmp_path / "source" / part).mkdir(parents=True, exist_ok=True)
        scan = Volume.from_spacing(image, (1, 1, 1))
        write_volume(scan, tmp_path / "source" / "images" / f"{name}.nii.gz")
        mask = scan.like(box()[:1].astype(np.uint8))
        write_mask(mask, tmp_path / "source" / "masks" / f"{name}.nii.gz")
    return tmp_path / "source"


def test_folder_is_imported_checked_and_split(qtbot, page, folder, tmp_path):
    page.import_from(folder)
    wait(qtbot, page)
    assert "2 cases of 2 patients were added." in page.message.text()

    page.check_button.click()
    wait(qtbot, page)
    assert page.message.text() == "Checked 2 cases of 2 patients: nothing to correct."

    page.split_button.click()
    splits = [page.table.topLevelItem(i).text(3) for i in range(2)]
    assert sorted(splits) == ["train", "val"]
    assert page.message.text().startswith("1 of 2 patients are held out")


def test_study_is_split_in_folds_by_patient(qtbot, page):
    for number in range(6):
        image = Volume.from_spacing(np.full((1, 9, 9), number, np.uint8), (1, 1, 1))
        mask = image.like(np.ones((1, 9, 9), np.uint8))
        page.study.add_case(f"c{number}", f"p{number // 2}", image, mask)
    page.split_box.setCurrentText("3 folds")

    page.split_button.click()

    assert page.message.text().startswith("3 folds of 1, 1, 1 patients. Under Train")
    splits = {}
    for index in range(6):
        row = page.table.topLevelItem(index)
        splits.setdefault(row.text(1), set()).add(row.text(3))
    assert sorted(map(tuple, splits.values())) == [("fold0",), ("fold1",), ("fold2",)]

    page.split_box.setCurrentText("5 folds")
    page.split_button.click()
    assert "5 folds take 5 patients" in page.message.text()


def listed(page):
    rows = [page.table.topLevelItem(i) for i in range(page.table.topLevelItemCount())]
    return {row.text(0): row.text(3) for row in rows}


def pick(page, name):
    (row,) = page.table.findItems(name, Qt.MatchFlag.MatchExactly, 0)
    page.table.setCurrentItem(row)


@pytest.fixture
def four(page, tmp_path):
    """Scans a1 and a2 of one patient, b and c of two others."""
    study = Study.open(tmp_path / "study")
    for name, patient in (("a1", "A"), ("a2", "A"), ("b", "B"), ("c", "C")):
        (tmp_path / "study" / f"{name}.png").touch()
        study.add(StudyCase(name, patient, f"{name}.png", split="train"))
    page.refresh_studies()
    return page


def test_no_case_is_changed_before_one_is_chosen(four):
    buttons = (four.ignore_button, four.test_button, four.remove_button)
    assert not any(button.isEnabled() for button in buttons)
    pick(four, "b")
    assert all(button.isEnabled() for button in buttons)


def test_a_case_is_left_out_and_used_again(four, tmp_path):
    pick(four, "b")
    four.ignore_button.click()
    assert listed(four) == {"a1": "train", "a2": "train", "b": "ignored", "c": "train"}
    assert [c.case for c in Study.open(tmp_path / "study").used] == ["a1", "a2", "c"]
    assert four.ignore_button.text() == "Use again"  # it is still chosen
    four.ignore_button.click()
    assert listed(four)["b"] == "train"


def test_a_patient_moves_to_the_test_set_as_a_whole(four, tmp_path):
    pick(four, "a2")
    four.test_button.click()
    assert listed(four) == {"a1": "test", "a2": "test", "b": "train", "c": "train"}
    assert four.message.text() == "2 scans of patient A are in the test set."
    Study.open(tmp_path / "study").open_test_set("a table")
    four.refresh_studies()
    pick(four, "a1")
    four.test_button.click()
    assert set(listed(four).values()) == {"train"}
    assert "was opened before" in four.message.text()


def test_a_removed_case_leaves_its_files_and_comes_back(four, tmp_path):
    pick(four, "b")
    four.remove_button.click()
    assert list(listed(four)) == ["a1", "a2", "c"]
    assert (tmp_path / "study" / "b.png").exists()
    four.undo_button.click()
    assert list(listed(four)) == ["a1", "a2", "b", "c"]
    assert not four.undo_button.isVisible()
    pick(four, "c")
    four.remove_button.click()
    four.create_study(tmp_path / "another")
    assert not four.undo_button.isVisible()  # it would come into another study


def test_use_of_the_test_set_is_reported(page):
    page.study.open_test_set("figures of the paper")
    page.refresh_studies()

    said = page.message.text()
    assert said.startswith("The test set was opened once, last on 2")
    assert said.endswith("for: figures of the paper.")


def test_check_lists_what_is_wrong(qtbot, page, folder, tmp_path):
    page.import_from(folder)
    wait(qtbot, page)
    (folder / "masks" / "p2.nii.gz").unlink()

    page.check_button.click()
    wait(qtbot, page)

    assert "error, p2:" in page.message.text()


def test_too_few_patients_are_counted(qtbot, page):
    page.form.add_button.click()
    wait(qtbot, page)

    page.split_button.click()

    assert "This split takes 2 patients, of whom the study has 1" in page.message.text()


@pytest.fixture
def zones(tmp_path):
    """A data set of nnU-Net's with two labels."""
    scan = Volume.from_spacing(np.zeros((1, 20, 30), np.float32), (1, 0.1, 0.2))
    scan.array[0, 2, 2] = 1
    mask = box(1)[:1].astype(np.uint8) + box(1)[:1, ::-1].astype(np.uint8)
    write_volume(scan, tmp_path / "d" / "imagesTr" / "a_0000.nii.gz")
    write_volume(scan.like(mask), tmp_path / "d" / "labelsTr" / "a.nii.gz")
    described = {
        "channel_names": {"0": "US"},
        "labels": {"background": 0, "outer": 1, "inner": 2},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    (tmp_path / "d" / "dataset.json").write_text(json.dumps(described))
    return tmp_path / "d"


def test_several_labels_are_asked_for_and_learnt_together(
    qtbot, page, zones, monkeypatch
):
    asked = []

    def choose(labels, parent):
        asked.append((labels, parent))
        return ["outer", "inner"]

    monkeypatch.setattr(study_page, "ask_labels", choose)
    page.import_from(zones)
    qtbot.waitUntil(lambda: bool(page.study.cases), timeout=30_000)
    wait(qtbot, page)

    assert asked == [(("outer", "inner"), page)]
    (case,) = page.study.cases
    assert case.label_rule == "target=1+2 others=0"
    assert "The target is outer and inner" in page.message.text()


def test_nothing_is_imported_where_no_label_is_chosen(qtbot, page, zones, monkeypatch):
    monkeypatch.setattr(study_page, "ask_labels", lambda *_: [])
    page.import_from(zones)
    wait(qtbot, page)
    assert page.study.cases == []
    assert "several labels: outer, inner" in page.message.text()


def test_the_picker_gives_the_chosen_labels_in_their_order(qtbot):
    picker = label_picker(["whole", "core", "edge"])
    qtbot.addWidget(picker)
    ok = picker.buttons.button(QDialogButtonBox.StandardButton.Ok)
    assert not ok.isEnabled()
    for row in (2, 0):
        picker.rows.item(row).setSelected(True)
    assert ok.isEnabled()
    assert picker.chosen_rows() == [0, 2]


def test_folder_of_another_layout_is_refused(qtbot, page, tmp_path):
    (tmp_path / "empty").mkdir()

    page.import_from(tmp_path / "empty")
    wait(qtbot, page)

    assert page.message.text().startswith("No scans and masks were found in")


def test_folder_without_a_study_is_refused(page, tmp_path):
    (tmp_path / "empty").mkdir()

    page.open_study(tmp_path / "empty")

    assert page.message.text().endswith("Choose the folder of a study.")


def test_without_a_study_the_way_is_shown(qtbot, viewer, tmp_path):
    page = StudyPage(viewer, Workspace(tmp_path / "other"), list)
    qtbot.addWidget(page)

    assert not page.empty.isHidden()
    assert [button.text() for button in page.empty.buttons] == ["Make a study…"]
    assert not page.form.add_button.isEnabled()


def test_a_mask_of_0_and_255_is_capsule_as_in_compare(qtbot, page, viewer, tmp_path):
    viewer.layers["expert"].data = box(255)
    page.form.add_button.click()
    wait(qtbot, page)
    (case,) = Study.open(tmp_path / "study").cases
    expert = read_mask(tmp_path / "study" / case.expert)
    np.testing.assert_array_equal(expert.array, box() > 0)


def test_several_labels_are_asked_about_and_not_merged(qtbot, page, viewer, tmp_path):
    labels = box(1)
    labels[0, 0, 0] = 7
    viewer.layers["expert"].data = labels
    page.form.add_button.click()
    wait(qtbot, page)
    assert page.message.text().startswith("More than one thing is drawn in 'expert'")
    assert Study.open(tmp_path / "study").cases == []


def test_a_scan_of_unknown_pixel_size_can_be_given_one(qtbot, page, viewer, tmp_path):
    form = page.form
    assert not form._rows.isRowVisible(form.pixel_box)  # the layers are in mm
    viewer.layers.clear()
    noise = np.random.default_rng(1).integers(0, 255, SHAPE).astype(np.uint8)
    viewer.add_image(noise, name="picture")
    viewer.add_labels(box(), name="expert")
    assert form._rows.isRowVisible(form.pixel_box)
    form.pixel_box.setValue(0.125)
    form.add_button.click()
    wait(qtbot, page)
    case = Study.open(tmp_path / "study").cases[-1]
    scan, expert, _ = Study.open(tmp_path / "study").read(case)
    assert scan.spacing_mm[1:] == pytest.approx((0.125, 0.125))
    assert scan.has_geometry
    assert expert.shares_grid(scan)
