import math

import numpy as np
import pytest
from scipy.stats import f_oneway, t

from napari_microus.core.compare.bland_altman import bland_altman
from napari_microus.core.errors import InputError

# Bland and Altman 2007, table 1: cardiac output by radionuclide ventriculography
# and by impedance cardiography, of twelve patients, as (patient, RV, IC). As it is
# widely cited; not compared with the printed paper.
CARDIAC = """
1 7.83 6.57  1 7.42 5.62  1 7.89 6.90  1 7.12 6.57  1 7.88 6.35  2 6.16 4.06
2 7.26 4.29  2 6.71 4.26  2 6.54 4.09  3 4.75 4.71  3 5.24 5.50  3 4.86 5.08
3 4.78 5.02  3 6.05 6.01  3 5.42 5.67  4 4.21 4.14  4 3.61 4.20  4 3.72 4.61
4 3.87 4.68  4 3.92 5.04  5 3.13 3.03  5 2.98 2.86  5 2.85 2.77  5 3.17 2.46
5 3.09 2.32  5 3.12 2.43  6 5.92 5.90  6 6.42 5.81  6 5.92 5.70  6 6.27 5.76
7 7.13 5.09  7 6.62 4.63  7 6.58 4.61  7 6.93 5.09  8 4.54 4.72  8 4.81 4.61
8 5.11 4.36  8 5.29 4.20  8 5.39 4.36  8 5.57 4.20  9 4.48 3.17  9 4.92 3.12
9 3.97 2.96  10 4.22 4.35  10 4.65 4.62  10 4.74 3.16  10 4.44 3.53
10 4.50 3.53  11 6.78 7.20  11 6.07 6.09  11 6.52 7.00  11 6.42 7.10
11 6.41 7.40  11 5.76 6.80  12 5.06 4.50  12 4.72 4.20  12 4.90 3.80
12 4.80 3.80  12 4.90 4.20  12 5.10 4.50
"""


@pytest.fixture
def cardiac():
    table = np.array(CARDIAC.split(), float).reshape(-1, 3)
    return table[:, 2], table[:, 1], table[:, 0].astype(int).tolist()


def test_repeated_pairs_meet_the_published_example(cardiac):
    found = bland_altman(*cardiac)
    # As printed: residual mean square 0.1707, between subjects 4.2091, divisor
    # 4.98, variance 0.9813, SD 0.9906, limits 0.60 ± 1.96 · 0.99.
    assert (found.patients, found.difference.size) == (12, 60)
    assert found.bias == pytest.approx(0.6021667, abs=1e-7)
    assert found.sd_within**2 == pytest.approx(0.170714, abs=1e-6)
    assert found.sd_between**2 == pytest.approx((4.2090856 - 0.170714) / 4.9818182)
    assert found.lower == pytest.approx(-1.3394565, abs=1e-6)
    assert found.upper == pytest.approx(2.5437899, abs=1e-6)


def test_mean_squares_are_those_of_an_analysis_of_variance(cardiac):
    one, two, patients = cardiac
    found = bland_altman(one, two, patients)
    labels = np.array(patients)
    groups = [(two - one)[labels == label] for label in np.unique(labels)]
    ratio = 1 + found.sd_between**2 * 4.9818182 / found.sd_within**2
    assert ratio == pytest.approx(f_oneway(*groups).statistic, rel=1e-6)


def test_one_pair_each_meets_the_published_example():
    # Bland and Altman 1999, section 2: 85 differences of mean -16.29 and SD 19.61;
    # intervals, as they are cited, -20.5 to -12.1, -61.9 to -47.5 and 14.9 to 29.3.
    raw = np.random.default_rng(0).normal(size=85)
    difference = (raw - raw.mean()) / raw.std(ddof=1) * 19.61 - 16.29
    found = bland_altman(np.zeros(85), difference)
    assert (found.lower, found.upper) == pytest.approx((-54.7, 22.1), abs=0.05)
    assert found.bias_interval == pytest.approx((-20.5, -12.1), abs=0.05)
    # They continue from rounded numbers: 1.71 for the root, 1.99 for t.
    assert found.lower_interval == pytest.approx((-61.9, -47.5), abs=0.15)
    assert found.upper_interval == pytest.approx((14.9, 29.3), abs=0.15)
    assert math.isnan(found.sd_within)


def test_by_hand():
    found = bland_altman([10, 20, 30, 40, 50], [11, 23, 32, 44, 55])
    # Differences 1, 3, 2, 4, 5: bias 3, s² = 2.5; t of 4 is 2.7764.
    s = math.sqrt(2.5)
    assert found.bias == 3
    assert (found.lower, found.upper) == pytest.approx((3 - 1.96 * s, 3 + 1.96 * s))
    reach = 2.7764 * s / math.sqrt(5)
    assert found.bias_interval == pytest.approx((3 - reach, 3 + reach), abs=1e-3)
    reach = 2.7764 * s * math.sqrt(1 / 5 + 1.96**2 / 8)
    expected = (found.upper - reach, found.upper + reach)
    assert found.upper_interval == pytest.approx(expected, abs=1e-3)
    np.testing.assert_allclose(found.mean, [10.5, 21.5, 31, 42, 52.5])
    assert t.ppf(0.975, 4) == pytest.approx(2.7764, abs=1e-4)


def test_equal_measurements_agree_without_limits_to_spare():
    found = bland_altman([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6], list("aabcde"))
    assert (found.bias, found.lower, found.upper) == (0, 0, 0)
    assert found.upper_interval == (0, 0)


def test_few_patients_have_a_bias_and_no_limits():
    found = bland_altman(np.zeros(40), np.arange(40.0), [n % 4 for n in range(40)])
    assert found.patients == 4
    assert found.bias == 19.5
    assert not found.has_limits
    assert np.isnan([found.upper, *found.bias_interval]).all()
    nothing = bland_altman([], [])
    assert nothing.patients == 0
    assert math.isnan(nothing.bias)


def test_pairs_without_a_value_are_left_out():
    found = bland_altman([1, math.nan, 3], [2, 2, math.nan], ["a", "b", "c"])
    assert (found.patients, found.bias) == (1, 1)


def test_lengths_must_fit():
    with pytest.raises(InputError, match="must come in pairs"):
        bland_altman([1, 2], [1])
    with pytest.raises(InputError, match="must come in pairs"):
        bland_altman([1, 2], [1, 3], ["a"])


@pytest.mark.parametrize(("count", "frames"), [(8, 1), (8, 6), (20, 4)])
def test_intervals_cover_in_95_percent(count, frames):
    """Patients of SD 2 between and 1 within, with unequal numbers of frames."""
    rng = np.random.default_rng(5)
    studies, bias_hits, limit_hits = 1000, 0, 0
    within = 1.0 if frames > 1 else 0.0
    limit = 0.5 + 1.96 * math.sqrt(4 + within**2)
    for _ in range(studies):
        sizes = rng.integers(max(1, frames // 2), frames + 1, count)
        patients = np.repeat(np.arange(count), sizes)
        truth = rng.normal(0.5, 2, count)[patients]
        difference = truth + rng.normal(0, 1, patients.size) * within
        found = bland_altman(np.zeros(patients.size), difference, patients.tolist())
        bias_hits += found.bias_interval[0] <= 0.5 <= found.bias_interval[1]
        limit_hits += found.upper_interval[0] <= limit <= found.upper_interval[1]
    assert bias_hits / studies == pytest.approx(0.95, abs=0.025)
    assert limit_hits / studies == pytest.approx(0.95, abs=0.04)
