"""The sheet of keys is made of the table from which the docks bind them."""

import re

from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QShortcut

from napari_microus.widgets._shared import key_table
from napari_microus.widgets.batch import BatchWidget
from napari_microus.widgets.compare import CompareWidget
from napari_microus.widgets.correct import CorrectWidget
from napari_microus.widgets.segment import SegmentWidget
from napari_microus.widgets.train import TrainWidget


def listed():
    lines = [key for group in key_table.key_groups() for key, _ in group.lines]
    return {one for line in lines for one in re.split(r",\s+", line)}


def test_every_key_of_a_dock_is_on_the_sheet(qtbot):
    bound = set()
    for kind in (SegmentWidget, CorrectWidget, CompareWidget, TrainWidget, BatchWidget):
        dock = kind(ViewerModel())
        qtbot.addWidget(dock)
        keys = {one.key().toString() for one in dock.findChildren(QShortcut)}
        assert "?" in keys
        bound |= keys
    assert len(bound) > 5
    assert bound <= listed()


def test_every_act_of_adjudicating_has_words():
    keys = {**key_table.ADJUDICATE, **key_table.ADJUDICATE_UNDO}
    assert set(keys) == set(key_table._ACTS)


def test_keys_of_napari_are_those_it_has_now(monkeypatch):
    from napari.settings import get_settings

    settings = get_settings().shortcuts
    changed = {**settings.shortcuts, "napari:increase_brush_size": ["Ctrl-9"]}
    monkeypatch.setattr(settings, "shortcuts", changed)
    (group,) = [g for g in key_table.key_groups() if "napari" in g.title]
    brush = [key for key, words in group.lines if words == "Larger brush"]
    assert [key.endswith("9") for key in brush] == [True]


def test_a_question_mark_opens_the_sheet(qtbot):
    dock = BatchWidget(ViewerModel())
    qtbot.addWidget(dock)
    with qtbot.waitExposed(dock):
        dock.show()
    dock.activateWindow()
    dock.form.recursive.setFocus()
    qtbot.waitUntil(lambda: dock.isActiveWindow() and dock.form.recursive.hasFocus())
    qtbot.keyClick(dock.form.recursive, Qt.Key.Key_Question)
    sheet = dock.footer.sheet
    words = {label.text() for label in sheet.findChildren(QLabel)}
    for group in key_table.key_groups():
        for line in group.lines:
            assert set(line) <= words
    sheet.close()
