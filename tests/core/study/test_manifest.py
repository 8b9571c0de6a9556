from dataclasses import replace

import imageio.v3 as iio
import numpy as np
import pytest

from napari_microus.core.errors import InputError, OutputError
from napari_microus.core.study import Study, StudyCase, import_folder
from napari_microus.core.study.table import MANIFEST, read_pixel
from napari_microus.core.volume import Volume
from small_disk import files_of_at_most


def test_a_case_is_read_back_with_its_geometry(study_of, case_of):
    study_of(2)
    study = Study.open(study_of(1, "other").folder.parent / "study")

    scan, expert, nonexpert = study.read(study.cases[1])

    wanted = case_of(1)
    for found, true in zip((scan, expert, nonexpert), wanted, strict=True):
        np.testing.assert_array_equal(found.array, true.array)
        assert found.shares_grid(true)


def test_a_missing_second_annotation_is_none(study_of):
    study = study_of(1, nonexpert=False)
    assert study.read(study.cases[0])[2] is None


def test_further_annotators_become_columns(study_of, case_of):
    study = study_of(1)
    scan, expert, nonexpert = case_of(9)
    study.add_case("x", "p9", scan, expert, annotators={"student": nonexpert})

    header = (study.folder / "manifest.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "case,patient,image,expert,nonexpert,student,split,ignore"
    assert Study.open(study.folder).cases[1].annotators == {
        "student": "cases/x/student.nii.gz"
    }


def test_a_mask_of_another_grid_is_refused_and_nothing_is_written(study_of, case_of):
    study = study_of(1)
    _scan, expert, _ = case_of(3)
    with pytest.raises(InputError, match="must share a grid"):
        study.add_case("x", "p", case_of(3, frames=5)[0], expert)
    assert not (study.folder / "cases" / "x").exists()
    assert len(Study.open(study.folder).cases) == 1


def test_a_second_study_in_a_folder_is_refused(study_of):
    study = study_of(1)
    with pytest.raises(OutputError, match="folder of its own"):
        Study.create(study.folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("case,image\n", "no 'patient'"),
        ("case,patient,image,expert,split\na,b,c,d,training\n", "got 'training'"),
        ("case,patient,image,expert\na,b,c,d\na,b,c,d\n", "'a' twice"),
        ("case,patient,image,expert\n../a,b,c,d\n", "letters, digits"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_explained(tmp_path, text, words):
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        Study.open(tmp_path)


def test_a_folder_without_manifest_is_explained(tmp_path):
    with pytest.raises(InputError, match=r"manifest\.csv"):
        Study.open(tmp_path)


def test_opening_the_test_set_is_remembered(study_of):
    study = study_of(3)
    study.cases[0] = StudyCase("case0", "p0", "cases/case0/image.nii.gz", split="test")
    study.save()

    assert [c.case for c in study.open_test_set("final table")] == ["case0"]
    (use,) = Study.open(study.folder).test_uses()
    assert use["purpose"] == "final table"
    assert use["cases"] == 1


def test_a_waiting_case_gets_its_masks(study_of, case_of):
    study = study_of(1)
    scan, expert, other = case_of(3)
    study.add_case("bare", "p7", scan, split="train")

    study.add_masks("bare", expert, other)

    (_, case) = Study.open(study.folder).cases
    assert (case.patient, case.split) == ("p7", "train")
    read = study.read(case)
    for mask, written in zip(read[1:], (expert, other), strict=True):
        np.testing.assert_array_equal(mask.array, written.array)


def test_an_annotated_case_keeps_its_masks(study_of, case_of):
    study = study_of(1)
    with pytest.raises(InputError, match="without an expert mask; got 'case0'"):
        study.add_masks("case0", case_of(0)[1])


def test_masks_of_another_grid_are_refused_and_nothing_is_written(study_of, case_of):
    study = study_of(1)
    study.add_case("bare", "p7", case_of(3)[0])
    with pytest.raises(InputError, match="must share a grid"):
        study.add_masks("bare", case_of(3, frames=5)[1])
    assert not (study.folder / "cases" / "bare" / "expert.nii.gz").exists()


@pytest.fixture
def pictures(tmp_path):
    """Two pictures with masks, none of which states a pixel size."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    y, x = np.mgrid[:30, :40]
    for number in (1, 2):
        disc = np.hypot(y - 15, x - 20) < 5 + number
        scan = np.where(disc, 200, 30 + x).astype(np.uint8)
        iio.imwrite(tmp_path / "images" / f"p{number}.png", scan)
        iio.imwrite(tmp_path / "masks" / f"p{number}.png", disc.astype(np.uint8) * 255)
    return tmp_path


def test_a_stated_pixel_size_places_scan_and_mask(pictures):
    study = Study.create(pictures / "study")
    import_folder(study, pictures)
    assert not study.states_size(study.cases[0])
    assert study.state_pixel((0.1, 0.12)) == 2
    again = Study.open(pictures / "study")
    case = again.cases[0]
    assert case.spacing_mm == (0.1, 0.12)
    assert again.states_size(case)
    scan, expert, _ = again.read(case)
    assert scan.spacing_mm == pytest.approx((1.0, 0.1, 0.12))
    assert scan.has_geometry
    assert not scan.knows_frame_distance
    assert expert.shares_grid(scan)
    assert "0.1x0.12" in (pictures / "study" / "manifest.csv").read_text(
        encoding="utf-8"
    )


def test_a_study_without_stated_sizes_has_no_such_column(pictures):
    study = Study.create(pictures / "study")
    import_folder(study, pictures)
    assert "spacing_mm" not in (pictures / "study" / "manifest.csv").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("text", ["0", "-1", "nan", "0.1x", "a", "0.1x0.1x1", "inf"])
def test_a_pixel_size_that_is_none_is_refused(text):
    with pytest.raises(InputError, match=r"must be mm above 0.*case 'p1'"):
        read_pixel(text, "case 'p1'")


def test_a_pixel_size_that_contradicts_the_file_is_refused(tmp_path):
    study = Study.create(tmp_path)
    array = np.arange(60, dtype=np.uint8).reshape(1, 6, 10)
    scan = Volume.from_spacing(array, (1.0, 0.2, 0.2))
    case = study.add_case("a", "a", scan)
    stated = replace(case, spacing_mm=(0.1, 0.1))
    with pytest.raises(InputError, match=r"got 0\.1 mm for case 'a'.*0\.2x0\.2 mm"):
        study.read_scan(stated)
    assert study.state_pixel((0.1, 0.1)) == 0  # the file states it


@pytest.mark.parametrize("size", [0, 300])
def test_a_full_disk_adds_no_case(tmp_path, case_of, size):
    study = Study.create(tmp_path / "study")
    scan, expert, other = case_of(0)
    with files_of_at_most(size), pytest.raises(OutputError, match="File too large"):
        study.add_case("a", "p1", scan, expert, other)
    assert study.cases == []
    assert not (tmp_path / "study" / "cases").exists()

    study.add_case("a", "p1", scan, expert, other)
    assert [case.case for case in Study.open(tmp_path / "study").cases] == ["a"]


def test_a_manifest_that_cannot_be_written_leaves_no_files(tmp_path, case_of):
    study = Study.create(tmp_path / "study")
    scan, expert, other = case_of(0)
    (tmp_path / "study" / MANIFEST).unlink()
    (tmp_path / "study" / MANIFEST / "in the way").mkdir(parents=True)
    with pytest.raises(OutputError, match="Cannot write to"):
        study.add_case("a", "p1", scan, expert, other)
    assert not list((tmp_path / "study" / "cases").iterdir())
    assert study.cases == []


def test_an_annotation_that_cannot_be_listed_leaves_no_masks(tmp_path, case_of):
    study = Study.create(tmp_path / "study")
    scan, expert, other = case_of(0)
    study.add_case("a", "p1", scan)
    (tmp_path / "study" / MANIFEST).unlink()
    (tmp_path / "study" / MANIFEST / "in the way").mkdir(parents=True)
    with pytest.raises(OutputError, match="Cannot write to"):
        study.add_masks("a", expert, other)
    assert study.cases[0].expert == ""
    found = (tmp_path / "study" / "cases" / "a").iterdir()
    assert [path.name for path in found] == ["image.nii.gz"]


def test_an_array_of_yes_and_no_is_no_scan(tmp_path, case_of):
    study = Study.create(tmp_path / "study")
    scan, expert, _ = case_of(0)
    with pytest.raises(InputError, match="must hold intensities"):
        study.add_case("a", "p1", scan.like(scan.array > 9), expert)
