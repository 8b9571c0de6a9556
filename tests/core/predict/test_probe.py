"""Frames of other sites show the probe at the bottom."""

import numpy as np
import pytest

from napari_microus.core.errors import ConfigError
from napari_microus.core.events import Notice, drain
from napari_microus.core.library import DEFAULT_MODEL, load_model
from napari_microus.core.predict import predict
from napari_microus.core.samples import read_sweep


@pytest.fixture(scope="module")
def model():
    return load_model(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def upright(model):
    return drain(predict(model, read_sweep().scan))


def upside_down(scan):
    return scan.like(np.ascontiguousarray(scan.array[:, ::-1]))


def segment(model, scan, **settings):
    events = []
    found = drain(predict(model, scan, **settings), events.append)
    return found, [event.message for event in events if isinstance(event, Notice)]


def test_probe_at_the_bottom_gives_the_same_capsule_turned(model, upright):
    scan = read_sweep().scan
    found, notices = segment(model, upside_down(scan), probe="bottom")
    np.testing.assert_array_equal(found.mask.array[:, ::-1], upright.mask.array)
    np.testing.assert_allclose(
        found.probability.array[:, ::-1], upright.probability.array, atol=2e-3
    )
    np.testing.assert_allclose(found.confidence, upright.confidence)
    assert notices == []


def test_side_of_the_probe_is_found_and_reported(model, upright):
    scan = read_sweep().scan
    same, silent = segment(model, scan, probe="automatic")
    np.testing.assert_array_equal(same.mask.array, upright.mask.array)
    assert silent == []
    turned, stated = segment(model, upside_down(scan), probe="automatic")
    np.testing.assert_array_equal(turned.mask.array[:, ::-1], upright.mask.array)
    assert len(stated) == 1
    assert "probe were at the bottom" in stated[0]


def test_one_frame_is_turned_as_the_whole_scan_is(model, upright):
    out = np.zeros(upright.mask.shape, np.uint8)
    found, _ = segment(
        model, upside_down(read_sweep().scan), probe="automatic", frames=[6], out=out
    )
    np.testing.assert_array_equal(found.mask.array[6, ::-1], upright.mask.array[6])
    np.testing.assert_array_equal(out, found.mask.array)
    assert not found.mask.array[5].any()


def test_other_side_is_refused(model):
    with pytest.raises(ConfigError, match="probe must be one of top, bottom"):
        drain(predict(model, read_sweep().scan, probe="left"))
