"""The angles of a sweep that turns by equal steps."""

import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.sweep import Sweep, even_angles


def test_first_and_last_are_kept_and_steps_are_equal():
    assert even_angles(-30, 30, 5) == (-30, -15, 0, 15, 30)
    assert even_angles(60, 0, 3) == (60, 30, 0)
    assert even_angles(0, 1, 4) == (0, 0.333333, 0.666667, 1)


def test_they_make_a_sweep():
    angles = even_angles(0, 60, 200)
    assert Sweep("rotational", "columns", -9.5, angles).angles_deg == angles


def test_one_frame_has_no_sweep():
    with pytest.raises(InputError, match="two or more frames; got 1"):
        even_angles(0, 60, 1)
