import numpy as np
import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.phantom.texture import TextureBank

SHAPE = (40, 50)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def dark(rng):
    """A frame inside a black border, darker and flatter than the phantom."""
    frame = np.zeros(SHAPE, np.uint8)
    frame[:, 5:-5] = rng.integers(20, 60, (40, 40))
    return frame


@pytest.fixture
def phantom(rng):
    frame = np.zeros(SHAPE, np.uint8)
    frame[4:-4] = rng.integers(60, 250, (32, 50))
    return frame


def test_full_strength_takes_the_real_histogram(rng, dark, phantom):
    lent = TextureBank([dark]).transfer_texture(rng, phantom)

    real, own = dark[dark > 3], lent[phantom > 3]
    wanted = np.quantile(real, (0.1, 0.5, 0.9))
    np.testing.assert_allclose(np.quantile(own, (0.1, 0.5, 0.9)), wanted, atol=2)


def test_no_strength_changes_nothing(rng, dark, phantom):
    lent = TextureBank([dark]).transfer_texture(rng, phantom, strength=0.0)
    np.testing.assert_allclose(lent.astype(int), phantom, atol=1)


def test_black_border_stays_the_phantoms(rng, dark, phantom):
    lent = TextureBank([dark]).transfer_texture(rng, phantom)
    assert (lent[:4] == 0).all()
    assert (lent[4:-4, :5] > 0).all()


def test_dark_places_inside_the_picture_are_no_border(rng, dark, phantom):
    phantom[15:20, 20:30] = 0
    lent = TextureBank([dark]).transfer_texture(rng, phantom)
    assert (lent[15:20, 20:30] > 3).all()


def test_order_of_grey_levels_is_kept_by_the_histogram(rng, dark, phantom):
    lent = TextureBank([dark]).transfer_texture(rng, phantom, band=1e-6)
    inside = phantom > 3
    order = np.argsort(phantom[inside], kind="stable")
    assert (np.diff(lent[inside][order].astype(int)) >= -1).all()


def test_shading_of_the_real_frame_is_taken_over(rng):
    rows = np.arange(64)
    real = np.repeat(100 + 60 * np.cos(2 * np.pi * rows / 64), 64).reshape(64, 64)
    noise = rng.uniform(95, 105, (64, 64))

    lent = TextureBank([real]).transfer_texture(rng, noise.astype(np.uint8), band=0.05)

    def shading(frame):
        return np.abs(np.fft.fft(frame.mean(1)))[1]

    assert shading(lent) > 5 * shading(noise)


def test_refusals_are_named(rng, dark):
    with pytest.raises(InputError, match="at least one frame; got none"):
        TextureBank([])
    with pytest.raises(InputError, match="one shape"):
        TextureBank([dark, dark[:10]])
    bank = TextureBank([dark])
    with pytest.raises(InputError, match=r"one shape; got \(10, 50\)"):
        bank.transfer_texture(rng, dark[:10])
    with pytest.raises(InputError, match="between 0 and 1; got 2"):
        bank.transfer_texture(rng, dark, strength=2)
