import json

import numpy as np
import pytest
import slicer
import standin_widgets
from MicroUSLib.scene import annotations, segments
from panel import choose, press


def test_two_segments_of_one_node_are_the_first_guess(compared):
    assert compared.ui.expertPartComboBox.currentText() == "expert"
    assert compared.ui.nonexpertPartComboBox.currentText() == "student"


def test_compare_shows_table_totals_and_region(compared, shown):
    ui = compared.ui
    assert shown == []
    assert ui.frameTable.rowCount() == 5
    assert "2 disputed regions in 5 frames" in ui.totalsLabel.text()
    assert "Region 1 of 2" in ui.regionLabel.text()
    node = slicer.util.getFirstNodeByClassByName(
        "vtkMRMLSegmentationNode", "scan differences"
    )
    assert [name for _, name in annotations.parts_of(node)] == [
        *("Both", "Expert only", "Non-expert only", "Hard region (4 px of the network)")
    ]


def test_table_sorts_as_numbers_and_jumps(compared):
    from MicroUSLib.scene.nodes import shown_frame

    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    view.SetLayoutName("Red")
    table = compared.ui.frameTable
    table.sortItems(6, standin_widgets.QtCore.Qt.DescendingOrder)
    assert [table.item(i, 0).text() for i in range(2)] == ["3", "1"]
    table.cellClicked.emit(1, 0)
    assert shown_frame(compared._parameterNode.volume) == 1


def test_decisions_move_on_and_undo_comes_back(compared):
    ui = compared.ui
    press(ui.expertButton)
    assert "Region 2 of 2" in ui.regionLabel.text()
    assert "Decided 1 of 2" in ui.regionLabel.text()
    assert ui.compareStatusLabel.text() == ""  # no step is left standing there
    press(ui.nonexpertButton)
    assert "Decided 2 of 2" in ui.regionLabel.text()
    press(ui.undoButton)
    assert "Decided 1 of 2" in ui.regionLabel.text()
    assert "open" in ui.regionLabel.text()


def test_saved_case_is_resumed_after_the_scene_was_closed(
    compared, tmp_path, make_volume, mask, shown
):
    ui, path = compared.ui, str(tmp_path / "case.nii.gz")
    ui.whoLineEdit.setText("ab")
    press(ui.expertButton)
    compared.compare.adjudicating.ask_save = lambda: path
    press(ui.saveAdjudicationButton)
    assert (
        json.loads((tmp_path / "case.json").read_text(encoding="utf-8"))["who"] == "ab"
    )
    slicer.mrmlScene.Clear(0)
    assert ui.frameTable.rowCount() == 0
    assert not ui.expertButton.isEnabled()

    volume = make_volume()
    node = segments.new_segmentation(volume, "annotations")
    second = mask.copy()
    second[1, 10:30, 50:55] = 1
    second[3, 10:14, 20:50] = 0
    for name, array in (("expert", mask), ("student", second)):
        segments.add_segment(array, node, volume, name=name)
    choose(compared, volume=volume, expert=node, nonexpert=node)
    compared.compare.adjudicating.ask_open = lambda: path
    press(ui.loadAdjudicationButton)

    assert shown == []
    assert "Decided 1 of 2" in ui.regionLabel.text()
    assert "Region 2 of 2" in ui.regionLabel.text()


def test_unsaved_decisions_survive_a_crash(compared, shown):
    press(compared.ui.expertButton)
    press(compared.ui.compareButton)  # a new comparison of the same masks
    standin_widgets.ctkMessageBox.answer = standin_widgets.QtWidgets.QMessageBox.Yes
    press(compared.ui.nextButton)
    press(compared.ui.undecidedButton)
    standin_widgets.ctkMessageBox.answer = standin_widgets.QtWidgets.QMessageBox.Ok
    assert "unsaved decisions" in shown[0]
    assert "Decided 2 of 2" in compared.ui.regionLabel.text()


def test_missing_annotation_is_reported(widget, make_volume, shown):
    choose(widget, volume=make_volume())
    press(widget.ui.compareButton)
    assert "There is no expert annotation." in shown[0]


