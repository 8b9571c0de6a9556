import json
import threading

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from PIL import Image

from napari_microus.core.compare.adjudication.journal import read_journal
from napari_microus.core.compare.work_list import CaseState
from napari_microus.core.events import Progress
from napari_microus.core.io import read_mask, write_mask, write_volume
from napari_microus.core.study import Study, StudyCase
from napari_microus.core.volume import Volume
from napari_microus.widgets.compare import CompareWidget, case_reading
from napari_microus.widgets.compare.cases import CasesPanel

GRID = Volume(np.zeros((4, 40, 50), np.uint8), np.diag([0.1, 0.1, 1.0, 1.0]))


def masks(shift=0):
    expert = np.zeros(GRID.shape, np.uint8)
    expert[:3, 10:30, 10 + shift : 30] = 1
    student = np.zeros(GRID.shape, np.uint8)
    student[:2, 12:33, 10:28] = 1
    student[3, 5:9, 5:9] = 1
    return expert, student


@pytest.fixture
def folder(tmp_path):
    """Cases 2, 9 and 10 of an expert and a student; the expert has not drawn 9."""
    folder = tmp_path / "cases"
    for number in (2, 9, 10):
        expert, student = masks(number % 5)
        for name in ("images", "expert", "student"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        write_volume(GRID, folder / "images" / f"scan_{number}.nii.gz")
        write_mask(GRID.like(student), folder / "student" / f"s{number}.nii.gz")
        if number != 9:
            write_mask(GRID.like(expert), folder / "expert" / f"e{number}.nii.gz")
    return folder


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(qtbot, viewer, tmp_path):
    dock = CompareWidget(PublicOnlyProxy(viewer), journal_folder=tmp_path / "journals")
    qtbot.addWidget(dock)
    yield dock
    dock.close_down()


@pytest.fixture
def panel(dock):
    return dock.queue.panel


@pytest.fixture
def listed(qtbot, panel, folder):
    choose(qtbot, panel, folder)
    return panel


def choose(qtbot, panel, folder):
    panel.choose(folder)
    qtbot.waitUntil(panel._is_free)


def rows(panel):
    items = [
        panel.table.topLevelItem(i) for i in range(panel.table.topLevelItemCount())
    ]
    return [[item.text(column) for column in range(4)] for item in items]


def click_open(qtbot, panel, name):
    panel.table.choose(name)
    panel.open_button.click()
    qtbot.waitUntil(panel._is_free)


def names(viewer):
    return {layer.name for layer in viewer.layers}


def begin(qtbot, dock):
    """Adjudicate the open case."""
    dock.regions.start_panel.regions.setCurrentText("connected parts of a frame")
    dock.regions.start()
    wait_for_regions(qtbot, dock)


def wait_for_regions(qtbot, dock):
    regions = dock.regions
    qtbot.waitUntil(lambda: regions.shown is not None and not regions.is_working)


def decide_all(dock):
    for _ in dock.regions.shown.work.regions:
        dock.regions.acts.accept_first()


def save_and_next(qtbot, panel, name):
    panel.save_button.click()
    qtbot.waitUntil(lambda: panel.current.case == name)


# --- the list


def test_tab_comes_last_and_lists_cases_with_their_state(dock, listed):
    assert dock.tabs.tabText(4) == "Cases"
    assert rows(listed) == [
        ["2", "open", "–", "expert, student"],
        ["9", "needs two masks", "–", "student"],
        ["10", "open", "–", "expert, student"],
    ]
    assert listed.progress.text() == "0 of 3 cases done"
    assert listed.people.text() == "Drawn: expert 2, student 3 of 3 cases."
    assert listed.pair == ("expert", "student")


def test_list_is_filtered_by_state_name_and_who(qtbot, dock, listed, folder):
    click_open(qtbot, listed, "2")
    begin(qtbot, dock)
    dock.regions.who.setText("AB")
    decide_all(dock)
    save_and_next(qtbot, listed, "10")
    assert "Decided: AB 6 regions in 1 case." in listed.people.text()
    assert rows(listed)[0][1:3] == ["done", "6 of 6"]
    listed.state_box.setCurrentText("done")
    assert [row[0] for row in rows(listed)] == ["2"]
    listed.state_box.setCurrentIndex(0)
    listed.search_line.setText("1")
    assert [row[0] for row in rows(listed)] == ["10"]
    listed.search_line.setText("ab")
    assert [row[0] for row in rows(listed)] == ["2"]


def test_list_and_roles_are_remembered(qtbot, viewer, listed, folder, tmp_path):
    listed.expert_box.setCurrentText("student")
    listed.expert_box.activated.emit(1)
    assert listed.pair == ("student", "expert")
    again = CasesPanel(ViewerModel(), tmp_path / "journals")
    qtbot.addWidget(again)
    again.show()
    qtbot.waitUntil(lambda: bool(again.cases))
    assert again.folder_line.text() == str(folder)
    assert again.pair == ("student", "expert")
    again.close_down()


def test_folders_without_a_list_are_reported(qtbot, panel, tmp_path):
    choose(qtbot, panel, tmp_path / "nowhere")
    assert "is no folder" in panel.message.text()
    (tmp_path / "empty").mkdir()
    choose(qtbot, panel, tmp_path / "empty")
    assert "No annotators were found in" in panel.message.text()
    Study.create(tmp_path / "study")
    choose(qtbot, panel, tmp_path / "study")
    assert "has no cases" in panel.message.text()
    assert not panel.next_button.isEnabled()


def test_damaged_sidecar_is_shown_with_its_reason_and_kept(qtbot, dock, listed, folder):
    sidecar = folder / "adjudicated" / "2.json"
    sidecar.parent.mkdir()
    sidecar.write_text("{", encoding="utf-8")
    choose(qtbot, listed, folder)
    assert rows(listed)[0][1] == "damaged sidecar"
    assert "is damaged, or no record of decisions" in listed.table.topLevelItem(
        0
    ).toolTip(1)
    click_open(qtbot, listed, "2")
    begin(qtbot, dock)
    listed.save_button.click()
    assert "was not saved; nothing is lost. A damaged" in listed.message.text()
    assert sidecar.read_text(encoding="utf-8") == "{"


# --- opening


def test_case_is_opened_in_its_geometry_and_compared(qtbot, dock, viewer, listed):
    opened = []
    listed.opened.connect(lambda *args: opened.append(args))
    click_open(qtbot, listed, "10")
    scan, expert, nonexpert, case = opened[0]
    assert case.case == "10"
    assert (scan.name, expert.name, nonexpert.name) == (
        "10 scan",
        "10 expert",
        "10 student",
    )
    for layer in (scan, expert, nonexpert):
        np.testing.assert_allclose(layer.scale, (1, 0.1, 0.1))
        assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    assert dock.comparison.pair.expert is expert
    assert dock.tabs.currentIndex() == 2
    dock.comparison.finish()
    np.testing.assert_array_equal(expert.data, masks(0)[0])


def test_stated_pixel_size_of_pictures_is_used(qtbot, dock, listed, viewer, tmp_path):
    study = Study.create(tmp_path / "study")
    for name, array in zip("sen", (GRID.array, *masks()), strict=True):
        Image.fromarray(array[0] * 255).save(study.folder / f"{name}.png")
    study.add(StudyCase("p1", "p1", "s.png", "e.png", "n.png", spacing_mm=(0.1, 0.2)))
    choose(qtbot, listed, study.folder)
    listed.next_button.click()
    qtbot.waitUntil(lambda: dock.comparison is not None)
    for name in ("p1 scan", "p1 expert", "p1 nonexpert"):
        layer = viewer.layers[name]
        np.testing.assert_allclose(layer.scale, (1, 0.1, 0.2))
        assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    assert dock.comparison.grid.spacing_mm == pytest.approx((1, 0.1, 0.2))
    viewer.layers["p1 expert"].paint((0, 5, 5), 1)  # pictures come read-only


def test_next_goes_round_the_open_cases_that_are_shown(qtbot, listed):
    for expected in ("2", "10", "2"):
        listed.next_button.click()
        qtbot.waitUntil(lambda: listed._is_free())
        assert listed.current.case == expected
    listed.search_line.setText("2")
    listed.next_button.click()
    qtbot.waitUntil(listed._is_free)
    assert listed.message.text() == ("No other case that is shown waits for decisions.")


@pytest.mark.parametrize(
    ("name", "harm", "stated"),
    [
        ("9", lambda folder: None, "Case '9' has no mask of 'expert'"),
        ("2", lambda f: (f / "student" / "s2.nii.gz").unlink(), "s2.nii.gz"),
        (
            "2",
            lambda f: write_mask(
                Volume(masks()[0][:, 1:], GRID.affine),
                f / "student" / "s2.nii.gz",
                overwrite=True,
            ),
            "does not fit the scan",
        ),
    ],
    ids=["one annotation", "missing file", "another grid"],
)
def test_what_cannot_be_opened_is_reported_and_the_case_before_stays(
    qtbot, dock, viewer, listed, folder, name, harm, stated
):
    click_open(qtbot, listed, "10")
    before = list(viewer.layers)
    harm(folder)
    click_open(qtbot, listed, name)
    assert stated in listed.message.text()
    assert listed.current.case == "10"
    assert list(viewer.layers) == before
    assert dock.comparison is not None


def test_opening_can_be_cancelled(qtbot, dock, viewer, listed, monkeypatch):
    go_on = threading.Event()

    def slow(case, expert, nonexpert):
        yield Progress(0, 3)
        go_on.wait(5)
        yield Progress(1, 3)

    monkeypatch.setattr(case_reading, "read_case", slow)
    listed.table.choose("2")
    listed.open_button.click()
    qtbot.waitUntil(lambda: "file 1 of 3" in listed.message.text())
    assert not listed.cancel_button.isHidden()
    assert not listed.open_button.isEnabled()
    listed.cancel_button.click()
    go_on.set()
    qtbot.waitUntil(listed._is_free)
    assert listed.message.text() == "Cancelled. Nothing was changed."
    assert not viewer.layers
    assert listed.open_button.isEnabled()


# --- nothing is lost


def test_unchanged_layers_go_and_the_users_stay(qtbot, dock, viewer, listed):
    click_open(qtbot, listed, "2")
    own = viewer.add_labels(np.zeros((4, 40, 50), np.uint8), name="my own")
    viewer.layers["2 student"].paint((0, 20, 20), 0)
    click_open(qtbot, listed, "10")
    assert "2 student" in names(viewer)
    assert own in viewer.layers
    assert not {"2 scan", "2 expert"} & names(viewer)
    assert "'2 student' was changed and stays open" in listed.message.text()
    assert viewer.layers["2 student"].data[0, 20, 20] == 0


@pytest.mark.parametrize("how", ["in place", "another array", "locked"])
def test_layers_changed_without_a_brush_stay(qtbot, viewer, listed, how):
    click_open(qtbot, listed, "2")
    layer = viewer.layers["2 expert"]
    if how == "in place":
        layer.data[1, 2, 3] = 1
    elif how == "another array":
        layer.data = layer.data.astype(np.int32) * 257
    else:
        layer.locked = True
    click_open(qtbot, listed, "10")
    assert layer in viewer.layers


def test_stroke_that_was_undone_is_no_change(qtbot, viewer, listed):
    click_open(qtbot, listed, "2")
    layer = viewer.layers["2 expert"]
    layer.paint((0, 2, 2), 1)
    layer.undo()
    click_open(qtbot, listed, "10")
    assert layer not in viewer.layers


def test_unsaved_decisions_are_kept_and_offered_again(qtbot, dock, viewer, listed):
    click_open(qtbot, listed, "2")
    begin(qtbot, dock)
    dock.regions.acts.accept_first()
    click_open(qtbot, listed, "10")
    assert "were not saved. They are kept" in listed.message.text()
    assert "adjudicated" in names(viewer)
    click_open(qtbot, listed, "2")
    qtbot.waitUntil(lambda: "1 of 6" in dock.regions.message.text())
    dock.regions.resume_button.click()
    wait_for_regions(qtbot, dock)
    assert dock.regions.shown.work.decided_count == 1


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_case_waits_until_regions_of_the_one_before_are_found(
    qtbot, dock, listed, monkeypatch, is_cancelled
):
    click_open(qtbot, listed, "2")
    qtbot.waitUntil(lambda: not dock.comparison.is_busy)
    monkeypatch.setattr(dock.regions, "_worker", object())
    listed.table.choose("10")
    listed.open_button.click()
    qtbot.waitUntil(lambda: listed._worker is None)
    qtbot.wait(120)
    assert listed.current.case == "2"
    assert not listed.cancel_button.isHidden()
    if is_cancelled:
        listed.cancel_button.click()
        assert listed.message.text() == "Cancelled. Nothing was changed."
    monkeypatch.undo()
    qtbot.wait(120)
    assert listed.current.case == ("2" if is_cancelled else "10")


# --- saving


def test_save_and_next_writes_the_case_and_begins_the_next(
    qtbot, dock, viewer, listed, folder
):
    click_open(qtbot, listed, "2")
    begin(qtbot, dock)
    decide_all(dock)
    save_and_next(qtbot, listed, "10")
    saved = read_mask(folder / "adjudicated" / "2.nii.gz")
    np.testing.assert_array_equal(saved.array, masks(2)[0])
    assert saved.shares_grid(GRID)
    assert listed.cases[0].state is CaseState.DONE
    wait_for_regions(qtbot, dock)
    assert dock.tabs.currentIndex() == 2
    assert names(viewer) == {
        "10 scan",
        "10 expert",
        "10 student",
        "disagreement",
        "adjudicated",
        "provenance",
        "current region",
    }
    decide_all(dock)
    listed.save_button.click()
    qtbot.waitUntil(lambda: "waits for decisions" in listed.message.text())
    assert listed.progress.text() == "2 of 3 cases done"


def test_begun_case_continues_from_its_sidecar(qtbot, dock, listed, folder):
    click_open(qtbot, listed, "2")
    begin(qtbot, dock)
    dock.regions.acts.accept_first()
    save_and_next(qtbot, listed, "10")
    assert rows(listed)[0][1:3] == ["begun", "1 of 6"]
    click_open(qtbot, listed, "2")
    wait_for_regions(qtbot, dock)
    assert dock.regions.shown.work.decided_count == 1
    decide_all(dock)
    save_and_next(qtbot, listed, "10")
    document = json.loads((folder / "adjudicated" / "2.json").read_text("utf-8"))
    assert all(region["decision"] for region in document["regions"])


def test_unsaved_decisions_about_a_saved_case_come_before_its_sidecar(
    qtbot, dock, listed, folder
):
    click_open(qtbot, listed, "2")
    begin(qtbot, dock)
    dock.regions.acts.accept_first()
    save_and_next(qtbot, listed, "10")
    click_open(qtbot, listed, "2")
    wait_for_regions(qtbot, dock)
    dock.regions.acts.accept_second()
    click_open(qtbot, listed, "10")
    click_open(qtbot, listed, "2")
    qtbot.waitUntil(lambda: "2 of 6" in dock.regions.message.text())
    dock.regions.resume_button.click()
    wait_for_regions(qtbot, dock)
    assert dock.regions.shown.work.decided_count == 2
    save_and_next(qtbot, listed, "10")
    assert rows(listed)[0][1:3] == ["begun", "2 of 6"]


def test_decisions_of_a_colleague_are_not_overwritten(qtbot, dock, listed, folder):
    click_open(qtbot, listed, "2")
    begin(qtbot, dock)
    decide_all(dock)
    dock.regions.save(folder / "elsewhere.nii.gz")
    qtbot.waitUntil(lambda: not dock.regions.is_working)
    sidecar = folder / "adjudicated" / "2.json"
    sidecar.parent.mkdir()
    document = json.loads((folder / "elsewhere.json").read_text(encoding="utf-8"))
    document["created"] = "2020-01-01T00:00:00+00:00"
    sidecar.write_text(json.dumps(document), encoding="utf-8")
    listed.save_button.click()
    assert "saved in another window or by somebody else" in listed.message.text()
    assert json.loads(sidecar.read_text(encoding="utf-8")) == document
    assert dock.regions.shown is not None


def test_each_pair_of_three_annotators_has_its_own_adjudication(
    qtbot, dock, panel, folder
):
    for number in (2, 9, 10):
        _, student = masks(number % 5)
        third = np.roll(student, 2, axis=2)
        (folder / "third").mkdir(exist_ok=True)
        write_mask(GRID.like(third), folder / "third" / f"t{number}.nii.gz")
    choose(qtbot, panel, folder)
    click_open(qtbot, panel, "2")
    begin(qtbot, dock)
    decide_all(dock)
    save_and_next(qtbot, panel, "10")
    kept = (folder / "adjudicated" / "2.json").read_bytes()

    panel.nonexpert_box.setCurrentText("third")
    panel.nonexpert_box.activated.emit(panel.nonexpert_box.currentIndex())
    qtbot.waitUntil(panel._is_free)
    assert [row[1] for row in rows(panel)] == ["open", "needs two masks", "open"]
    click_open(qtbot, panel, "2")
    begin(qtbot, dock)
    assert "changed since" not in dock.regions.message.text()
    decide_all(dock)
    save_and_next(qtbot, panel, "10")
    assert (folder / "adjudicated" / "2.json").read_bytes() == kept
    other = folder / "adjudicated" / "expert + third" / "2.json"
    document = json.loads(other.read_text(encoding="utf-8"))
    assert (document["expert"], document["nonexpert"]) == ("2 expert", "2 third")

    # As for a sidecar that was opened by hand for the wrong annotators.
    click_open(qtbot, panel, "2")
    wait_for_regions(qtbot, dock)
    dock.regions.stop()
    dock.regions.load(folder / "adjudicated" / "2.json")
    qtbot.waitUntil(lambda: dock.regions.shown is not None)
    assert "masks have changed" in dock.regions.message.text()
    dock.regions.save(folder / "adjudicated" / "2.nii.gz", overwrite=True)
    assert "adjudication of other masks" in dock.regions.message.text()
    assert (folder / "adjudicated" / "2.json").read_bytes() == kept


def test_folder_that_cannot_be_written_is_reported_and_nothing_is_lost(
    qtbot, dock, viewer, listed, folder, tmp_path
):
    click_open(qtbot, listed, "2")
    begin(qtbot, dock)
    decide_all(dock)
    (folder / "adjudicated").write_text("in the way", encoding="utf-8")
    listed.save_button.click()
    qtbot.waitUntil(lambda: "Cannot write to" in listed.message.text())
    assert "Case 2 was not saved; nothing is lost." in listed.message.text()
    assert listed.current.case == "2"
    assert dock.regions.shown.work.next_open() is None
    assert "adjudicated" in names(viewer)
    dock.regions.shown.close()
    (journal,) = (tmp_path / "journals").glob("*.json")
    assert all(region["decision"] for region in read_journal(journal)["regions"])


def test_save_needs_an_adjudication(qtbot, listed):
    click_open(qtbot, listed, "2")
    listed.save_button.click()
    assert "Press Start adjudicating" in listed.message.text()


# --- blind


def test_blind_work_hides_the_annotators_and_continues_with_the_next_case(
    qtbot, dock, viewer, listed
):
    click_open(qtbot, listed, "2")
    dock.go_blind()
    assert listed.roles.isHidden()
    assert [row[3] for row in rows(listed)] == ["A, B", "A", "A, B"]
    assert "Drawn" not in listed.people.text()
    click_open(qtbot, listed, "9")
    assert not {"expert", "student"} & set(listed.message.text().split("'"))
    begin(qtbot, dock)
    decide_all(dock)
    save_and_next(qtbot, listed, "10")
    assert dock.blind is not None
    assert {"annotator A", "annotator B"} <= names(viewer)
    assert not {"10 expert", "10 student"} & names(viewer)
    dock.unblind()
    assert not listed.roles.isHidden()
    assert rows(listed)[0][3] == "expert, student"


def test_an_edited_mask_of_an_earlier_case_does_not_reveal_who_drew_it(
    qtbot, dock, viewer, listed
):
    click_open(qtbot, listed, "2")
    dock.go_blind()
    edited = dock.comparison.pair.expert
    edited.data[1, 2, 3] = 1
    click_open(qtbot, listed, "10")
    assert edited.name == "edited mask 1"
    assert not {"expert", "student"} & set(listed.message.text().split())
    dock.unblind()
    assert edited.name == "2 expert"


def test_hidden_mask_stays_hidden_in_the_next_case(qtbot, dock, viewer, listed):
    click_open(qtbot, listed, "2")
    dock.go_blind(hide=True)
    # As napari's status bar, which follows in a thread.
    listed.opened.connect(lambda *_: setattr(viewer, "status", "10 student [0 0 0]"))
    listed.next_button.click()
    qtbot.waitUntil(lambda: listed.current.case == "10")
    assert dock.blind is not None
    assert not dock.comparison.pair.expert.visible
    assert not dock.comparison.layer.visible
    qtbot.waitUntil(lambda: viewer.status == "")
