import json
import re

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtGui import QDesktopServices

from dicom_files import dataset, region, save
from napari_microus._reader import read_layers
from napari_microus.core.io import read_volume
from napari_microus.widgets._shared.layers import derived_metadata, geometry
from napari_microus.widgets.segment.dock import SegmentWidget

SHAPE = (4, 60, 80)


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    """No browser is opened, and nothing of this user's is touched."""
    seen = []
    monkeypatch.setattr(QDesktopServices, "openUrl", seen.append)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return seen


@pytest.fixture
def scan(tmp_path):
    """A film of DICOM whose tissue is cut out of a larger picture."""
    frames = np.random.default_rng(1).integers(1, 250, SHAPE, np.uint8)
    tissue = [region((4, 55), (8, 71))]
    ds = dataset(frames, regions=tissue, FrameTime="50")
    return save(ds, tmp_path / "loop.dcm")


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def dock(qtbot, viewer):
    dock = SegmentWidget(PublicOnlyProxy(viewer), list_models=lambda: [])
    qtbot.addWidget(dock)
    return dock


def opened(viewer, path):
    ((data, arguments, kind),) = read_layers(str(path))
    return getattr(viewer, f"add_{kind}")(data, **arguments)


def drawn(viewer, image):
    mask = np.zeros(image.data.shape, np.uint8)
    mask[:, 10:30, 20:50] = 1
    made = {"task": "segment", "model": "m", "model_version": "1"}
    made |= {"image": image.name, "image_id": str(image.unique_id)}
    return viewer.add_labels(
        mask,
        name="capsule",
        metadata=derived_metadata(image, provenance=made),
        **geometry(image),
    )


@pytest.fixture
def capsule(dock, viewer, scan):
    layer = drawn(viewer, opened(viewer, scan))
    viewer.layers.selection.active = layer
    assert dock.readout.layer is layer
    return layer


def wait(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.results.is_working, timeout=30000)
    return dock.results.message.text()


def press(qtbot, dock, name, path):
    panel = dock.results
    panel.ask_file = lambda *_: str(path)
    getattr(panel, f"{name}_button").click()
    return wait(qtbot, dock)


def test_without_a_capsule_there_is_nothing_to_export(dock):
    panel = dock.results
    buttons = (panel.export_button, panel.report_button, panel.save_button)
    assert not any(button.isEnabled() for button in buttons)
    assert panel.open_button.isEnabled()


@pytest.mark.parametrize("ending", [".dcm", ".stl", ".csv", ".json", ".gif", ""])
def test_every_form_is_written(qtbot, dock, capsule, viewer, tmp_path, ending):
    if ending == ".stl":  # a surface needs to know where the frames lie
        panel = dock.properties
        panel.section.expand(animate=False)
        panel.sweep.setCurrentIndex(panel.sweep.findData("parallel"))
        panel.distance.setValue(1)
        panel.keep.setCurrentIndex(2)
        panel.apply_button.click()
    path = tmp_path / f"out{ending}"
    assert f"Wrote {path}" in press(qtbot, dock, "export", path)
    assert path.exists()
    if ending == ".dcm":
        back = read_volume(path)
        np.testing.assert_array_equal(back.array == 1, capsule.data == 1)


def test_a_form_that_cannot_be_is_said(qtbot, dock, capsule, tmp_path):
    said = press(qtbot, dock, "export", tmp_path / "out.stl")
    assert "how the frames lie to each other" in said
    assert not (tmp_path / "out.stl").exists()


def test_the_report_is_written_and_shown(qtbot, dock, capsule, tmp_path, quiet):
    dock.size_box.psa.setValue(4)
    press(qtbot, dock, "report", tmp_path / "r")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    page = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert "not for clinical decisions" in page
    assert "Doe" not in page
    assert "loop" not in page
    assert len(quiet) == 1


