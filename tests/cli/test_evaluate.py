import json

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

import napari_microus.cli.commands  # noqa: F401  registers the commands
from napari_microus.cli import app
from napari_microus.core.errors import OutputError


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
    with pytest.raises(OutputError, match="must not exist yet"):
        run("no_such_file", "neither", "-o", str(table))
    assert run(*paths, "-o", str(table), "--overwrite").exit_code == 0
    assert table.read_text(encoding="utf-8").startswith("case,frame,dice")


def test_json_lines_end_in_the_result(paths):
    lines = run(*paths, "--progress", "json").stdout.splitlines()
    last = json.loads(lines[-1])
    assert last["event"] == "Finished"
    assert last["result"]["case_mean"]["dice"] == pytest.approx(0.8)
