"""Docks leave the picture half of the window, and nothing is cut at their side."""

import contextlib
import os
import subprocess
import sys

import pytest
from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QScrollArea
from superqt import QCollapsible

from napari_microus.widgets._shared import words
from napari_microus.widgets._shared.opening import DOCKS, WELCOME, open_sample

IN_GERMAN = "MICROUS_ROOM_IN_GERMAN"


@pytest.fixture
def viewer(make_napari_viewer, tmp_path, monkeypatch):
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return make_napari_viewer(show=True)


@pytest.fixture
def language(request, monkeypatch):
    monkeypatch.setattr(words, "languages", lambda: [request.param])
    words._catalogue.cache_clear()
    yield request.param
    words._catalogue.cache_clear()


def test_docks_fit_in_german_in_a_fresh_window():
    """Windows of tests before leave napari's own docks some pixels wider."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", __file__, "-k", "beside"],
        env=ours | {IN_GERMAN: "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.parametrize(
    ("width", "height", "language"),
    [(1366, 768, "de")]
    if IN_GERMAN in os.environ
    else [(1366, 768, "en"), (3840, 2160, "en")],
    indirect=["language"],
)
def test_docks_fit_beside_the_picture(qtbot, viewer, language, width, height):
    open_sample(viewer, with_outlines=True)
    opened = [
        viewer.window.add_plugin_dock_widget("napari-microus", name, tabify=True)
        for name in (*DOCKS, WELCOME)
    ]
    window = opened[0][1].window()
    window.resize(width, height)
    opened[2][1].picker.compare_button.click()
    qtbot.waitUntil(lambda: window.width() == width)
    cut = []
    for frame, dock in opened:
        frame.raise_()
        qtbot.wait(50)  # how wide the picture is counts when all is laid out
        dock.leave_room()
        for fold in dock.findChildren(QCollapsible):
            fold.expand(animate=False)
        qtbot.wait(50)
        assert window.centralWidget().width() >= window.width() // 2 - 1
        pages = range(dock.tabs.count()) if hasattr(dock, "tabs") else [0]
        for page in pages:
            if hasattr(dock, "tabs"):
                dock.tabs.setCurrentIndex(page)
                bar = dock.tabs.tabBar()
                tabs = sum(bar.tabRect(k).width() for k in range(bar.count()))
                if tabs > dock.tabs.width():
                    cut.append(("tabs", tabs, dock.tabs.width()))
            # A window of this size takes its time to be drawn, and laid out.
            with contextlib.suppress(qtbot.TimeoutError):
                qtbot.waitUntil(lambda dock=dock: not cut_in(dock), timeout=5000)
            cut += cut_in(dock)
    assert not cut, cut
    viewer.window.remove_dock_widget("all")


def cut_in(dock):
    """Return what is wider than the dock, and texts that lack room for themselves."""
    inside = [
        (type(area.widget()).__name__, area.widget().minimumSizeHint().width(), area)
        for area in dock.findChildren(QScrollArea)
        if area.isVisible() and area.widget()
    ]
    areas = [(name, least, area.viewport().width()) for name, least, area in inside]
    return [stated for stated in (*areas, *texts_in(dock)) if stated[1] > stated[2]]


def texts_in(dock):
    """Yield each number's and button's text with the room that it takes and has."""
    for box in dock.findChildren(QAbstractSpinBox):
        if box.isVisible():
            words = box.text()
            takes = box.fontMetrics().horizontalAdvance(words)
            yield words, takes, box.lineEdit().width()
    for button in dock.findChildren(QAbstractButton):
        if button.isVisible() and button.text():
            lines = button.text().count("\n") + 1
            takes = lines * button.fontMetrics().height() - lines
            yield button.text(), takes, button.height()
