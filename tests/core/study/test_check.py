from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_microus.core.events import drain
from napari_microus.core.study import Study, check_study, import_folder

CASES = Path(__file__).parents[2] / "data" / "cases"


@pytest.fixture
def findings_of(study_of):
    return lambda study: drain(check_study(study))


def test_a_sound_study_gives_no_finding(study_of, findings_of):
    assert findings_of(study_of(3)) == []


def test_the_same_image_under_two_patients_is_an_error(study_of, case_of, findings_of):
    study = study_of(2)
    study.add_case("copy", "p7", *case_of(0))
    (finding,) = findings_of(study)
    assert finding.level == "error"
    assert finding.case == "copy"
    assert "'case0'" in finding.message


def test_an_empty_mask_is_reported(study_of, case_of, findings_of):
    study = study_of(1)
    scan, expert, _ = case_of(5)
    study.add_case("empty", "p5", scan, scan.like(np.zeros_like(expert.array)))
    (finding,) = findings_of(study)
    assert "expert mask is empty" in finding.message


def test_masks_of_another_size_or_place_are_reported(study_of, case_of, findings_of):
    study = study_of(2)
    other = case_of(0, frames=4)[1]
    moved = replace(case_of(1)[1], affine=np.diag([1.0, 1, 1, 1]))
    from napari_microus.core.io import write_mask

    write_mask(other, study.folder / "cases/case0/expert.nii.gz", overwrite=True)
    write_mask(moved, study.folder / "cases/case1/expert.nii.gz", overwrite=True)
    found = {f.case: f.message for f in findings_of(study)}
    assert "it has 4 frames of 40 × 48 pixels" in found["case0"]
    assert "voxels have 1 × 1 × 1 mm, and the scan's 1 × 0.2" in found["case1"]


def test_a_patient_in_two_splits_is_an_error(study_of, case_of, findings_of):
    study = study_of(1)
    study.add_case("more", "p0", *case_of(8), split="val")
    (finding,) = findings_of(study)
    assert "Patient 'p0' is in more than one split" in finding.message


def test_a_missing_file_is_an_error_of_its_case(study_of, findings_of):
    study = study_of(2)
    (study.folder / "cases/case0/image.nii.gz").unlink()
    (finding,) = findings_of(study)
    assert (finding.level, finding.case) == ("error", "case0")


def test_a_study_without_cases_is_an_error(tmp_path, findings_of):
    (finding,) = findings_of(Study.create(tmp_path / "empty"))
    assert (finding.level, finding.case) == ("error", "")
    assert "no case in use" in finding.message


def test_repeated_use_of_the_test_set_is_reported(study_of, findings_of):
    study = study_of(1)
    study.open_test_set("a")
    study.open_test_set("b")
    assert "opened 2 times" in findings_of(study)[0].message


def test_pixels_that_are_no_numbers_are_errors_before_training(tmp_path):
    study = Study.create(tmp_path / "nan")
    import_folder(study, CASES / "18_nan_study")
    findings = drain(check_study(study))
    assert [(f.level, f.case) for f in findings] == [("error", "p0"), ("error", "p1")]
    assert "Some pixels of its image (1) are no numbers" in findings[0].message
