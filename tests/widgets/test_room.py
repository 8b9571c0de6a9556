"""Docks leave the picture half of the window, and nothing is cut at their side."""

import pytest
from qtpy.QtWidgets import QScrollArea

from napari_microus.widgets._shared.opening import DOCKS, WELCOME, open_sample


@pytest.fixture
def viewer(make_napari_viewer, tmp_path, monkeypatch):
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return make_napari_viewer(show=True)


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (3840, 2160)])
def test_docks_fit_beside_the_picture(qtbot, viewer, width, height):
    open_sample(viewer, with_outlines=True)
    opened = [
        viewer.window.add_plugin_dock_widget("napari-microus", name, tabify=True)
        for name in (*DOCKS, WELCOME)
    ]
    window = opened[0][1].window()
    window.resize(width, height)
    opened[2][1].picker.compare_button.click()
    cut = []
    for frame, dock in opened:
        frame.raise_()
        dock.leave_room()
        qtbot.wait(50)
        assert window.centralWidget().width() >= window.width() // 2 - 1
        pages = range(dock.tabs.count()) if hasattr(dock, "tabs") else [0]
        for page in pages:
            if hasattr(dock, "tabs"):
                dock.tabs.setCurrentIndex(page)
            qtbot.wait(20)
            for area in dock.findChildren(QScrollArea):
                least = area.widget().minimumSizeHint().width() if area.widget() else 0
                if area.isVisible() and least > area.viewport().width():
                    cut.append(
                        (type(area.widget()).__name__, least, area.viewport().width())
                    )
    assert not cut, cut
    viewer.window.remove_dock_widget("all")
