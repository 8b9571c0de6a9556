import threading

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtWidgets import QFileDialog

from napari_microus.core import library, samples
from napari_microus.core.io import read_mask, read_provenance, read_volume
from napari_microus.core.library import ModelInfo
from napari_microus.widgets._shared.drawn import provenance_now
from napari_microus.widgets.live import LiveWidget
from openigtlink_server import Server, image


class Bright(torch.nn.Module):
    """Takes what is brighter than the middle for the gland."""

    image_size = 32
    name, version, weights_sha256 = "bright", "2", "ab12"

    def forward(self, x):
        return 20 * (x - 0.5)


FRAMES = np.ascontiguousarray(samples.read_sweep().scan.array)
PATIENCE_MS = 40_000


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(qtbot, viewer, tmp_path, monkeypatch):
    monkeypatch.setattr(library, "load_model", lambda *_: Bright())
    dock = LiveWidget(
        PublicOnlyProxy(viewer), list_models=lambda: [ModelInfo("bright", tmp_path)]
    )
    qtbot.addWidget(dock)
    dock.device_box.setCurrentIndex(dock.device_box.findData("cpu"))
    yield dock
    worker = dock._worker  # pytest-qt has deleted the widget, which lets it go
    if worker is not None:
        worker.forget()
        assert worker.wait(PATIENCE_MS / 1000)


@pytest.fixture
def stream():
    """A server that sends whatever ``shown`` holds."""
    stream = type("Stream", (), {"shown": FRAMES[0]})()

    def talk(peer, stop):
        while not stop.wait(0.03):
            peer.sendall(image(stream.shown))

    stream.server = Server(talk)
    yield stream
    stream.server.close()


def start(qtbot, dock, viewer, server):
    dock.address.setText(f"127.0.0.1:{server.port}")
    dock.connect_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=PATIENCE_MS)


def test_the_stream_is_a_layer_that_changes(qtbot, dock, viewer, stream):
    start(qtbot, dock, viewer, stream.server)
    live, capsule = viewer.layers
    assert (live.name, capsule.name) == ("live", "live capsule")
    np.testing.assert_array_equal(live.data, FRAMES[0])
    assert tuple(live.scale) == pytest.approx((0.2, 0.1))

    stream.shown = FRAMES[7]
    qtbot.waitUntil(lambda: np.array_equal(live.data, FRAMES[7]), timeout=PATIENCE_MS)
    assert list(viewer.layers) == [live, capsule]
    assert capsule.data.shape == FRAMES[7].shape
    assert "frames/s, answered after" in dock.numbers.text()

    stream.shown = np.ascontiguousarray(FRAMES[0, :100, :80])
    qtbot.waitUntil(lambda: live.data.shape == (100, 80), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: capsule.data.shape == (100, 80), timeout=PATIENCE_MS)


def test_a_frozen_frame_stays_and_can_be_kept(qtbot, dock, viewer, stream):
    start(qtbot, dock, viewer, stream.server)
    dock.freeze_button.click()
    before = dock.numbers.text()
    stream.shown = FRAMES[5]
    qtbot.waitUntil(lambda: dock.numbers.text() != before, timeout=PATIENCE_MS)
    qtbot.wait(200)
    np.testing.assert_array_equal(viewer.layers["live"].data, FRAMES[0])

    dock.keep_button.click()
    kept, capsule = viewer.layers[2:]
    assert isinstance(kept, Image)
    assert isinstance(capsule, Labels)
    np.testing.assert_array_equal(kept.data, FRAMES[0])
    np.testing.assert_allclose(capsule.extent.world, kept.extent.world)
    made = provenance_now(capsule.data, capsule.metadata)
    assert (made["model"], made["image"]) == ("bright", "live 1")
    capsule.data[:3, :3] = 1 - capsule.data[:3, :3]
    made = provenance_now(capsule.data, capsule.metadata)
    assert made["review"]["edited"] == [0]

    dock.freeze_button.click()
    qtbot.waitUntil(
        lambda: np.array_equal(viewer.layers["live"].data, FRAMES[5]),
        timeout=PATIENCE_MS,
    )
    np.testing.assert_array_equal(kept.data, FRAMES[0])


