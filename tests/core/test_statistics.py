import math

import numpy as np
import pytest
from scipy.stats import wilcoxon

from napari_microus.core.statistics import by_patient, paired_difference


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
