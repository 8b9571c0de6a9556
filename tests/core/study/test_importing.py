from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_microus.core.errors import InputError
from napari_microus.core.events import drain
from napari_microus.core.io import write_mask, write_volume
from napari_microus.core.study import Study, import_folder


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "study")


def test_the_micro_us_layout_is_paired_by_trailing_number(tmp_path, study, case_of):
    root = tmp_path / "dataset"
    files = {
        "train/micro_ultrasound_scans/microUS_train_01": 0,
        "train/expert_annotations/expert_annotation_train_01": 1,
        "train/non_expert_annotations/nonexpert_annotation_train_01": 2,
        "train/micro_ultrasound_scans/microUS_train_05_1": 0,
        "train/expert_annotations/expert_annotation_train_05_1": 1,
        "test/micro_ultrasound_scans/microUS_test_02": 0,
        "test/expert_annotations/expert_annotation_test_02": 1,
        "test/clinician_annotations/clinician_annotation_test_02": 2,
        "test/master_student_annotations/student_annotation_test_02": 2,
    }
    for name, kind in files.items():
        write = write_volume if kind == 0 else write_mask
        write(case_of(1)[kind], root / f"{name}.nii.gz")

    import_folder(study, root)

    by_name = {case.case: case for case in Study.open(study.folder).cases}
    assert set(by_name) == {"train_01", "train_05_1", "test_02"}
    assert by_name["train_05_1"].patient == "train_05"
    assert by_name["train_01"].nonexpert.endswith(
        "nonexpert_annotation_train_01.nii.gz"
    )
    assert by_name["train_05_1"].nonexpert == ""
    assert by_name["test_02"].split == "test"
    assert set(by_name["test_02"].annotators) == {"clinician", "master_student"}
    _scan, expert, _nonexpert = study.read(by_name["train_01"])
    np.testing.assert_array_equal(expert.array, case_of(1)[1].array)


def test_nnu_net_folders_are_read(tmp_path, study, case_of):
    scan, expert, _ = case_of(2)
    write_volume(scan, tmp_path / "d/imagesTr/pat_003_0000.nii.gz")
    write_mask(expert, tmp_path / "d/labelsTr/pat_003.nii.gz")
    write_volume(scan, tmp_path / "d/imagesTs/pat_004_0000.nii.gz")

    import_folder(study, tmp_path / "d", patient_pattern=r"pat_(\d+)")

    first, second = study.cases
    assert (first.case, first.patient, first.split) == ("pat_003", "003", "")
    assert (second.expert, second.split) == ("", "test")
    assert study.read(first)[1].array.sum() == expert.array.sum()


@pytest.fixture
def pictures(tmp_path, case_of):
    for number in range(3):
        scan, expert, _ = case_of(number, frames=1)
        for kind, array in (
            ("images", scan.array[0]),
            ("masks", expert.array[0] * 255),
        ):
            folder = tmp_path / "plain" / kind
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(folder / f"{number:03}_HC.png")
    return tmp_path / "plain"


def test_plain_folders_follow_their_split_table(pictures, study):
    (pictures / "split.csv").write_text(
        "file,exam,split\n000_HC.png,a,train\n001_HC.png,a,train\n002_HC.png,b,val\n"
    )
    import_folder(study, pictures)
    assert [(c.patient, c.split) for c in study.cases] == [
        ("a", "train"),
        ("a", "train"),
        ("b", "val"),
    ]
    scan, expert, nonexpert = study.read(study.cases[0])
    assert scan.shape == (1, 40, 48)
    assert set(np.unique(expert.array)) == {0, 1}
    assert nonexpert is None


def test_plain_files_without_table_say_that_each_is_a_patient(pictures, study):
    notices = import_folder(study, pictures)
    assert any("3 files counts as a patient of its own" in text for text in notices)
    assert len(study.patients) == 3


def test_importing_twice_adds_nothing(pictures, study):
    import_folder(study, pictures)
    notices = import_folder(study, pictures)
    assert "3 cases were listed already." in notices
    assert len(study.cases) == 3


def test_a_folder_of_no_known_layout_is_refused(tmp_path, study):
    with pytest.raises(InputError, match="known layout"):
        import_folder(study, tmp_path)


def test_a_pattern_that_misses_a_file_is_refused(pictures, study):
    with pytest.raises(InputError, match="fit every file; got '000_HC'"):
        import_folder(study, pictures, patient_pattern=r"patient(\d+)")


CASES = Path(__file__).parents[2] / "data" / "cases"


def test_nnu_net_files_say_that_each_is_a_patient_and_how_to_state_it(study):
    notices = import_folder(study, CASES / "10_nnunet_patients")
    assert any("6 files counts as a patient" in text for text in notices)
    assert any("--patient-pattern" in text for text in notices)


def test_nnu_net_patients_are_read_off_the_names(study):
    pattern = r"(site_\d\d)\d\d"
    notices = import_folder(
        study, CASES / "10_nnunet_patients", patient_pattern=pattern
    )
    assert study.patients == ["site_08", "site_09", "site_10"]
    assert not any("counts as a patient" in text for text in notices)


def test_masks_of_another_pixel_size_are_refused_and_nothing_is_added(study):
    with pytest.raises(InputError, match=r"3 masks do not lie .* 0\.08 × 0\.1 mm"):
        import_folder(study, CASES / "09_study_doubled_spacing")
    assert study.cases == []


def test_folder_that_phantom_wrote_is_a_study(study, tmp_path):
    from napari_microus.core.phantom.files import write_phantoms

    drain(write_phantoms(tmp_path / "made", seed=3, frames=2, shape=(60, 80)))
    import_folder(study, tmp_path / "made")
    assert [c.case for c in study.cases] == ["phantom_0003"]
    _, expert, nonexpert = study.read(study.cases[0])
    assert expert.shape == nonexpert.shape == (2, 60, 80)
