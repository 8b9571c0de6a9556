import csv
import sys

import numpy as np
import pytest
import torch

from napari_microus.cli import main
from napari_microus.core import library
from napari_microus.core.config import TransUNetConfig
from napari_microus.core.io import read_volume, write_volume
from napari_microus.core.library import catalog
from napari_microus.core.models.transunet import TransUNet
from napari_microus.core.volume import Volume
from tiny_network import TINY


def run(monkeypatch, *words):
    """Run the command as a shell would; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["napari-microus", "difficulty", *map(str, words)])
    try:
        main()
    except SystemExit as ended:
        return ended.code
    return 0


@pytest.fixture
def scan(tmp_path, monkeypatch):
    """A scan's file, and a library with one small untrained model."""
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(catalog, "BUNDLED_FOLDER", tmp_path / "bundled")
    torch.manual_seed(0)
    network = TransUNet(TransUNetConfig.from_dict(TINY))
    config = {"architecture": "transunet", "options": TINY}
    folder = tmp_path / "models" / library.DEFAULT_MODEL
    library.save_model(folder, network, config=config, card="# Tiny", metrics={})
    array = np.random.default_rng(0).integers(0, 255, (3, 40, 60), np.uint8)
    path = tmp_path / "scan.nii.gz"
    write_volume(Volume(array, np.diag([0.2, 0.2, 1.0, 1.0])), path)
    return path


def test_table_holds_the_mean_of_the_map(scan, tmp_path, monkeypatch):
    table, picture = tmp_path / "d.csv", tmp_path / "d.nii.gz"
    assert not run(monkeypatch, scan, "-o", table, "--map", picture)
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    entropy = read_volume(picture)
    assert entropy.shares_grid(read_volume(scan))
    assert [int(row["frame"]) for row in rows] == [0, 1, 2]
    told = [float(row["difficulty_bits"]) for row in rows]
    assert told == pytest.approx(entropy.array.mean(axis=(1, 2)), abs=1e-5)
    assert 0 < max(told) <= 1


def test_existing_table_is_kept(scan, tmp_path, monkeypatch, capsys):
    table = tmp_path / "d.csv"
    table.write_text("mine", encoding="utf-8")
    assert run(monkeypatch, scan, "-o", table)
    assert table.read_text(encoding="utf-8") == "mine"
    assert "must not exist yet" in capsys.readouterr().err
