"""Cutting in a band must give the mask of interpolating every pixel."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_microus.core import samples
from napari_microus.core.library import load_model
from napari_microus.core.preprocess import (
    cut_at_full_size,
    intensity_window,
    to_full_size,
    to_network,
)


def whole(logits, shape):
    return to_full_size(torch.from_numpy(logits)[None, None], shape)[0, 0].numpy()


def check(logits, shape, cut):
    values = whole(logits, shape)
    found = cut_at_full_size(logits, shape, cut)
    # Within rounding of the threshold either side is right.
    clear = np.abs(values - cut) > 1e-4
    np.testing.assert_array_equal(found[clear], (values > cut)[clear])
    assert found.dtype == bool
    assert found.shape == shape


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([2, 3, 16, 31]),
    rows=st.integers(1, 90),
    columns=st.integers(1, 90),
    cut=st.sampled_from([0.0, -1.1, 2.0]),
    smooth=st.booleans(),
)
def test_any_logits_are_cut_as_when_all_are_interpolated(
    seed, size, rows, columns, cut, smooth
):
    logits = np.random.default_rng(seed).normal(0, 3, (size, size))
    if smooth:
        logits = np.cumsum(np.cumsum(logits, axis=0), axis=1) / size
    check(logits.astype(np.float32), (rows, columns), cut)


def test_a_pixel_outside_the_band_is_not_looked_at():
    # One pixel above in the corner: the band is the cells around it alone.
    logits = np.full((4, 4), -5, np.float32)
    logits[0, 0] = 5
    # Half way between 5 and -5 lies at 0.5 pixels of the network, 2 of the frame.
    expected = np.zeros((16, 16), bool)
    expected[:4, :4] = whole(logits, (16, 16))[:4, :4] > 0
    np.testing.assert_array_equal(cut_at_full_size(logits, (16, 16), 0.0), expected)
    assert expected.sum() > 4


def test_real_frames_are_cut_as_when_all_are_interpolated():
    model = load_model()
    size = model.config["input"]["size"]
    scan = samples.read_sweep().scan
    window = intensity_window(scan.array)
    for frame in scan.array[::5]:
        small = to_network(torch.from_numpy(frame.copy())[None, None], size, window)
        with torch.inference_mode():
            logits = model.network(small).logits[0, 0].numpy()
        check(logits, (962, 1372), 0.0)
