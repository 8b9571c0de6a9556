"""What a DICOM and its file's name state about a person leaves the dock nowhere."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QLabel, QWidget

from dicom_files import dataset, region, save
from napari_microus._reader import read_layers
from napari_microus.widgets._shared.layers import derived_metadata, geometry
from napari_microus.widgets.segment.case_dialog import CaseDialog
from napari_microus.widgets.segment.dock import SegmentWidget

ABOUT = {
    "PatientName": "Zqname^Zqgiven",
    "PatientID": "ZQ4711",
    "PatientBirthDate": "19430317",
    "PatientAddress": "ZQSTREET",
    "PatientComments": "ZQCOMMENT",
    "OtherPatientNames": "ZQALIAS",
    "AccessionNumber": "ZQACC",
    "StudyID": "ZQSTUDYID",
    "StudyDate": "20310729",
    "AcquisitionDate": "20310731",
    "StudyDescription": "ZQSTUDYTEXT",
    "SeriesDescription": "ZQSERIESTEXT",
    "InstitutionName": "ZQCLINIC",
    "ReferringPhysicianName": "ZQREFERRER",
    "PerformingPhysicianName": "ZQPERFORMER",
    "OperatorsName": "ZQOPERATOR",
    "StationName": "ZQSTATION",
    "DeviceSerialNumber": "ZQSERIAL",
    "ImageComments": "ZQIMAGETEXT",
}
WORDS = {word.casefold() for text in ABOUT.values() for word in text.split("^") if word}


@pytest.fixture
def scan(tmp_path):
    """A film in a file that carries the patient's name."""
    frames = np.random.default_rng(2).integers(1, 250, (3, 60, 80), np.uint8)
    ds = dataset(frames, regions=[region((4, 55), (8, 71))], **ABOUT)
    block = ds.private_block(0x0029, "ZQVENDOR", create=True)
    block.add_new(0x10, "LO", "ZQPRIVATE")
    return save(ds, tmp_path / "Zqname_19430317.dcm")


def stated(text):
    text = str(text).casefold()
    return sorted(word for word in {*WORDS, "zqprivate"} if word in text)


def test_no_output_and_no_word_of_the_dock_names_anybody(
    qtbot, scan, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: True)
    viewer = ViewerModel()
    dock = SegmentWidget(PublicOnlyProxy(viewer), list_models=lambda: [])
    qtbot.addWidget(dock)
    ((data, arguments, _),) = read_layers(str(scan))
    image = viewer.add_image(data, **arguments)
    assert image.name.startswith("P-")
    mask = np.zeros(data.shape, np.uint8)
    mask[:, 10:30, 20:50] = 1
    made = {"task": "segment", "model": "m", "model_version": "1", "image": image.name}
    made["image_id"] = str(image.unique_id)
    layer = viewer.add_labels(
        mask,
        name=f"{image.name} capsule",
        metadata=derived_metadata(image, provenance=made),
        **geometry(image),
    )
    viewer.layers.selection.active = layer
    out, panel = tmp_path / "out", dock.results
    out.mkdir()

    def settle():
        qtbot.waitUntil(lambda: not panel.is_working, timeout=30000)

    dock.ask_path = lambda _: str(out / "capsule.nii.gz")
    dock.save_button.click()
    for name in ("c.csv", "c.json", "c.gif", "pictures"):
        panel.ask_file = lambda *_, name=name: str(out / name)
        panel.export_button.click()
        settle()
        assert "Wrote" in panel.message.text()
    panel.ask_file = lambda *_: str(out / "report.html")
    panel.report_button.click()
    settle()

    def answer(dialog):
        dialog.place.setText(str(out / "case"))
        return not stated([one.text() for one in dialog.findChildren(QLabel)])

    assert answer(CaseDialog(None, scan))
    panel.ask_case = answer
    panel.save_button.click()
    settle()
    assert "Saved case" in panel.message.text()

    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) >= 11
    for path in files:
        assert not stated(path.relative_to(out)), path
        assert not stated(path.read_bytes().decode("latin-1")), path
    for widget in dock.findChildren(QWidget):
        texts = [widget.toolTip()]
        texts += [widget.text()] if callable(getattr(widget, "text", None)) else []
        assert not stated(texts), texts
    assert not stated([one.name for one in viewer.layers])
