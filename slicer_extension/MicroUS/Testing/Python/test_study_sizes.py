"""Pictures of a study that states their pixel size: Slicer's numbers are in mm."""

import numpy as np
import pytest
import slicer
from MicroUSLib.scene.nodes import grid_from_node
from panel import press
from PIL import Image

from napari_microus.core.study import Study
from napari_microus.core.study.table import StudyCase


def heading_of(widget, column):
    return widget.ui.frameTable.horizontalHeaderItem(column).text()


@pytest.fixture
def make_study(tmp_path):
    """One picture with two outlines, the second 5 pixels to the right."""

    def make(spacing_mm):
        folder = tmp_path / "study"
        study = Study.create(folder)
        expert = np.zeros((48, 64), np.uint8)
        expert[10:30, 20:50] = 1
        for name, array in (
            ("s", np.full((48, 64), 90, np.uint8)),
            ("e", expert * 255),
            ("n", np.roll(expert, 5, axis=1) * 255),
        ):
            Image.fromarray(array).save(folder / f"{name}.png")
        study.add(
            StudyCase("p1", "p1", "s.png", "e.png", "n.png", spacing_mm=spacing_mm)
        )
        return folder

    return make


def test_pictures_have_the_size_that_the_study_states(widget, make_study, shown):
    widget.ui.workListPathLineEdit.currentPath = str(make_study((0.1, 0.2)))
    press(widget.ui.nextCaseButton)

    assert shown == []
    volume = widget._parameterNode.volume
    assert volume.GetSpacing() == pytest.approx((0.2, 0.1, 1.0))
    grid = grid_from_node(volume)
    assert grid.has_geometry
    assert not grid.is_oriented
    assert widget._parameterNode.expert.GetSpacing() == volume.GetSpacing()
    # 20 × 30 pixels of 0.1 × 0.2 mm; 2 × 20 × 5 of them are disputed.
    [row] = widget.compare.found.rows
    assert row.expert_mm2 == pytest.approx(12.0)
    assert row.disagreement_mm2 == pytest.approx(4.0)
    # The edges lie 5 columns of 0.2 mm apart.
    assert row.hd95_mm == pytest.approx(1.0)
    assert [heading_of(widget, column) for column in (2, 4)] == [
        "HD95 mm",
        "Expert mm²",
    ]
    assert "HD95 1.00 mm" in widget.ui.totalsLabel.text()
    assert "mL" not in widget.ui.totalsLabel.text()
    assert "1.0 mm apart, 2.0 mm²" in widget.ui.regionLabel.text()
    [table] = slicer.util.getNodesByClass("vtkMRMLTableNode")
    assert slicer.util.arrayFromTableColumn(table, "disagreement_mm2")[0] == (
        pytest.approx(4.0)
    )


def test_pictures_without_a_size_are_measured_in_pixels(widget, make_study, shown):
    widget.ui.workListPathLineEdit.currentPath = str(make_study(None))
    press(widget.ui.nextCaseButton)

    assert shown == []
    assert not grid_from_node(widget._parameterNode.volume).has_geometry
    [row] = widget.compare.found.rows
    assert row.expert_mm2 == pytest.approx(600)
    assert [heading_of(widget, column) for column in (2, 4)] == [
        "HD95 px",
        "Expert px²",
    ]
    words = widget.ui.totalsLabel.text() + widget.ui.regionLabel.text()
    assert "HD95 5.00 px" in words
    assert "px apart" in words
    assert "mm" not in words
    [table] = slicer.util.getNodesByClass("vtkMRMLTableNode")
    assert slicer.util.arrayFromTableColumn(table, "disagreement_px2")[0] == 200
