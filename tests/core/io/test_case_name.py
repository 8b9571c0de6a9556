import numpy as np
import pytest

from dicom_files import dataset, save
from napari_microus.core.io.case_name import case_name


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def scan(path, **elements):
    path.parent.mkdir(parents=True, exist_ok=True)
    elements = {"PatientName": "Müller^Anna", "PatientID": "47-11"} | elements
    elements.setdefault("PatientBirthDate", "19430317")
    return save(dataset(np.zeros((4, 5), np.uint8), **elements), path)


@pytest.mark.parametrize(
    "name",
    ["Muller_1.dcm", "x_ANNA.dcm", "scan 4711.dcm", "us-1943-03-17.dcm", "müller"],
)
def test_a_name_that_states_the_patient_becomes_the_pseudonym(tmp_path, name):
    found = case_name(scan(tmp_path / name))
    assert found.startswith("P-")
    assert found == case_name(scan(tmp_path / "other" / name))


def test_a_folder_too(tmp_path):
    scan(tmp_path / "Anna" / "1.dcm")
    assert case_name(tmp_path / "Anna").startswith("P-")


@pytest.mark.parametrize("name", ["case_12.dcm", "IM0001", "an.dcm"])
def test_another_name_stays(tmp_path, name):
    assert case_name(scan(tmp_path / name)) == name.removesuffix(".dcm")


def test_files_of_other_formats_keep_theirs(tmp_path):
    (tmp_path / "Anna.png").write_bytes(b"x")
    assert case_name(tmp_path / "Anna.png") == "Anna"


def test_a_damaged_file_is_left_to_its_reader(tmp_path):
    (tmp_path / "Anna.dcm").write_bytes(b"x" * 200)
    assert case_name(tmp_path / "Anna.dcm") == "Anna"
