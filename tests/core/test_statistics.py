import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp, wilcoxon

from napari_microus.core.statistics import (
    by_patient,
    mean_interval,
    paired_difference,
    patient_mean,
)


def test_mean_and_interval_follow_from_the_pairs():
    a = np.array([0.9, 0.8, 0.95, 0.7, 0.85])
    b = a - np.array([0.1, 0.0, 0.05, 0.2, 0.15])

    d = paired_difference(a, b)

    assert d.mean == pytest.approx(0.1)
    # The bootstrap's interval is near the normal one: 0.1 ± 1.96 s/√n, s of the
    # population, 0.0707/√5 = 0.0316.
    assert d.low == pytest.approx(0.1 - 1.96 * 0.0316, abs=0.015)
    assert d.high == pytest.approx(0.1 + 1.96 * 0.0316, abs=0.015)
    assert d.p == pytest.approx(wilcoxon(a, b).pvalue)
    assert d.count == 5


def test_pairs_that_are_not_defined_are_left_out():
    d = paired_difference([0.9, math.nan, 0.8], [0.8, 0.5, 0.7])
    assert d.count == 2
    assert d.mean == pytest.approx(0.1)


def test_equal_recipes_have_no_p_value():
    d = paired_difference([0.5, 0.6], [0.5, 0.6])
    assert (d.mean, d.low, d.high) == (0, 0, 0)
    assert math.isnan(d.p)


def test_cases_of_a_patient_count_once():
    values = [("a", 0.8), ("a", 0.6), ("b", math.nan)]
    means = by_patient(values)
    assert means["a"] == pytest.approx(0.7)
    assert math.isnan(means["b"])


def test_patient_mean_by_hand_and_by_scipy():
    # Patient a has two cases, whose mean 0.7 counts once; f has none.
    values = [("a", 0.8), ("a", 0.6), ("b", 0.9), ("c", 0.85), ("d", 0.95)]
    found = patient_mean([*values, ("e", 0.75), ("f", math.nan), ("a", math.nan)])
    means = np.array([0.7, 0.9, 0.85, 0.95, 0.75])
    assert found.mean == pytest.approx(0.83)
    assert (found.patients, found.cases) == (5, 6)
    # t of 4 degrees of freedom is 2.776; s = 0.10368, s / √5 = 0.04637.
    assert found.high - found.mean == pytest.approx(2.776 * 0.04637, abs=1e-4)
    expected = ttest_1samp(means, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.has_interval


def test_the_interval_ends_where_the_figure_does():
    values = [(str(number), 1 - 0.3 * (number == 0)) for number in range(6)]
    assert patient_mean(values).high > 1
    assert patient_mean(values, (0, 1)).high == 1
    assert patient_mean(values, (0, 1)).low == patient_mean(values).low


def test_under_five_patients_there_is_no_interval():
    values = [("a", 0.8), ("b", 0.6), ("c", 0.7), ("d", 0.9), ("d", 0.5), ("d", 0.6)]
    found = patient_mean(values)
    assert found.patients == 4
    assert not found.has_interval
    assert math.isnan(found.low)
    assert found.mean == pytest.approx((0.8 + 0.6 + 0.7 + 2 / 3) / 4)
    nothing = patient_mean([("a", math.nan)])
    assert math.isnan(nothing.mean)
    assert nothing.patients == 0


def share_covered(interval, count, studies, cases=2):
    """How often an interval holds the true mean, 0, of patients with few cases."""
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(studies):
        patients = rng.normal(0, 1, count)
        values = [
            (str(number), patient + rng.normal(0, 0.3))
            for number, patient in enumerate(patients)
            for _ in range(cases)
        ]
        low, high = interval(values)
        hits += low <= 0 <= high
    return hits / studies


@pytest.mark.parametrize("count", [5, 8, 20])
def test_the_interval_of_patients_covers_the_mean_in_95_percent(count):
    def interval(values):
        found = patient_mean(values)
        return found.low, found.high

    # Of 2,000 studies the share varies by 0.005 (one standard deviation).
    assert share_covered(interval, count, 2000) == pytest.approx(0.95, abs=0.015)


def test_the_percentile_bootstrap_of_five_patients_does_not():
    def interval(values):
        return mean_interval(list(by_patient(values).values()))

    assert share_covered(interval, 5, 150) < 0.9


def test_cases_taken_for_patients_would_be_too_sure():
    def interval(values):
        each = [(f"{number}", value) for number, (_, value) in enumerate(values)]
        found = patient_mean(each)
        return found.low, found.high

    assert share_covered(interval, 8, 1000, cases=4) < 0.75
