import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from npe2 import PluginManager
from PIL import Image
from qtpy.QtWidgets import QFileDialog

from napari_microus import _menu
from napari_microus.core.io import read_volume, write_mask, write_volume
from napari_microus.core.volume import Volume


@pytest.fixture
def viewer(monkeypatch, qapp) -> ViewerModel:
    PluginManager.instance().discover()
    viewer = ViewerModel()
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    return viewer


@pytest.fixture
def stated():
    """Messages that the user has seen since the test began."""
    before = len(notification_manager.records)
    return lambda: [record.message for record in notification_manager.records[before:]]


@pytest.fixture
def scan() -> Volume:
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    return Volume.from_spacing(array, (1.5, 0.2, 0.1))


@pytest.fixture
def answer(monkeypatch):
    """Answer a file dialog in the user's place."""

    def give(question: str, reply: object) -> list[tuple]:
        asked = []
        monkeypatch.setattr(
            QFileDialog,
            question,
            staticmethod(lambda *a, **k: asked.append(a) or reply),
        )
        return asked

    return give


def test_scan_and_annotation_are_opened_without_asking_for_a_reader(
    viewer, scan, tmp_path, answer
):
    write_volume(scan, tmp_path / "scan.nii.gz")
    write_mask(scan.like(scan.array > 30), tmp_path / "capsule.nii.gz")
    paths = [str(tmp_path / name) for name in ("scan.nii.gz", "capsule.nii.gz")]
    answer("getOpenFileNames", (paths, ""))

    _menu.open_scan()

    assert [type(layer).__name__ for layer in viewer.layers] == ["Image", "Labels"]
    np.testing.assert_array_equal(viewer.layers[0].data, scan.array)


def test_damaged_file_is_reported_and_the_next_is_opened(
    viewer, scan, tmp_path, answer, stated
):
    write_volume(scan, tmp_path / "scan.nii.gz")
    (tmp_path / "empty.nii.gz").touch()
    paths = [str(tmp_path / name) for name in ("empty.nii.gz", "scan.nii.gz")]
    answer("getOpenFileNames", (paths, ""))

    _menu.open_scan()

    assert len(viewer.layers) == 1
    (message,) = stated()
    assert "is empty" in message


def test_folder_is_opened_as_one_scan(viewer, scan, tmp_path, answer):
    for number, frame in enumerate(scan.array):
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
    answer("getExistingDirectory", str(tmp_path))

    _menu.open_folder()

    np.testing.assert_array_equal(viewer.layers[0].data, scan.array)


def test_cancelled_dialogs_change_nothing(viewer, answer, stated):
    answer("getOpenFileNames", ([], ""))
    answer("getExistingDirectory", "")
    answer("getSaveFileName", ("", ""))
    viewer.add_labels(np.ones((2, 3, 4), np.uint8))

    _menu.open_scan()
    _menu.open_folder()
    _menu.save_layer()

    assert len(viewer.layers) == 1
    assert stated() == []


def test_annotation_is_saved_beside_its_scan_under_its_name(
    viewer, scan, tmp_path, answer, stated
):
    write_volume(scan, tmp_path / "scan.nii.gz")
    answer("getOpenFileNames", ([str(tmp_path / "scan.nii.gz")], ""))
    _menu.open_scan()
    viewer._new_labels()
    viewer.layers[-1].data[1] = 1
    path = str(tmp_path / "mine.nii.gz")
    asked = answer("getSaveFileName", (path, ""))

    _menu.save_layer()

    assert asked[0][2].endswith("scan - Labels.nii.gz")
    assert read_volume(path).shares_grid(scan)
    assert stated() == [f"Saved {path}"]


def test_nothing_to_save_is_reported(viewer, stated):
    viewer.add_points([[0, 0, 0]])

    _menu.save_layer()

    assert stated() == ["Select one annotation or scan in the layer list first."]


def test_output_that_cannot_be_written_is_reported(viewer, tmp_path, answer, stated):
    viewer.add_labels(np.ones((2, 3, 4), np.uint8))
    (tmp_path / "file").touch()
    answer("getSaveFileName", (str(tmp_path / "file" / "a.nii.gz"), ""))

    _menu.save_layer()

    (message,) = stated()
    assert message.startswith("Cannot write to")


def test_entries_are_in_naparis_menu(make_napari_viewer):
    from napari._app_model import get_app_model

    make_napari_viewer()

    items = get_app_model().menus.get_menu("napari/file/io_utilities")
    entries = {item.command.id for item in items if hasattr(item, "command")}

    assert {
        *("napari-microus.open_scan", "napari-microus.open_folder"),
        "napari-microus.save_layer",
    } <= entries
