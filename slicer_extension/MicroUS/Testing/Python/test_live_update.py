import numpy as np
import slicer
from MicroUSLib.scene import segments
from MicroUSLib.scene.labelmaps import _image
from panel import press

from napari_microus.core.compare.network_grid import network_hard_region
from napari_microus.core.disagreement import disagreement_map


def paint(widget, name, frame, rows, columns, value=1):
    """Paint as the Segment Editor does, through Slicer's own logic."""
    volume = widget._parameterNode.volume
    node = widget._parameterNode.expert
    inside = node.GetSegmentation()
    segment_id = inside.GetSegmentIdBySegmentName(name)
    array = segments.segment_array(node, segment_id, volume).copy()
    array[frame, rows, columns] = value
    image = _image(array, volume)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.SetBinaryLabelmapToSegment(
        image, node, segment_id, logic.MODE_REPLACE, image.GetExtent()
    )
    return array


def shown_parts(widget):
    """Read back what the differences show, segment by segment."""
    node = slicer.util.getFirstNodeByClassByName(
        "vtkMRMLSegmentationNode", "scan differences"
    )
    return [
        segments.segment_array(node, key, widget._parameterNode.volume)
        for key in node.GetSegmentation().GetSegmentIDs()
    ]


def arrays_of(widget):
    volume, node = widget._parameterNode.volume, widget._parameterNode.expert
    ids = node.GetSegmentation().GetSegmentIDs()
    return [segments.segment_array(node, key, volume) for key in ids]


def test_differences_and_numbers_follow_a_stroke(compared, wait):
    before = compared.compare.found.rows[2].dice
    paint(compared, "student", 2, slice(10, 20), slice(20, 50), value=0)
    wait(lambda: "Painted since" in compared.ui.totalsLabel.text(), 10)

    expert, student = arrays_of(compared)
    codes = disagreement_map(expert, student)
    parts = shown_parts(compared)
    for code in (1, 2, 3):
        assert (parts[code - 1] == (codes == code)).all()
    assert (parts[3] == network_hard_region(expert, student, 4)).all()
    row = compared.compare.found.rows[2]
    both, total = (
        int((expert[2] & student[2]).sum()),
        int(expert[2].sum() + student[2].sum()),
    )
    assert before == 1
    assert row.frame == 2
    assert np.isclose(row.dice, 2 * both / total)


def test_every_painted_frame_is_found_not_only_the_shown_one(compared, wait):
    for frame in (0, 4):
        paint(compared, "expert", frame, slice(0, 6), slice(0, 6))
    wait(lambda: not compared.compare._live._waiting, 10)
    parts = shown_parts(compared)
    assert parts[1][0].sum() == parts[1][4].sum() == 36


def test_deciding_after_painting_compares_again(compared, wait):
    paint(compared, "student", 2, slice(10, 20), slice(20, 50), value=0)
    wait(lambda: compared.compare.is_behind, 10)
    press(compared.ui.expertButton)
    assert "compared again" in compared.ui.compareStatusLabel.text()
    assert len(compared.compare.found.regions) == 3
    assert not compared.compare.adjudicating.is_begun
    press(compared.ui.expertButton)
    assert "Decided 1 of 3" in compared.ui.regionLabel.text()


def test_removed_segment_ends_the_following(compared, wait):
    node = compared._parameterNode.expert
    node.GetSegmentation().RemoveSegment(
        node.GetSegmentation().GetSegmentIdBySegmentName("student")
    )
    paint(compared, "expert", 0, slice(0, 6), slice(0, 6))
    wait(lambda: not compared.compare._live._observed, 10)
    assert compared.compare.found is not None


def test_a_stroke_on_a_long_sweep_is_followed_in_the_shown_frame_first(
    widget, make_volume, wait, shown
):
    from MicroUSLib.scene.nodes import shown_frame
    from panel import choose

    nothing = np.zeros((60, 962, 1372), np.uint8)
    volume = make_volume(nothing, name="scan")
    node = segments.new_segmentation(volume, "annotations")
    drawn = nothing.copy()
    drawn[:, 300:700, 400:1000] = 1
    for name in ("expert", "student"):
        segments.add_segment(drawn, node, volume, name=name, is_worked_on=True)
    choose(widget, volume=volume, expert=node, nonexpert=node)
    press(widget.ui.compareButton)
    assert shown == []
    live, frame = widget.compare._live, shown_frame(volume)
    second = node.GetSegmentation().GetNthSegmentID(1)
    drawn[frame, 300:340, 400:440] = 0
    segments.change_frames(drawn, [frame], node, second, volume)
    assert live._waiting[0] == frame
    live._look()
    assert (widget.compare.found.codes[frame, 300:340, 400:440] == 2).all()
    wait(lambda: not live._waiting, 30)
