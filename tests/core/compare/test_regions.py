import math

import numpy as np
import pytest

from napari_microus.core.compare.regions import RankBy, disputed_regions
from napari_microus.core.disagreement import disagreement_map
from napari_microus.core.events import drain

SPACING = (1.0, 0.5, 0.25)


@pytest.fixture
def pair():
    """A square in two frames; the non-expert adds a bump of 3 rows in both."""
    expert = np.zeros((3, 30, 40), np.uint8)
    expert[:2, 10:20, 10:30] = 1
    nonexpert = expert.copy()
    nonexpert[0, 20:23, 12:16] = 1
    nonexpert[1, 20:23, 12:20] = 1
    nonexpert[1, 10, 10:30] = 0
    return expert, nonexpert


def test_parts_of_each_frame_are_ranked_by_the_distance_of_the_contours(pair):
    regions = drain(disputed_regions(disagreement_map(*pair), SPACING))

    assert [region.number for region in regions] == [1, 2, 3]
    widest, narrower, row = regions
    assert (widest.frame, widest.pixels, widest.drawn_by) == (1, 24, "nonexpert")
    # Row 22 against the expert's last row 19: three rows of 0.5 mm.
    assert widest.distance_mm == pytest.approx(1.5)
    assert widest.area_mm2 == pytest.approx(24 * 0.125)
    assert narrower.distance_mm == pytest.approx(1.5)
    assert (row.drawn_by, row.distance_mm) == ("expert", pytest.approx(0.5))
    assert row.extent_mm == pytest.approx(20 * 0.25)


def test_parts_join_through_frames_when_asked(pair):
    codes = disagreement_map(*pair)
    regions = drain(disputed_regions(codes, SPACING, through_frames=True))
    assert [(r.frames, r.pixels) for r in regions] == [(2, 36), (1, 20)]
    assert regions[0].frame == 1
    assert regions[0].centre == (1, 21, 15.5)


def test_regions_cover_the_disagreement_exactly(pair):
    codes = disagreement_map(*pair)
    covered = np.zeros(codes.shape, int)
    for region in drain(disputed_regions(codes, SPACING)):
        covered[region.box] += region.mask
    np.testing.assert_array_equal(covered, (codes == 2) | (codes == 3))


def test_other_ranks_and_a_smallest_size(pair):
    codes = disagreement_map(*pair)
    by_area = drain(disputed_regions(codes, SPACING, rank_by=RankBy.area))
    assert [region.pixels for region in by_area] == [24, 20, 12]
    by_extent = drain(disputed_regions(codes, SPACING, rank_by=RankBy.extent))
    assert by_extent[0].drawn_by == "expert"
    large = drain(disputed_regions(codes, SPACING, smallest_px=20))
    assert sorted(region.pixels for region in large) == [20, 24]


def test_a_frame_that_one_annotator_left_empty_comes_first(pair):
    expert, nonexpert = pair
    nonexpert[2, 5:8, 5:8] = 1
    regions = drain(disputed_regions(disagreement_map(expert, nonexpert), SPACING))
    assert regions[0].frame == 2
    assert math.isinf(regions[0].distance_mm)


def test_equal_masks_have_no_region(pair):
    assert drain(disputed_regions(disagreement_map(pair[0], pair[0]), SPACING)) == []


@pytest.mark.parametrize("through_frames", [False, True])
def test_parts_are_those_of_a_second_labelling(through_frames):
    """Of the whole stack at once, where ours goes frame by frame."""
    from scipy import ndimage as ndi

    rng = np.random.default_rng(3)
    codes = np.zeros((6, 30, 25), np.uint8)
    codes[1:5, 3:27, 2:20] = rng.choice(
        [0, 1, 2, 3], (4, 24, 18), p=(0.3, 0.3, 0.2, 0.2)
    )
    structure = ndi.generate_binary_structure(3, 1)
    structure[[0, 2]] = through_frames and structure[[0, 2]]
    labels, number = ndi.label((codes == 2) | (codes == 3), structure)

    regions = drain(disputed_regions(codes, SPACING, through_frames=through_frames))

    assert len(regions) == number > 20
    ours = np.zeros(codes.shape, int)
    for region in regions:
        ours[region.box][region.mask] = region.number
    pairs = np.unique(np.stack([labels.ravel(), ours.ravel()]), axis=1)
    assert pairs.shape[1] == number + 1  # one to one, background included
