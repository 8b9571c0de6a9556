"""The first minutes: the welcome panel, its buttons, and docks with nothing open."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_microus.core.io import write_volume
from napari_microus.core.samples import read_sweep
from napari_microus.widgets._shared import first_use
from napari_microus.widgets._shared.opening import BATCH, DOCKS, TRAIN, WELCOME
from napari_microus.widgets.compare import CompareWidget


@pytest.fixture
def viewer(make_napari_viewer, tmp_path, monkeypatch):
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return make_napari_viewer(show=True)


def opened(viewer, name):
    return viewer.window.add_plugin_dock_widget("napari-microus", name)[1]


def docks(viewer):
    return {name.split(" (")[0] for name in viewer.window.dock_widgets}


def test_the_first_dock_brings_the_welcome_once(qtbot, viewer):
    batch = opened(viewer, BATCH)
    qtbot.waitUntil(lambda: WELCOME in docks(viewer))
    assert batch.isVisible()
    assert first_use.was_welcomed()
    viewer.window.remove_dock_widget(opened(viewer, WELCOME))
    opened(viewer, TRAIN)
    qtbot.wait(50)
    assert WELCOME not in docks(viewer)


def test_with_a_scan_open_the_dock_itself_is_in_front(qtbot, viewer):
    viewer.open_sample("napari-microus", "sweep")
    dock = opened(viewer, "Compare annotations")
    qtbot.waitUntil(lambda: WELCOME in docks(viewer))
    qtbot.waitUntil(lambda: not dock.visibleRegion().isEmpty(), timeout=30000)


def test_the_demos_own_steps_are_enough(qtbot, viewer):
    viewer.window.add_dock_widget(QPushButton(), name=first_use.DEMO_STEPS)
    opened(viewer, "Segment capsule")
    qtbot.wait(100)
    assert WELCOME not in docks(viewer)
    assert not first_use.was_welcomed()


@pytest.mark.parametrize(("height", "is_tab"), [(740, True), (1400, False)])
def test_in_a_low_window_docks_are_tabs_not_slices(qtbot, viewer, height, is_tab):
    """As napari opens them from its menu, one above the other."""
    first_use.note_welcomed()
    frame, batch = viewer.window.add_plugin_dock_widget("napari-microus", BATCH)
    window = batch.window()
    window.resize(1280, height)
    qtbot.waitUntil(lambda: window.height() == height)
    other, train = viewer.window.add_plugin_dock_widget("napari-microus", TRAIN)
    qtbot.waitUntil(lambda: train.has_place)
    assert (other in window.tabifiedDockWidgets(frame)) == is_tab
    qtbot.waitUntil(lambda: not train.visibleRegion().isEmpty(), timeout=30000)
    assert batch.visibleRegion().isEmpty() == is_tab


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space])
def test_doors_open_by_the_keyboard(qtbot, viewer, key):
    """Return presses no button where the desktop does not ask for it: Qt's own rule."""
    welcome = opened(viewer, WELCOME)
    welcome.train_button.setFocus()
    qtbot.keyClick(welcome.train_button, key)
    assert TRAIN in docks(viewer)


def test_a_real_scan_is_one_click_away(qtbot, viewer):
    welcome = opened(viewer, WELCOME)
    welcome.sample_button.click()
    dock = opened(viewer, "Segment capsule")
    assert dock.form.image is not None
    assert dock.form.image.data.shape == read_sweep().scan.shape
    assert dock.run_button.isEnabled()
    assert [layer.visible for layer in viewer.layers] == [True, False, False]
    welcome.sample_button.click()  # shown again, not opened twice
    assert len(viewer.layers) == 3


def test_a_dock_that_the_menu_opened_is_not_made_again(viewer):
    """napari's menu names it after the plugin's title, the doors after the package."""
    from_menu = CompareWidget(viewer)
    title = "Compare annotations (MicroUS)"
    viewer.window.add_dock_widget(from_menu, name=title)
    opened(viewer, WELCOME).compare_button.click()
    assert [n for n in viewer.window.dock_widgets if "Compare" in n] == [title]
    assert from_menu.picker.expert is viewer.layers["outline 1"]


def test_my_own_scan_is_asked_for_and_opened(qtbot, viewer, tmp_path, monkeypatch):
    write_volume(read_sweep().scan, tmp_path / "own.nii.gz")
    answers = [([], ""), ([str(tmp_path / "own.nii.gz")], "")]
    monkeypatch.setattr(
        QFileDialog, "getOpenFileNames", staticmethod(lambda *a, **k: answers.pop(0))
    )
    welcome = opened(viewer, WELCOME)
    welcome.own_button.click()  # changed one's mind
    assert "Segment capsule" not in docks(viewer)
    welcome.own_button.click()
    assert opened(viewer, "Segment capsule").form.image is viewer.layers["own"]


def test_two_annotations_are_compared_with_two_clicks(qtbot, viewer):
    welcome = opened(viewer, WELCOME)
    welcome.compare_button.click()
    dock = opened(viewer, "Compare annotations")
    assert dock.picker.expert is viewer.layers["outline 1"]
    assert dock.picker.nonexpert is viewer.layers["outline 2"]
    dock.picker.compare_button.click()
    assert dock.comparison is not None
    viewer.window.remove_dock_widget(dock)


def test_the_last_door_leads_to_training(qtbot, viewer):
    opened(viewer, WELCOME).train_button.click()
    assert opened(viewer, TRAIN).start_button.isEnabled()


@pytest.mark.parametrize("name", DOCKS)
def test_a_dock_with_nothing_open_says_what_to_do_with_a_button(viewer, name):
    dock = opened(viewer, name)
    assert not dock.empty.isHidden()
    assert len(dock.empty.words.text()) > 20
    assert dock.empty.buttons
    assert all(button.isEnabled() for button in dock.empty.buttons)


@pytest.mark.parametrize(
    ("name", "button"),
    [
        ("Segment capsule", 2),
        ("Compare annotations", 1),
    ],
)
def test_the_button_of_an_empty_dock_does_it(viewer, name, button):
    dock = opened(viewer, name)
    dock.empty.buttons[button].click()
    assert viewer.layers
    assert dock.empty.isHidden()
    viewer.window.remove_dock_widget(dock)


def test_correct_leads_to_segment(viewer):
    dock = opened(viewer, "Correct capsule")
    dock.empty.buttons[0].click()
    assert "Segment capsule" in docks(viewer)


def test_without_a_place_to_remember_it_the_dock_opens_all_the_same(
    viewer, tmp_path, monkeypatch
):
    (tmp_path / "XDG_STATE_HOME").write_text("a file, not a folder")
    assert opened(viewer, BATCH).findChildren(QPushButton)