def test_a_recording_is_saved_with_its_masks(
    qtbot, dock, viewer, stream, tmp_path, monkeypatch
):
    path = tmp_path / "cine.nii.gz"
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), "")
    )
    start(qtbot, dock, viewer, stream.server)
    dock.record_button.click()
    qtbot.waitUntil(lambda: dock._work.recorded >= 3, timeout=PATIENCE_MS)
    dock.connect_button.click()  # the end of the stream saves what runs
    qtbot.waitUntil(lambda: not dock.is_running, timeout=PATIENCE_MS)

    scan = read_volume(path)
    assert len(scan.array) >= 3
    np.testing.assert_array_equal(scan.array[0], FRAMES[0])
    mask = read_mask(tmp_path / "cine_capsule.nii.gz", grid=scan)
    assert mask.array.any()
    made = read_provenance(tmp_path / "cine_capsule.nii.gz")
    assert (made["model"], made["image"]) == ("bright", "cine.nii.gz")


def test_a_recording_that_ends_by_itself_can_be_begun_again(
    qtbot, dock, viewer, stream, tmp_path, monkeypatch
):
    path = tmp_path / "cine.nii.gz"
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_, **__: (str(path), "")
    )
    start(qtbot, dock, viewer, stream.server)
    dock.record_button.click()
    assert dock.record_button.text() == "Stop recording"
    qtbot.waitUntil(lambda: dock._work.recorded >= 1, timeout=PATIENCE_MS)
    stream.shown = np.ascontiguousarray(FRAMES[0, :100, :80])
    qtbot.waitUntil(lambda: dock.record_button.text() == "Record…", timeout=PATIENCE_MS)
    assert "have changed their size" in dock.message.text()
    assert read_volume(path).array.shape[1:] == FRAMES[0].shape


def test_the_end_leaves_layers_and_no_thread(qtbot, dock, viewer, stream):
    start(qtbot, dock, viewer, stream.server)
    dock.connect_button.click()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=PATIENCE_MS)

    assert len(viewer.layers) == 2
    assert dock.connect_button.text() == "Connect"
    assert not [t for t in threading.enumerate() if t.name == "napari-microus live"]


def test_a_removed_layer_comes_back_and_others_are_left_alone(
    qtbot, dock, viewer, stream
):
    own = viewer.add_image(np.zeros((4, 4)), name="live")
    dock.address.setText(f"127.0.0.1:{stream.server.port}")
    dock.connect_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=PATIENCE_MS)
    viewer.layers.remove(viewer.layers[1])
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=PATIENCE_MS)
    assert own in viewer.layers
    assert not own.data.any()


def test_what_is_wrong_is_a_sentence(qtbot, dock, viewer):
    dock.address.setText("probe:port")
    dock.connect_button.click()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=PATIENCE_MS)
    assert "Write the address as host:port" in dock.message.text()
    dock.address.setText(" ")
    dock.connect_button.click()
    assert "where the frames come from" in dock.message.text()
    assert not dock.is_running


def test_a_video_that_was_chosen_is_the_address(dock, monkeypatch):
    asked = []

    def choose(_, title, folder, suffixes):
        asked.append(suffixes)
        return ("/cines/cine.mkv", "")

    monkeypatch.setattr(QFileDialog, "getOpenFileName", choose)
    dock.video_button.click()
    assert dock.address.text() == "/cines/cine.mkv"
    assert "*.mkv" in asked[0]


def test_a_video_that_is_none_is_a_sentence(qtbot, dock, tmp_path):
    dock.address.setText(str(tmp_path / "none.mkv"))
    dock.connect_button.click()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=PATIENCE_MS)
    assert "There is no video " in dock.message.text()
