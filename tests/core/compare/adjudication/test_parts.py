import numpy as np
import pytest

from napari_microus.core.compare.adjudication.between import contour_between
from napari_microus.core.compare.adjudication.carry import along_drag, same_stretch
from napari_microus.core.compare.regions import disputed_regions
from napari_microus.core.disagreement import disagreement_map, disputed
from napari_microus.core.errors import InputError
from napari_microus.core.events import drain

SIZE = 160
Y, X = np.mgrid[:SIZE, :SIZE]


def disc(radius, row=80, column=80):
    return (np.hypot(Y - row, X - column) <= radius).astype(np.uint8)


def ring(frames):
    """Expert's radius 60, the other's 40, about a middle that moves."""
    expert = np.stack([disc(60, column=column) for column in frames])
    nonexpert = np.stack([disc(40, column=column) for column in frames])
    return disagreement_map(expert, nonexpert)


def angle_of(marked, column):
    rows, columns = np.nonzero(marked)
    return np.degrees(np.arctan2(rows - 80, columns - column))


# --- in between


@pytest.mark.parametrize(
    ("share", "radius"), [(0, 60), (0.25, 55), (0.5, 50), (0.75, 45), (1, 40)]
)
def test_a_share_gives_the_radius_in_between(share, radius):
    codes = ring([80])
    [region] = drain(disputed_regions(codes, (1, 1, 1)))
    inner = contour_between(codes, region, share)
    drawn = (codes[0] == 1).sum() + (inner & region.mask).sum()
    assert abs(np.sqrt(drawn / np.pi) - radius) < 0.6


def test_the_ends_are_the_two_contours():
    codes = ring([80])
    [region] = drain(disputed_regions(codes, (1, 1, 1)))
    assert (contour_between(codes, region, 0)[region.mask]).all()
    assert not (contour_between(codes, region, 1)[region.mask]).any()


def test_one_contour_alone_has_nothing_in_between():
    codes = disagreement_map(disc(20)[None], disc(0)[None] * 0)
    [region] = drain(disputed_regions(codes, (1, 1, 1)))
    with pytest.raises(InputError, match="one alone in frame 0"):
        contour_between(codes, region, 0.5)
    with pytest.raises(InputError, match=r"share from 0 to 1; got 1\.5"):
        contour_between(codes, region, 1.5)


# --- the same stretch elsewhere


def test_a_stretch_follows_the_gland_into_other_frames():
    codes = ring([80, 88, 96])
    regions = drain(disputed_regions(codes, (1, 1, 1), stretches=True))
    region = max((r for r in regions if r.frame == 0), key=lambda r: r.centre[2])
    marked = same_stretch(codes, region, [0, 1, 2])
    assert not marked[0].any()  # its own frame
    own = angle_of(full(region), 80)
    for frame, column in ((1, 88), (2, 96)):
        there = angle_of(marked[frame], column)
        assert abs(there.mean() - own.mean()) < 2
        assert abs(np.ptp(there) - np.ptp(own)) < 4
        assert not (marked[frame] & ~disputed(codes[frame])).any()


def full(region):
    mask = np.zeros((SIZE, SIZE), bool)
    mask[region.box[1:]] = region.mask[0]
    return mask


def test_a_frame_that_only_one_drew_gets_nothing():
    codes = ring([80, 80])
    codes[1] = disagreement_map(disc(20), disc(0) * 0)
    regions = drain(disputed_regions(codes[:1], (1, 1, 1), stretches=True))
    assert not same_stretch(codes, regions[0], [1]).any()


# --- a drag


def test_a_drag_along_the_boundary_takes_the_gap_beside_it():
    codes = ring([80])[0]
    angles = np.radians(np.linspace(-30, 60, 12))
    path = np.column_stack([80 + 50 * np.sin(angles), 80 + 50 * np.cos(angles)])
    marked = along_drag(codes, path)
    found = angle_of(marked, 80)
    assert abs(found.min() + 30) < 3
    assert abs(found.max() - 60) < 3
    expected = disputed(codes) & (
        np.abs(np.degrees(np.arctan2(Y - 80, X - 80)) - 15) < 45
    )
    assert (marked ^ expected).sum() < 0.06 * expected.sum()


def test_a_drag_across_the_end_of_the_line_goes_the_short_way():
    codes = ring([80])[0]
    for middle in (0, 90, 180, 270):
        angles = np.radians([middle - 20, middle + 20])
        path = np.column_stack([80 + 50 * np.sin(angles), 80 + 50 * np.cos(angles)])
        marked = along_drag(codes, path)
        assert 0.08 < marked.sum() / disputed(codes).sum() < 0.14  # 40 of 360 degrees


def test_a_drag_where_nobody_agrees_takes_nothing():
    codes = disagreement_map(disc(20), disc(0) * 0)
    assert not along_drag(codes, np.array([[80.0, 80.0]])).any()
