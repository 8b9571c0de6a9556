import re

import pytest

from napari_microus.core.errors import InputError
from napari_microus.core.io.pairing import pair, patient_of, trailing_number


def fill(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("expert_annotation_train_01.nii.gz", "1"),
        ("microUS_test_07_1.nii.gz", "7_1"),
        ("p10.seg.nrrd", "10"),
        ("mask.png", None),
        ("scan-003.tif", "3"),
    ],
)
def test_the_number_at_the_end_is_found(name, number):
    assert trailing_number(name) == number


def test_prefixes_may_differ_and_mispairs_are_listed(tmp_path):
    one = fill(tmp_path / "expert", "expert_01.nii.gz", "expert_2.nii", "expert_10.nii")
    two = fill(tmp_path / "student", "s_1.nii.gz", "s_10.nii", "s_11.nii", "notes.txt")
    pairing = pair(one, two)
    assert [name for name, _ in pairing.cases] == ["1", "10"]
    assert [path.name for path in pairing.cases[0][1]] == [
        "expert_01.nii.gz",
        "s_1.nii.gz",
    ]
    assert len(pairing.mispairs) == 2
    assert "expert_2.nii: no file for 2 in" in pairing.mispairs[0]
    assert "s_11.nii: no file for 11 in" in pairing.mispairs[1]


def test_two_files_of_one_number_are_not_guessed_at(tmp_path):
    one = fill(tmp_path / "a", "x_1.png", "y_1.png", "x_2.png")
    two = fill(tmp_path / "b", "z_1.png", "z_2.png")
    pairing = pair(one, two)
    assert [name for name, _ in pairing.cases] == ["2"]
    assert pairing.mispairs == (f"x_1.png, y_1.png: several files for 1 in {one}.",)


def test_names_without_numbers_pair_when_equal(tmp_path):
    one = fill(tmp_path / "a", "left.png")
    two = fill(tmp_path / "b", "left.tif")
    assert [name for name, _ in pair(one, two).cases] == ["left"]


def test_files_given_one_by_one_are_one_case(tmp_path):
    folder = fill(tmp_path / "a", "gold.png", "other.png", "third.png")
    pairing = pair(*(folder / n for n in ("gold.png", "other.png", "third.png")))
    assert len(pairing.cases[0][1]) == 3


def test_what_cannot_be_paired_is_refused(tmp_path):
    folder = fill(tmp_path / "a", "x_1.png")
    empty = fill(tmp_path / "b")
    with pytest.raises(InputError, match="which does not"):
        pair(folder, tmp_path / "missing")
    with pytest.raises(InputError, match="all files or all folders"):
        pair(folder, folder / "x_1.png")
    with pytest.raises(InputError, match="got none in"):
        pair(folder, empty)


def test_cases_that_some_lack_are_incomplete(tmp_path):
    one = fill(tmp_path / "a", "a_1.nii", "a_2.nii", "a_3.nii", "a_4.nii")
    two = fill(tmp_path / "b", "b_1.nii", "b_3.nii", "x_3.nii")
    three = fill(tmp_path / "c", "c_1.nii", "c_2.nii")
    pairing = pair(one, two, three)
    assert [name for name, _ in pairing.cases] == ["1"]
    # 3 has two files in one folder, 4 a single file in all.
    assert pairing.incomplete == (("2", (one / "a_2.nii", None, three / "c_2.nii")),)
    assert len(pairing.mispairs) == 5


def test_files_can_be_skipped_by_name(tmp_path):
    one = fill(tmp_path / "a", "a_1.nii", "a_1_again.nii")
    two = fill(tmp_path / "b", "b_1.nii")
    pairing = pair(one, two, skip=re.compile("again$"))
    assert len(pairing.cases) == 1
    assert not pairing.mispairs


@pytest.mark.parametrize(
    ("case", "patient"),
    [("7", "7"), ("7_1", "7"), ("7_1_2", "7"), ("left_7_b", "left_7_b"), ("2x", "2x")],
)
def test_scans_of_one_number_are_one_patient(case, patient):
    assert patient_of(case) == patient