def test_identical_annotations_have_no_region(widget, make_volume, mask, shown):
    volume = make_volume()
    node = segments.new_segmentation(volume, "annotations")
    for name in ("a", "b"):
        segments.add_segment(mask, node, volume, name=name)
    choose(widget, volume=volume, expert=node, nonexpert=node)
    press(widget.ui.compareButton)
    assert shown == []
    assert "0 disputed regions" in widget.ui.totalsLabel.text()
    assert not widget.ui.expertButton.isEnabled()


def test_empty_annotations_are_compared(widget, make_volume, mask, shown):
    volume = make_volume()
    node = segments.new_segmentation(volume, "annotations")
    for name, array in (("a", mask), ("b", np.zeros_like(mask))):
        segments.add_segment(array, node, volume, name=name)
    choose(widget, volume=volume, expert=node, nonexpert=node)
    press(widget.ui.compareButton)
    assert shown == []
    assert "one contour only" in widget.ui.regionLabel.text()


def test_consensus_of_the_ticked(compared, shown):
    compared.ui.consensusComboBox.setCurrentText("union")
    press(compared.ui.consensusButton)
    assert "scan consensus" in compared.ui.compareStatusLabel.text()
    compared.ui.consensusComboBox.setCurrentText("staple")
    press(compared.ui.consensusButton)
    assert "three or more annotators" in shown[0]


def test_place_table_says_where(compared):
    table = compared.ui.placeTable
    assert table.rowCount() == 7  # two directions' ends, and thirds of the sweep
    places = [table.item(row, 0).text() for row in range(7)]
    assert {"left", "right", "anterior", "posterior"} < set(places)
    shares = [float(table.item(row, 1).text()) for row in range(4)]
    # Each direction splits all that is disputed in two.
    assert sum(shares) == pytest.approx(2, abs=2e-3)


def test_consensus_of_three_with_a_node_of_ones_own(compared, mask, shown):
    volume = compared._parameterNode.volume
    third = segments.new_segmentation(volume, "resident")
    drawn = mask.copy()
    drawn[1, 10:30, 50:55] = 1
    segments.add_segment(drawn, third, volume, name="third")
    compared.compare.tools.list_annotators()
    ui = compared.ui
    names = [ui.annotatorList.item(i).text() for i in range(ui.annotatorList.count())]
    assert names == ["annotations: expert", "annotations: student", "resident: third"]
    ui.annotatorList.item(2).setCheckState(standin_widgets.QtCore.Qt.Checked)
    for method in ("majority", "staple"):
        ui.consensusComboBox.setCurrentText(method)
        press(ui.consensusButton)
    assert shown == []
    node = slicer.util.getFirstNodeByClassByName(
        "vtkMRMLSegmentationNode", "scan consensus"
    )
    [(key, _)] = annotations.parts_of(node)
    # Two of three drew the bump of frame 1; one of three left the cut of frame 3 out.
    np.testing.assert_array_equal(segments.segment_array(node, key, volume), drawn)


def test_third_mask_states_with_whom_it_sides(compared, mask, shown):
    volume = compared._parameterNode.volume
    node = segments.new_segmentation(volume, "model")
    drawn = mask.copy()
    drawn[1, 10:30, 50:55] = 1  # as the student, 100 pixels
    drawn[0, 2:4, 2:5] = 1  # against both, 6 pixels
    segments.add_segment(drawn, node, volume)
    choose(compared, model=node)

    press(compared.ui.checkModelButton)

    assert shown == []
    words = compared.ui.modelLabel.text()
    assert "model sides with the expert: 120 px" in words
    assert "model sides with the non-expert: 100 px" in words
    assert "model against both: 6 px" in words
    assert "non-expert in 45 %" in words
    shown_node = slicer.util.getFirstNodeByClassByName(
        "vtkMRMLSegmentationNode", "scan model against both"
    )
    parts = {name: key for key, name in annotations.parts_of(shown_node)}
    sides = segments.segment_array(
        shown_node, parts["model sides with the non-expert"], volume
    )
    np.testing.assert_array_equal(
        sides, drawn.astype(bool) & ~mask.astype(bool) & sides
    )
    assert sides.sum() == 100


