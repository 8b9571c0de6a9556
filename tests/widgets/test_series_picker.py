import numpy as np
import pytest
from pydicom.uid import generate_uid
from qtpy.QtWidgets import QDialogButtonBox

from dicom_files import dataset, region, save
from napari_microus._reader import get_reader
from napari_microus.widgets._shared.list_picker import ListPicker
from napari_microus.widgets._shared.series_picker import series_picker


@pytest.fixture
def folder(tmp_path):
    """A loop of three frames with a size, and a picture of another series."""
    folder = tmp_path / "export"
    folder.mkdir()
    loop = np.arange(3 * 8 * 9, dtype=np.uint8).reshape(3, 8, 9)
    calibrated = [region((0, 7), (0, 8))]
    save(dataset(loop, regions=calibrated), folder / "IM0001")
    other = dataset(np.full((6, 7), 9, np.uint8), SeriesInstanceUID=generate_uid())
    save(other, folder / "IM0002")
    return folder


def answer(monkeypatch, rows, accepts=True):
    """Choose lines of the list as a person would, and press a button."""

    def run(self):
        self.seen = [self.rows.item(row).text() for row in range(self.rows.count())]
        shown.append(self)
        for row in range(self.rows.count()):
            self.rows.item(row).setSelected(row in rows)
        kinds = QDialogButtonBox.StandardButton
        self.buttons.button(kinds.Open if accepts else kinds.Cancel).click()
        return self.result()

    shown = []
    monkeypatch.setattr(ListPicker, "exec", run)
    return shown


def test_several_series_are_offered_and_the_chosen_ones_open(
    qtbot, folder, monkeypatch
):
    shown = answer(monkeypatch, {0})
    ((data, arguments, kind),) = get_reader(str(folder))(str(folder))
    assert len(shown) == 1
    assert "3 frames of 8 × 9" in shown[0].seen[0]
    assert "Doe" not in "".join(shown[0].seen)
    assert kind == "image"
    assert data.shape == (3, 8, 9)
    assert arguments["name"] == "export series 1"
    assert arguments["scale"][1:] == pytest.approx((0.05, 0.04))
    answer(monkeypatch, {0, 1})
    layers = get_reader(str(folder))(str(folder))
    assert [layer[1]["name"] for layer in layers] == [
        "export series 1",
        "export series 2",
    ]


def test_cancelling_opens_nothing(qtbot, folder, monkeypatch):
    answer(monkeypatch, {0}, accepts=False)
    assert get_reader(str(folder))(str(folder)) == [(None,)]


def test_one_series_is_opened_unasked(qtbot, folder, monkeypatch):
    (folder / "IM0002").unlink()
    shown = answer(monkeypatch, {0})
    ((data, _, _),) = get_reader(str(folder))(str(folder))
    assert data.shape == (3, 8, 9)
    assert not shown


def test_the_largest_series_is_chosen_at_first(qtbot, folder):
    from napari_microus.core.io import dicom_series

    series = dicom_series(folder)
    picker = series_picker(series)
    qtbot.addWidget(picker)
    assert [series[row].frames for row in picker.chosen_rows()] == [3]
