import json
import subprocess
import sys
import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import Qt

from napari_microus.core.disagreement import disagreement_map
from napari_microus.core.events import Progress
from napari_microus.core.io import read_volume, write_mask
from napari_microus.core.volume import Volume
from napari_microus.widgets._shared.layers import layer_arguments
from napari_microus.widgets.compare import CompareWidget

SPACING = (1.0, 0.5, 0.5)


def masks():
    expert = np.zeros((4, 40, 50), np.uint8)
    expert[:3, 10:30, 10:30] = 1
    nonexpert = np.zeros((4, 40, 50), np.uint8)
    nonexpert[:2, 12:33, 10:28] = 1
    nonexpert[3, 5:9, 5:9] = 1
    return expert, nonexpert


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def widget(qtbot, viewer, tmp_path):
    widget = CompareWidget(
        PublicOnlyProxy(viewer), journal_folder=tmp_path / "journals"
    )
    qtbot.addWidget(widget)
    yield widget
    widget.close_down()


def add(viewer, array, name, spacing=SPACING):
    volume = Volume.from_spacing(np.atleast_3d(array), spacing)
    if array.ndim == 2:
        return viewer.add_labels(array, name=name, scale=spacing[1:], units="mm")
    return viewer.add_labels(array, name=name, **layer_arguments(volume))


@pytest.fixture
def pair(viewer):
    return [
        add(viewer, mask, name)
        for mask, name in zip(masks(), ("expert", "non-expert"), strict=True)
    ]


@pytest.fixture
def compared(qtbot, widget, pair):
    """A dock with both masks compared and measured."""
    widget.picker.compare_button.click()
    widget.comparison.finish()
    qtbot.waitUntil(lambda: not widget.frames.is_measuring, timeout=20000)
    return widget


@pytest.fixture
def settled(qtbot, compared):
    """A dock in which regions are being settled."""
    compared.regions.who.setText("AB")
    compared.regions.start_panel.start_button.click()
    qtbot.waitUntil(lambda: compared.regions.shown is not None, timeout=20000)
    qtbot.waitUntil(lambda: compared.regions._worker is None)
    return compared


def wait_for_tool(qtbot, widget):
    boxes = (widget.tools.consensus, widget.tools.model, widget.tools.report)
    qtbot.waitUntil(lambda: not any(b.is_working for b in boxes), timeout=60000)


# --- choosing