def test_third_mask_must_be_a_third_one(compared, shown):
    choose(compared, model=compared._parameterNode.expert)
    press(compared.ui.checkModelButton)
    assert "'expert' is one of the two annotations" in shown[0]


def test_report_of_a_trainee_is_a_page(widget, mask, nifti, tmp_path, shown):
    folders = []
    for name, grown in (("reference", 0), ("trainee", 2)):
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        wide = mask.copy()
        wide[1:4, 10:30, 50 : 50 + grown] = 1
        for case in (1, 2):
            path = nifti(wide, np.diag([0.1, 0.1, 0.5, 1]), f"{name}_{case}.nii.gz")
            path.rename(folders[-1] / path.name)
    page = tmp_path / "report.html"
    widget.compare.tools.ask_folders = lambda: (*map(str, folders), str(page))
    press(widget.ui.reportButton)
    assert shown == []
    assert "Wrote" in widget.ui.compareStatusLabel.text()
    assert "trainee" in page.read_text(encoding="utf-8")
    widget.compare.tools.ask_folders = lambda: None
    press(widget.ui.reportButton)
    assert shown == []


def test_mask_is_loaded_and_compared(compared, mask, nifti, shown, make_volume):
    from conftest import AFFINES

    other = mask.copy()
    other[2, 12:20, 22:30] = 0
    path = nifti(other, AFFINES["axis-aligned"], "resident_3.nii.gz")
    compared.compare.ask_mask = lambda: str(path)
    press(compared.ui.loadNonexpertButton)
    assert compared.ui.nonexpertSelector.currentNode().GetName() == "resident_3"
    press(compared.ui.compareButton)
    assert shown == []
    assert compared.compare.found.names == ("expert", "resident_3")
    assert [r.pixels for r in compared.compare.found.regions] == [64]


def test_mask_of_another_grid_is_compared_after_one_click(
    compared, mask, make_volume, shown
):
    from conftest import AFFINES

    affine = AFFINES["axis-aligned"].copy()
    affine[0, 3] -= 0.2  # two columns further, as columns run to the left
    moved = make_volume(np.roll(mask, -2, axis=2), affine, "moved")
    choose(compared, nonexpert=moved)
    press(compared.ui.compareButton)
    assert "press Resample" in shown[0]
    press(compared.ui.resampleButton)
    press(compared.ui.compareButton)
    assert len(shown) == 1
    assert compared.compare.found.totals.dice == 1
    press(compared.ui.resampleButton)
    assert "nothing was resampled" in compared.ui.compareStatusLabel.text()


# --- ending what is at work ------------------------------------------------------
@pytest.fixture
def at_turn(monkeypatch):
    """Do something the ``number``-th time the window lives during long work."""

    from MicroUSLib import event_pump

    monkeypatch.setattr(event_pump, "_WINDOW_EVERY_S", 0.0)

    def at_turn(number, act):
        lived = []

        def live(self):
            lived.append(1)
            if len(lived) == number:
                act()

        monkeypatch.setattr(type(slicer.app), "processEvents", live)
        return lived

    return at_turn


def nodes_of_scene():
    return [
        node.GetID()
        for node in slicer.util.getNodesByClass("vtkMRMLNode")
        if not node.IsA("vtkMRMLScriptedModuleNode")
    ]


WORK = ("compareButton", "consensusButton", "expertButton", "checkModelButton")


@pytest.mark.parametrize("button", WORK)
@pytest.mark.parametrize("turn", [1, 2, 4, 7, 24])
def test_cancel_leaves_the_scene_as_it_was(button, turn, compared, at_turn, shown):
    choose(compared, model=other_drawing(compared))
    ui, before = compared.ui, nodes_of_scene()
    ui.consensusComboBox.setCurrentText("union")
    lived = at_turn(turn, ui.cancelCompareButton.click)

    press(getattr(ui, button))

    assert shown == []
    if len(lived) < turn:
        return  # the work was over before that
    assert nodes_of_scene() == before
    assert ui.compareStatusLabel.text() == "Cancelled; the scene is as it was."
    assert ui.compareButton.isEnabled()
    assert not ui.cancelCompareButton.isEnabled()


