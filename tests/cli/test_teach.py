import sys

import numpy as np
import pytest
import torch

from napari_microus.cli import main
from napari_microus.core import library
from napari_microus.core.config import TransUNetConfig
from napari_microus.core.io import (
    read_mask,
    read_provenance,
    read_volume,
    write_mask,
    write_volume,
)
from napari_microus.core.library import catalog
from napari_microus.core.models.transunet import TransUNet
from napari_microus.core.volume import Volume
from tiny_network import TINY


def run(monkeypatch, *words):
    """Run the command as a shell would; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["napari-microus", "teach", *map(str, words)])
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


@pytest.fixture
def capsule(scan, tmp_path):
    """A capsule whose provenance tells that frame 1 was edited and 2 approved."""
    volume = read_volume(scan)
    mask = np.zeros(volume.shape, np.uint8)
    mask[:, 10:30, 15:45] = 1
    made = {"task": "segment", "review": {"edited": [1], "approved": [2]}}
    path = tmp_path / "capsule.nii.gz"
    write_mask(volume.like(mask), path, provenance=made)
    return path


def test_corrected_frames_stay_and_the_others_are_drawn(
    scan, capsule, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "out.nii.gz"
    assert not run(monkeypatch, scan, capsule, "-o", out, "--keep", "mine")
    volume = read_volume(scan)
    before, after = (read_mask(path, grid=volume).array for path in (capsule, out))
    np.testing.assert_array_equal(after[[1, 2]], before[[1, 2]])
    assert (after[0] != before[0]).any()
    made = read_provenance(out)
    assert made["review"] == {"edited": [1, 2], "approved": [2]}
    assert made["model_version"].endswith("+taught")
    assert library.find_model("mine").problem == ""
    assert "learnt from frames [1, 2]" in capsys.readouterr().out


def test_frames_can_be_named(scan, capsule, tmp_path, monkeypatch):
    out = tmp_path / "out.nii.gz"
    assert not run(monkeypatch, scan, capsule, "-o", out, "--frames", "0")
    assert read_provenance(out)["review"]["edited"] == [0]


def test_an_existing_mask_is_kept_before_anything_is_learnt(
    scan, capsule, monkeypatch, capsys
):
    before = capsule.read_bytes()
    assert run(monkeypatch, scan, capsule, "-o", capsule) == 2
    assert capsule.read_bytes() == before
    assert "or add --overwrite." in capsys.readouterr().err


def test_without_corrected_frames_it_says_so(scan, tmp_path, monkeypatch, capsys):
    volume = read_volume(scan)
    path = tmp_path / "bare.nii.gz"
    write_mask(volume.like(np.ones(volume.shape, np.uint8)), path)
    assert run(monkeypatch, scan, path, "-o", tmp_path / "out.nii.gz") == 2
    assert "at least one frame must be corrected" in capsys.readouterr().err
