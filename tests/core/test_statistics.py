import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from napari_microus.core.statistics import (
    MANY_PATIENTS,
    PatientMean,
    bootstrap_interval,
    by_patient,
    counted,
    interval_note,
    paired_difference,
    patient_mean,
    with_interval,
)


def test_mean_and_interval_follow_from_the_pairs():
    a = np.array([0.9, 0.8, 0.95, 0.7, 0.85])
    b = a - np.array([0.1, 0.0, 0.05, 0.2, 0.15])

    d = paired_difference(a, b)

    assert d.mean == pytest.approx(0.1)
    # t of 4 degrees of freedom is 2.776; s = 0.07906, s / √5 = 0.03536.
    assert d.high - d.mean == pytest.approx(2.776 * 0.03536, abs=1e-4)
    expected = ttest_rel(a, b).confidence_interval()
    assert (d.low, d.high) == pytest.approx(tuple(expected))
    # One pair is equal; of the 2^4 signs of the others, all + and all - are as far.
    assert d.p == pytest.approx(2 / 2**4)
    assert (d.count, d.better) == (5, 4)


def test_pairs_that_are_not_defined_are_left_out():
    d = paired_difference([0.9, math.nan, 0.8], [0.8, 0.5, 0.7])
    assert d.count == 2
    assert d.mean == pytest.approx(0.1)
    # Two patients say nothing about others: neither interval nor test.
    assert not d.has_interval
    assert math.isnan(d.p)


def test_equal_recipes_have_no_p_value():
    d = paired_difference([0.5] * 5, [0.5] * 5)
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


# What a patient's figure may look like: draws of it, and its true mean.
FIGURES = {
    "normal": (lambda rng, shape: rng.normal(0, 1, shape), 0.0),
    "Dice near 0.9": (lambda rng, shape: rng.beta(18, 2, shape), 0.9),
    "HD95": (lambda rng, shape: rng.lognormal(0, 0.5, shape), math.exp(0.125)),
    "difference of Dices": (
        lambda rng, shape: rng.beta(18, 2, shape) - rng.beta(18, 3, shape),
        18 / 20 - 18 / 21,
    ),
}


def share_covered(interval, figure, patients, studies, cases=1):
    """How often an interval holds the true mean."""
    draw, true = FIGURES[figure]
    values = draw(np.random.default_rng(3), (studies, patients)).repeat(cases, axis=1)
    names = np.arange(patients).repeat(cases).astype(str)
    ends = (interval(list(zip(names, study, strict=True))) for study in values)
    return np.mean([low <= true <= high for low, high in ends])


def of_patients(values):
    found = patient_mean(values)
    return found.low, found.high


def of_pairs(values):
    found = paired_difference([value for _, value in values], [0.0] * len(values))
    return found.low, found.high


def of_bootstrap(values):
    known = np.array([value for _, value in values])
    draws = np.random.default_rng(0).integers(len(known), size=(1000, len(known)))
    return np.percentile(known[draws].mean(axis=1), [2.5, 97.5])


# Of 2,000 studies a share varies by 0.005 (one standard deviation).
@pytest.mark.parametrize("patients", [5, 8, 10, 20])
@pytest.mark.parametrize(
    ("figure", "least"),
    [("normal", 0.94), ("Dice near 0.9", 0.91), ("HD95", 0.90)],
)
def test_the_interval_of_patients_covers_the_mean(figure, least, patients):
    share = share_covered(of_patients, figure, patients, 2000)
    assert least <= share <= 0.965
    # Two cases of each patient, much alike, make no difference.
    assert share_covered(of_patients, figure, patients, 2000, cases=2) == share


@pytest.mark.parametrize("patients", [5, 20])
def test_the_interval_of_a_difference_covers_it(patients, monkeypatch):
    # The test of ranks is not needed here, and takes longest.
    monkeypatch.setattr("scipy.stats.wilcoxon", lambda _: SimpleNamespace(pvalue=1.0))
    share = share_covered(of_pairs, "difference of Dices", patients, 2000)
    assert 0.935 <= share <= 0.97


def test_the_percentile_bootstrap_of_five_patients_does_not():
    assert share_covered(of_bootstrap, "normal", 5, 300) < 0.88
    assert share_covered(of_bootstrap, "Dice near 0.9", 5, 300) < 0.88


# Of 300 studies a share varies by 0.018.
@pytest.mark.parametrize("figure", ["Dice near 0.9", "difference of Dices"])
def test_the_corrected_bootstrap_of_twenty_patients_covers_the_mean(figure):
    def interval(values):
        return bootstrap_interval([value for _, value in values])

    assert share_covered(interval, figure, MANY_PATIENTS, 300) >= 0.86


def test_cases_taken_for_patients_would_be_too_sure():
    def interval(values):
        return of_patients([(str(n), value) for n, (_, value) in enumerate(values)])

    assert share_covered(interval, "normal", 8, 1000, cases=4) < 0.75


def test_in_words():
    assert with_interval(PatientMean(0.9, 0.85, 0.95, 5, 6), ".2f") == (
        "0.90 (0.85 to 0.95)"
    )
    few = patient_mean([("a", 0.9)])
    assert with_interval(few, ".2f") == "0.90"
    assert interval_note(few.patients) == "1 patient, no interval: it needs 5"
    assert interval_note(5) == ""
    assert with_interval(patient_mean([]), ".2f") == "–"
    assert (counted(1, "case"), counted(2, "case")) == ("1 case", "2 cases")
