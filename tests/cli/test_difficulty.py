import csv
import functools

import pytest

from napari_microus.core.io import read_volume


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
