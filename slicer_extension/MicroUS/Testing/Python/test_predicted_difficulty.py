import csv

import numpy as np
import pytest
import slicer
from MicroUSLib.process import Outcome
from panel import Child, press


@pytest.fixture
def ordered(compared):
    compared.compare.difficulty.make_runner = Child
    press(compared.ui.difficultyButton)
    return compared


def frames(widget):
    table = widget.ui.frameTable
    return [int(table.item(line, 0).text()) for line in range(table.rowCount())]


def leave(values):
    with (Child.made.folder / "difficulty.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", "difficulty_bits"])
        writer.writerows(enumerate(values))
    Child.made.on_outcome(Outcome("done"))


def test_hardest_frames_and_regions_come_first(ordered):
    assert [r.frame for r in ordered.compare.found.regions] == [1, 3]
    leave([0.01, 0.2, 0.02, 0.5, 0.3])
    assert frames(ordered) == [3, 4, 1, 2, 0]
    assert [r.frame for r in ordered.compare.found.regions] == [3, 1]
    assert "frame 3" in ordered.ui.regionLabel.text()
    header = ordered.ui.frameTable.horizontalHeaderItem(8).text()
    assert header == "Difficulty (bits)"


def test_begun_regions_keep_their_order(ordered):
    press(ordered.ui.expertButton)
    before = [r.number for r in ordered.compare.adjudicating._regions()]
    leave([0.01, 0.5, 0.02, 0.2, 0.3])
    assert [r.number for r in ordered.compare.adjudicating._regions()] == before
    assert "keep the order" in ordered.ui.compareStatusLabel.text()


def test_order_is_that_of_the_core(ordered, library):
    """The child's own table, of a real model, gives the order."""
    runner = Child.made
    runner.run_here()
    found = ordered.compare.found
    assert len(found.difficulty) == 5
    assert frames(ordered) == list(
        np.argsort(-np.array(found.difficulty), kind="stable")
    )


def test_another_scan_keeps_its_order(ordered, make_volume):
    slicer.mrmlScene.Clear(0)
    assert ordered.compare.difficulty._runner is None


def test_cancel_and_failure_are_reported(ordered, shown):
    assert ordered.ui.difficultyButton.text() == "Cancel the prediction"
    press(ordered.ui.difficultyButton)
    assert Child.made.is_cancelled
    Child.made.on_outcome(Outcome("cancelled"))
    assert "Cancelled" in ordered.ui.compareStatusLabel.text()
    press(ordered.ui.difficultyButton)
    Child.made.on_outcome(Outcome("failed", "The model must fit; it did not."))
    assert "must fit" in shown[-1]
