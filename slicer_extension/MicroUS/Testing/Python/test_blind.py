"""Adjudicating without knowing who the expert is."""

import json

import pytest
import slicer
from panel import choose, press

from napari_microus.core.compare import naming

SWAPPED = naming.Naming(
    *("annotator B", "annotator A", "#e69f00", "#56b4e9"),
    is_swapped=True,
    is_blind=True,
)


@pytest.fixture
def blind(compared, monkeypatch):
    monkeypatch.setattr(naming, "blind_naming", lambda: SWAPPED)
    choose(compared, blind=True)
    press(compared.ui.compareButton)
    return compared


def differences():
    [node] = [
        n
        for n in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        if n.GetAttribute("MicroUS.Result") == "differences"
    ]
    return node


def read(widget):
    """Everything a person can read in the section, and the differences' names."""
    ui = widget.ui
    texts = [ui.expertButton.text(), ui.nonexpertButton.text(), ui.totalsLabel.text()]
    texts += [ui.expertButton.toolTip(), ui.nonexpertButton.toolTip()]
    texts.append(ui.regionLabel.text())
    for table in (ui.frameTable, ui.placeTable):
        columns = range(table.columnCount())
        texts += [table.horizontalHeaderItem(column).text() for column in columns]
    inside = differences().GetSegmentation()
    texts += [inside.GetSegment(i).GetName() for i in inside.GetSegmentIDs()]
    return " | ".join(texts)


def test_nothing_in_the_panel_reveals_who_the_expert_is(blind, shown):
    assert "expert" not in read(blind).lower()
    assert blind.ui.expertButton.text() == "Annotator A  1"
    assert blind.ui.expertSelector.isHidden()
    assert blind.ui.annotatorList.isHidden()
    assert not slicer.util.getNode("annotations").GetDisplayVisibility()
    press(blind.ui.expertButton)
    assert "expert" not in read(blind).lower()
    assert shown == []


def test_first_button_decides_for_who_is_shown_first(blind, tmp_path):
    press(blind.ui.expertButton)
    case = blind.compare.adjudicating._case
    assert [v.decision for v in case.work.verdicts.values()] == ["nonexpert"]
    path = tmp_path / "blind.nii.gz"
    blind.compare.adjudicating.ask_save = lambda: str(path)
    press(blind.ui.saveAdjudicationButton)
    stated = json.loads((tmp_path / "blind.json").read_text(encoding="utf-8"))[
        "settings"
    ]["blind"]
    assert stated == SWAPPED.as_json()


def test_unticking_reveals_who_is_who(blind):
    choose(blind, blind=False)
    assert blind.ui.expertButton.text() == "Expert  1"
    assert not blind.ui.expertSelector.isHidden()
    assert slicer.util.getNode("annotations").GetDisplayVisibility()
    assert "Expert only" in read(blind)
    press(blind.ui.expertButton)
    case = blind.compare.adjudicating._case
    assert [v.decision for v in case.work.verdicts.values()] == ["expert"]


def test_blind_case_is_resumed_blind(blind, tmp_path):
    press(blind.ui.expertButton)
    path = tmp_path / "blind.nii.gz"
    blind.compare.adjudicating.ask_save = lambda: str(path)
    press(blind.ui.saveAdjudicationButton)
    choose(blind, blind=False)
    press(blind.ui.compareButton)
    blind.compare.adjudicating.ask_open = lambda: str(tmp_path / "blind.json")
    press(blind.ui.loadAdjudicationButton)
    assert blind.ui.blindCheckBox.isChecked()
    assert "expert" not in read(blind).lower()
