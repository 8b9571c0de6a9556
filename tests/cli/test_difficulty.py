import csv
import functools

import numpy as np
import pytest

from napari_microus.core.io import read_volume, write_volume
from napari_microus.core.volume import Volume


@pytest.fixture
def run(run_command):
    return functools.partial(run_command, "difficulty")


@pytest.fixture
def scan(small_scan):
    return small_scan


def test_table_holds_the_mean_of_the_map(scan, tmp_path, run):
    table, picture = tmp_path / "d.csv", tmp_path / "d.nii.gz"
    assert not run(scan, "-o", table, "--map", picture)
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    entropy = read_volume(picture)
    assert entropy.shares_grid(read_volume(scan))
    assert [int(row["frame"]) for row in rows] == [0, 1, 2]
    stated = [float(row["difficulty_bits"]) for row in rows]
    assert stated == pytest.approx(entropy.array.mean(axis=(1, 2)), abs=1e-5)
    assert 0 < max(stated) <= 1


def test_existing_table_is_kept(scan, tmp_path, run, capsys):
    table = tmp_path / "d.csv"
    table.write_text("mine", encoding="utf-8")
    assert run(scan, "-o", table)
    assert table.read_text(encoding="utf-8") == "mine"
    assert "already exists" in capsys.readouterr().err


def test_no_frame_is_said_to_be_left_empty(tmp_path, run, capsys):
    """As `segment` does on the same frames: a table of entropies draws nothing."""
    noise = np.random.default_rng(0).integers(0, 255, (2, 60, 86), np.uint8)
    write_volume(Volume(noise, np.eye(4)), tmp_path / "noise.nii.gz")
    assert not run(tmp_path / "noise.nii.gz", "-o", tmp_path / "d.csv")
    assert "empty" not in capsys.readouterr().err
