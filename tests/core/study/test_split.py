from dataclasses import replace

import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.study import Study, StudyCase, split_in_folds, split_study
from napari_microus.core.study.split import training_cases


@pytest.fixture
def study(tmp_path):
    """Ten patients with three scans each; the files do not exist."""
    study = Study.create(tmp_path / "study")
    study.cases = [
        StudyCase(f"p{p}_{scan}", f"p{p}", "image.nii", "expert.nii")
        for p in range(10)
        for scan in range(3)
    ]
    study.save()
    return study


def patients(study, split):
    return {case.patient for case in study.cases if case.split == split}


def test_no_patient_is_in_two_splits(study):
    split_study(study, val=0.2, test=0.3)
    train, val, test = (patients(study, name) for name in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (5, 2, 3)
    assert not train & val
    assert not train & test
    assert not val & test


def test_a_test_set_stays_as_it_is(study):
    split_study(study, val=0.2, test=0.3)
    before = patients(study, "test")
    split_study(study, val=0.3, test=0.5, seed=9)
    assert patients(study, "test") == before


def test_the_split_does_not_depend_on_the_order_of_the_manifest(study):
    split_study(study, val=0.3, seed=1)
    first = patients(study, "val")
    study.cases = [replace(case, split="") for case in reversed(study.cases)]
    split_study(study, val=0.3, seed=1)
    assert patients(study, "val") == first


def test_folds_hold_each_patient_out_once(study):
    split_in_folds(study, 5)
    held = [training_cases(study, fold)[1] for fold in range(5)]
    seen = sorted(case.case for cases in held for case in cases)
    assert seen == sorted(case.case for case in study.cases)
    for fold in range(5):
        train, val, _ = training_cases(study, fold)
        assert not {c.patient for c in train} & {c.patient for c in val}


def test_too_few_patients_are_counted(study):
    study.cases = study.cases[:6]  # two patients
    with pytest.raises(InputError, match=r"at least 3 patients.*got 2\. Add 1 more"):
        split_study(study, val=0.2, test=0.2)
    with pytest.raises(InputError, match=r"5 folds need.*got 2\. Add 3 more"):
        split_in_folds(study, 5)


def test_one_patient_is_not_enough_to_train(study):
    study.cases = study.cases[:3]
    with pytest.raises(InputError, match=r"at least 2 patients.*got 1"):
        training_cases(study, None)


def test_training_never_sees_a_test_case_or_an_ignored_one(study):
    split_study(study, val=0.2, test=0.3)
    study.cases[0] = replace(study.cases[0], ignore=True)
    train, val, _ = training_cases(study, None)
    names = {case.case for case in train + val}
    assert "p0_0" not in names
    assert not {c.patient for c in train + val} & patients(study, "test")


def test_a_study_that_was_never_split_is_shared_for_the_occasion(study):
    train, val, sentence = training_cases(study, None)
    assert len({c.patient for c in val}) == 2
    assert not {c.patient for c in train} & {c.patient for c in val}
    assert "held out" in sentence


def test_a_patient_on_both_sides_is_refused(study):
    study.cases = [replace(c, split="train") for c in study.cases]
    study.cases[0] = replace(study.cases[0], split="val")
    with pytest.raises(InputError, match="got 'p0' in training and validation"):
        training_cases(study, None)


def test_a_fold_that_does_not_exist_is_refused(study):
    split_in_folds(study, 2)
    with pytest.raises(InputError, match="0, 1"):
        training_cases(study, 2)
    with pytest.raises(InputError, match="got None"):
        training_cases(study, None)


def test_what_comes_after_the_split_stays_with_its_patient(study):
    split_study(study, val=0.2, test=0.3)
    for place, patient in enumerate(
        [min(patients(study, "val")), min(patients(study, "test")), "new"]
    ):
        study.add(StudyCase(f"late{place}", patient, "image.nii", "expert.nii"))

    train, val, sentence = training_cases(study, None)

    assert "late0" in {case.case for case in val}
    assert "late2" in {case.case for case in train}
    assert "late1" not in {case.case for case in train + val}
    assert "2 cases of 2 patients came after the split" in sentence


def test_a_new_case_of_a_tested_patient_is_never_learnt_from(study):
    study.cases[0] = replace(study.cases[0], split="test")

    train, val, _ = training_cases(study, None)

    assert "p0" not in {case.patient for case in train + val}


def test_patients_without_a_mask_are_not_split_yet(study):
    study.cases += [StudyCase(f"bare{p}", f"bare{p}", "i.nii") for p in range(40)]

    split_study(study, val=0.2)

    assert len(patients(study, "train")) == 8
    assert len(patients(study, "val")) == 2
    assert len(patients(study, "")) == 40
