"""The docks as napari opens them, in its own window."""

import numpy as np
import pytest

from napari_microus.core.volume import Volume
from napari_microus.widgets._shared.layers import layer_arguments

DOCKS = (
    *("Segment capsule", "Correct capsule", "Compare annotations", "Train", "Batch"),
    "Segment live",
)


@pytest.fixture
def viewer(make_napari_viewer, tmp_path, monkeypatch):
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return make_napari_viewer()


def test_docks_know_layers_again_behind_naparis_proxy(qtbot, viewer):
    """napari hands plugins a proxy that wraps layers again at each access."""
    y, x = np.mgrid[:60, :60]
    frame = Volume.from_spacing(np.zeros((2, 60, 60), np.uint8), (1.0, 0.5, 0.5))
    scan = viewer.add_image(frame.array, name="scan", **layer_arguments(frame))
    masks = []
    for name, radius, step in (("expert", 20, 1), ("student", 16, 2)):
        mask = (np.hypot(y - 30, x - 30) < radius).astype(np.uint8)[::step, ::step]
        volume = Volume.from_spacing(
            np.stack([mask, mask]), (1.0, 0.5 * step, 0.5 * step)
        )
        masks.append(
            viewer.add_labels(volume.array, name=name, **layer_arguments(volume))
        )
    docks = {
        name: viewer.window.add_plugin_dock_widget("napari-microus", name)[1]
        for name in DOCKS
    }
    assert docks["Segment capsule"].form.image is scan
    compare = docks["Compare annotations"]
    assert compare.picker.expert is masks[0]
    compare.picker.compare_button.click()
    compare.picker.resample_button.click()
    qtbot.waitUntil(lambda: compare.comparison is not None, timeout=20000)
    tab = compare.regions
    tab.start()
    qtbot.waitUntil(lambda: tab.shown is not None, timeout=20000)
    tab.acts.accept_first()
    viewer.layers.remove("current region")
    tab.acts.next_region()
    assert "current region" in viewer.layers
    viewer.layers.remove("adjudicated")
    assert tab.shown is None
    viewer.layers.remove("disagreement")
    assert compare.comparison is None
    for dock in docks.values():
        viewer.window.remove_dock_widget(dock)
