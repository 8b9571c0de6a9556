import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_microus.core.compare.regions import disputed_regions
from napari_microus.core.compare.stretches import boundary_between, split_stretches
from napari_microus.core.disagreement import disagreement_map, disputed
from napari_microus.core.errors import InputError
from napari_microus.core.events import drain

SIZE = 200
Y, X = np.mgrid[:SIZE, :SIZE]


def disc(radius, row=100, column=100):
    return (np.hypot(Y - row, X - column) <= radius).astype(np.uint8)


def split(expert, nonexpert, pixel_mm=1.0):
    codes = disagreement_map(expert, nonexpert)
    labels, _ = ndi.label(disputed(codes))
    return split_stretches(labels.astype(np.int32), codes, pixel_mm), codes


def test_the_line_runs_midway():
    codes = disagreement_map(disc(70), disc(50))
    line = boundary_between(codes)
    radii = np.hypot(line[:, 0] - 100, line[:, 1] - 100)
    assert abs(radii.mean() - 60) < 0.5
    assert np.ptp(radii) < 1.5


def test_one_ring_becomes_sectors():
    """A gap of one width all the way round: an eighth of it each."""
    parts, codes = split(disc(70), disc(50))
    sizes = np.bincount(parts[parts > 0])[1:]
    assert len(sizes) == 8
    assert sizes.sum() == disputed(codes).sum()
    assert sizes.max() < 0.2 * sizes.sum()


def test_contours_that_cross_end_a_stretch():
    """Two shifted discs: a crescent of one on the left, of the other on the right."""
    parts, codes = split(disc(60, column=92), disc(60, column=108))
    for number in range(1, parts.max() + 1):
        mine = np.bincount(codes[parts == number], minlength=4)[[2, 3]]
        assert mine.max() > 0.98 * mine.sum()


def test_what_lies_apart_stays_whole():
    expert = disc(40, column=70) | disc(12, row=30, column=170)
    parts, codes = split(expert, disc(30, column=70))
    island = np.unique(parts[codes * disc(12, row=30, column=170) > 0])
    assert len(island) == 1
    assert (parts == island[0]).sum() == disc(12, row=30, column=170).sum()


def test_one_contour_alone_is_one_part():
    parts, _ = split(disc(40), disc(0) * 0)
    assert parts.max() == 1


def test_a_gap_of_a_pixel_is_one_part():
    parts, codes = split(disc(60), ndi.binary_erosion(disc(60)).astype(np.uint8))
    assert parts.max() == 1
    assert (parts > 0).sum() == disputed(codes).sum()


@pytest.mark.parametrize("factor", [2, 4])
def test_finer_pixels_give_the_same_stretches(factor):
    rng = np.random.default_rng(5)
    angle = np.arctan2(Y - 100, X - 100)
    wave = 6 * np.sin(3 * angle) + 3 * np.cos(5 * angle + rng.random())
    expert = (np.hypot(Y - 100, X - 100) <= 60 + wave).astype(np.uint8)
    coarse, _ = split(expert, disc(60), pixel_mm=0.125)
    grown = [np.kron(mask, np.ones((factor, factor))) for mask in (expert, disc(60))]
    fine, _ = split(*grown, pixel_mm=0.125 / factor)
    assert fine.max() == coarse.max() >= 6


def test_stretches_are_regions_of_their_own():
    masks = [np.stack([disc(radius)] * 2) for radius in (70, 50)]
    codes = disagreement_map(*masks)
    whole = drain(disputed_regions(codes, (1, 1, 1)))
    parts = drain(disputed_regions(codes, (1, 1, 1), stretches=True))
    assert (len(whole), len(parts)) == (2, 16)
    assert sum(r.pixels for r in parts) == sum(r.pixels for r in whole)
    assert all(r.frames == 1 and 18 < r.distance_mm < 22 for r in parts)
    with pytest.raises(InputError, match="joined through frames or split"):
        drain(disputed_regions(codes, (1, 1, 1), stretches=True, through_frames=True))