def test_opening_the_dock_loads_no_torch():
    code = (
        "import sys; from napari.components import ViewerModel; "
        "from qtpy.QtWidgets import QApplication; app = QApplication([]); "
        "from napari_microus.widgets.compare import CompareWidget; "
        "CompareWidget(ViewerModel()); "
        "assert not {'torch', 'monai', 'SimpleITK', 'nibabel'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_roles_are_guessed_from_names_and_can_be_swapped(widget, viewer):
    second = add(viewer, masks()[1], "student 1")
    first = add(viewer, masks()[0], "expert 1")
    assert (widget.picker.expert, widget.picker.nonexpert) == (first, second)
    widget.picker.swap_button.click()
    assert (widget.picker.expert, widget.picker.nonexpert) == (second, first)


def test_names_follow_a_renamed_layer(widget, pair):
    pair[0].name = "reader 7"
    assert widget.picker.expert_box.currentText() == "reader 7"
    assert widget.picker.expert is pair[0]


def test_one_mask_alone_is_not_enough(widget, viewer):
    add(viewer, masks()[0], "expert")
    widget.picker.compare_button.click()
    assert "Choose two masks." in widget.picker.message.text()
    assert widget.comparison is None


def test_several_labels_can_be_chosen_from(widget, viewer):
    expert, nonexpert = masks()
    labels = expert * 2
    labels[0, 0, 0] = 7
    add(viewer, labels, "expert")
    add(viewer, nonexpert * 255, "non-expert")
    picker = widget.picker
    assert [picker.expert_value.itemText(i) for i in range(2)] == ["2", "7"]
    assert picker.expert_value.isVisibleTo(picker)
    assert not picker.nonexpert_value.isVisibleTo(picker)  # has one label alone
    widget.picker.compare_button.click()
    assert "'expert' holds labels 2, 7; 2 is compared" in widget.picker.message.text()
    widget.comparison.finish()
    expected = disagreement_map(expert, nonexpert)
    np.testing.assert_array_equal(widget.comparison.layer.data, expected)


@pytest.mark.parametrize("dtype", [bool, np.int16, np.uint32])
def test_masks_of_any_dtype_are_compared(widget, viewer, dtype):
    expert, nonexpert = masks()
    add(viewer, expert.astype(dtype), "expert")
    add(viewer, nonexpert, "non-expert")
    widget.picker.compare_button.click()
    widget.comparison.finish()
    expected = disagreement_map(expert, nonexpert)
    np.testing.assert_array_equal(widget.comparison.layer.data, expected)


def test_another_grid_is_explained_and_resampled_with_one_click(qtbot, widget, viewer):
    expert, nonexpert = masks()
    add(viewer, expert, "expert")
    coarse = nonexpert[:, ::2, ::2]
    original = add(viewer, coarse, "non-expert", (1.0, 1.0, 1.0))
    before = original.data.copy()
    widget.picker.compare_button.click()
    assert "has 4 frames of 20 × 25 pixels, and the reference 4 frames of 40 × 50" in (
        widget.picker.message.text()
    )
    assert not widget.picker.resample_button.isHidden()
    widget.picker.resample_button.click()
    qtbot.waitUntil(lambda: widget.comparison is not None, timeout=20000)
    widget.comparison.finish()
    assert viewer.layers["non-expert (resampled)"].data.shape == expert.shape
    np.testing.assert_array_equal(original.data, before)
    assert original in viewer.layers
    assert widget.comparison.counts.both > 0


def test_a_shifted_mask_is_not_compared_as_if_it_lay_there(widget, pair):
    pair[1].translate = (0, 3, 0)
    widget.picker.compare_button.click()
    assert widget.comparison is None
    assert "does not lie where the reference lies" in widget.picker.message.text()


def test_a_frame_and_a_stack_are_not_mixed(widget, viewer):
    add(viewer, masks()[0], "expert")
    add(viewer, masks()[1][0], "non-expert")
    widget.picker.compare_button.click()
    assert "One mask is one frame, the other a stack" in widget.picker.message.text()
    assert widget.picker.resample_button.isHidden()


def test_a_mask_is_loaded_from_a_file(qtbot, widget, viewer, tmp_path):
    expert, nonexpert = masks()
    add(viewer, expert, "expert")
    write_mask(Volume.from_spacing(nonexpert, SPACING), tmp_path / "student_1.nii.gz")
    widget.picker.load(tmp_path / "student_1.nii.gz")
    qtbot.waitUntil(lambda: "student_1" in viewer.layers, timeout=20000)
    assert widget.picker.nonexpert is viewer.layers["student_1"]
    widget.picker.compare_button.click()
    assert widget.comparison is not None, widget.picker.message.text()


def test_a_loaded_picture_can_be_painted_in(qtbot, widget, viewer, tmp_path):
    from PIL import Image

    Image.fromarray(masks()[0][0] * 255).save(tmp_path / "gold.png")
    widget.picker.load(tmp_path / "gold.png")
    qtbot.waitUntil(lambda: "gold" in viewer.layers, timeout=20000)
    layer = viewer.layers["gold"]
    layer.data_setitem(tuple(np.array([0]) for _ in range(layer.ndim)), 255)
    assert layer.data.flat[0] == 255


def test_a_file_that_cannot_be_read_is_said(qtbot, widget, tmp_path):
    (tmp_path / "broken.nii.gz").write_bytes(b"nothing")
    widget.picker.load(tmp_path / "broken.nii.gz")
    qtbot.waitUntil(lambda: widget.picker.load_button.isEnabled(), timeout=20000)
    assert "broken.nii.gz" in widget.picker.message.text()


# --- difference


def test_counts_are_shown_and_follow_the_brush(qtbot, compared, viewer, pair):
    viewer.dims.set_point(0, 0)
    tab = compared.difference
    assert tab.legend.count_text(1) == "324 px\n81.0 mm²"  # 18 × 18
    assert tab.legend.count_text(2) == "76 px\n19.0 mm²"  # 400 - 324
    assert tab.legend.count_text(3) == "54 px\n13.5 mm²"  # 3 × 18
    assert tab.legend.count_text(3, all_frames=True) == "124 px\n31.0 mm²"
    pair[1].brush_size = 1
    pair[1].paint((0, 0, 0), 1)
    qtbot.waitUntil(lambda: tab.legend.count_text(3) == "55 px\n13.8 mm²")


def test_the_hard_region_is_that_of_the_losses(compared, viewer, qtbot):
    from napari_microus.core.compare.network_grid import network_hard_region

    compared.difference.hard_box.hard_check.setChecked(True)
    qtbot.waitUntil(lambda: "hard region" in viewer.layers, timeout=60_000)
    compared.comparison.finish()
    shown = viewer.layers["hard region"].data
    np.testing.assert_array_equal(shown, network_hard_region(*masks(), 4))
    said = compared.difference.hard_box.hard_count.text
    qtbot.waitUntil(lambda: "of the network (224 × 224)" in said())
    # It follows the brush.
    compared.comparison.pair.nonexpert.brush_size = 1
    compared.comparison.pair.nonexpert.paint((0, 0, 0), 1)
    compared.comparison.finish()
    painted = masks()[1].copy()
    painted[0, 0, 0] = 1
    expected = network_hard_region(masks()[0], painted, 4)
    np.testing.assert_array_equal(shown, expected)


def test_the_hard_region_can_be_made_in_pixels_and_mm_of_the_scan(compared, viewer):
    from napari_microus.core.compare import hard_region

    compared.difference.hard_box.kernel_unit.setCurrentText("px of the scan")
    compared.difference.hard_box.kernel.setValue(3)
    compared.difference.hard_box.hard_check.setChecked(True)
    compared.comparison.finish()
    expected = hard_region(*masks(), 3)
    np.testing.assert_array_equal(viewer.layers["hard region"].data, expected)
    viewer.dims.set_point(0, 0)
    assert f"{expected[0].sum():,} px" in compared.difference.hard_box.hard_count.text()
    compared.difference.hard_box.kernel_unit.setCurrentText("mm")
    # Five pixels of half a millimetre.
    compared.difference.hard_box.kernel.setValue(2.5)
    compared.comparison.finish()
    expected = hard_region(*masks(), 5)
    np.testing.assert_array_equal(viewer.layers["hard region"].data, expected)
    compared.difference.hard_box.hard_check.setChecked(False)
    assert "hard region" not in viewer.layers


def test_kernel_is_carried_into_the_next_run(compared, tmp_path, monkeypatch):
    from napari_microus.core import library
    from napari_microus.core.runs.workspace import Workspace
    from napari_microus.widgets.train.form import RunForm

    monkeypatch.setattr(
        "napari_microus.widgets.compare.hard_box.Workspace",
        lambda: Workspace(tmp_path),
    )
    compared.difference.hard_box.kernel.setValue(8)
    compared.difference.hard_box.train_button.click()
    assert "8, 6, 4, 2" in compared.difference.hard_box.hard_count.text()
    form = RunForm(library.list_models, Workspace(tmp_path))
    form.take_kernel()
    config = form.config(tmp_path / "run")
    assert config.loss.kernel_sizes == (8, 6, 4, 2)
    assert "loss.kernel_sizes=[8, 6, 4, 2]" in form.arguments(tmp_path / "run")
    assert "comes from Compare" in form.data_note.text()
    assert Workspace(tmp_path).take_kernel_sizes() is None  # for one run


def test_kernel_in_pixels_of_the_scan_is_none_of_a_loss(compared):
    compared.difference.hard_box.kernel_unit.setCurrentText("px of the scan")
    assert not compared.difference.hard_box.train_button.isEnabled()
    compared.difference.hard_box.kernel_unit.setCurrentText("px of the network")
    assert compared.difference.hard_box.train_button.isEnabled()


def test_the_kernel_keeps_its_size_when_the_unit_changes(compared):
    tab = compared.difference
    tab.hard_box.kernel_unit.setCurrentText("px of the scan")
    tab.hard_box.kernel.setValue(4)
    tab.hard_box.kernel_unit.setCurrentText("mm")
    assert tab.hard_box.kernel.value() == 2  # pixels of 0.5 mm
    tab.hard_box.kernel_unit.setCurrentText("px of the scan")
    assert tab.hard_box.kernel.value() == 4


def test_a_millimetre_is_as_high_as_wide_on_pixels_that_are_not(qtbot, widget, viewer):
    one = np.zeros((1, 30, 30), np.uint8)
    other = one.copy()
    other[0, 15, 15] = 1
    one[0, 2, 2] = other[0, 2, 2] = 1
    for mask, name in ((one, "expert"), (other, "non-expert")):
        add(viewer, mask, name, (1.0, 1.0, 0.25))
    widget.picker.compare_button.click()
    tab = widget.difference
    tab.hard_box.kernel_unit.setCurrentText("mm")
    tab.hard_box.kernel.setValue(3)
    tab.hard_box.hard_check.setChecked(True)
    widget.comparison.finish()
    rows, columns = np.nonzero(viewer.layers["hard region"].data[0])
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (3, 12)  # 3 mm each


def test_unticking_before_all_frames_are_widened_ends_it(widget, viewer):
    expert = np.zeros((60, 40, 50), np.uint8)
    nonexpert = expert.copy()
    nonexpert[:, 5:9, 5:9] = 1
    add(viewer, expert, "expert")
    add(viewer, nonexpert, "non-expert")
    widget.picker.compare_button.click()
    tab = widget.difference
    tab.hard_box.kernel_unit.setCurrentText("px of the scan")
    tab.hard_box.hard_check.setChecked(True)
    tab.hard_box.kernel.setValue(9)
    tab.hard_box.hard_check.setChecked(False)
    widget.comparison.finish()
    assert widget.comparison.live.hard is None
    assert "hard region" not in viewer.layers


def test_painting_another_label_is_said(compared, pair):
    pair[0].selected_label = 2
    pair[0].paint((0, 2, 2), 2)
    assert "Label 2 of 'expert' counts as background" in compared.picker.message.text()


def test_removing_the_hard_region_by_hand_unticks_it(compared, viewer):
    compared.difference.hard_box.kernel_unit.setCurrentText("px of the scan")
    compared.difference.hard_box.hard_check.setChecked(True)
    compared.comparison.finish()
    viewer.layers.remove("hard region")
    assert not compared.difference.hard_box.hard_check.isChecked()
    compared.difference.hard_box.hard_check.setChecked(True)
    compared.comparison.finish()
    assert "hard region" in viewer.layers


def test_the_weight_view_shows_what_the_loss_uses(qtbot, compared, viewer, pair):
    from napari_microus.core.compare.weights import loss_weights, weight_picture

    compared.difference.weight_box.network_size.setValue(40)
    compared.difference.weight_box.scale_box.setCurrentText("1/2")
    qtbot.waitUntil(lambda: "loss weight" in viewer.layers, timeout=60000)
    half = loss_weights(*masks(), network_size=40)[1]
    shown = np.asarray(viewer.layers["loss weight"].data)
    np.testing.assert_array_equal(shown, weight_picture(half, (40, 50)))
    pair[0].paint((0, 35, 45), 1)
    qtbot.wait(10)
    changed = loss_weights(pair[0].data, masks()[1], network_size=40)[1]
    expected = weight_picture(changed, (40, 50))
    np.testing.assert_array_equal(viewer.layers["loss weight"].data[0], expected[0])
    compared.difference.weight_box.scale_box.setCurrentText("off")
    assert "loss weight" not in viewer.layers


def test_outlines_are_shown_and_taken_back(compared, pair):
    assert [layer.contour for layer in pair] == [2, 2]
    compared.difference.outlines.setChecked(False)
    assert [layer.contour for layer in pair] == [0, 0]


def test_other_masks_step_aside_and_come_back(qtbot, widget, viewer, pair):
    third = add(viewer, masks()[1], "student 2")
    off = add(viewer, masks()[1], "student 3")
    off.visible = False
    widget.picker.choose(*pair)
    widget.picker.compare_button.click()
    assert [m.visible for m in (*pair, third, off)] == [True, True, False, False]
    widget.difference.hide_others.setChecked(False)
    assert (third.visible, off.visible) == (True, False)
    widget.difference.hide_others.setChecked(True)
    viewer.layers.remove(pair[1])
    assert (third.visible, off.visible) == (True, False)


# --- frames


def test_the_table_measures_every_frame(compared):
    rows = compared.frames.rows
    assert rows[0].dice == pytest.approx(2 * 324 / (400 + 378))
    assert rows[0].expert_mm2 == 100
    assert np.isnan(rows[2].hd95_mm)  # only the expert drew
    assert rows[3].dice == 0
    values = [
        compared.frames.totals.itemAt(row, compared.frames.totals.ItemRole.LabelRole)
        .widget()
        .text()
        for row in range(compared.frames.totals.rowCount())
    ]
    assert {"Dice", "HD95", "Cohen's kappa", "Volume"} <= set(values)
    assert compared.frames.places.rowCount() >= 4


TURNED = {
    "kind": "rotational",
    "axis": {"along": "rows", "at_mm": 0.0},
    "angles_deg": [-30.0, -10.0, 10.0, 30.0],
}


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({}, "expert 0.3 mL, non-expert 0.2 mL"),
        ({"frame_distance": "unknown"}, "neither the distance of the frames"),
        ({"frame_distance": "unknown", "sweep": TURNED}, "in a rotational sweep"),
    ],
)
def test_volumes_need_the_distance_of_frames(qtbot, widget, viewer, stated, words):
    for mask, name in zip(masks(), ("expert", "non-expert"), strict=True):
        volume = Volume.from_spacing(mask, SPACING).like(mask, **stated)
        viewer.add_labels(mask, name=name, **layer_arguments(volume))
    widget.picker.compare_button.click()
    widget.comparison.finish()
    qtbot.waitUntil(lambda: not widget.frames.is_measuring, timeout=20000)
    assert words in total(widget, "Volume")


