import sys

import numpy as np
import pytest
import torch

from napari_microus.cli import main
from napari_microus.core import library
from napari_microus.core.config import TransUNetConfig
from napari_microus.core.io import write_volume
from napari_microus.core.library import catalog
from napari_microus.core.models.transunet import TransUNet
from napari_microus.core.volume import Volume
from tiny_network import TINY


@pytest.fixture
def run_command(monkeypatch):
    """Run a command as a shell would; returns its exit status."""

    def run(*words):
        line = ["napari-microus", *map(str, words)]
        monkeypatch.setattr(sys, "argv", line)
        try:
            main()
        except SystemExit as ended:
            return ended.code
        return 0

    return run


@pytest.fixture
def small_scan(tmp_path, monkeypatch):
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
