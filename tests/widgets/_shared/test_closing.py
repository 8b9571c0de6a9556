"""The question before a window closes, and the view when a dock opens."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers._source import layer_source
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_microus._reader import read_layers
from napari_microus._writer import write_labels
from napari_microus.core.io import read_mask, write_mask
from napari_microus.core.volume import Volume
from napari_microus.widgets._shared import closing
from napari_microus.widgets._shared.closing import (
    ClosingGuard,
    guard_closing,
    unsaved_capsules,
)
from napari_microus.widgets._shared.layers import layer_arguments
from napari_microus.widgets._shared.view import refit
from napari_microus.widgets.correct import CorrectWidget


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def case(tmp_path):
    """A scan and its capsule as files, who drew it beside them."""
    grid = np.diag([0.1, 0.1, 1.0, 1.0])
    mask = np.zeros((4, 40, 60), np.uint8)
    mask[:, 10:30, 20:40] = 1
    made = {"task": "segment", "model": "m", "image": "scan"}
    path = tmp_path / "scan capsule.nii.gz"
    write_mask(Volume(mask, grid), path, provenance=made)
    return Volume(np.full(mask.shape, 90, np.uint8), grid), path


@pytest.fixture
def viewer(case):
    viewer = ViewerModel()
    scan, path = case
    viewer.add_image(scan.array, name="scan", **layer_arguments(scan))
    ((data, arguments, _),) = read_layers(str(path))
    viewer.add_labels(data, **arguments)
    yield viewer
    viewer.layers.clear()


@pytest.fixture
def window(qtbot, viewer):
    """A main window with *Correct capsule* beside an empty canvas, as napari's."""
    window = QMainWindow()
    window.setCentralWidget(QWidget())
    dock = CorrectWidget(viewer)
    holder = QDockWidget()
    holder.setWidget(dock)
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, holder)
    qtbot.addWidget(window)
    window.show()
    window.dock = dock
    qtbot.waitUntil(lambda: dock.autosaving._unsaved.key is not None)
    guard(window).ask = lambda *rest: "discard"  # a real question would wait
    yield window
    guard(window).ask = lambda *rest: "discard"
    qtbot.waitUntil(lambda: dock.autosaving._worker is None)


def guard(window):
    (found,) = window.findChildren(ClosingGuard)
    return found


def paint(viewer):
    layer = viewer.layers["scan capsule"]
    layer.data_setitem((np.array([1]), np.array([3]), np.array([3])), np.array([1]))


def close(window, answer):
    """Close as the window's button does; return what was asked about."""
    asked = []
    guard(window).ask = lambda window, layers: asked.append(layers) or answer
    is_closed = window.close()
    return is_closed, [layer.name for layers in asked for layer in layers]


def test_nothing_is_asked_where_nothing_was_changed(window, viewer):
    assert guard(window).may_close()


def test_going_back_keeps_the_window_and_the_edits(window, viewer):
    paint(viewer)
    is_closed, names = close(window, "back")
    assert not is_closed
    assert names == ["scan capsule"]
    assert window.isVisible()
    assert viewer.layers["scan capsule"].data[1, 3, 3] == 1


def test_saving_writes_the_edits_and_asks_no_more(window, viewer, tmp_path):
    paint(viewer)
    there = tmp_path / "saved.nii.gz"
    guard(window).ask_path = lambda layer: str(there)
    guard(window).ask = lambda window, layers: "save"
    assert guard(window).may_close()
    assert read_mask(there).array[1, 3, 3] == 1
    assert unsaved_capsules(viewer.layers) == []


@pytest.mark.parametrize("path", ["", "scan capsule.nii.gz/mask.nii.gz"])
def test_what_could_not_be_saved_keeps_the_window(
    window, viewer, tmp_path, monkeypatch, path
):
    shown = []
    monkeypatch.setattr(closing, "show_error", shown.append)
    paint(viewer)
    guard(window).ask = lambda window, layers: "save"
    guard(window).ask_path = lambda layer: path and str(tmp_path / path)
    assert not guard(window).may_close()
    assert len(shown) == bool(path)


def test_saving_by_naparis_own_menu_counts(window, viewer, tmp_path):
    paint(viewer)
    layer = viewer.layers["scan capsule"]
    assert unsaved_capsules(viewer.layers) == [layer]
    there = str(tmp_path / "again.nii.gz")
    # What napari does with the writer of the manifest.
    data, attributes, _ = layer.as_layer_data_tuple()
    write_labels(there, data, attributes)
    assert unsaved_capsules(viewer.layers) == []
    layer.undo()
    assert unsaved_capsules(viewer.layers) == []  # as it was read: nothing to lose


def test_an_approval_is_work_too(window, viewer):
    window.dock.approve_button.click()
    assert unsaved_capsules(viewer.layers)


def test_two_docks_guard_one_window_once(window, viewer):
    guard_closing(window.dock, viewer)
    assert guard(window)


def test_a_view_that_showed_the_whole_scan_shows_it_again(window, viewer, monkeypatch):
    fits = []
    monkeypatch.setattr(ViewerModel, "reset_view", lambda self, **how: fits.append(1))
    canvas, dock = window.centralWidget(), window.dock
    low, high = viewer.layers.extent.world[:, 1:]
    viewer.scene.camera.center = (0, *((low + high) / 2))
    # All of it was seen while the dock was not there.
    viewer.scene.camera.zoom = (canvas.width() + 20) / (high - low)[1]
    refit(dock, viewer)
    assert fits == [1]
    viewer.scene.camera.zoom = 0.5 * canvas.width() / (high - low)[1]
    refit(dock, viewer)  # all of it is seen still
    viewer.scene.camera.zoom = 5 * canvas.width() / (high - low)[1]
    refit(dock, viewer)  # the user had zoomed in
    viewer.scene.camera.zoom = (canvas.width() + 20) / (high - low)[1]
    viewer.scene.camera.center = (0, *low)
    refit(dock, viewer)  # the user had moved it
    assert fits == [1]


def test_the_question_names_the_layers(window, viewer, monkeypatch):
    said = []

    def answer(box):
        said.append(box.text())
        return box.defaultButton() and box.standardButton(box.defaultButton())

    monkeypatch.setattr(closing.QMessageBox, "exec", answer)
    words = closing.ask_what_to_do(window, [viewer.layers["scan capsule"]])
    assert words == "save"
    assert said == ["Your edits of 'scan capsule' are not saved."]


def test_a_capsule_that_is_opened_again_is_an_outline(viewer, case):
    from napari_microus.widgets._shared.belonging import remember_scans

    remember_scans(viewer)
    _, path = case
    ((data, arguments, _),) = read_layers(str(path))
    with layer_source(path=str(path)):  # as napari opens a file
        layer = viewer.add_labels(data, **arguments)
    assert layer.contour == 2
    assert layer.opacity == 0.9
