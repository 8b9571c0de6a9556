import csv
import json

import numpy as np
import pytest

from dicom_files import dataset, save
from napari_microus.core.io import read_volume, write_mask, write_volume
from napari_microus.core.volume import Volume


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def files(tmp_path):
    """A scan and its capsule: 5 × 6 pixels of 0.2 mm² in 3 of 5 frames, 2 mm apart."""
    array = np.random.default_rng(4).integers(0, 255, (5, 20, 24), np.uint8)
    scan = Volume.from_spacing(array, (2.0, 0.5, 0.4))
    inside = np.zeros(array.shape, np.uint8)
    inside[1:4, 4:9, 6:12] = 1
    write_volume(scan, tmp_path / "scan.nii.gz")
    made = {
        "model": "microus-small",
        "model_version": "3",
        "review": {"edited": [2], "approved": [1]},
    }
    write_mask(scan.like(inside), tmp_path / "mask.nii.gz", provenance=made)
    probability = np.where(inside > 0, 0.9, 0.0).astype(np.float32)
    probability[:, 4:9, 12] = 0.5
    write_volume(scan.like(probability), tmp_path / "p.nii.gz")
    return tmp_path / "scan.nii.gz", tmp_path / "mask.nii.gz"


@pytest.fixture
def run(run_command, files, tmp_path):
    """Save a case in ``case``, with options."""

    def save_it(*options):
        scan, mask = files
        line = [scan, "--mask", mask, "-o", tmp_path / "case", *options]
        return run_command("case", "save", *line)

    return save_it


def test_a_case_is_saved_shown_checked_and_reported(run, run_command, tmp_path, capsys):
    options = ["--code", "P-7", "--psa", "6", "--diameters-mm", "50x40x30"]
    options += ["--probability", tmp_path / "p.nii.gz", "--note", "Twice."]
    assert run(*options) == 0
    capsys.readouterr()
    folder = tmp_path / "case"

    assert run_command("case", "show", folder) == 0
    shown = capsys.readouterr().out
    assert "case P-7, saved 1 time" in shown
    assert "3 of 5 frames outlined, 1 changed by hand, 1 approved" in shown
    assert "largest area 6.0 mm² in frame 1" in shown
    # 6 mm² × 3 × 2 mm; half the interval is 1.96 · 5 px / 1.6832 · 0.2 mm² × 3 × 2 mm
    assert "0.036 mL, planimetry of parallel frames, 95 % interval 0.029 to 0.043" in (
        shown
    )
    assert "31.4 mL, ellipsoid" in shown
    assert "PSA density 0.191" in shown
    assert "drawn by microus-small, version 3" in shown
    assert "note: Twice." in shown

    assert run_command("case", "check", folder) == 0
    assert "is whole" in capsys.readouterr().out
    assert run_command("case", "report", folder, "-o", tmp_path / "r.html") == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Case P-7" in page
    assert "not for clinical decisions" in page
    assert run_command("case", "report", folder, "-o", tmp_path / "r.html") == 2
    assert "Use --overwrite" in capsys.readouterr().err


def test_a_case_as_json_and_csv(run, run_command, tmp_path, capsys):
    assert run("--progress", "json") == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["result"]["volume_ml"] == pytest.approx(0.036)
    line = [tmp_path / "case", "--json", "--csv", tmp_path / "frames.csv"]
    assert run_command("case", "show", *line) == 0

    stated = json.loads(capsys.readouterr().out)
    assert stated["case"].startswith("C-")
    assert (stated["drawn"], stated["largest_area_mm2"]) == (3, pytest.approx(6))
    assert stated["volume_low_ml"] is None
    with (tmp_path / "frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["area_px"] for row in rows] == ["0", "30", "30", "30", "0"]
    assert run_command("case", "show", *line) == 2


def test_a_case_is_replaced_when_asked(run, run_command, tmp_path, capsys):
    assert run("--code", "P-7") == 0
    assert run() == 2
    assert "Use --overwrite to replace it" in capsys.readouterr().err
    assert run("--overwrite", "--copy-scan") == 0
    assert run_command("case", "show", tmp_path / "case") == 0
    assert "case P-7, saved 2 times" in capsys.readouterr().out
    assert (tmp_path / "case" / "scan.nii.gz").exists()


def test_a_scan_that_moved_is_named(run, run_command, files, tmp_path, capsys):
    assert run() == 0
    (tmp_path / "moved").mkdir()
    files[0].rename(tmp_path / "moved" / "other.nii.gz")
    line = [tmp_path / "case", "-o", tmp_path / "r.html"]

    assert run_command("case", "report", *line) == 2
    assert "Choose where it is now" in capsys.readouterr().err
    assert run_command("case", "check", tmp_path / "case") == 1
    assert run_command("case", "show", tmp_path / "case") == 0
    assert run_command("case", "report", *line, "--scan", tmp_path / "moved") == 0
    assert run_command("case", "check", tmp_path / "case") == 0


def test_what_is_wrong_is_reported_with_status_1(run, run_command, tmp_path, capsys):
    assert run() == 0
    path = tmp_path / "case" / "capsule_1.nii.gz"
    volume = read_volume(path)
    write_mask(volume.like(np.flip(volume.array, 1).copy()), path, overwrite=True)
    capsys.readouterr()

    assert run_command("case", "check", tmp_path / "case") == 1
    assert "'capsule' was changed" in capsys.readouterr().out


def test_a_pseudonym_is_the_patients_and_stable(run_command, tmp_path, capsys):
    array = np.random.default_rng(0).integers(0, 255, (3, 20, 24), np.uint8)
    scan = save(dataset(array, PatientID="ZQ-17"), tmp_path / "scan.dcm")
    volume = read_volume(scan)
    mask = tmp_path / "mask.nii.gz"
    write_mask(volume.like(np.ones(volume.shape, np.uint8)), mask)
    codes = []
    for name in ("one", "two"):
        line = [scan, "--mask", mask, "-o", tmp_path / name, "--pseudonym"]
        assert run_command("case", "save", *line) == 0
        codes.append(
            json.loads((tmp_path / name / "case.json").read_text(encoding="utf-8"))[
                "code"
            ]
        )

    assert codes[0] == codes[1]
    assert codes[0].startswith("P-")
    assert run_command("case", "save", *line, "--code", "x") == 2
    assert "--code and --pseudonym are both given" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--code", "a/b"], "This code cannot be used"),
        (["--psa", "-1"], "A PSA of -1.0 ng/ml is not possible"),
        (["--diameters-mm", "50xa"], "as 48x44x36"),
        (["--diameters-mm", "50x40"], "2 of the three diameters are given"),
        (["--probability", "nowhere.nii"], "There is no file nowhere.nii"),
        (["--pseudonym"], "DICOM"),
    ],
)
def test_what_cannot_be_ends_with_a_sentence(run, tmp_path, capsys, options, words):
    assert run(*options) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "case").exists()


def test_a_folder_without_a_case_ends_with_a_sentence(run_command, tmp_path, capsys):
    for command in ("show", "check"):
        assert run_command("case", command, tmp_path) == 2
        assert "no case that can be read" in capsys.readouterr().err
