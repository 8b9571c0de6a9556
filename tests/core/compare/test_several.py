from itertools import combinations, permutations

import numpy as np
import pytest

from napari_microus.core.compare.agreement import fleiss_kappa
from napari_microus.core.compare.several import (
    conformity_index,
    krippendorff_alpha,
    nominal_alpha,
    tally_votes,
)
from napari_microus.core.errors import InputError
from napari_microus.core.metrics import jaccard

# Krippendorff 2011, section C: four observers, twelve units, "." is missing.
PUBLISHED = """
A 1 2 3 3 2 1 4 1 2 . . .
B 1 2 3 3 2 2 4 1 2 5 . 3
C . 3 3 3 2 3 4 2 2 5 1 .
D 1 2 3 3 2 4 4 1 2 5 1 .
"""


@pytest.fixture
def masks():
    """Four annotators who err, and leave a tenth of the pixels undecided."""
    rng = np.random.default_rng(7)
    truth = rng.random((2, 9, 11)) < 0.4
    found = []
    for error in (0.05, 0.1, 0.3, 0.2):
        mask = (truth ^ (rng.random(truth.shape) < error)).astype(np.uint8)
        mask[rng.random(truth.shape) < 0.1] = 255
        found.append(mask)
    return found


def by_pairs(columns):
    """Alpha from its definition: every ordered pair of values, one by one.

    Disagreement inside units, each weighing 1 / (votes - 1) a pair, by the
    disagreement among all the values that can be paired, whatever their unit.
    """
    units = [unit for unit in columns if len(unit) > 1]
    values = [value for unit in units for value in unit]
    observed = sum(
        sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1)
        for unit in units
    ) / len(values)
    chance = sum(a != b for a, b in permutations(values, 2))
    return 1 - observed / (chance / (len(values) * (len(values) - 1)))


def columns_of(masks):
    stacked = np.stack([mask.ravel() for mask in masks if mask is not None])
    return [[int(v) for v in column if v != 255] for column in stacked.T]


def test_alpha_meets_the_published_example():
    rows = [line.split()[1:] for line in PUBLISHED.strip().splitlines()]
    columns = [[int(v) for v in unit if v != "."] for unit in zip(*rows, strict=True)]
    votes = [[unit.count(value) for value in range(1, 6)] for unit in columns]
    # By hand: unit 12 has one value and falls out; n = 40, n_c = 9, 13, 10, 5, 3;
    # sum of o_cc = 7 + 10 + 8 + 4 + 3 = 32, sum of n_c (n_c - 1) = 344.
    expected = (39 * 32 - 344) / (40 * 39 - 344)
    assert expected == pytest.approx(0.743, abs=5e-4)  # as printed
    assert nominal_alpha(votes) == pytest.approx(expected, abs=1e-12)
    assert by_pairs(columns) == pytest.approx(expected, abs=1e-12)


def test_alpha_meets_the_published_binary_example():
    # Section A: two observers, ten articles. o_01 = 4, n_0 = 14, n_1 = 6:
    # alpha = 1 - 19 · 4 / (14 · 6) = 0.095.
    first = np.array([[[0, 1, 0, 0, 0, 0, 0, 0, 1, 0]]], np.uint8)
    second = np.array([[[1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]], np.uint8)
    found = krippendorff_alpha(tally_votes([first, second]))
    assert found == pytest.approx(1 - 19 * 4 / (14 * 6), abs=1e-12)
    assert found == pytest.approx(0.095, abs=5e-4)


def test_alpha_of_masks_with_gaps_equals_every_pair_counted(masks):
    found = krippendorff_alpha(tally_votes(masks))
    assert found == pytest.approx(by_pairs(columns_of(masks)), abs=1e-12)


def test_alpha_pools_cases_that_different_annotators_drew(masks):
    first = [*masks[:3], None]
    second = [None, masks[1][:, ::-1], None, masks[3]]
    pooled = krippendorff_alpha(tally_votes(first) + tally_votes(second))
    expected = by_pairs([*columns_of(first), *columns_of(second)])
    assert pooled == pytest.approx(expected, abs=1e-12)


def test_alpha_of_complete_masks_lies_near_fleiss(masks):
    whole = [np.where(mask == 255, 0, mask).astype(np.uint8) for mask in masks]
    found = krippendorff_alpha(tally_votes(whole))
    # alpha = kappa + (1 - kappa) / n for complete data, n values in all.
    kappa = fleiss_kappa(whole)
    count = whole[0].size * len(whole)
    assert found == pytest.approx(kappa + (1 - kappa) / count, abs=1e-12)


def test_conformity_index_sums_every_pair(masks):
    common = either = 0
    for one, two in combinations(masks, 2):
        known = (one != 255) & (two != 255)
        common += (known & (one == 1) & (two == 1)).sum()
        either += (known & ((one == 1) | (two == 1))).sum()
    found = conformity_index(tally_votes(masks))
    assert found == pytest.approx(common / either, abs=1e-12)
    one, two = (mask == 1 for mask in masks[:2])
    pair = tally_votes([one.astype(np.uint8), two.astype(np.uint8)])
    assert conformity_index(pair) == pytest.approx(jaccard(one, two))


def test_equal_masks_agree_and_empty_ones_have_no_value(masks):
    equal = tally_votes([masks[0]] * 3)
    assert krippendorff_alpha(equal) == 1
    assert conformity_index(equal) == 1
    nothing = tally_votes([np.zeros((1, 4, 4), np.uint8)] * 3)
    assert np.isnan([krippendorff_alpha(nothing), conformity_index(nothing)]).all()
    lonely = tally_votes([masks[0], None, None])
    assert np.isnan(krippendorff_alpha(lonely))


def test_one_annotator_and_other_shapes_are_refused(masks):
    with pytest.raises(InputError, match="two or more annotators; got 1"):
        tally_votes(masks[:1])
    with pytest.raises(InputError, match="share a grid"):
        tally_votes([masks[0], masks[1][:, 1:]])
