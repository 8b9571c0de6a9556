"""Annotators' files compared case by case, and what is written of it."""

import csv
import json

import numpy as np
import pytest

from napari_microus.core.compare.cases import compare_files
from napari_microus.core.compare.report import (
    write_cases_csv,
    write_frames_csv,
    write_json,
)
from napari_microus.core.compare.several import krippendorff_alpha, tally_votes
from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.events import Notice, Progress, drain
from napari_microus.core.io import write_mask
from napari_microus.core.metrics import dice
from napari_microus.core.volume import Volume

SPACING = (2.0, 0.5, 0.5)
SHAPE = (3, 12, 14)


def masks(count=3, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.zeros(SHAPE, bool)
    truth[:, 3:9, 4:11] = True
    return [truth ^ (rng.random(SHAPE) < error) for error in (0, 0.1, 0.2)[:count]]


@pytest.fixture
def folders(tmp_path):
    """Three annotators' folders, with two patients each."""
    for number in (1, 2):
        for who, mask in zip("abc", masks(seed=number), strict=True):
            (tmp_path / who).mkdir(exist_ok=True)
            volume = Volume.from_spacing(mask.astype(np.uint8), SPACING)
            write_mask(volume, tmp_path / who / f"{who}_{number}.nii.gz")
    return [tmp_path / who for who in "abc"]


def test_two_annotators_have_no_agreement_of_several(folders):
    events = []
    found = drain(compare_files(folders[:2]), events.append)
    assert found.krippendorff_alpha is None
    assert found.alpha_cases == 0
    assert [case.fleiss_kappa for case in found.cases] == [None, None]
    assert [case.case for case in found.cases] == ["1", "2"]
    for case, seed in zip(found.cases, (1, 2), strict=True):
        (other,) = case.others
        assert other.totals.dice == pytest.approx(dice(*masks(2, seed)))
        assert len(other.frames) == SHAPE[0]
    done = [e.done for e in events if isinstance(e, Progress) and e.unit == "cases"]
    assert done == [1, 2]


def test_three_annotators_agree_over_all_cases(folders):
    found = drain(compare_files(folders))
    votes = sum(tally_votes(masks(3, seed)) for seed in (1, 2))
    assert found.krippendorff_alpha == pytest.approx(krippendorff_alpha(votes))
    assert found.alpha_cases == 2
    for case, seed in zip(found.cases, (1, 2), strict=True):
        # Fleiss 1971, equations 2 to 7, for three annotators of every pixel.
        drawn = np.sum(masks(3, seed), axis=0)
        agree = (drawn * (drawn - 1) + (3 - drawn) * (2 - drawn)).mean() / 6
        share = drawn.mean() / 3
        chance = share**2 + (1 - share) ** 2
        assert case.fleiss_kappa == pytest.approx((agree - chance) / (1 - chance))
        assert len(case.others) == 2
    assert len(found.means) == 2


def test_a_case_on_another_grid_is_left_out_and_reported(folders):
    other = Volume.from_spacing(np.ones((3, 5, 5), np.uint8), SPACING)
    write_mask(other, folders[1] / "b_2.nii.gz", True)
    events = []
    found = drain(compare_files(folders[:2]), events.append)
    assert [case.case for case in found.cases] == ["1"]
    (stated,) = [event.message for event in events if isinstance(event, Notice)]
    assert stated.startswith("Case 2 is left out.")
    assert found.mispairs == [stated]
    (folders[0] / "a_1.nii.gz").unlink()
    with pytest.raises(InputError, match="share a grid"):
        drain(compare_files([folders[0] / "a_2.nii.gz", folders[1] / "b_2.nii.gz"]))


def test_tables_and_json_hold_every_frame(folders, tmp_path):
    found = drain(compare_files(folders[:2]))
    rows = {case.case: case.others[0].frames for case in found.cases}
    write_cases_csv(rows, tmp_path / "t.csv", units={"1": "mm", "2": "px"})
    with (tmp_path / "t.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [line["case"] for line in table] == ["1"] * 3 + ["2"] * 3
    assert [line["unit"] for line in table] == ["mm"] * 3 + ["px"] * 3
    write_frames_csv(rows["1"], tmp_path / "one.csv")
    with (tmp_path / "one.csv").open(newline="") as file:
        alone = list(csv.DictReader(file))
    assert "case" not in alone[0]
    assert "unit" not in alone[0]
    shared = set(alone[0])
    assert [{k: v for k, v in row.items() if k in shared} for row in table[:3]] == alone
    with pytest.raises(OutputError, match="already exists"):
        write_frames_csv(rows["1"], tmp_path / "one.csv")
    write_json(found, tmp_path / "t.json")
    read = json.loads((tmp_path / "t.json").read_text(encoding="utf-8"))
    assert read["krippendorff_alpha"] is None
    first = read["cases"][0]["others"][0]["totals"]["dice"]
    assert first == found.cases[0].others[0].totals.dice


def test_numbers_without_meaning_are_null(tmp_path):
    write_json({1: (float("nan"), float("inf"), 2.5, True)}, tmp_path / "a.json")
    read = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert read == {"1": [None, None, 2.5, True]}
