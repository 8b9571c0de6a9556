import os
import sys
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtWidgets import QFileDialog

from napari_microus.core.io import write_volume
from napari_microus.core.library import ModelInfo
from napari_microus.core.volume import Volume
from napari_microus.widgets._shared.layers import METADATA_KEY
from napari_microus.widgets.batch import BatchWidget

FAKE = str(Path(__file__).with_name("fake_batch.py"))
MODELS = [
    ModelInfo("first", Path("nowhere") / "first"),
    ModelInfo("second", Path("nowhere") / "second"),
]


class Command:
    """Turns the dock's words into a fake batch's, and keeps them."""

    def __init__(self, mode="ends"):
        self.mode, self.words = mode, None

    def __call__(self, words):
        self.words = list(words)
        output = words[words.index("--output") + 1]
        return [sys.executable, FAKE, self.mode, words[1], output]


@pytest.fixture
def folder(tmp_path):
    array = np.random.default_rng(0).integers(0, 255, (3, 8, 9), np.uint8)
    scan = Volume.from_spacing(array, (2.0, 0.5, 0.5))
    for name in ("a", "a_mask", "deep/b"):
        write_volume(scan, tmp_path / "scans" / f"{name}.nii.gz")
    return tmp_path / "scans"


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def make(qtbot, viewer):
    docks = []

    def make(mode="ends", models=MODELS):
        command, opened = Command(mode), []
        dock = BatchWidget(
            PublicOnlyProxy(viewer),
            list_models=lambda: models,
            make_command=command,
            open_path=opened.append,
        )
        dock.command, dock.opened = command, opened
        docks.append(dock)
        qtbot.addWidget(dock)
        dock.show()
        return dock

    yield make
    for dock in docks:
        dock._child.kill()


def states(dock):
    return [dock.table.state(scan.name) for scan in dock.table.scans]


def choose(qtbot, dock, folder, *, recursive=True):
    """Choose a folder, and wait for its scans."""
    dock.form.recursive.setChecked(recursive)
    dock.form.choose(folder)
    qtbot.waitUntil(lambda: dock._search is None and bool(dock.table.scans))


def run(qtbot, dock):
    dock.run_button.click()
    assert dock.is_running
    qtbot.waitUntil(lambda: not dock.is_running)


def test_scans_of_the_folder_are_listed_before_anything_starts(qtbot, make, folder):
    dock = make()
    assert dock.message.text() == ""
    assert dock.empty.isVisible()
    assert not dock.run_button.isEnabled()

    choose(qtbot, dock, folder, recursive=False)
    assert [scan.label for scan in dock.table.scans] == ["a.nii.gz"]
    dock.form.recursive.setChecked(True)
    qtbot.waitUntil(lambda: len(dock.table.scans) == 2 and dock._search is None)

    assert [scan.label for scan in dock.table.scans] == ["a.nii.gz", "deep/b.nii.gz"]
    assert states(dock) == ["waiting", "waiting"]
    assert "2 scans. Masks beside the scans were left out" in dock.message.text()
    assert dock.form.output == folder / "capsules"
    assert dock.run_button.isEnabled()
    assert not dock.sheet_button.isEnabled()


def test_what_is_chosen_becomes_the_command(qtbot, make, folder, tmp_path):
    dock = make()
    dock.form.output_edit.setText(str(tmp_path / "elsewhere"))
    choose(qtbot, dock, folder)
    dock.form.model_box.setCurrentText("second")
    dock.form.device_box.setCurrentIndex(dock.form.device_box.findData("cpu"))
    dock.form.flip.setChecked(True)
    dock.form.overwrite.setChecked(True)
    run(qtbot, dock)
    assert dock.command.words == [
        *("segment", str(folder), "--output", str(tmp_path / "elsewhere")),
        *("--model", "second", "--device", "cpu", "--workers", "1"),
        *("--recursive", "--flip", "--overwrite"),
    ]


def test_each_scan_states_what_became_of_it(qtbot, make, folder):
    dock = make()
    choose(qtbot, dock, folder)
    run(qtbot, dock)
    assert states(dock) == ["done", "failed"]
    assert dock.table.result("a") == "12.3 mL, capsule in 1 of 3 frames"
    assert dock.table.result("deep/b") == "A scan must be whole."
    assert "something to know" in dock.table.topLevelItem(0).toolTip(0)
    assert dock.message.text().startswith("2 scans: 1 done, 1 failed.")
    assert dock.run_button.text() == "Start"
    assert dock.form.isEnabled()
    dock.table.setCurrentItem(dock.table.topLevelItem(1))
    assert dock.detail.text() == "deep/b.nii.gz\nA scan must be whole."
    dock.sheet_button.click()
    dock.folder_button.click()
    results = folder / "capsules"
    assert dock.opened == [results / "contact_sheet.html", results]


