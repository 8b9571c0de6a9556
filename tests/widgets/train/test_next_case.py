import threading

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from torch import nn

from napari_microus.core import library
from napari_microus.core.io import read_mask
from napari_microus.core.library import ModelInfo
from napari_microus.core.runs.workspace import Workspace
from napari_microus.core.study import Study
from napari_microus.core.volume import Volume
from napari_microus.widgets.train.study import StudyPage


class Echo(nn.Module):
    """Take brightness for certainty: bright is capsule, mid-grey a coin flip."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(20.0))

    def forward(self, x):
        return (x - 0.35) * self.scale


def scan(bright):
    """Return three frames, the last of which is as bright as said."""
    rows, columns = np.mgrid[:40, :48]
    disc = (rows - 20) ** 2 + (columns - 24) ** 2 < 100
    array = np.random.default_rng(0).integers(0, 60, (3, 40, 48))
    array[:2] += disc * 150
    array[2] += disc * bright
    return Volume.from_spacing(array.astype(np.uint8), (1.0, 0.2, 0.1))


@pytest.fixture
def study(tmp_path):
    study = Study.create(tmp_path / "study")
    study.add_case("clear", "p1", scan(150))
    study.add_case("faint", "p2", scan(50))
    study.add_case("locked", "p3", scan(50), split="test")
    return study


@pytest.fixture
def page(qtbot, study, tmp_path, monkeypatch):
    monkeypatch.setattr(library, "load_model", lambda name: Echo())
    workspace = Workspace(tmp_path / "home")
    workspace.remember(study.folder)
    models = [ModelInfo("echo", tmp_path), ModelInfo("sick", tmp_path, problem="ill")]
    page = StudyPage(ViewerModel(), workspace, lambda: models)
    qtbot.addWidget(page)
    page.show()
    return page


def wait(qtbot, page):
    qtbot.waitUntil(lambda: page.next._worker is None, timeout=60_000)


@pytest.fixture
def ranked(qtbot, page):
    page.next.rank_button.click()
    wait(qtbot, page)
    return page.next


def rows(box):
    items = [box.table.topLevelItem(i) for i in range(box.table.topLevelItemCount())]
    return [item.text(0) for item in items]


def test_scans_that_wait_are_counted_and_models_offered(page):
    assert page.next.message.text() == "2 scans wait to be annotated."
    assert page.next.model_box.count() == 1
    assert page.next.model_box.currentText() == "echo"
    assert not page.next.table.isVisible()


def test_most_doubtful_scan_comes_first(ranked):
    assert rows(ranked) == ["faint", "clear"]
    first = ranked.table.topLevelItem(0)
    assert float(first.text(1)) > float(ranked.table.topLevelItem(1).text(1))
    assert first.text(2).endswith("%")
    assert first.text(3) == "2"
    assert ranked.message.text().startswith("Double-click a scan")
    assert not ranked.bar.isVisible()


def test_double_click_opens_the_scan_ready_to_be_drawn(qtbot, page, ranked, study):
    viewer = page._viewer
    ranked.table.itemDoubleClicked.emit(ranked.table.topLevelItem(0), 0)
    wait(qtbot, page)

    image, mask = viewer.layers
    assert (image.name, mask.name) == ("faint", "faint expert")
    assert tuple(image.scale) == pytest.approx((1.0, 0.2, 0.1))
    assert viewer.dims.current_step[0] == 2  # the most doubtful frame
    assert viewer.layers.selection.active is mask
    assert (page.form.case, page.form.patient) == ("faint", "p2")

    mask.data[1, 4:9, 5:12] = 1
    page.form.add_button.click()
    qtbot.waitUntil(lambda: page._worker is None, timeout=60_000)

    assert page.message.text().startswith("Annotated 'faint'.")
    case = next(c for c in Study.open(study.folder).cases if c.case == "faint")
    drawn = read_mask(study.folder / case.expert).array
    np.testing.assert_array_equal(drawn, mask.data)
    assert rows(ranked) == ["clear"]  # what is done leaves the list


def test_ranking_is_cancelled_between_scans(qtbot, page, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    read = Study.read_scan

    def slowly(self, case):
        begun.set()
        assert go_on.wait(60)
        return read(self, case)

    monkeypatch.setattr(Study, "read_scan", slowly)
    page.next.rank_button.click()
    assert begun.wait(60)
    assert page.next.rank_button.text() == "Cancel"

    page.next.rank_button.click()
    go_on.set()
    wait(qtbot, page)

    assert page.next.message.text() == "Cancelled."
    assert page.next.rank_button.text() == "Rank"
    assert rows(page.next) == []


def test_unreadable_scan_is_named_and_the_others_ranked(qtbot, page, study):
    (study.folder / "cases" / "clear" / "image.nii.gz").write_bytes(b"no scan")
    page.next.rank_button.click()
    wait(qtbot, page)

    assert rows(page.next) == ["faint"]
    assert "'clear' was left out:" in page.next.message.text()


def test_broken_model_is_a_sentence(qtbot, page, monkeypatch):
    def refuse(name):
        raise RuntimeError("no such weights")

    monkeypatch.setattr(library, "load_model", refuse)
    page.next.rank_button.click()
    wait(qtbot, page)

    assert page.next.message.text() == "This failed: no such weights"
    assert page.next.rank_button.isEnabled()


def test_nothing_waits_and_the_button_says_so(qtbot, page, tmp_path):
    page.create_study(tmp_path / "other")
    assert page.next.message.text() == ""  # nor is there any scan
    image = scan(50)
    expert = image.like((image.array > 90).astype(np.uint8))
    page.study.add_case("done", "p1", image, expert)
    page.refresh_studies()

    assert page.next.message.text().startswith("Every scan is annotated.")
    assert not page.next.rank_button.isEnabled()