def total(widget, name):
    """Return what the totals show under a name."""
    form = widget.frames.totals
    for row in range(form.rowCount()):
        if form.itemAt(row, form.ItemRole.LabelRole).widget().text() == name:
            return form.itemAt(row, form.ItemRole.FieldRole).widget().text()
    return None


def test_the_table_sorts_by_number_and_a_click_jumps(compared, viewer):
    table = compared.frames.table
    table.sortByColumn(6, Qt.SortOrder.DescendingOrder)
    index = compared.frames.sorted.index(0, 0)
    table.clicked.emit(index)
    assert viewer.dims.current_step[0] == 2  # a whole block that one left out
    compared.frames.plot.jumped.emit(1)
    assert viewer.dims.current_step[0] == 1


def test_a_stroke_measures_its_frame_again(qtbot, compared, pair):
    before = compared.frames.rows[0].hd95_mm
    pair[1].data_setitem((np.array([0]), np.array([39]), np.array([49])), 1)
    qtbot.wait(20)
    qtbot.waitUntil(lambda: not compared.frames.is_measuring, timeout=20000)
    assert compared.frames.rows[0].hd95_mm >= before
    assert compared.frames.rows[0].nonexpert_mm2 == (378 + 1) * 0.25


def test_the_table_is_saved(compared, tmp_path):
    compared.frames.save(str(tmp_path / "frames.csv"))
    lines = (tmp_path / "frames.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("frame,dice,hd95_mm")
    assert len(lines) == 5


# --- settling


def test_regions_are_settled_with_keys_and_progress_is_reported(settled, viewer, pair):
    regions = settled.regions
    total = len(regions.shown.work.regions)
    assert all(layer.locked for layer in pair)
    first = regions.acts.region
    assert viewer.dims.current_step[0] == first.frame
    regions.acts.accept_first()
    assert regions.work_panel.progress.format() == f"1 of {total} decided"
    assert regions.acts.region is not first
    regions.acts.accept_second()
    regions.acts.leave_undecided()
    regions.acts.undo()
    assert regions.work_panel.progress.format() == f"2 of {total} decided"
    assert f"Region 3 of {total}" in regions.work_panel.place.text()
    regions.acts.previous_region()
    assert regions.acts.region.number == 2
    work = regions.shown.work
    assert (viewer.layers["adjudicated"].data == work.mask).all()
    for region in work.regions:
        regions.acts.show_region(region)
        regions.acts.accept_first()
    np.testing.assert_array_equal(viewer.layers["adjudicated"].data, masks()[0])


def test_the_keys_are_bound_while_settling_only(settled, viewer):
    keys = {str(key) for key in viewer.keymap}
    assert {"A", "S", "D", "W", "Q", "R"} <= keys
    settled.regions.stop()
    assert not {"A", "S", "D"} & {str(k) for k, v in viewer.keymap.items() if v}


def test_painting_on_the_adjudicated_layer_is_hand_drawn(qtbot, settled, viewer):
    layer = settled.regions.shown.layer
    layer.brush_size = 1
    viewer.dims.set_point(0, 0)
    layer.paint((0, 0, 0), 1)
    qtbot.wait(10)
    assert viewer.layers["provenance"].data[0, 0, 0] == 3
    layer.undo()
    qtbot.wait(10)
    assert viewer.layers["provenance"].data[0, 0, 0] == 0


def test_drawing_can_be_limited_to_the_hard_region(qtbot, settled, viewer):
    settled.regions.work_panel.margin.setValue(2)
    settled.regions.work_panel.limit.setChecked(True)
    layer = settled.regions.shown.layer
    layer.brush_size = 1
    viewer.dims.set_point(0, 0)
    layer.paint((0, 0, 0), 1)
    layer.paint((0, 34, 15), 1)  # two rows below the second annotator's edge
    qtbot.wait(10)
    assert layer.data[0, 0, 0] == 0
    assert layer.data[0, 34, 15] == 1
    assert "undone" in settled.regions.message.text()


def test_saving_and_loading_resumes_and_overwrites_nothing(
    qtbot, settled, viewer, tmp_path
):
    regions = settled.regions
    regions.acts.accept_first()
    regions.acts.accept_second()
    regions.shown.layer.paint((0, 0, 0), 1)
    qtbot.wait(10)
    mask = viewer.layers["adjudicated"].data.copy()
    path = tmp_path / "p1.nii.gz"
    regions.save(path)
    qtbot.waitUntil(lambda: regions._worker is None, timeout=20000)
    assert "Saved p1.nii.gz, p1_provenance.nii.gz, p1.json" in regions.message.text()
    np.testing.assert_array_equal(read_volume(path).array, mask)
    document = json.loads((tmp_path / "p1.json").read_text(encoding="utf-8"))
    assert document["who"] == "AB"
    assert document["expert"] == "expert"
    before = path.stat().st_mtime_ns
    regions.save(path)
    qtbot.waitUntil(lambda: regions._worker is None, timeout=20000)
    assert "already exists" in regions.message.text()
    assert path.stat().st_mtime_ns == before

    regions.stop()
    for name in ("adjudicated", "provenance"):
        viewer.layers.remove(name)
    regions.load(tmp_path / "p1.json")
    qtbot.waitUntil(lambda: regions.shown is not None, timeout=20000)
    assert regions.shown.work.decided_count == 2
    np.testing.assert_array_equal(viewer.layers["adjudicated"].data, mask)


def test_a_sidecar_of_a_newer_version_is_refused(qtbot, compared, tmp_path):
    path = tmp_path / "new.json"
    path.write_text('{"format": "napari-microus-adjudication", "version": 9}')
    compared.regions.load(path)
    qtbot.waitUntil(lambda: compared.regions._worker is None, timeout=20000)
    assert "saved by a newer version of the program" in compared.regions.message.text()
    assert compared.regions.shown is None


def test_decisions_survive_a_crash(qtbot, settled, viewer, pair, tmp_path):
    settled.regions.acts.accept_first()
    settled.regions.shown.keeper.write()
    qtbot.waitUntil(lambda: settled.regions.shown.keeper._worker is None)

    # Another window, opened after the first one has died, which frees its lock.
    settled.regions.shown.keeper.journal.unlock()
    viewer = ViewerModel()
    for mask, name in zip(masks(), ("expert", "non-expert"), strict=True):
        add(viewer, mask, name)
    again = CompareWidget(PublicOnlyProxy(viewer), journal_folder=tmp_path / "journals")
    qtbot.addWidget(again)
    again.picker.compare_button.click()
    again.regions.start()
    qtbot.waitUntil(lambda: not again.regions.resume_panel.isHidden(), timeout=20000)
    assert "Found unsaved decisions for 1 of " in again.regions.message.text()
    again.regions.resume_button.click()
    qtbot.waitUntil(lambda: again.regions.shown is not None, timeout=20000)
    assert again.regions.shown.work.decided_count == 1
    again.close_down()


def test_removing_the_adjudicated_layer_keeps_the_decisions(qtbot, settled, viewer):
    settled.regions.acts.accept_first()
    viewer.layers.remove("adjudicated")
    assert "Decisions are kept" in settled.regions.message.text()
    settled.regions.start()
    qtbot.waitUntil(lambda: not settled.regions.resume_panel.isHidden(), timeout=20000)


def test_equal_masks_leave_nothing_to_settle(qtbot, widget, viewer):
    add(viewer, masks()[0], "expert")
    add(viewer, masks()[0].copy(), "non-expert")
    widget.picker.compare_button.click()
    widget.regions.start()
    qtbot.waitUntil(lambda: widget.regions.shown is not None, timeout=20000)
    qtbot.waitUntil(lambda: widget.regions._worker is None)
    assert "identical" in widget.regions.message.text()
    acts = widget.regions.acts
    for act in (acts.accept_first, acts.next_region, acts.previous_region, acts.undo):
        act()


def test_two_empty_masks_and_single_frames_crash_nothing(qtbot, widget, viewer):
    add(viewer, np.zeros((40, 50), np.uint8), "expert")
    add(viewer, masks()[1][0], "non-expert")
    widget.picker.compare_button.click()
    widget.regions.start()
    qtbot.waitUntil(lambda: widget.regions.shown is not None, timeout=20000)
    qtbot.waitUntil(lambda: widget.regions._worker is None)
    assert viewer.layers["adjudicated"].data.shape == (40, 50)
    widget.regions.acts.accept_second()
    np.testing.assert_array_equal(viewer.layers["adjudicated"].data, masks()[1][0])
    viewer.layers["adjudicated"].paint((0, 0), 1)
    qtbot.wait(10)
    assert viewer.layers["provenance"].data[0, 0] == 3


# --- ends


def test_a_removed_mask_ends_the_comparison_and_the_next_one_works(
    compared, viewer, pair
):
    viewer.layers.remove(pair[0])
    assert "'expert' was removed" in compared.picker.message.text()
    assert compared.comparison is None
    assert not compared.difference.isEnabled()
    add(viewer, masks()[0], "expert again")
    compared.picker.compare_button.click()
    assert compared.comparison is not None, compared.picker.message.text()


def test_comparing_again_leaves_one_disagreement_layer(compared, viewer):
    compared.picker.compare_button.click()
    assert [layer.name for layer in viewer.layers].count("disagreement") == 1


def test_closing_gives_the_masks_back_as_they_were(settled, viewer, pair):
    settled.close_down()
    assert [bool(layer.locked) for layer in pair] == [False, False]
    assert [layer.contour for layer in pair] == [0, 0]
    assert "disagreement" not in viewer.layers
    assert "adjudicated" in viewer.layers  # the user's work stays


# --- tools


def test_consensus_of_two_leaves_out_what_needs_three(qtbot, compared, viewer):
    tools = compared.tools
    model = tools.consensus.method_box.model()
    states = [model.item(row).isEnabled() for row in range(5)]
    assert states == [True, True, False, True, False]
    assert "three or more" in tools.consensus.message.text()
    tools.consensus.method_box.setCurrentIndex(1)
    tools.consensus.consensus_button.click()
    wait_for_tool(qtbot, compared)
    expert, nonexpert = masks()
    shown = viewer.layers["consensus (intersection)"].data
    np.testing.assert_array_equal(shown, expert & nonexpert)


def test_staple_of_three_becomes_a_layer(qtbot, compared, viewer):
    add(viewer, masks()[0], "third reader")
    tools = compared.tools
    item = tools.consensus.masks.findItems("third reader", Qt.MatchFlag.MatchExactly)[0]
    item.setCheckState(Qt.CheckState.Checked)
    tools.consensus.method_box.setCurrentIndex(4)
    tools.consensus.consensus_button.click()
    wait_for_tool(qtbot, compared)
    np.testing.assert_array_equal(viewer.layers["consensus (staple)"].data, masks()[0])
    tools.consensus.kappa_button.click()
    wait_for_tool(qtbot, compared)
    assert "Fleiss' kappa of 3 annotators: 0." in tools.consensus.message.text()


def test_the_model_is_compared_with_both(qtbot, compared, viewer):
    add(viewer, masks()[1], "capsule")
    tools = compared.tools
    tools.model.model_box.setCurrentText("capsule")
    tools.model.three_way_button.click()
    wait_for_tool(qtbot, compared)
    codes = viewer.layers["model against both"].data
    disputed = masks()[0] != masks()[1]
    np.testing.assert_array_equal(codes == 2, disputed)
    assert "non-expert in 100 %" in tools.model.message.text()


def test_a_compared_mask_cannot_be_its_own_model(compared):
    compared.tools.model.model_box.setCurrentText("expert")
    compared.tools.model.three_way_button.click()
    assert "is one of the two that are compared" in compared.tools.model.message.text()


def test_blind_work_hides_names_colours_and_the_other(qtbot, compared, viewer, pair):
    tools = compared.tools
    tools.hide_other.setChecked(True)
    tools.blind_button.click()
    names = {layer.name for layer in pair}
    assert names == {"annotator A", "annotator B"}
    assert not pair[0].visible
    pair[0].visible = True  # peeking does not help
    assert not pair[0].visible
    assert not compared.comparison.layer.visible
    assert compared.picker.isHidden()
    tools.submit_button.click()
    assert pair[0].visible
    tools.unblind_button.click()
    assert [layer.name for layer in pair] == ["expert", "non-expert"]
    assert not compared.picker.isHidden()


def test_saving_unblinds_and_the_sidecar_states(qtbot, settled, pair, tmp_path):
    settled.go_blind()
    naming = settled.blind.naming
    settled.regions.acts.accept_first()  # the first button, whoever that is
    decision = next(iter(settled.regions.shown.work.verdicts.values())).decision
    assert decision == ("nonexpert" if naming.is_swapped else "expert")
    settled.regions.save(tmp_path / "b.nii.gz")
    qtbot.waitUntil(lambda: settled.blind is None, timeout=20000)
    document = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    assert document["settings"]["blind"]["is_blind"]
    assert document["settings"]["blind"]["shown_as"]["expert"] == naming.expert
    assert document["expert"] == "expert"
    assert [layer.name for layer in pair] == ["expert", "non-expert"]


def test_a_report_is_written(qtbot, widget, tmp_path):
    expert, nonexpert = masks()
    for folder, mask in (("gold", expert), ("student", nonexpert)):
        (tmp_path / folder).mkdir()
        volume = Volume.from_spacing(mask, SPACING)
        write_mask(volume, tmp_path / folder / f"{folder}_1.nii.gz")
    box = widget.tools.report
    box.report(tmp_path / "report.html")
    assert "Choose the reference's folder" in box.message.text()
    box.reference.line.setText(str(tmp_path / "gold"))
    box.trainee.line.setText(str(tmp_path / "student"))
    box.report(tmp_path / "report.html")
    wait_for_tool(qtbot, widget)
    assert "Wrote" in widget.tools.report.message.text(), (
        widget.tools.report.message.text()
    )
    assert "student against the reference" in (tmp_path / "report.html").read_text(
        encoding="utf-8"
    )


def test_difficulty_is_predicted_and_ranked(qtbot, compared, viewer, monkeypatch):
    from types import SimpleNamespace

    from napari_microus.core import library, predict

    def by_brightness(model, volume, **settings):
        yield None
        assert model == "model mine"
        assert not settings["largest_component"]
        probability = volume.like(volume.array.astype(np.float32) / 255)
        return SimpleNamespace(probability=probability)

    known = [SimpleNamespace(name=name, problem="") for name in ("small", "mine")]
    monkeypatch.setattr(library, "list_models", lambda: known)
    monkeypatch.setattr(library, "load_model", lambda name: f"model {name}")
    monkeypatch.setattr(predict, "predict", by_brightness)
    scan = np.random.default_rng(0).integers(0, 256, (4, 40, 50), dtype=np.uint8)
    volume = Volume.from_spacing(scan, SPACING)
    viewer.add_image(scan, name="scan", **layer_arguments(volume))
    compared.tools.model.refresh_networks()
    compared.tools.model.network_box.setCurrentText("mine")
    compared.tools.model.difficulty_button.click()
    wait_for_tool(qtbot, compared)
    layer = viewer.layers["predicted difficulty"]
    assert layer.data.shape == scan.shape
    assert 0 <= layer.data.min() <= layer.data.max() <= 1
    assert "over pixels" in compared.tools.model.message.text()


def test_a_cancelled_tool_makes_no_layer(qtbot, compared, viewer, monkeypatch):
    from napari_microus.widgets.compare import consensus as consensus_panel

    go_on = threading.Event()

    def slow(masks, method, spacing):
        yield Progress(0, 2)
        go_on.wait(5)
        yield Progress(1, 2)
        return masks[0]

    monkeypatch.setattr(consensus_panel, "consensus", slow)
    box, count = compared.tools.consensus, len(viewer.layers)
    box.consensus_button.click()
    qtbot.waitUntil(lambda: "0 of 2" in box.message.text())
    assert not box.cancel_button.isHidden()
    box.cancel_button.click()
    go_on.set()
    wait_for_tool(qtbot, compared)
    assert box.message.text() == "Cancelled."
    assert box.cancel_button.isHidden()
    assert len(viewer.layers) == count


def test_no_model_is_said(qtbot, compared, viewer, monkeypatch):
    from napari_microus.core import library

    monkeypatch.setattr(library, "list_models", lambda: [])
    viewer.add_image(np.zeros((4, 40, 50), np.uint8), name="scan")
    compared.tools.model.refresh_networks()
    compared.tools.model.difficulty_button.click()
    wait_for_tool(qtbot, compared)
    assert "There is no model yet" in compared.tools.model.message.text()


@pytest.mark.slow
def test_closing_the_dock_in_the_window_lets_go_of_it(
    qtbot, make_napari_viewer, tmp_path
):
    from napari_microus.widgets.compare import open_adjudication

    viewer = make_napari_viewer()
    pair = [
        add(viewer, mask, name)
        for mask, name in zip(masks(), ("expert", "non-expert"), strict=True)
    ]
    viewer.window._qt_window.resize(1200, 800)
    open_adjudication(viewer)
    dock = next(iter(viewer.window.dock_widgets.values()))
    assert isinstance(dock, CompareWidget)
    assert dock.tabs.currentIndex() == 2
    dock.regions._journal_folder = tmp_path
    dock.picker.compare_button.click()
    dock.regions.start()
    qtbot.waitUntil(lambda: dock.regions.shown is not None, timeout=20000)
    viewer.window.remove_dock_widget(dock)
    assert not any(viewer.keymap.get(key) for key in viewer.keymap)
    assert [bool(layer.locked) for layer in pair] == [False, False]
    assert "adjudicated" in viewer.layers
    pair[0].paint((0, 0, 0), 1)