def test_a_double_click_shows_scan_and_capsule_at_its_largest_frame(
    qtbot, make, folder, viewer
):
    dock = make()
    choose(qtbot, dock, folder)
    run(qtbot, dock)
    for _ in range(2):  # the second time nothing is added
        dock.table.itemDoubleClicked.emit(dock.table.topLevelItem(0), 0)
        qtbot.waitUntil(lambda: dock._reading is None)
    image, labels = viewer.layers
    assert (image.name, labels.name) == ("a", "a capsule")
    assert isinstance(labels, Labels)
    assert labels.data.sum() == 9
    np.testing.assert_allclose(labels.extent.world, image.extent.world)
    np.testing.assert_allclose(image.scale, (2.0, 0.5, 0.5))
    assert labels.metadata[METADATA_KEY]["provenance"]["model"] == "fake"
    assert viewer.dims.current_step[0] == 1
    assert viewer.layers.selection.active is labels

    dock.table.itemDoubleClicked.emit(dock.table.topLevelItem(1), 0)
    qtbot.waitUntil(lambda: dock._reading is None)
    assert [layer.name for layer in viewer.layers] == ["a", "a capsule", "b"]
    assert dock.detail.text() == "Opened 'b'. It has no mask."
    assert dock.message.text().startswith("2 scans:")  # the summary stays


def test_a_second_click_cancels_and_start_continues(qtbot, make, folder):
    dock = make("waits")
    choose(qtbot, dock, folder)
    dock.run_button.click()
    qtbot.waitUntil(lambda: states(dock)[0] == "running 1/3")
    assert not dock.form.isEnabled()
    assert dock.progress.format() == "0 of 2 scans"

    dock.run_button.click()
    assert dock.run_button.text() == "Cancelling …"
    qtbot.waitUntil(lambda: not dock.is_running)

    assert states(dock) == ["waiting", "waiting"]
    assert "Start continues from there" in dock.message.text()
    dock.command.mode = "ends"
    run(qtbot, dock)
    assert states(dock) == ["done", "failed"]


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("refuses", "must be writable; got a full one."),
        ("dies", "when memory runs out"),
    ],
)
def test_a_process_that_fails_is_reported(qtbot, make, folder, mode, said):
    dock = make(mode)
    choose(qtbot, dock, folder)
    run(qtbot, dock)
    assert said in dock.message.text()
    assert dock.message.text().endswith("What is done stays.")
    assert "running" not in " ".join(states(dock))
    assert dock.run_button.isEnabled()


def test_the_process_ends_with_the_dock(qtbot, make, folder):
    dock = make("waits")
    choose(qtbot, dock, folder)
    dock.run_button.click()
    qtbot.waitUntil(lambda: states(dock)[0] == "running 1/3")
    child = dock._child
    pid = int(child._process.processId())

    dock.destroyed.emit()  # as when the dock is closed

    qtbot.waitUntil(lambda: not child.is_running)
    with pytest.raises(OSError, match="No such process"):
        os.kill(pid, 0)


def test_what_cannot_be_is_reported(qtbot, make, folder, tmp_path):
    dock = make()
    dock.form.choose(tmp_path / "none")
    qtbot.waitUntil(lambda: "does not exist" in dock.message.text())
    (tmp_path / "empty").mkdir()
    dock.form.choose(tmp_path / "empty")
    qtbot.waitUntil(lambda: "No scan was found in" in dock.message.text())
    assert not dock.run_button.isEnabled()

    choose(qtbot, dock, folder)
    (tmp_path / "file").write_text("")
    dock.form.output_edit.setText(str(tmp_path / "file" / "out"))
    dock.run_button.click()
    assert "Cannot write into the folder of the results" in dock.message.text()
    assert not dock.is_running


def test_without_a_model_nothing_starts(qtbot, make, folder):
    dock = make(models=[])
    dock.form.choose(folder)
    qtbot.waitUntil(lambda: dock._search is None)
    assert not dock.run_button.isEnabled()


def test_folders_are_asked_for(qtbot, make, folder, monkeypatch, tmp_path):
    dock = make()
    answers = iter([str(folder), str(tmp_path / "x"), ""])
    ask = staticmethod(lambda *_: next(answers))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", ask)
    dock.form.scans_button.click()
    qtbot.waitUntil(lambda: bool(dock.table.scans) and dock._search is None)
    dock.form.output_button.click()
    qtbot.waitUntil(lambda: dock._search is None)
    dock.form.scans_button.click()  # and the answer is none
    assert (dock.form.scans, dock.form.output) == (folder, tmp_path / "x")


def test_a_name_that_no_folder_can_have_is_reported_and_not_raised(qtbot, make):
    """Asking whether it is there raises: ENAMETOOLONG, or EACCES of what is above."""
    dock = make()
    dock.form.scans_edit.setText("x" * 300)
    dock.form.scans_edit.editingFinished.emit()
    qtbot.waitUntil(lambda: dock._search is None)
    assert not dock.run_button.isEnabled()
    assert not dock.folder_button.isEnabled()
    assert not dock.sheet_button.isEnabled()
    assert dock.message.text()
