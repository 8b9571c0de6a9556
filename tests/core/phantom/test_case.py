import itertools

import numpy as np
import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.phantom import (
    AnnotatorStyle,
    PhantomDomain,
    make_phantom,
    training_batch,
)

SMALL = (96, 137)


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def case():
    return make_phantom(3, frames=18, shape=SMALL)


def test_equal_seeds_give_equal_voxels_and_others_do_not(case):
    again = make_phantom(3, frames=18, shape=SMALL)
    for part in ("scan", "expert", "nonexpert"):
        np.testing.assert_array_equal(
            getattr(case, part).array, getattr(again, part).array
        )
    assert (make_phantom(4, frames=18, shape=SMALL).scan.array != case.scan.array).any()


def test_scan_and_masks_share_one_grid_and_are_bytes(case):
    assert case.scan.shape == (18, *SMALL)
    for mask in (case.expert, case.nonexpert):
        assert mask.shares_grid(case.scan)
        assert mask.array.dtype == np.uint8
        assert set(np.unique(mask.array)) == {0, 1}
    assert case.scan.array.dtype == np.uint8


def test_half_resolution_has_twice_the_real_pixel():
    domain = PhantomDomain(depth_mm=28.2)
    scan = make_phantom(0, frames=1, domain=domain).scan

    assert scan.shape == (1, 481, 686)
    # The real frame: 962 × 1372 pixels of 0.033586 mm.
    assert scan.spacing_mm[1:] == pytest.approx((0.067172, 0.067172), rel=1e-6)


def test_a_small_frame_shows_the_same_field_of_view():
    domain = PhantomDomain(depth_mm=28.2)
    scan = make_phantom(0, frames=1, shape=(224, 224), domain=domain).scan

    _, row, column = scan.spacing_mm
    assert 224 * row == pytest.approx(962 * 0.033586)
    assert 224 * column == pytest.approx(1372 * 0.033586)


def test_spacing_of_the_caller_is_kept():
    scan = make_phantom(0, frames=2, shape=SMALL, spacing_mm=(2.0, 0.4, 0.3)).scan
    assert scan.spacing_mm == pytest.approx((2.0, 0.4, 0.3))


def test_a_deep_picture_has_black_sides_and_a_shallow_one_does_not():
    def left_edge(depth):
        domain = PhantomDomain(depth_mm=depth)
        return make_phantom(0, frames=1, shape=SMALL, domain=domain).scan.array[0, :, 0]

    assert not left_edge(47.7).any()
    assert left_edge(28.2).any()


def test_masks_stay_inside_the_picture():
    for seed in range(4):
        case = make_phantom(seed, frames=7, shape=SMALL)
        border = case.scan.array.max(axis=0) == 0
        assert border.any()
        assert not case.expert.array[:, border].any()
        assert not case.nonexpert.array[:, border].any()


def test_middle_of_the_sweep_shows_the_gland_and_the_ends_do_not(case):
    area = case.expert.array.sum(axis=(1, 2))
    assert area[9] > 0.1 * area.size
    assert area[0] == area[-1] == 0
    assert (area[3:-3] > 0).all()


def test_about_a_ninth_of_the_frames_shows_no_gland():
    area = np.concatenate(
        [
            make_phantom(seed, frames=36, shape=(32, 46)).expert.array.sum((1, 2))
            for seed in range(8)
        ]
    )
    assert (area == 0).mean() == pytest.approx(0.11, abs=0.05)


def test_neighbouring_frames_are_alike(case):
    frames = case.scan.array.astype(float)
    inner = frames[:, 20:-20, 30:-30].reshape(18, -1)
    correlation = np.corrcoef(inner)
    near, far = np.diag(correlation, 1)[2:-2].mean(), np.diag(correlation, 8).mean()
    assert near > 0.4
    assert near > far + 0.1
    masks = case.expert.array.astype(bool)
    overlap = [dice(a, b) for a, b in itertools.pairwise(masks[4:-4])]
    assert min(overlap) > 0.85


def test_gland_is_one_piece(case):
    from scipy.ndimage import label

    assert all(label(frame)[1] <= 1 for frame in case.expert.array)


def test_style_changes_the_nonexpert_alone():
    cautious, generous = (
        make_phantom(1, frames=3, shape=SMALL, annotator_style=style)
        for style in ("cautious", AnnotatorStyle.generous)
    )
    np.testing.assert_array_equal(cautious.scan.array, generous.scan.array)
    np.testing.assert_array_equal(cautious.expert.array, generous.expert.array)
    assert (cautious.nonexpert.array != generous.nonexpert.array).any()


def test_scan_says_that_it_is_synthetic_and_how_it_was_made(case):
    assert case.scan.metadata["source"] == "phantom"
    assert case.scan.metadata["seed"] == 3
    domain = case.scan.metadata["domain"]
    again = make_phantom(3, frames=18, shape=SMALL, domain=PhantomDomain(**domain))
    np.testing.assert_array_equal(again.scan.array, case.scan.array)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"seed": -1}, "seed must not be negative; got -1"),
        ({"seed": 0, "frames": 0}, "at least one frame; got 0"),
        ({"seed": 0, "shape": (8, 8)}, r"at least 32 × 32 pixels; got \(8, 8\)"),
        ({"seed": 0, "shape": (64,)}, "at least 32 × 32"),
        ({"seed": 0, "spacing_mm": (1, 0, 1)}, "three positive numbers"),
        ({"seed": 0, "annotator_style": "lazy"}, "one of cautious, generous, hasty"),
    ],
)
def test_bad_arguments_are_named(arguments, sentence):
    seed = arguments.pop("seed")
    with pytest.raises(InputError, match=sentence):
        make_phantom(seed, **arguments)


def test_training_frames_are_reproducible_and_differ_from_each_other():
    frames, expert, nonexpert = training_batch(5, 4, 64)
    again = training_batch(5, 4, 64)

    for part, same in zip((frames, expert, nonexpert), again, strict=True):
        assert part.shape == (4, 64, 64)
        assert part.dtype == np.uint8
        np.testing.assert_array_equal(part, same)
    assert len({frame.tobytes() for frame in frames}) == 4
    assert expert.max() == nonexpert.max() == 1


def test_a_longer_training_batch_begins_like_a_shorter_one():
    short, long = training_batch(7, 2, 48), training_batch(7, 3, 48)
    np.testing.assert_array_equal(short[0], long[0][:2])


@pytest.mark.parametrize("count", [0, -3])
def test_training_batch_refuses_to_be_empty(count):
    with pytest.raises(InputError, match="at least one frame"):
        training_batch(0, count)
