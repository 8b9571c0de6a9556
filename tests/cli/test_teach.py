import functools

import numpy as np
import pytest

from napari_microus.core import library
from napari_microus.core.io import (
    read_mask,
    read_provenance,
    read_volume,
    write_mask,
)


@pytest.fixture
def run(run_command):
    return functools.partial(run_command, "teach")


@pytest.fixture
def scan(small_scan):
    return small_scan


@pytest.fixture
def capsule(scan, tmp_path):
    """A capsule whose provenance states that frame 1 was edited and 2 approved."""
    volume = read_volume(scan)
    mask = np.zeros(volume.shape, np.uint8)
    mask[:, 10:30, 15:45] = 1
    made = {"task": "segment", "review": {"edited": [1], "approved": [2]}}
    path = tmp_path / "capsule.nii.gz"
    write_mask(volume.like(mask), path, provenance=made)
    return path


def test_corrected_frames_stay_and_the_others_are_drawn(
    scan, capsule, tmp_path, run, capsys
):
    out = tmp_path / "out.nii.gz"
    assert not run(scan, capsule, "-o", out, "--keep", "mine")
    volume = read_volume(scan)
    before, after = (read_mask(path, grid=volume).array for path in (capsule, out))
    np.testing.assert_array_equal(after[[1, 2]], before[[1, 2]])
    assert (after[0] != before[0]).any()
    made = read_provenance(out)
    assert made["review"] == {"edited": [1, 2], "approved": [2]}
    assert made["model_version"].endswith("+taught")
    assert library.find_model("mine").problem == ""
    assert "learnt from frames [1, 2]" in capsys.readouterr().out


def test_frames_can_be_named(scan, capsule, tmp_path, run):
    out = tmp_path / "out.nii.gz"
    assert not run(scan, capsule, "-o", out, "--frames", "0")
    assert read_provenance(out)["review"]["edited"] == [0]


def test_an_existing_mask_is_kept_before_anything_is_learnt(scan, capsule, run, capsys):
    before = capsule.read_bytes()
    assert run(scan, capsule, "-o", capsule) == 2
    assert capsule.read_bytes() == before
    assert "Use --overwrite to replace it." in capsys.readouterr().err


def test_without_corrected_frames_it_says_so(scan, tmp_path, run, capsys):
    volume = read_volume(scan)
    path = tmp_path / "bare.nii.gz"
    write_mask(volume.like(np.ones(volume.shape, np.uint8)), path)
    assert run(scan, path, "-o", tmp_path / "out.nii.gz") == 2
    assert "Nothing has been corrected or approved" in capsys.readouterr().err
