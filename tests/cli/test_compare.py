import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import typer
from PIL import Image
from scipy.stats import ttest_1samp

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


def test_the_tolerance_is_asked_for_and_reported(files, tmp_path, capsys):
    for tolerance in (0, 2):
        run(
            *("compare", files[0], files[1], "--progress", "none"),
            *("--tolerance-mm", tolerance, "--overwrite"),
            *("--csv", tmp_path / "f.csv", "--json", tmp_path / "all.json"),
        )
        said = " ".join(capsys.readouterr().out.split())
        assert f"tolerance {tolerance} mm" in said
        with (tmp_path / "f.csv").open(newline="") as file:
            row = next(csv.DictReader(file))
        assert float(row["tolerance_mm"]) == tolerance
        assert row["unit"] == "mm"
        stored = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
        totals = stored["cases"][0]["others"][0]["totals"]
        # Squares of 36 and 44 contour pixels. Both lie on 2 · 10 + 8 common ones;
        # the right edges are 4 columns of 0.5 mm apart, within 2 mm.
        expected = (28 + 28) / (36 + 44) if tolerance == 0 else 1
        assert totals["mean_surface_dice"] == pytest.approx(expected)
        assert float(row["surface_dice"]) == pytest.approx(expected)
        # 8 pixels of the expert's right edge, in each of two frames.
        added = 2 * 8 * 0.5 if tolerance == 0 else 0
        assert totals["added_path_mm"] == pytest.approx(added)


def test_a_negative_tolerance_is_refused(files):
    with pytest.raises(typer.BadParameter, match=r"greater than or equal to 0|x>=0"):
        run("compare", *files[:2], "--tolerance-mm", -1)


def test_three_annotators_have_alpha_and_conformity_index(files, tmp_path, capsys):
    run("compare", *files, "--progress", "none", "--json", tmp_path / "all.json")
    said = " ".join(capsys.readouterr().out.split())
    # Rows of 10 pixels: 10 columns drew all three, 2 two and 2 one of 1200 pixels.
    # Common to pairs 3 · 10 + 2 = 32 columns, drawn by either of a pair 12 + 14 + 14.
    assert "conformity index 0.800" in said
    case = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))["cases"][0]
    assert case["conformity_index"] == pytest.approx(32 / 40)
    # Two frames: 7200 votes, 720 of them yes; 80 pixels of two votes against one,
    # which weigh 2 · 1 / (3 - 1) each.
    alpha = 1 - 7199 * 80 / (720 * 6480)
    assert case["krippendorff_alpha"] == pytest.approx(alpha)
    assert f"alpha {alpha:.3f}" in said


def test_alpha_takes_the_cases_that_some_did_not_draw(tmp_path, capsys):
    for number in (1, 2, 3):
        write(tmp_path / "a" / f"a_{number}.nii.gz", mask())
        write(tmp_path / "b" / f"b_{number}.nii.gz", mask((10, 24)))
    write(tmp_path / "c" / "c_1.nii.gz", mask((10, 22)))
    write(tmp_path / "c" / "c_2.nii.gz", mask((10, 22)))
    folders = [tmp_path / name for name in "abc"]
    run("compare", *folders, "--progress", "none", "--json", tmp_path / "all.json")
    assert "alpha over 3 cases" in " ".join(capsys.readouterr().out.split())
    stored = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert [case["case"] for case in stored["cases"]] == ["1", "2"]
    # Case 3 adds 2400 votes, 240 of them yes, and 40 · 2 pixels one against one.
    yes, no = 2 * 2 * 360 + 2 * 240, 2 * 2 * 3240 + 2 * 2160
    mixed = 2 * 2 * 40 + 2 * 40
    expected = 1 - (yes + no - 1) * mixed / (yes * no)
    assert stored["krippendorff_alpha"] == pytest.approx(expected)


def of_patients(folder, numbers):
    for number in numbers:
        write(folder / "e" / f"e_{number}.nii.gz", mask())
    for count, number in enumerate(numbers):
        write(folder / "s" / f"s_{number}.nii.gz", mask((10, 21 + count)))
    return folder / "e", folder / "s"


def test_means_come_with_an_interval_over_patients(tmp_path, capsys):
    # Six scans of five patients.
    folders = of_patients(tmp_path, ("1", "2", "3", "4", "5", "5_1"))
    run("compare", *folders, "--progress", "none", "--json", tmp_path / "all.json")
    stored = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    mean = stored["means"][0]["means"]["mean_frame_dice"]
    dice = [20 / (21 + more) for more in range(6)]
    patients = np.array([*dice[:4], (dice[4] + dice[5]) / 2])
    expected = ttest_1samp(patients, 0).confidence_interval()
    assert (mean["patients"], mean["cases"]) == (5, 6)
    assert mean["mean"] == pytest.approx(patients.mean())
    assert (mean["low"], mean["high"]) == pytest.approx(tuple(expected))
    assert "Means over patients (95 % interval)" in capsys.readouterr().out


def test_few_patients_have_no_interval(tmp_path, capsys):
    folders = of_patients(tmp_path, ("1", "2", "3", "4", "4_1"))
    run("compare", *folders, "--progress", "none")
    assert "4 patients, no interval: it needs 5." in capsys.readouterr().out
    run("compare", *folders, "--progress", "none", "--patient-pattern", r"^e_(.)")
    assert "4 patients, no interval" in capsys.readouterr().out
    run("compare", *folders, "--progress", "none", "--patient-pattern", r"^(e)")
    assert "1 patient, no interval" in capsys.readouterr().out


def test_masks_without_a_size_are_measured_in_pixels(tmp_path, capsys):
    for name, columns in (("e_1.png", (10, 20)), ("s_1.png", (10, 24))):
        Image.fromarray(mask(columns)[0] * 255).save(tmp_path / name)
    run(
        *("compare", tmp_path / "e_1.png", tmp_path / "s_1.png"),
        *("--progress", "none", "--csv", tmp_path / "f.csv"),
        *("--json", tmp_path / "all.json"),
    )
    said = " ".join(capsys.readouterr().out.split())
    assert "HD95 px" in said
    assert "path px" in said
    assert "tolerance 1 px" in said
    assert "mL" not in said
    assert "The pixel size is unknown: lengths are in px." in said
    assert (
        (tmp_path / "f.csv").read_text(encoding="utf-8").splitlines()[1].endswith(",px")
    )
    case = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))["cases"][0]
    assert not case["has_geometry"]
    assert case["others"][0]["totals"]["expert_ml"] is None


def test_cases_with_and_without_a_size_are_not_averaged(tmp_path, capsys):
    e, s = of_patients(tmp_path, ("1", "2"))
    for folder, columns in ((e, (10, 20)), (s, (10, 40))):
        Image.fromarray(mask(columns)[0] * 255).save(folder / "x_3.png")
    run("compare", e, s, "--progress", "none", "--json", tmp_path / "all.json")
    said = " ".join(capsys.readouterr().out.split())
    assert "Cases without a pixel size are measured in px" in said
    assert "20.00 px" in said
    stored = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))["means"][0]
    assert stored["unsized_left_out"] == 1
    assert stored["means"]["mean_frame_dice"]["cases"] == 3
    assert stored["means"]["mean_hd95_mm"]["cases"] == 2
    assert stored["means"]["mean_hd95_mm"]["mean"] < 2


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
    assert "Case 4 is left out. The mask does not fit the scan: it" in said
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
    with pytest.raises(OutputError, match="already exists"):
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
    assert said.startswith("napari-microus: There is no mask missing.nii.")
    assert "\n" not in said
