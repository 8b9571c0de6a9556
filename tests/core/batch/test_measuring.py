from types import SimpleNamespace

import numpy as np
import pytest

from napari_microus.core.batch.measuring import COLUMNS, measure
from napari_microus.core.sweep import Sweep
from napari_microus.core.volume import UNKNOWN, Volume

SHAPE = (4, 20, 30)
CONFIDENCE = np.array([0.2, 0.9, 0.5, 0.7])


def measured(scan, confidence=CONFIDENCE):
    """Measure 12 pixels in frame 1 and 20 in frame 2 of four."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[1, 5:8, 10:14] = 1
    mask[2, 5:9, 10:15] = 1
    prediction = SimpleNamespace(
        mask=scan.like(mask), frames=(0, 1, 2, 3), confidence=confidence
    )
    row = measure(scan, prediction)
    assert row.keys() <= set(COLUMNS)
    return row


def test_sizes_are_in_mm_where_they_are_known():
    scan = Volume.from_spacing(np.zeros(SHAPE), (2.0, 0.5, 0.25))
    scan.metadata["pixel_size_from"] = "the ultrasound region"

    row = measured(scan)

    assert (row["frames"], row["frames_with_capsule"]) == (4, 2)
    assert (row["pixel_height_mm"], row["pixel_width_mm"]) == (0.5, 0.25)
    assert row["pixel_size_from"] == "the ultrasound region"
    assert row["frame_distance_mm"] == 2.0
    assert (row["largest_area_frame"], row["largest_area_px"]) == (2, 20)
    assert row["largest_area_mm2"] == pytest.approx(20 * 0.125)
    assert row["mean_area_mm2"] == pytest.approx(16 * 0.125)
    # (12 + 20) pixels of 0.125 mm², 2 mm apart: 8 mm³
    assert row["volume_ml"] == pytest.approx(0.008)
    assert row["volume_method"] == "planimetry of parallel frames"
    assert "no_volume_because" not in row


def test_confidence_is_that_of_frames_with_a_capsule():
    row = measured(Volume.from_spacing(np.zeros(SHAPE), (1, 1, 1)))
    assert row["mean_confidence"] == pytest.approx(0.7)
    assert row["least_confidence"] == 0.5
    assert row["look_first"] == "0 2 3"  # below 0.85, the least sure first


def test_nothing_is_in_mm_where_the_size_is_unknown():
    row = measured(Volume(np.zeros(SHAPE), has_geometry=False))
    assert not [name for name in row if "_mm" in name or "_ml" in name]
    assert "pixel_size_from" not in row
    assert row["largest_area_px"] == 20
    assert row["no_volume_because"] == "No volume: the scan states no pixel size."


def test_a_rotational_sweep_has_its_own_volume_and_a_cine_none():
    scan = Volume.from_spacing(np.zeros(SHAPE), (1.0, 1.0, 1.0))
    angles = (0.0, 10.0, 20.0, 30.0)
    scan.metadata["frame_distance"] = UNKNOWN
    assert "angles of a sweep" in measured(scan)["no_volume_because"]

    scan.metadata["sweep"] = Sweep("rotational", "columns", -10.0, angles).to_dict()
    row = measured(scan)

    # Pappus, by trapezoids of 10°: 12 px at 6 + 10 mm, 20 px at 6.5 + 10 mm
    expected = np.deg2rad(10) * (12 * 16 + 20 * 16.5) / 1000
    assert row["volume_ml"] == pytest.approx(expected, abs=1e-3)
    assert "Pappus" in row["volume_method"]
    assert "frame_distance_mm" not in row


def test_a_scan_without_a_capsule_has_no_areas():
    scan = Volume.from_spacing(np.zeros((1, 5, 5)), (1.0, 1.0, 1.0))
    nothing = SimpleNamespace(
        mask=scan.like(np.zeros((1, 5, 5), np.uint8)),
        frames=(0,),
        confidence=np.ones(1),
    )
    row = measure(scan, nothing)
    assert row["frames_with_capsule"] == 0
    assert not [name for name in row if "area" in name or "_confidence" in name]
