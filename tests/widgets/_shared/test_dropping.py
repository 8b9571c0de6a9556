"""Files and folders that are dropped on a dock are opened by our reader."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from PIL import Image
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent

from napari_microus.core.io import ScanProperties, write_scan_properties
from napari_microus.widgets.batch import BatchWidget
from napari_microus.widgets.compare import CompareWidget
from napari_microus.widgets.correct import CorrectWidget
from napari_microus.widgets.live import LiveWidget
from napari_microus.widgets.segment import SegmentWidget
from napari_microus.widgets.train import TrainWidget
from napari_microus.widgets.welcome import WelcomeWidget

DOCKS = (
    *(WelcomeWidget, SegmentWidget, CorrectWidget, CompareWidget),
    *(TrainWidget, BatchWidget, LiveWidget),
)
COPY, LEFT = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture(params=DOCKS, ids=lambda dock: dock.__name__)
def dock(request, qtbot, viewer):
    widget = request.param(PublicOnlyProxy(viewer))
    qtbot.addWidget(widget)
    return widget


def dropped(dock, mime):
    """Drag something over the dock and let it go; return whether it was taken."""
    enters = QDragEnterEvent(QPoint(9, 9), COPY, mime, LEFT, NONE)
    enters.ignore()
    dock.dragEnterEvent(enters)
    if enters.isAccepted():
        dock.dropEvent(QDropEvent(QPointF(9, 9), COPY, mime, LEFT, NONE))
    return enters.isAccepted()


def test_a_folder_of_frames_becomes_one_scan_in_its_size(dock, viewer, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(2):
        frame = np.arange(20, dtype=np.uint8).reshape(4, 5) + number
        Image.fromarray(frame).save(folder / f"{number}.png")
    write_scan_properties(folder, ScanProperties((0.2, 0.1), 0.5))
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(folder))])
    assert dock.acceptDrops()
    assert dropped(dock, mime)
    (scan,) = viewer.layers
    assert scan.data.shape == (2, 4, 5)
    assert scan.scale.tolist() == pytest.approx([0.5, 0.2, 0.1])


def test_words_and_addresses_are_not_taken(dock, viewer):
    for words, address in (("scan.png", ""), ("", "https://example.org/scan.png")):
        mime = QMimeData()
        mime.setText(words)
        if address:
            mime.setUrls([QUrl(address)])
        assert not dropped(dock, mime)
    assert not viewer.layers
