"""The tab *Adjudicate*, with the viewer as napari hands it to a plugin's dock."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import Qt

from napari_microus.core.compare.adjudication.history import Note
from napari_microus.core.compare.adjudication.votes import Decision
from napari_microus.core.compare.naming import Naming
from napari_microus.core.io import read_volume, write_mask
from napari_microus.core.volume import Volume
from napari_microus.widgets._shared.layers import layer_arguments
from napari_microus.widgets.compare import CompareWidget

SIZE = 120
Y, X = np.mgrid[:SIZE, :SIZE]
SPACING = (1.0, 0.5, 0.5)


def disc(radius, column=60):
    return (np.hypot(Y - 60, X - column) <= radius).astype(np.uint8)


def rings(frames=3):
    """Expert's radius 40, the other's 28; the gland moves from frame to frame."""
    columns = [60 + 2 * frame for frame in range(frames)]
    expert = np.stack([disc(40, column) for column in columns])
    nonexpert = np.stack([disc(28, column) for column in columns])
    return expert, nonexpert


def add(viewer, array, name, spacing=SPACING):
    volume = Volume.from_spacing(array, spacing)
    return viewer.add_labels(array, name=name, **layer_arguments(volume))


def open_dock(qtbot, viewer, folder):
    widget = CompareWidget(PublicOnlyProxy(viewer), journal_folder=folder)
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(qtbot, viewer, tmp_path):
    widget = open_dock(qtbot, viewer, tmp_path / "journals")
    yield widget
    widget.close_down()


def begin(qtbot, dock):
    dock.picker.compare_button.click()
    dock.comparison.finish()
    dock.regions.who.setText("AB")
    dock.regions.start_panel.start_button.click()
    qtbot.waitUntil(lambda: dock.regions._worker is None, timeout=20000)
    open_sections(dock.regions)
    return dock.regions


def open_sections(tab):
    """Open what is closed at first: until then its buttons cannot be pressed."""
    panel = tab.work_panel
    for section in (panel.part_section, panel.several_section):
        section.expand(animate=False)


@pytest.fixture
def tab(qtbot, dock, viewer):
    for mask, name in zip(rings(), ("expert", "student"), strict=True):
        add(viewer, mask, name)
    return begin(qtbot, dock)


def wait(qtbot, tab):
    """Wait for the work, and for the comparison that it may be waiting for."""

    def is_done():
        return tab._worker is None and "Comparing" not in tab.message.text()

    qtbot.waitUntil(is_done, timeout=20000)


# --- as napari opens docks


def test_the_second_mask_is_resampled_through_the_plugin_door(qtbot, dock, viewer):
    expert, nonexpert = rings(1)
    add(viewer, expert, "expert")
    add(viewer, nonexpert[:, ::2, ::2], "student", (1.0, 1.0, 1.0))
    dock.picker.compare_button.click()
    dock.picker.resample_button.click()
    qtbot.waitUntil(lambda: dock.comparison is not None, timeout=20000)
    assert dock.picker.nonexpert is viewer.layers["student (resampled)"]


def test_roles_follow_names_in_whatever_order_masks_are_loaded(
    qtbot, dock, viewer, tmp_path
):
    for name, mask in zip(("student", "P.07.expert"), rings(), strict=True):
        volume = Volume.from_spacing(mask, SPACING)
        write_mask(volume, tmp_path / f"{name}.nii.gz")
        dock.picker.load(tmp_path / f"{name}.nii.gz")
        qtbot.waitUntil(lambda: dock.picker._worker is None, timeout=20000)
    assert [layer.name for layer in viewer.layers] == ["student", "P.07.expert"]
    assert dock.picker.expert is viewer.layers["P.07.expert"]
    assert dock.picker.nonexpert is viewer.layers["student"]


def test_no_ghosts_are_left_where_helpers_are_deleted(qtbot, dock, viewer, tab):
    viewer.layers.remove("current region")
    tab.acts.next_region()
    assert "current region" in viewer.layers
    viewer.layers.remove("disagreement")
    assert dock.comparison is None
    assert "removed" in dock.picker.message.text()


# --- deciding


def test_rings_are_listed_in_parts(tab):
    assert len(tab.shown.work.regions) == 3 * 8
    assert tab.work_panel.table.text(0, 1) in "012"


def test_keys_work_in_the_table_and_over_the_box(qtbot, dock, tab, viewer):
    dock.tabs.setCurrentIndex(2)
    with qtbot.waitActive(dock):
        dock.show()
        dock.activateWindow()
    table = tab.work_panel.table
    first = tab.acts.region
    table.setFocus()
    qtbot.keyClick(table, Qt.Key.Key_A)
    assert tab.shown.work.verdicts[first.number].decision == "expert"
    keys = {str(key) for key in viewer.layers["current region"].keymap}
    assert {"A", "S", "D", "W", "Q", "E", "R"} <= keys


def test_one_key_too_many_changes_no_decision(tab):
    for _ in tab.shown.work.regions:
        tab.acts.accept_first()
    assert tab.shown.work.decided_count == 24
    last = tab.acts.region
    tab.acts.accept_second()
    assert tab.shown.work.verdicts[last.number].decision == "expert"
    assert "Every listed region is decided" in tab.message.text()
    tab.acts.show_region(last)  # on purpose
    tab.acts.accept_second()
    assert tab.shown.work.verdicts[last.number].decision == "nonexpert"


def test_decisions_and_strokes_are_undone_in_turn(qtbot, tab, viewer):
    region = tab.acts.region
    tab.acts.accept_first()
    layer = tab.shown.layer
    viewer.dims.set_point(0, 0)
    layer.brush_size = 1
    layer.paint((0, 2, 2), 1)
    qtbot.wait(10)
    undo = next(v for k, v in layer.keymap.items() if str(k) == "Ctrl+Z")
    undo(layer)
    assert layer.data[0, 2, 2] == 0
    assert "Undone: drawing frame 0, 1 px" in tab.message.text()
    assert region.number in tab.shown.work.verdicts
    undo(layer)
    assert region.number not in tab.shown.work.verdicts
    assert not (viewer.layers["provenance"].data == 3).any()
    tab.acts.redo()
    tab.acts.redo()
    assert layer.data[0, 2, 2] == 1


def test_what_was_done_is_undone_after_loading(qtbot, tab, viewer, tmp_path):
    before = tab.shown.work.mask.copy()
    tab.acts.accept_first()
    tab.shown.layer.paint((0, 2, 2), 1)
    qtbot.wait(10)
    tab.save(tmp_path / "a.nii.gz")
    wait(qtbot, tab)
    tab.stop()
    tab.load(tmp_path / "a.json")
    wait(qtbot, tab)
    tab.acts.undo()
    tab.acts.undo()
    np.testing.assert_array_equal(viewer.layers["adjudicated"].data, before)
    assert [layer.name for layer in viewer.layers].count("adjudicated") == 1
    assert "adjudicated [1]" not in viewer.layers


def test_a_region_is_reopened(tab):
    region = tab.acts.region
    tab.acts.accept_first()
    tab.acts.reopen()  # the next one, which is open
    assert "open already" in tab.message.text()
    tab.acts.show_region(region)
    tab.acts.reopen()
    assert tab.shown.work.decided_count == 0


@pytest.mark.filterwarnings("ignore:Contours are not displayed")
def test_masks_cannot_be_painted_meanwhile(tab, viewer):
    expert = viewer.layers["expert"]
    assert not expert.editable
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    assert not expert.editable
    tab.stop()
    assert expert.editable
    assert not expert.locked


def test_another_label_is_taken_as_prostate_and_said(qtbot, tab, viewer):
    viewer.dims.set_point(0, 0)
    tab.shown.layer.paint((0, 2, 2), 5)
    qtbot.wait(10)
    assert tab.shown.layer.data[0, 2, 2] == 1
    assert "label 5 was taken as 1" in tab.message.text()


def test_compare_and_swap_end_no_adjudication(dock, tab, viewer):
    shown = tab.shown
    dock.picker.compare_button.click()
    assert tab.shown is shown
    assert "An adjudication is in progress (0 of 24" in dock.picker.message.text()
    dock.picker.swap_button.click()
    assert tab.shown is shown
    assert dock.picker.expert is viewer.layers["expert"]
    tab.stop()
    dock.picker.swap_button.click()
    assert dock.comparison.pair.expert is viewer.layers["student"]


def test_another_comparison_is_not_given_what_was_found_for_the_one_before(
    qtbot, dock, viewer
):
    one, two = rings()
    for mask, name in ((one, "expert"), (two, "student"), (np.roll(two, 4, 1), "c")):
        add(viewer, mask, name)
    dock.picker.choose(viewer.layers["expert"], viewer.layers["student"])
    dock.picker.submit()
    dock.comparison.finish()
    dock.regions.start()
    assert dock.regions.is_working
    dock.picker.choose(viewer.layers["expert"], viewer.layers["c"])
    dock.picker.submit()
    assert not dock.regions.is_working
    qtbot.wait(500)
    assert dock.regions.shown is None
    tab = begin(qtbot, dock)
    assert [m.name for m in tab.shown.masks] == ["expert", "c"]
    assert (tab.shown.work.codes == dock.comparison.live.codes).all()

    # Nor is the question about unsaved decisions answered for other masks.
    tab.acts.accept_first()
    tab.shown.keeper.write()
    qtbot.waitUntil(lambda: tab.shown.keeper._worker is None)
    tab.stop()
    tab.start()
    wait(qtbot, tab)
    assert not tab.resume_panel.isHidden()
    dock.picker.choose(viewer.layers["expert"], viewer.layers["student"])
    dock.picker.submit()
    assert tab.resume_panel.isHidden()


# --- parts


def drag(tab, viewer, points):
    """Do what napari does between press and release."""
    layer = tab.shown.layer
    frame = tab.shown.shown_frame()

    def at(point, kind):
        return SimpleNamespace(
            button=1,
            modifiers=(),
            type=kind,
            position=layer.data_to_world((frame, *point)),
        )

    event = at(points[0], "mouse_press")
    work = tab.acts.parts.tools._on_press(viewer, event)
    next(work)
    for point in points[1:]:
        vars(event).update(vars(at(point, "mouse_move")))
        next(work)
    event.type = "mouse_release"
    next(work, None)


def around(radius, degrees, column=60):
    angles = np.radians(degrees)
    return np.column_stack(
        [60 + radius * np.sin(angles), column + radius * np.cos(angles)]
    )


def test_a_brush_decides_where_it_passes(tab, viewer):
    viewer.dims.set_point(0, 0)
    part = tab.work_panel.part
    part.size.setValue(6)
    part.in_favour.setCurrentText("non-expert")
    part.tools["brush"].click()
    drag(tab, viewer, [(60, 90), (60, 98)])
    mask = tab.shown.work.mask[0]
    assert (mask[60, 91:99] == 0).all()  # the other did not draw there
    assert mask[50, 94] == 255
    assert "% decided" in "".join(
        tab.work_panel.table.text(row, 4) for row in range(24)
    )
    part.tools["brush"].click()
    assert tab.acts.parts.tools.tool is None
    tab.acts.undo()
    assert (tab.shown.work.mask[0][disc(40) > disc(28)] == 255).all()


def test_a_lasso_takes_what_lies_inside(tab, viewer):
    viewer.dims.set_point(0, 1)
    tab.work_panel.part.tools["lasso"].click()
    drag(tab, viewer, [(10, 62), (110, 62), (110, 119), (10, 119)])
    mask = tab.shown.work.mask[1]
    ring = (disc(40, 62) > disc(28, 62)) & (X > 63)
    assert (mask[ring & (X < 118)] == 1).all()
    assert (mask[(disc(40, 62) > disc(28, 62)) & (X < 60)] == 255).all()


def test_a_drag_along_the_contour_takes_the_gap_beside_it(tab, viewer):
    viewer.dims.set_point(0, 0)
    tab.work_panel.part.tools["along"].click()
    drag(tab, viewer, around(34, np.linspace(-40, 40, 9)))
    ring = disc(40) > disc(28)
    decided = tab.shown.work.mask[0] == 1
    away = np.abs(np.degrees(np.arctan2(Y - 60, X - 60)))
    assert decided[ring & (away < 36)].all()
    assert not (decided & ring)[away > 44].any()


def test_marking_nothing_disputed_is_said(tab, viewer):
    viewer.dims.set_point(0, 0)
    tab.work_panel.part.tools["brush"].click()
    drag(tab, viewer, [(3, 3)])
    assert "No disputed pixel" in tab.message.text()
    assert not tab.shown.work.history.done


def test_a_contour_in_between_is_shown_and_set(tab, viewer):
    viewer.dims.set_point(0, 0)
    part = tab.work_panel.part
    region = tab.acts.region
    part.slider.setValue(75)
    assert viewer.layers["preview"].visible
    part.between_button.click()
    assert not viewer.layers["preview"].visible
    verdict = tab.shown.work.verdicts[region.number]
    assert (verdict.decision, verdict.share) == ("between", 0.75)
    column = 60 + 2 * region.frame
    radius = np.hypot(Y - 60, X - column)[region.box[1:]][region.mask[0]]
    inside = tab.shown.work.mask[region.frame][region.box[1:]][region.mask[0]] == 1
    assert abs(radius[inside].max() - 31) < 1  # a quarter of the way from 28 to 40
    assert "in between, 75 % to non-expert" in tab.work_panel.table.text(
        region.number - 1, 4
    )


# --- several at once


def test_the_rest_is_decided_at_once_and_undone_at_once(tab, viewer):
    tab.acts.accept_second()
    several = tab.work_panel.several
    several.in_favour.setCurrentText("expert")
    several.preview_button.click()
    assert several.count.text().startswith("23 regions,")
    assert (viewer.layers["preview"].data > 0).sum() > 1000
    assert tab.shown.work.decided_count == 1
    several.apply_button.click()
    assert tab.shown.work.decided_count == 24
    assert not viewer.layers["preview"].visible
    tab.acts.undo()
    assert tab.shown.work.decided_count == 1


def test_narrow_gaps_alone_are_decided(qtbot, dock, viewer):
    expert, nonexpert = rings(1)
    nonexpert[0] = disc(38)
    nonexpert[0, 58:62, 95:118] = 1
    add(viewer, expert, "expert")
    add(viewer, nonexpert, "student")
    tab = begin(qtbot, dock)
    several = tab.work_panel.several
    several.which.setCurrentIndex(1)
    several.gap.setValue(2)
    several.preview_button.click()
    several.apply_button.click()
    open_ = [
        r for r in tab.shown.work.regions if r.number not in tab.shown.work.verdicts
    ]
    assert len(open_) == 1
    assert open_[0].distance_mm > 4
    several.preview_button.click()
    assert several.count.text() == "No region is meant."


def test_selected_rows_are_decided(tab):
    table = tab.work_panel.table
    for row in (1, 3):
        table.selectionModel().select(
            table.model().index(row, 0),
            table.selectionModel().SelectionFlag.Select
            | table.selectionModel().SelectionFlag.Rows,
        )
    chosen = table.selected()
    several = tab.work_panel.several
    several.which.setCurrentIndex(2)
    several.preview_button.click()
    several.apply_button.click()
    assert sorted(tab.shown.work.verdicts) == chosen
    assert len(chosen) == 3  # the one in view was selected too


def test_a_decision_is_carried_to_neighbours(tab, viewer):
    regions = tab.shown.work.regions
    region = max((r for r in regions if r.frame == 1), key=lambda r: r.centre[2])
    tab.acts.show_region(region)
    several = tab.work_panel.several
    several.which.setCurrentIndex(3)
    several.frames.setValue(1)
    several.in_favour.setCurrentText("expert")
    several.preview_button.click()
    assert "in frames 0, 2 would go to expert" in several.count.text()
    several.apply_button.click()
    mask = tab.shown.work.mask
    assert (mask[0, 60, 91:98] == 1).all()
    assert (mask[2, 60, 95:102] == 1).all()
    assert (mask[1][region.box[1:]][region.mask[0]] == 255).all()  # its own stays
    tab.acts.undo()
    assert (mask[0][disc(40) > disc(28)] == 255).all()


# --- notes, second reader


def test_notes_are_saved_and_flagged_regions_listed(qtbot, tab, tmp_path):
    panel = tab.work_panel
    number = tab.acts.region.number
    panel.note.reason.setCurrentText("midline")
    panel.note.comment.setText("faint")
    panel.note.comment.textEdited.emit("faint")
    panel.note.flag.click()
    assert tab.shown.work.notes[number] == Note("midline", "faint", is_flagged=True)
    panel.which.setCurrentText("for a second reader")
    assert panel.table.listed() == [number]
    tab.acts.accept_first()
    tab.save(tmp_path / "a.nii.gz")
    wait(qtbot, tab)
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert document["notes"][str(number)]["reason"] == "midline"

    tab.who.setText("CD")  # the second reader
    panel.which.setCurrentText("decided by others")
    tab.shown.work.who = "CD"
    panel.table.refresh()
    assert panel.table.listed() == [number]
    assert panel.table.text(0, 5) == "AB"
    tab.acts.show_region(tab.shown.work.region(number))
    tab.acts.accept_second()
    assert tab.shown.work.verdicts[number].who == "CD"
    assert [e.who for e in tab.shown.work.log if e.region == number] == ["AB", "CD"]


# --- three annotators


def test_three_annotators_are_adjudicated_together(qtbot, dock, viewer, tmp_path):
    expert, nonexpert = rings(1)
    third = np.stack([disc(34)])
    for mask, name in (
        (expert, "expert"),
        (nonexpert, "student"),
        (third, "clinician"),
    ):
        add(viewer, mask, name)
    dock.picker.compare_button.click()
    dock.comparison.finish()
    others = dock.regions.start_panel.others
    assert [others.item(row).text() for row in range(others.count())] == ["clinician"]
    others.item(0).setCheckState(Qt.CheckState.Checked)
    tab = begin_again(qtbot, dock)
    open_sections(tab)
    work = tab.shown.work
    assert work.coding.annotators == 3
    clinician = viewer.layers["clinician"]
    assert not clinician.editable
    assert (clinician.visible, clinician.contour) == (True, 2)  # all contours show
    assert "3 drew most of it" in tab.work_panel.place.text()
    buttons = {button.text(): button for button, _ in tab.work_panel.more_buttons}
    assert list(buttons) == ["clinician", "Majority"]
    region = tab.acts.region
    buttons["clinician"].click()
    assert work.verdicts[region.number].decision == "third"
    several = tab.work_panel.several
    several.in_favour.setCurrentText("majority")
    several.preview_button.click()
    several.apply_button.click()
    np.testing.assert_array_equal(work.mask, third)  # between the two others
    tab.save(tmp_path / "three.nii.gz")
    wait(qtbot, tab)
    tab.stop()
    tab.load(tmp_path / "three.json")
    wait(qtbot, tab)
    assert tab.shown.work.verdicts[region.number].decision == Decision.third
    tab.stop()
    others.item(0).setCheckState(Qt.CheckState.Unchecked)
    tab.load(tmp_path / "three.json")
    wait(qtbot, tab)
    assert "is of 3 annotators, and 2 masks are chosen" in tab.message.text()


def begin_again(qtbot, dock):
    dock.regions.start_panel.start_button.click()
    wait(qtbot, dock.regions)
    return dock.regions


# --- the right patient, one window


def test_another_patients_sidecar_is_refused(qtbot, dock, viewer, tab, tmp_path):
    tab.acts.accept_first()
    tab.save(tmp_path / "one.nii.gz")
    wait(qtbot, tab)
    tab.stop()
    other = ViewerModel()
    again = open_dock(qtbot, other, tmp_path / "journals")
    for mask, name in zip(rings(), ("expert", "student"), strict=True):
        add(other, np.roll(mask, 9, axis=1), name)
    again.picker.compare_button.click()
    again.comparison.finish()
    again.regions.load(tmp_path / "one.json")
    wait(qtbot, again.regions)
    assert "was made from other masks" in again.regions.message.text()
    assert again.regions.shown is None
    begin_again(qtbot, again)
    again.regions.save(tmp_path / "one.nii.gz", overwrite=True)
    assert "adjudication of other masks" in again.regions.message.text()
    again.close_down()


def test_one_window_at_a_time(qtbot, tab, tmp_path):
    other = ViewerModel()
    again = open_dock(qtbot, other, tmp_path / "journals")
    for mask, name in zip(rings(), ("expert", "student"), strict=True):
        add(other, mask, name)
    begin(qtbot, again)
    assert again.regions.shown is None
    assert "one window at a time" in again.regions.message.text()
    tab.stop()
    begin_again(qtbot, again)
    assert again.regions.shown is not None
    again.close_down()


def test_what_another_window_saved_meanwhile_is_not_replaced(qtbot, tab, tmp_path):
    path = tmp_path / "a.nii.gz"
    tab.acts.accept_first()
    tab.save(path)
    wait(qtbot, tab)
    sidecar = tmp_path / "a.json"
    document = json.loads(sidecar.read_text(encoding="utf-8"))
    document["log"].append({**document["log"][-1], "who": "somebody else"})
    sidecar.write_text(json.dumps(document), encoding="utf-8")
    tab.acts.accept_first()
    tab.save(path, overwrite=True)
    wait(qtbot, tab)
    assert "saved in another window or by somebody else" in tab.message.text()
    assert "somebody else" in sidecar.read_text(encoding="utf-8")


def test_a_journal_that_cannot_be_written_is_no_promise(qtbot, tab, monkeypatch):
    from napari_microus.core.compare.adjudication.journal import Journal
    from napari_microus.core.errors import OutputError

    def refuse(self, document):
        raise OutputError("Cannot write to /nowhere. Choose another.")

    monkeypatch.setattr(Journal, "write", refuse)
    tab.acts.accept_first()
    tab.stop()
    assert "cannot be kept" in tab.message.text()
    assert "decisions are kept" not in tab.message.text()


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
def test_a_read_only_state_folder_is_said(qtbot, dock, viewer, tab, tmp_path):
    tab.shown.keeper.journal.path = tmp_path / "file" / "journal.json"
    (tmp_path / "file").write_text("no folder")
    tab.acts.accept_first()
    tab.shown.keeper.write()
    qtbot.waitUntil(lambda: tab.shown.keeper._worker is None, timeout=20000)
    assert "cannot be kept: save them" in tab.message.text()


# --- blind


def test_blind_nothing_reveals_who_the_expert_is(qtbot, tmp_path):
    """The window is the same to the last text and pixel, whoever the expert is."""
    seen = []
    for is_swapped in (False, True):
        viewer = ViewerModel()
        dock = open_dock(qtbot, viewer, tmp_path / f"journals {is_swapped}")
        masks = [mask.copy() for mask in rings()]
        masks[1][1] = masks[0][1]
        masks[1][1, 10:14, 10:14] = 1
        first, second = (add(viewer, m, "x") for m in masks)
        pair = (second, first) if is_swapped else (first, second)
        pair[0].name, pair[1].name = "expert", "student"
        dock.picker.choose(*pair)
        dock.picker.compare_button.click()
        dock.comparison.finish()
        qtbot.waitUntil(lambda d=dock: not d.frames.is_measuring, timeout=20000)
        colors = ("#56b4e9", "#e69f00")
        names = ("annotator A", "annotator B")
        if is_swapped:
            colors, names = colors[::-1], names[::-1]
        naming = Naming(*names, *colors, is_swapped=is_swapped, is_blind=True)
        dock.go_blind(naming=naming)
        begin_again(qtbot, dock)
        tab = dock.regions
        for _ in range(3):
            tab.acts.accept_first()
        tab.acts.accept_second()
        tab.work_panel.part.slider.setValue(30)
        tab.work_panel.part.between_button.click()
        tab.work_panel.provenance_check.setChecked(True)
        seen.append(everything_shown(dock, viewer))
        texts = " ".join(seen[-1]["texts"]).lower()
        stated = [text for text in seen[-1]["texts"] if "expert" in text.lower()]
        assert stated == []
        assert "student" not in texts
        dock.close_down()
    assert seen[0]["texts"] == seen[1]["texts"]
    for one, other in zip(seen[0]["layers"], seen[1]["layers"], strict=True):
        assert one[:3] == other[:3]
        np.testing.assert_array_equal(one[3], other[3])


def everything_shown(dock, viewer):
    from qtpy.QtWidgets import QComboBox, QLabel, QTableView, QWidget

    texts = []
    assert dock.picker.isHidden()
    for widget in dock.findChildren(QWidget):
        if widget.isHidden() or dock.picker.isAncestorOf(widget):
            continue  # blind, the picker is hidden as a whole
        if isinstance(widget, QComboBox):
            texts += [widget.itemText(row) for row in range(widget.count())]
        elif isinstance(widget, QTableView):
            texts += shown_cells(widget)
        elif isinstance(widget, QLabel) or hasattr(widget, "text"):
            texts.append(str(widget.text()))
        texts.append(widget.toolTip())
    layers = []
    for layer in viewer.layers:
        texts += [layer.name, layer.get_source_str()]
        status = layer.get_status((0.0, 30.0, 45.0), world=True)
        texts.append(str(sorted(status.items())))
        palette = {k: tuple(v) for k, v in layer_colors(layer).items()}
        layers.append((layer.name, layer.visible, palette, np.asarray(layer.data)))
    return {"texts": texts, "layers": layers}


def shown_cells(view):
    model = view.model()
    columns = [c for c in range(model.columnCount()) if not view.isColumnHidden(c)]
    columns.sort(key=view.horizontalHeader().visualIndex)
    cells = []
    for column in columns:
        title = model.headerData(column, Qt.Orientation.Horizontal)
        cells.append(str(title))
        cells += [
            str(model.index(row, column).data()) for row in range(model.rowCount())
        ]
    return cells


def layer_colors(layer):
    colors = getattr(getattr(layer, "colormap", None), "color_dict", None)
    return colors or {}


def test_a_hidden_mask_shows_neither_values_nor_thumbnail(qtbot, dock, viewer):
    expert, student = (
        add(viewer, mask, name)
        for mask, name in zip(rings(), ("expert", "student"), strict=True)
    )
    dock.picker.compare_button.click()
    dock.comparison.finish()
    dock.go_blind(hide=True)
    difference = dock.comparison.layer
    for layer in (expert, difference):
        assert not layer.visible
        layer.visible = True
        assert not layer.visible
        layer.refresh()
        assert not layer.thumbnail[..., :3].any()
        assert layer.get_status((0.0, 30.0, 30.0), world=True)["value"] == ""
    assert student.get_status((0.0, 30.0, 30.0), world=True)["value"]
    dock.submit()
    assert expert.visible
    assert expert.get_status((0.0, 30.0, 30.0), world=True)["value"]
    dock.unblind()
    assert read_volume  # the masks themselves were never touched
    np.testing.assert_array_equal(expert.data, rings()[0])
