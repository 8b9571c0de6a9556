import numpy as np
import pytest

from napari_microus.core.edit.clicks import Click, apply_clicks
from napari_microus.core.errors import InputError


def disc(radius=30, middle=(60, 60), shape=(120, 120)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(y - middle[0], x - middle[1]) <= radius


def test_a_click_outside_moves_the_border_twice_as_far():
    """The disc's border lies at column 90.5; a click at 96 asks for about 101.5."""
    found = apply_clicks(disc(), [Click(60, 96, True)])
    assert np.flatnonzero(found[60]).max() == pytest.approx(101, abs=1)
    assert np.flatnonzero(found[60]).min() == 30  # the far side stays
    assert (disc() & ~found).sum() == 0


def test_a_click_inside_takes_away():
    found = apply_clicks(disc(), [Click(60, 84, False)])
    assert np.flatnonzero(found[60]).max() == pytest.approx(78, abs=1)
    assert not found[60, 84]


def test_earlier_clicks_stay_obeyed():
    clicks = [Click(60, 96, True), Click(50, 92, False)]
    mask = apply_clicks(disc(), clicks[:1])
    mask = apply_clicks(mask, clicks)
    assert mask[60, 96]
    assert not mask[50, 92]


def test_an_obeyed_click_changes_nothing_but_resampling():
    found = apply_clicks(disc(), [Click(60, 60, True)])
    assert (found != disc()).sum() < 20


def test_an_empty_frame_begins_with_a_click_inside():
    empty = np.zeros((120, 120), bool)
    found = apply_clicks(empty, [Click(50, 70, True)])
    assert found[50, 70]
    # Half axes of a quarter of each side: pi * 30 * 30 pixels.
    assert found.sum() == pytest.approx(np.pi * 900, rel=0.03)
    with pytest.raises(InputError, match="needs a click inside the gland first"):
        apply_clicks(empty, [Click(50, 70, False)])


def test_a_click_beside_the_picture_is_refused():
    with pytest.raises(InputError, match="must lie in the picture of 120 by 120"):
        apply_clicks(disc(), [Click(130, 5, True)])
