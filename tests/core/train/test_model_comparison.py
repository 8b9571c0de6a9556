import dataclasses
import math

import pytest
from scipy.stats import ttest_1samp

from napari_microus.core.events import Notice
from napari_microus.core.library import list_models, load_model, save_model
from napari_microus.core.models import create_model
from napari_microus.core.train import finish, train
from napari_microus.core.train.model_comparison import compare_scores, intervals
from napari_microus.core.train.promote import promote
from napari_microus.core.train.validate import CaseScore, summarise


def scores(*dices):
    # Two cases of patient a, one of every other.
    patients = ["a", "a", "b", "c", "d", "e"]
    return [
        CaseScore(f"case{i}", patient, dice, 10 * (1 - dice), 0.0, 1)
        for i, (patient, dice) in enumerate(zip(patients, dices, strict=False))
    ]


def test_patients_not_cases_are_compared():
    found = compare_scores(scores(0.5, 0.7, 0.8, 0.9), scores(0.7, 0.9, 0.8, 0.85))
    # by patient: 0.6, 0.8, 0.9 before; 0.8, 0.8, 0.85 after
    assert found.patients == 3
    assert found.dice_before == pytest.approx(2.3 / 3)
    assert found.dice_gain == pytest.approx(0.15 / 3)
    assert (found.worst_before, found.worst_after) == pytest.approx((0.6, 0.8))
    assert found.dice_gain_low is found.dice_gain_high is None  # of three patients
    assert not found.is_worse
    assert "interval" not in found.sentence
    assert "cannot show it for sure" in found.sentence


def test_a_loss_is_called_worse_and_enough_patients_are_not_excused():
    found = compare_scores(scores(*[0.9] * 6), scores(*[0.8] * 6))
    assert found.is_worse
    assert found.dice_gain_high == pytest.approx(-0.1)
    assert "cannot show it" not in found.sentence


def test_one_patient_has_no_interval():
    sentence = compare_scores(scores(0.5), scores(0.7)).sentence
    assert sentence.startswith("On 1 held-out patient DSC went from 0.5000 to 0.7000")
    assert "interval" not in sentence
    assert "worst" not in sentence


def test_the_gain_of_five_patients_has_students_interval():
    before, after = [0.5, 0.7, 0.8, 0.9, 0.6, 0.7], [0.7, 0.7, 0.9, 0.9, 0.8, 0.8]
    found = compare_scores(scores(*before), scores(*after))
    # by patient: 0.6, 0.8, 0.9, 0.6, 0.7 before; 0.7, 0.9, 0.9, 0.8, 0.8 after
    expected = ttest_1samp([0.1, 0.1, 0.0, 0.2, 0.1], 0).confidence_interval()
    low, high = found.dice_gain_low, found.dice_gain_high
    assert (low, high) == pytest.approx(tuple(expected))
    assert f"95 % interval {low:+.4f} to {high:+.4f}" in found.sentence


def test_intervals_are_over_patients():
    # two cases of patient a, of which one has no distance
    rows = scores(0.6, 0.8, 0.9, 0.5, 0.7, 0.8)
    rows[0] = dataclasses.replace(rows[0], hd95_mm=math.nan)
    found = intervals(rows)
    assert found["validation_patients"] == 5
    expected = ttest_1samp([0.7, 0.9, 0.5, 0.7, 0.8], 0).confidence_interval()
    assert found["validation_dice_interval"] == pytest.approx(tuple(expected))
    expected = ttest_1samp([2, 1, 5, 3, 2], 0).confidence_interval()
    assert found["validation_hd95_mm_interval"] == pytest.approx(tuple(expected))
    assert intervals(rows[:-1])["validation_dice_interval"] is None  # four patients


def test_one_patient_has_no_interval_in_the_card():
    found = intervals(scores(0.6, 0.8))
    assert found["validation_patients"] == 1
    assert found["validation_dice_interval"] is None


def test_the_card_states_how_sure_its_figures_are(tiny, drain):
    _, result = drain(train(tiny(epochs=1, data={"phantom_val_cases": 2})))
    card = (result.model / "model_card.md").read_text(encoding="utf-8")
    assert "- DSC: 0." in card
    assert "(95 % interval over patients " not in card
    assert "- cases: 2, patients: 2 (2 patients, no interval: it needs 5)" in card


def test_the_validation_itself_is_a_mean_over_patients():
    """So that the card's figure is the one its interval is about."""
    # Patient a has 0.6 and 1.0, b 0.9; c has none.
    rows = scores(0.6, 1.0, 0.9, math.nan)
    assert summarise(rows)["dice"] == pytest.approx((0.8 + 0.9) / 2)
    assert summarise(rows)["hd95_mm"] == pytest.approx((2 + 1) / 2)


def test_nothing_in_common_gives_no_comparison():
    assert compare_scores(scores(math.nan), scores(0.5)) is None


@pytest.mark.parametrize(
    ("promote_when", "gain", "expected"),
    [
        ("if_not_worse", -0.1, set()),
        ("if_not_worse", 0.1, {"tiny"}),
        ("always", -0.1, {"tiny"}),
    ],
)
def test_a_tuned_model_that_is_worse_is_not_promoted_unless_asked(
    tiny, drain, tmp_path, monkeypatch, promote_when, gain, expected
):
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "library"))
    first = start_model(tmp_path, tiny())
    found = compare_scores(scores(*[0.5] * 6), scores(*[0.5 + gain] * 6))
    monkeypatch.setattr(finish, "compare_scores", lambda before, after: found)
    config = tiny(
        output=str(tmp_path / "tuned"),
        start=str(first),
        to_library=True,
        promote=promote_when,
        epochs=1,
    )
    events, tuned = drain(train(config))

    assert {m.name for m in list_models() if not m.is_bundled} == expected
    said = " ".join(e.message for e in events if isinstance(e, Notice))
    assert found.sentence in said
    assert ("as it is worse than its start" in said) == (not expected)
    card = (tuned.run / "model" / "model_card.md").read_text(encoding="utf-8")
    assert "Before fine-tuning" in card
    # Told so afterwards, the model enters the library all the same.
    assert load_model(promote(tuned.run, "told")).name == "told"


def start_model(folder, config):
    described = {
        "architecture": "transunet",
        "options": config.model.transunet.to_dict(),
        "input": {"size": 32},
    }
    network = create_model(config.model)
    return save_model(folder / "start", network, config=described, card="", metrics={})


def test_distances_before_and_after_are_over_the_same_patients():
    """Patient b was lost by the tuned model: its old distance must not count."""
    nan = float("nan")
    before = [
        CaseScore("a", "pa", 0.9, 1.0, 0, 5),
        CaseScore("b", "pb", 0.5, 9.0, 0, 5),
    ]
    after = [
        CaseScore("a", "pa", 0.92, 1.2, 0, 5),
        CaseScore("b", "pb", 0.0, nan, 0, 5),
    ]
    found = compare_scores(before, after)
    assert (found.hd95_mm_before, found.hd95_mm_after) == (1.0, 1.2)
    assert found.distance_patients == 1
    assert "over the 1 patient with a contour both times" in found.sentence
    assert found.dice_after == pytest.approx(0.46)
