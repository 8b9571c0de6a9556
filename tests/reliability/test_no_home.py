"""A home in which nobody may write: what needs none works, the rest says so."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_microus.core.io import read_mask, write_volume
from napari_microus.core.volume import Volume

# Not even root can make a folder here.
NO_HOME = Path("/proc/none")


@pytest.fixture
def run(tmp_path):
    keeps = ("PATH", "PYTHONPATH", "LANG", "VIRTUAL_ENV")
    environment = {key: os.environ[key] for key in keeps if key in os.environ}

    def run(*words):
        command = [sys.executable, "-m", "napari_microus", *map(str, words)]
        return subprocess.run(
            command,
            env={**environment, "HOME": str(NO_HOME)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.mark.skipif(not NO_HOME.parent.is_dir(), reason="needs a /proc")
def test_segment_needs_no_home_and_train_says_what_it_needs(run, tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (1, 60, 80), np.uint8)
    write_volume(Volume.from_spacing(frames, (1, 0.4, 0.4)), tmp_path / "s.nii.gz")

    done = run("segment", "s.nii.gz", "-o", "m.nii.gz")

    assert done.returncode == 0, done.stderr
    assert read_mask(tmp_path / "m.nii.gz").shape == frames.shape
    line = ["--set", "data.phantom_frames=8", "--set", "epochs=1"]
    refused = run("train", "--preset", "demo", "-o", "run", *line)
    assert refused.returncode == 2
    stated = refused.stderr.strip().splitlines()[-1]
    assert "The frames cannot be kept in" in stated
    assert "Traceback" not in refused.stderr
