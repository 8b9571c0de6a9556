from pathlib import Path

import numpy as np
import pytest

from napari_microus.core.config import BaselineConfig, ModelConfig
from napari_microus.core.io import read_mask, read_provenance, write_volume
from napari_microus.core.library import save_model
from napari_microus.core.models import create_model
from napari_microus.core.volume import Volume


@pytest.fixture
def model(tmp_path):
    baseline = BaselineConfig(32, 3, 2, None, 4)
    described = {
        "architecture": "basic_unet",
        "options": baseline.to_dict(),
        "input": {
            "spatial_dims": 3,
            "patch_size": [32, 32, 32],
            "channels": ["t2w", "adc"],
        },
    }
    network = create_model(ModelConfig("basic_unet", baseline=baseline))
    return str(
        save_model(tmp_path / "m", network, config=described, card="", metrics={})
    )


@pytest.fixture
def files(tmp_path):
    affine = np.diag([0.5, 0.5, 3.0, 1.0])
    made = []
    for name in ("adc", "t2w"):
        noise = np.random.default_rng(0).normal(size=(8, 32, 36))
        path = tmp_path / f"p1_{name}.nii.gz"
        write_volume(Volume(noise, affine, is_oriented=True), path)
        made.append(str(path))
    return made


def test_segment_takes_a_file_a_channel(run_command, model, files, tmp_path, capsys):
    mask = tmp_path / "mask.nii.gz"
    assert run_command("segment", *files, "-o", mask, "--model", model) == 0
    assert read_mask(mask).shape == (8, 32, 36)
    stated = read_provenance(mask)
    assert stated["image"] == "p1_t2w.nii.gz, p1_adc.nii.gz"


def test_segment_names_the_channel_that_is_missing(
    run_command, model, files, tmp_path, capsys
):
    mask = tmp_path / "mask.nii.gz"
    assert run_command("segment", files[0], "-o", mask, "--model", model) != 0
    assert "no file for 't2w'" in capsys.readouterr().err
    assert not mask.exists()


def test_dataset_where_and_check(run_command, tmp_path, capsys):
    run_command("dataset", "where", "picai")
    assert "zenodo.org/records/6624726" in capsys.readouterr().out
    assert run_command("dataset", "check", "brats", tmp_path) != 0
    assert "HGG/<case>" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        (
            "segment",
            "folder",
            "-o",
            "out",
            "--model",
            "microus-small",
            "--model",
            "./m",
        ),
        (
            "segment",
            "one.nii.gz",
            "-o",
            "o.nii.gz",
            "--model",
            "microus-small",
            "--model",
            "./m",
        ),
        ("difficulty", "one.nii.gz", "-o", "out.csv", "--model", "./m"),
        ("live", "stream", "--model", "./m"),
    ],
    ids=["batch", "file", "difficulty", "live"],
)
def test_commands_on_frames_refuse_a_model_of_volumes(
    run_command, small_scan, model, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "stream").mkdir()
    for name in ("one.nii.gz", "folder/one.nii.gz"):
        (tmp_path / name).write_bytes(Path(small_scan).read_bytes())
    before = sorted(tmp_path.rglob("*"))
    assert run_command(*words) == 2
    assert "'m' segments volumes of t2w, adc" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
