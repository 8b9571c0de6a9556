import numpy as np
import pytest

from napari_microus.core.phantom import PhantomDomain
from napari_microus.core.phantom.speckle import SpeckleSource, compress


def source(domain, rows=200, columns=300, pixel_mm=0.1):
    depths = (np.arange(rows) + 0.5) * pixel_mm
    return SpeckleSource(np.random.default_rng(0), domain, depths, columns, pixel_mm)


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


def test_envelope_is_rayleigh_distributed():
    envelope = source(PhantomDomain()).envelope()

    assert (envelope**2).mean() == pytest.approx(1, abs=0.06)
    # The mean of a Rayleigh variable is sqrt(pi) / 2 of its root mean square.
    assert envelope.mean() == pytest.approx(np.sqrt(np.pi) / 2, abs=0.03)


def test_speckle_is_wider_away_from_the_focus():
    domain = PhantomDomain(focus_mm=10, lateral_mm=0.4)
    envelope = source(domain, rows=400).envelope()

    def shifted(rows):
        return correlation(envelope[rows, :-4], envelope[rows, 4:])

    focus, far = shifted(slice(80, 120)), shifted(slice(350, 400))
    assert far > focus + 0.1


def test_speckle_is_wider_than_deep():
    envelope = source(PhantomDomain(axial_mm=0.15, lateral_mm=0.5)).envelope()
    across = correlation(envelope[:, :-2], envelope[:, 2:])
    along = correlation(envelope[:-2], envelope[2:])
    assert across > along + 0.2


def test_coherence_links_consecutive_frames():
    loose = source(PhantomDomain(frame_coherence=0.0))
    tight = source(PhantomDomain(frame_coherence=0.9))
    assert abs(correlation(loose.envelope(), loose.envelope())) < 0.05
    assert correlation(tight.envelope(), tight.envelope()) > 0.6


def test_compression_shows_the_dynamic_range_and_no_more():
    domain = PhantomDomain(dynamic_range_db=60, gain_db=0, gamma=1)
    level = np.array([[-60, -30, 0, 15, 30, 60]], np.float32)
    ones = np.ones_like(level)

    grey = compress(level, ones, np.full((1, 1), -200, np.float32), ones, domain)

    # The middle of the scale is 0 dB, and its ends lie 30 dB away.
    np.testing.assert_allclose(grey, [[0, 0, 0.5, 0.75, 1, 1]], atol=1e-3)
