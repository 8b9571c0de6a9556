"""What `MicroUSTest` checks inside the Slicer application.

The packages must be installed; nothing is downloaded. Each check gets the module's
logic and begins with an empty scene.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from .compare import adjudication, comparison
from .sample_data import CASES, SAMPLES
from .scene.annotations import Annotator, parts_of
from .scene.nodes import frame_at_world, voxel_to_world
from .scene.scan_properties import use_properties
from .scene.segments import add_segment, new_segmentation, segment_array
from .segment.measuring import measure

FILES = [file for _, file, _ in CASES["MicroUSPhantom"]]


def load_case() -> list[Any]:
    """Return scan, expert and non-expert of the sample as nodes."""
    scan = slicer.util.loadVolume(str(SAMPLES / FILES[0]))
    masks = [slicer.util.loadSegmentation(str(SAMPLES / name)) for name in FILES[1:]]
    return [scan, *masks]


def check_panel(logic: Any) -> None:
    """the panel opens, and its choices are kept in the scene"""
    scan = slicer.util.loadVolume(str(SAMPLES / FILES[0]))
    widget = slicer.util.getModuleWidget("MicroUS")
    widget.enter()
    parameters = logic.getParameterNode()
    parameters.volume = scan
    assert widget.ui.volumeSelector.currentNode() is scan
    parameters.expert = parameters.nonexpert = None
    widget.exit()


def check_segment(logic: Any) -> None:
    """a scan becomes a segment, and one undo takes a change back"""
    scan = slicer.util.loadVolume(str(SAMPLES / FILES[0]))
    node, segment_id = logic.segment(scan, device="cpu")
    whole = segment_array(node, segment_id, scan)
    assert whole.any()
    _, again = logic.segment(scan, node, device="cpu", frames=(0,))
    assert again == segment_id
    slicer.util.getModuleWidget("SegmentEditor").editor.undo()
    np.testing.assert_array_equal(segment_array(node, segment_id, scan), whole)


def check_compare(logic: Any) -> None:
    """two annotations give a table, regions, and an adjudication"""
    scan, *masks = load_case()
    expert, nonexpert = (
        Annotator(node, parts_of(node)[0][0], role)
        for node, role in zip(masks, ("expert", "non-expert"), strict=True)
    )
    found = comparison.compare(
        scan,
        expert,
        nonexpert,
        kernel_size=4,
        rank_by="contour_distance",
        through_frames=False,
        on_event=lambda _: slicer.app.processEvents(),
    )
    assert found.totals.dice > 0.8
    comparison.show_differences(found, 4)
    case = adjudication.begin(found, "self test")
    case.decide(found.regions[0], "expert")
    assert case.work.decided_count == 1


def check_places(logic: Any) -> None:
    """frames are found where they lie"""
    scan = slicer.util.loadVolume(str(SAMPLES / FILES[0]))
    assert frame_at_world(scan, voxel_to_world(scan, 3, 10, 10)) == 3


def check_size(logic: Any) -> None:
    """a size that is stated is that of the scan and of what was drawn on it"""
    from napari_microus.core.io import ScanProperties

    scan = slicer.util.loadVolume(str(SAMPLES / FILES[0]))
    before = scan.GetSpacing()
    drawn = np.zeros(slicer.util.arrayFromVolume(scan).shape, np.uint8)
    drawn[2:5, 40:80, 90:150] = 1
    node = new_segmentation(scan, "drawn")
    segment_id = add_segment(drawn, node, scan)
    use_properties(scan, ScanProperties((0.05, 0.05), 2.0))
    np.testing.assert_array_equal(segment_array(node, segment_id, scan), drawn)
    # 3 × 40 × 60 voxels
    found = measure(scan, node, segment_id).volume
    assert abs(found.ml - 7200 * 0.05 * 0.05 * 2.0 / 1000) < 1e-9
    use_properties(scan, ScanProperties())
    np.testing.assert_allclose(scan.GetSpacing(), before, atol=1e-6)


CHECKS = (check_panel, check_segment, check_compare, check_places, check_size)