def test_a_case_is_saved_and_opened_again(qtbot, dock, viewer, capsule, tmp_path):
    panel = dock.results
    capsule.data[2, 5:10, 5:10] = 1
    dock.size_box.psa.setValue(4.5)
    folder = tmp_path / "case 1"

    def answer(dialog):
        dialog.code.setText("A-1")
        dialog.note.setPlainText("calcified")
        dialog.place.setText(str(folder))
        return True

    panel.ask_case = answer
    panel.save_button.click()
    assert "Saved case A-1" in wait(qtbot, dock)
    document = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    assert document["note"] == "calcified"
    kept = capsule.data.copy()
    panel.save_button.click()  # it continues, and is no other's
    assert "Saved case A-1" in wait(qtbot, dock)

    viewer.layers.clear()
    dock.size_box.psa.setValue(0)
    panel.ask_folder = lambda _: str(folder)
    panel.open_button.click()
    assert "Opened case A-1" in wait(qtbot, dock)
    image, mask = viewer.layers
    assert (image.name, mask.name) == ("A-1", "A-1 capsule")
    np.testing.assert_array_equal(mask.data, kept)
    np.testing.assert_allclose(mask.extent.world, image.extent.world)
    assert dock.size_box.psa.value() == 4.5
    assert dock.readout.layer is mask
    mask.data[0, 0, 0] = 1
    panel.ask_case = lambda dialog: dialog.code.text() == "A-1"
    panel.save_button.click()
    assert "Saved case A-1" in wait(qtbot, dock)
    assert (
        json.loads((folder / "case.json").read_text(encoding="utf-8"))["revision"] == 3
    )


def test_a_case_whose_scan_was_moved_asks_where_it_is(
    qtbot, dock, viewer, capsule, scan, tmp_path
):
    panel, folder = dock.results, tmp_path / "case"
    panel.ask_case = lambda dialog: dialog.place.setText(str(folder)) or True
    panel.save_button.click()
    wait(qtbot, dock)
    viewer.layers.clear()
    moved = scan.rename(tmp_path / "moved.dcm")
    panel.ask_folder = lambda _: str(folder)
    panel.ask_open = lambda _: str(moved)
    panel.open_button.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20000)
    wait(qtbot, dock)

    viewer.layers.clear()
    moved.rename(tmp_path / "gone")
    panel.ask_open = lambda _: ""
    panel.open_button.click()
    assert "Choose where it is now" in wait(qtbot, dock)
    assert not viewer.layers


def test_the_sweep_is_shown_in_space(qtbot, dock, viewer, capsule):
    dock.results.space_button.click()
    assert "how the frames lie to each other" in wait(qtbot, dock)
    panel = dock.properties
    panel.section.expand(animate=False)
    panel.sweep.setCurrentIndex(panel.sweep.findData("parallel"))
    panel.distance.setValue(1)
    panel.keep.setCurrentIndex(2)
    panel.apply_button.click()
    dock.results.space_button.click()
    assert "Added" in wait(qtbot, dock)
    assert viewer.dims.ndisplay == 3
    assert len(viewer.layers) == 4


def test_a_folder_of_others_is_refused(qtbot, dock, capsule, tmp_path):
    panel = dock.results
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").write_text("x")
    panel.ask_case = lambda d: d.place.setText(str(tmp_path / "mine")) or True
    panel.save_button.click()
    assert "folder of its own" in wait(qtbot, dock)


def test_a_capsule_without_its_scan_is_said(qtbot, dock, viewer, capsule, tmp_path):
    viewer.layers.remove(viewer.layers[0])
    viewer.layers.selection.active = capsule
    said = press(qtbot, dock, "export", tmp_path / "o.csv")
    assert "is not open" in said


def test_the_pseudonym_of_the_patient_is_offered(qtbot, dock, capsule, scan):
    from napari_microus.widgets.segment.case_dialog import CaseDialog

    dialog = CaseDialog(None, scan)
    qtbot.addWidget(dialog)
    dialog.pseudonym_button.click()
    assert dialog.code.text().startswith("P-")
    dialog.buttons.accepted.emit()
    assert "a new folder for the case" in dialog.message.text()
