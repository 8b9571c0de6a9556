import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy.stats import ttest_1samp
from typer.testing import CliRunner

import napari_microus.cli.commands  # noqa: F401  registers the commands
from napari_microus.cli import app
from napari_microus.core.errors import InputError, OutputError


@pytest.fixture
def paths(tmp_path):
    reference = np.zeros((9, 8, 2), np.uint8)  # columns, rows, frames
    reference[2:7, 2:6] = 1
    prediction = np.roll(reference, 1, axis=0)
    for name, mask in (("pred_1", prediction), ("ref_1", reference)):
        image = nibabel.Nifti1Image(mask, np.diag([0.5, 0.5, 1, 1]))
        nibabel.save(image, tmp_path / f"{name}.nii.gz")
    return str(tmp_path / "pred_1.nii.gz"), str(tmp_path / "ref_1.nii.gz")


def run(*arguments):
    return CliRunner().invoke(app, ["evaluate", *arguments], catch_exceptions=False)


def test_prints_a_table(paths):
    done = run(*paths, "--progress", "none")
    assert done.exit_code == 0
    assert "HD95 mm" in done.stdout
    assert "0.8000" in done.stdout  # four of five columns overlap
    assert "2/2" in done.stdout


def test_writes_the_numbers(paths, tmp_path):
    table = tmp_path / "table.json"
    assert run(*paths, "-o", str(table), "--progress", "none").exit_code == 0
    found = json.loads(table.read_text(encoding="utf-8"))
    assert found["case_mean"]["dice"] == pytest.approx(0.8)
    assert found["case_mean"]["hd95_mm"] == pytest.approx(0.5)


def test_existing_table_is_refused_before_the_work(paths, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("mine")
    with pytest.raises(OutputError, match="already exists"):
        run("no_such_file", "neither", "-o", str(table))
    assert run(*paths, "-o", str(table), "--overwrite").exit_code == 0
    assert table.read_text(encoding="utf-8").startswith("case,frame,dice")


def test_json_lines_end_in_the_result(paths):
    lines = run(*paths, "--progress", "json").stdout.splitlines()
    last = json.loads(lines[-1])
    assert last["event"] == "Finished"
    assert last["result"]["case_mean"]["dice"] == pytest.approx(0.8)


CASES = Path(__file__).parents[1] / "data" / "cases"


def test_missed_cases_count_as_zero_and_the_foot_says_over_what(tmp_path):
    """Cases 0 and 1 are predicted empty; 0.8399 / 3 = 0.2800."""
    folder, table = CASES / "11_missed_case", tmp_path / "t.json"
    done = run(
        *(str(folder / "pred"), str(folder / "ref"), "-o", str(table)),
        *("--progress", "none"),
    )
    text = " ".join(done.stdout.split())
    assert "0.2800" in text
    assert "mean over 3 of 3 cases (2 missed); distances: over 1 of 3" in text
    assert "Only one mask shows the object in 8 frames" in text
    found = json.loads(table.read_text(encoding="utf-8"))
    one = found["cases"]["2"]["case_mean"]["dice"]
    assert found["case_mean"]["dice"] == pytest.approx(one / 3)
    assert found["cases_in_mean"]["hd95_mm"] == 1
    assert found["cases_in_mean"]["of"] == 3
    assert "counts as Dice 0" in found["rule"]


def test_wholly_undecided_mask_has_no_distance_and_is_reported():
    folder = CASES / "13_header_reuse"
    done = run(str(folder / "ours_times_255.nii.gz"), str(folder / "ours.nii.gz"))
    assert "0/4" in done.stdout
    assert "0.000" not in done.stdout
    assert "all of the object is undecided" in " ".join(done.output.split())


def test_patients_weigh_the_same_and_have_an_interval_from_five_on(tmp_path):
    """Six cases of five patients; columns overlap by 5, 4, 4, 3, 2 and 1 of five."""
    reference = np.zeros((12, 8, 1), np.uint8)
    reference[2:7, 2:6] = 1
    for folder in ("pred", "ref"):
        (tmp_path / folder).mkdir()
    names = ["p1_a1", "p1_a2", "p2_a3", "p3_a4", "p4_a5", "p5_a6"]
    for shift, name in zip((0, 1, 1, 2, 3, 4), names, strict=True):
        for folder, mask in (
            ("pred", np.roll(reference, shift, 0)),
            ("ref", reference),
        ):
            image = nibabel.Nifti1Image(mask, np.diag([0.5, 0.5, 1, 1]))
            nibabel.save(image, tmp_path / folder / f"{name}.nii.gz")
    table = tmp_path / "t.json"
    pattern = "--patient-pattern=(p[0-9])"

    folders = str(tmp_path / "pred"), str(tmp_path / "ref")
    done = run(*folders, "-o", str(table), pattern, "--progress", "none")

    found = json.loads(table.read_text(encoding="utf-8"))
    assert found["case_mean"]["dice"] == pytest.approx(
        (1 + 0.8 + 0.8 + 0.6 + 0.4 + 0.2) / 6
    )
    means = [0.9, 0.8, 0.6, 0.4, 0.2]
    over = found["over_patients"]["dice"]
    assert over["mean"] == pytest.approx(np.mean(means))
    low, high = ttest_1samp(means, 0).confidence_interval()
    assert (over["low"], over["high"]) == pytest.approx((low, high))
    assert (over["patients"], over["cases"]) == (5, 6)
    text = " ".join(done.stdout.split())
    assert f"Mean over patients: Dice 0.5800 ({low:.4f} to {high:.4f})" in text
    assert "95 % interval over 5 patients" in text

    done = run(*folders, "--patient-pattern=(p)", "--progress", "none")
    assert "1 patient, no interval: it needs 5" in " ".join(done.stdout.split())


def test_masks_of_different_sizes_are_said_to_be_two_masks(paths, tmp_path):
    other = str(tmp_path / "other.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.ones((9, 8, 3), np.uint8), np.eye(4)), other)
    with pytest.raises(InputError) as refused:
        run(paths[0], other, "--progress", "none")
    assert "does not fit the other mask: it has 3" in refused.value.plain
    assert refused.value.plain.endswith("a mask of the same scan, or resample it.")
