"""Scribble, box, nudge, snapping, and all outlines at hand as curves."""

from pathlib import Path

import numpy as np
import pytest
from skimage.io import imread

from napari_microus.core.edit.clicks import Scribble, apply_box
from napari_microus.core.edit.curve import (
    curve_through,
    handles_of,
    mask_of,
    nudge,
    outline_of,
    resample,
)
from napari_microus.core.edit.snap import snap
from napari_microus.core.edit.tools import keep_agreed
from napari_microus.core.errors import InputError

OUTLINES = Path(__file__).parents[4] / "shared/data/micro_us_frames/outlines"
y, x = np.mgrid[:120, :160]


def disc(row=60, column=80, radius=30):
    return np.hypot(y - row, x - column) <= radius


def dice(one, two):
    return 2 * (one & two).sum() / (one.sum() + two.sum())


@pytest.mark.skipif(not OUTLINES.is_dir(), reason="shared/data is not here")
def test_every_outline_at_hand_comes_back_from_at_most_24_handles():
    worst, count = 1.0, 0
    for path in sorted(OUTLINES.glob("*/*.png")):
        mask = imread(path) > 0
        if mask.ndim == 2 and mask.any():
            handles = handles_of(mask)
            again = mask_of(curve_through(handles), mask.shape)
            worst, count = min(worst, dice(mask, again)), count + 1
            assert 8 <= len(handles) <= 24
    assert count > 400
    assert worst >= 0.995


def apply_scribble(mask, points, is_inside):
    scribble = Scribble(mask, is_inside)
    scribble.add(points)
    return scribble.mask()


def test_a_scribble_stays_where_it_was_drawn():
    ring = np.radians(np.arange(-20, 21, 2))
    arc = np.stack([60 + 36 * np.sin(ring), 80 + 36 * np.cos(ring)], axis=1)
    mask = apply_scribble(disc(), arc, True)
    ring = ring[1:-1]
    inner = np.round(60 + 34 * np.sin(ring)).astype(int)
    assert mask[inner, np.round(80 + 34 * np.cos(ring)).astype(int)].all()
    assert not mask[:, 80 + 40 :].any()
    assert dice(mask[:, :70], disc()[:, :70]) > 0.99


def test_a_scribble_begins_a_gland_only_from_inside():
    empty = np.zeros((120, 160), bool)
    assert apply_scribble(empty, np.array([[60.0, 80.0]]), True)[60, 80]
    with pytest.raises(InputError, match="click inside the gland first"):
        apply_scribble(empty, np.array([[60.0, 80.0]]), False)
    beside = apply_scribble(disc(), np.array([[-5.0, 300.0]]), True)
    assert dice(beside, disc()) > 0.99


def test_a_box_keeps_the_shape_and_changes_its_size():
    mask = apply_box(disc(), (39.5, 9.5), (79.5, 149.5))
    ellipse = ((y - 59.5) / 20) ** 2 + ((x - 79.5) / 70) ** 2 <= 1
    assert dice(mask, ellipse) > 0.975  # the disc is one of pixels
    corners = apply_box(disc(), (79.5, 9.5), (39.5, 149.5))
    assert np.array_equal(mask, corners)


@pytest.mark.parametrize("end", [(62, 140), (np.nan, 140)])
def test_a_box_too_small_is_refused(end):
    with pytest.raises(InputError, match="at least 4 pixels"):
        apply_box(disc(), (60, 20), end)


def test_the_middle_of_the_circle_takes_the_outline_along():
    curve = resample(outline_of(disc()), 360)
    tip = curve[curve[:, 1].argmax()]
    # Centred on the tip, and carried with it, the whole way counts.
    moved = nudge(curve, tuple(tip), (tip[0], tip[1] + 12), 20)
    assert moved[:, 1].max() == pytest.approx(tip[1] + 12, abs=0.7)
    far = np.hypot(*(curve - tip).T) > 33
    assert np.array_equal(moved[far], curve[far])


def test_a_long_push_never_crosses_itself():
    curve = resample(outline_of(disc()), 360)
    moved = nudge(curve, (60, 100), (60, 30), 15)
    tangents = np.diff(moved, axis=0, append=moved[:1])
    turns = np.angle(
        np.exp(1j * np.diff(np.arctan2(*tangents.T), append=0))
    )  # a simple closed curve turns once
    turns[-1] = np.angle(
        np.exp(1j * (np.arctan2(*tangents[0]) - np.arctan2(*tangents[-1])))
    )
    assert abs(turns.sum()) == pytest.approx(2 * np.pi, abs=1e-6)


def test_a_circle_without_a_size_is_refused():
    with pytest.raises(InputError, match="radius must be positive"):
        nudge(outline_of(disc()), (0, 0), (1, 1), 0)


def test_a_handle_goes_to_the_border_and_stays_where_there_is_none():
    handles = handles_of(disc())
    which = int(handles[:, 1].argmax())
    seen = 1 / (1 + np.exp(np.hypot(y - 60, x - 80) - 32))
    there = snap(handles, which, seen)
    assert np.hypot(*(there - (60, 80))) == pytest.approx(32, abs=0.4)
    nothing = np.full((120, 160), 0.5)
    assert np.array_equal(snap(handles, which, nothing), handles[which])
    with pytest.raises(InputError, match="needs two others"):
        snap(handles[:2], 0, seen)


def test_in_the_hard_region_the_capsule_decides_and_outside_both_annotators():
    one, other = disc(radius=20), disc(radius=30)
    capsule = disc(radius=45) & ~disc(radius=5)
    now = keep_agreed(capsule, one.astype(np.uint8), other.astype(np.uint8))
    assert now[disc(radius=15)].all()  # both drew it
    assert not now[~disc(radius=36)].any()  # neither did
    assert now[disc(radius=29) & ~disc(radius=22)].all()
    undecided = np.full(one.shape, 255, np.uint8)
    assert np.array_equal(keep_agreed(capsule, undecided, undecided), capsule)
