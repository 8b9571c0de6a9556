import csv
import json
import subprocess
import sys

import numpy as np
import pytest

import napari_microus.cli.commands  # noqa: F401  registers the commands
from napari_microus.cli import app
from napari_microus.core.compare import hard_region
from napari_microus.core.compare.network_grid import network_hard_region
from napari_microus.core.errors import ConfigError, InputError, OutputError
from napari_microus.core.io import read_volume, write_mask
from napari_microus.core.volume import Volume

SPACING = (1.0, 0.5, 0.5)


def mask(columns=(10, 20), frames=2):
    array = np.zeros((frames, 30, 40), np.uint8)
    array[:, 10:20, slice(*columns)] = 1
    return array


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(Volume.from_spacing(array, SPACING), path)
    return path


def run(*arguments):
    app([str(a) for a in arguments], standalone_mode=False)


@pytest.fixture
def files(tmp_path):
    return (
        write(tmp_path / "expert_1.nii.gz", mask()),
        write(tmp_path / "student_1.nii.gz", mask((10, 24))),
        write(tmp_path / "resident_1.nii.gz", mask((10, 22))),
    )


def test_two_files_give_a_table_csv_and_json(files, tmp_path, capsys):
    run(
        *("compare", files[0], files[1], "--progress", "none"),
        *("--csv", tmp_path / "out" / "frames.csv", "--json", tmp_path / "all.json"),
    )
    assert "0.833" in capsys.readouterr().out  # 2 · 100 / (100 + 140)
    with (tmp_path / "out" / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == ["0", "1"]
    assert rows[0]["case"] == "1"
    assert float(rows[0]["hd95_mm"]) == pytest.approx(2.0)
    case = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))["cases"][0]
    assert case["fleiss_kappa"] is None
    other = case["others"][0]
    assert other["file"] == "student_1.nii.gz"
    assert other["totals"]["volume_difference_ml"] == pytest.approx(80 * 0.25 / 1000)
    assert {place["place"] for place in other["places"]} >= {"left", "first third"}


def test_three_files_give_consensus_and_fleiss(files, tmp_path, capsys):
    run(
        *("compare", *files, "--progress", "none", "--consensus", "majority"),
        *("--consensus-out", tmp_path / "c.nii.gz"),
    )
    assert "Fleiss' kappa of case 1" in capsys.readouterr().out
    fused = read_volume(tmp_path / "c.nii.gz")
    np.testing.assert_array_equal(fused.array, mask((10, 22)))
    assert fused.shares_grid(read_volume(files[0]))


def test_the_hard_region_is_that_of_the_losses(files, tmp_path):
    run(
        *("compare", files[0], files[1], "--progress", "none"),
        *("--hard-region", tmp_path / "h.nii.gz", "--kernel-size", 3),
    )
    expected = network_hard_region(mask(), mask((10, 24)), 3)
    written = read_volume(tmp_path / "h.nii.gz").array
    np.testing.assert_array_equal(written, expected)


def test_the_hard_region_can_be_made_in_pixels_of_the_scan(files, tmp_path):
    run(
        *("compare", files[0], files[1], "--progress", "none", "--kernel-grid", "scan"),
        *("--hard-region", tmp_path / "h.nii.gz", "--kernel-size", 3),
    )
    expected = hard_region(mask(), mask((10, 24)), 3)
    written = read_volume(tmp_path / "h.nii.gz").array
    np.testing.assert_array_equal(written, expected)


def test_folders_pair_by_number_and_mispairs_are_listed(tmp_path, capsys):
    for number in (1, 2, 3):
        write(tmp_path / "e" / f"expert_{number:02}.nii.gz", mask())
    for number in (1, 2, 9):
        write(tmp_path / "n" / f"non_{number}.nii.gz", mask((10, 24)))
    write(tmp_path / "e" / "expert_04.nii.gz", mask())
    write(tmp_path / "n" / "non_4.nii.gz", mask(frames=5))
    run(
        *("compare", tmp_path / "e", tmp_path / "n", "--progress", "none"),
        *("--panels", tmp_path / "panels", "--hard-region", tmp_path / "hard"),
        *("--json", tmp_path / "all.json"),
    )
    said = " ".join(capsys.readouterr().out.split())
    assert "expert_03.nii.gz: no file for 3" in said
    assert "non_9.nii.gz: no file for 9" in said
    assert "Case 4 is left out. Mask and image must share a grid" in said
    assert sorted(p.name for p in (tmp_path / "panels").iterdir()) == [
        "case_1.png",
        "case_2.png",
    ]
    assert (tmp_path / "hard" / "hard_region_2.nii.gz").exists()
    stored = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert [case["case"] for case in stored["cases"]] == ["1", "2"]
    assert len(stored["mispairs"]) == 3


def test_nothing_is_overwritten(files, tmp_path):
    existing = tmp_path / "frames.csv"
    existing.write_text("mine")
    with pytest.raises(OutputError, match="must not exist yet"):
        run("compare", *files[:2], "--progress", "none", "--csv", existing)
    assert existing.read_text(encoding="utf-8") == "mine"
    run("compare", *files[:2], "--progress", "none", "--csv", existing, "--overwrite")
    assert existing.read_text(encoding="utf-8").startswith("case,frame")


def test_what_cannot_be_done_is_said_before_the_work(files, tmp_path):
    with pytest.raises(ConfigError, match="Two or more annotators"):
        run("compare", files[0])
    with pytest.raises(ConfigError, match="must come together"):
        run("compare", *files, "--consensus", "staple")
    with pytest.raises(InputError, match="STAPLE needs three or more"):
        run(
            *("compare", *files[:2], "--consensus", "staple"),
            *("--consensus-out", tmp_path / "c.nii.gz"),
        )
    other = write(tmp_path / "other_1.nii.gz", mask(frames=3))
    with pytest.raises(InputError, match="share a grid"):
        run("compare", files[0], other, "--progress", "none")


def test_the_command_ends_with_one_sentence_and_status_2(files):
    done = subprocess.run(
        [sys.executable, "-m", "napari_microus", "compare", files[0], "missing.nii"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    said = done.stderr.strip()
    assert said.startswith("napari-microus: Masks must exist; got missing.nii")
    assert "\n" not in said