def test_cancel_while_the_differences_are_shown_takes_them_back(
    compared, at_turn, shown
):
    ui, before = compared.ui, nodes_of_scene()
    lived = at_turn(10**6, None)
    press(ui.compareButton)
    last = len(lived)  # the step before the hard region
    for node in slicer.util.getNodesByClass("vtkMRMLNode"):
        if node.GetID() not in before and not node.IsA("vtkMRMLScriptedModuleNode"):
            slicer.mrmlScene.RemoveNode(node)
    before = nodes_of_scene()  # the older differences were replaced
    at_turn(last, ui.cancelCompareButton.click)
    press(ui.compareButton)
    assert nodes_of_scene() == before
    assert "as it was" in ui.compareStatusLabel.text()
    assert shown == []


def other_drawing(widget):
    volume = widget._parameterNode.volume
    node = segments.new_segmentation(volume, "model")
    segments.add_segment(np.ones((5, 48, 64), np.uint8), node, volume)
    return node


def test_second_job_cannot_begin_while_one_works(compared, at_turn):
    ui = compared.ui
    states = []
    at_turn(2, lambda: states.append([getattr(ui, n).isEnabled() for n in WORK]))
    press(ui.compareButton)
    assert states == [[False] * len(WORK)]


@pytest.mark.parametrize("button", WORK)
def test_scene_closed_while_it_works_is_reported(button, compared, at_turn, shown):
    choose(compared, model=other_drawing(compared))
    at_turn(2, lambda: slicer.mrmlScene.Clear(0))
    press(getattr(compared.ui, button))
    assert "The scene was closed" in shown[0]
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert not compared.ui.expertButton.isEnabled()


@pytest.mark.parametrize("button", ["compareButton", "consensusButton"])
def test_scan_removed_while_it_works_is_reported(button, compared, at_turn, shown):
    volume, removed = compared._parameterNode.volume, []

    def remove():
        slicer.mrmlScene.RemoveNode(volume)
        removed.extend(nodes_of_scene())

    at_turn(3, remove)
    compared.ui.consensusComboBox.setCurrentText("union")
    press(getattr(compared.ui, button))
    assert "is chosen as the scan" in shown[0]
    assert nodes_of_scene() == removed


def test_annotation_removed_while_it_works_was_read_already(compared, at_turn, shown):
    node = compared._parameterNode.expert
    at_turn(8, lambda: slicer.mrmlScene.RemoveNode(node))
    press(compared.ui.compareButton)
    assert shown == []
    assert compared.compare.found.totals.frames == 5


def test_module_that_goes_away_ends_its_work(compared, at_turn, shown):
    at_turn(3, compared.cleanup)
    before = nodes_of_scene()
    press(compared.ui.compareButton)
    assert shown == []
    assert nodes_of_scene() == before


def test_decisions_are_written_down_soon_and_when_the_scene_closes(
    compared, wait, tmp_path
):
    from napari_microus.core.compare.adjudication.journal import (
        journal_folder,
        read_journal,
    )

    def journals():
        return list(journal_folder().glob("*.json"))

    press(compared.ui.expertButton)
    assert journals() == []
    wait(journals, seconds=20)
    press(compared.ui.expertButton)
    slicer.mrmlScene.Clear(0)
    [path] = journals()
    kept = read_journal(path)
    assert [r["decision"] for r in kept["regions"]] == ["expert", "expert"]


def test_hard_region_can_be_made_in_pixels_of_the_scan(compared):
    from napari_microus.core.compare import hard_region

    choose(compared, kernelGrid="px of the scan", kernelSize=3)
    press(compared.ui.compareButton)
    node = slicer.util.getFirstNodeByClassByName(
        "vtkMRMLSegmentationNode", "scan differences"
    )
    key, name = annotations.parts_of(node)[3]
    assert name == "Hard region (3 px)"
    found = compared.compare.found
    shown = segments.segment_array(node, key, found.volume)
    np.testing.assert_array_equal(shown, hard_region(*found.masks, 3))
