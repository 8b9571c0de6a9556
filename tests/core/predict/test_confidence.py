from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_microus.core.predict.confidence import (
    _EXPECTED,
    DOUBTFUL,
    expected_dice,
    frame_confidence,
    in_words,
    left_empty,
    look_first,
    to_provenance,
)


def ramp(width, size=64):
    """Log-odds of a disc whose edge fades over ``width`` pixels."""
    y, x = np.mgrid[:size, :size]
    distance = 20 - np.hypot(y - 32, x - 32)
    return torch.tensor(distance / width, dtype=torch.float32)[None, None]


def test_sharp_edge_is_surer_than_a_blurred_one():
    """The radius at p = 0.95 is 20 - ln 19 · width; Dice of two discs by hand."""
    for width in (0.5, 2.0, 5.0):
        small, large = (20 - np.log(19) * width) ** 2, 20**2
        expected = 2 * small / (small + large)
        assert frame_confidence(ramp(width))[0] == pytest.approx(expected, abs=0.01)


def test_flat_answer_is_unsure_and_no_answer_at_all_is_sure():
    flat = torch.ones(1, 1, 8, 8)  # 0.73 everywhere: all above 0.5, none above 0.95
    nothing = torch.full((1, 1, 8, 8), -9.0)
    assert frame_confidence(torch.cat([flat, nothing])).tolist() == [0.0, 1.0]


def test_doubtful_frames_come_least_sure_first():
    found = SimpleNamespace(
        frames=(3, 5, 8, 9), confidence=np.array([0.84, 0.95, 0.5, DOUBTFUL])
    )
    assert look_first(found) == [8, 3]
    assert look_first(found, most=1) == [8]
    assert in_words([8, 3], 4) == "Look at these frames first: 8, 3."
    assert "equally sure" in in_words([], 4)
    assert "this frame" in in_words([3], 1)


def test_expected_dsc_rises_with_confidence():
    values = expected_dice(np.linspace(0, 1, 101))
    assert (np.diff(values) >= 0).all()
    assert values[0] == 0
    assert 0.9 < values[90] < 0.95


def test_frames_left_empty_are_named():
    assert left_empty([4], 0.3) == (
        "Frame 4 is left empty: the model is not sure that a gland is there "
        "(confidence below 0.3)."
    )
    assert left_empty(list(range(12)), 0.3).startswith(
        "Frames 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more are left empty"
    )


def test_at_most_ten_frames_are_to_be_looked_at_first():
    count = 14
    confidence = np.linspace(0.1, 0.1 + 0.01 * count, count)
    found = SimpleNamespace(frames=tuple(range(count))[::-1], confidence=confidence)
    stated = to_provenance(found)
    assert stated["look_first"] == list(range(13, 3, -1))
    assert stated["frames"]["13"] == 0.1
    assert len(stated["frames"]) == count


def test_ten_frames_left_empty_are_all_named():
    words = left_empty(list(range(10)), 0.3)
    assert words.startswith("Frames 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 are left empty")
    assert words.endswith("(confidence below 0.3).")


def test_the_measured_points_of_expected_dsc_are_in_order():
    at, dsc = (np.array(row) for row in _EXPECTED)
    for row in (at, dsc):
        assert (np.diff(row) > 0).all()
        assert 0 <= row[0] < row[-1] < 1
    np.testing.assert_array_equal(expected_dice(at), dsc)
    assert expected_dice(1.0) == dsc[-1]
