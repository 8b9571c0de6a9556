"""A study that cannot be learnt from: one sentence, status 2, and nothing half done."""

import json

import numpy as np
import pytest

from napari_microus.core.io import write_volume
from napari_microus.core.study import Study
from napari_microus.core.volume import Volume
from tiny_network import TINY

SHAPE = (2, 40, 48)


def case_of(study, name, *, empty=False, value=1):
    mask = np.zeros(SHAPE, np.uint8)
    if not empty:
        mask[:, 10:25, 12:30] = value
    noise = np.random.default_rng(len(name)).integers(0, 60, SHAPE)
    scan = Volume.from_spacing((noise + 100 * (mask > 0)).astype(np.uint8), (1, 1, 1))
    study.folder.mkdir(exist_ok=True)
    write_volume(scan, study.folder / f"{name}.nii.gz")
    write_volume(scan.like(mask), study.folder / f"{name}_mask.nii.gz")
    return {"case": name, "image": f"{name}.nii.gz", "expert": f"{name}_mask.nii.gz"}


@pytest.fixture
def study(tmp_path):
    """Two patients, one to learn from, one to validate on, as a table on the disk."""
    study = Study.create(tmp_path / "study")

    def make(*changes, **how):
        rows = []
        for name, split in (("a", "train"), ("b", "val")):
            of = how.get(name, {})
            rows.append({**case_of(study, name, **of), "patient": name, "split": split})
        keys = ["case", "patient", "image", "expert", "nonexpert", "split", "ignore"]
        keys += sorted({key for change in changes for key in change} - set(keys))
        lines = [",".join(keys)]
        for row in rows:
            for change in changes:
                row.update(change)
            lines.append(",".join(str(row.get(key, "")) for key in keys))
        (study.folder / "manifest.csv").write_text("\n".join(lines) + "\n")
        return study.folder

    return make


@pytest.fixture
def train(run_command, tmp_path, monkeypatch, capsys):
    """Train for a moment; returns status, what was said, and where the run is."""
    monkeypatch.setenv("NAPARI_MICROUS_MODELS", str(tmp_path / "library"))
    settings = {
        "model": {"architecture": "transunet", "transunet": TINY},
        "data": {"cache": str(tmp_path / "cache")},
        "epochs": 1,
        "device": "cpu",
        "threads": 1,
        "name": "new",
    }
    path = tmp_path / "tiny.yaml"
    path.write_text(json.dumps(settings))

    def run(folder, *words, preset=path):
        given = ("--study", folder, "-o", tmp_path / "run", "--device", "cpu")
        status = run_command("train", "--preset", preset, *given, *words)
        return status, capsys.readouterr().err

    return run


def is_one_sentence(said):
    last = said.strip().splitlines()[-1]
    return last.startswith("napari-microus: ") and "Traceback" not in said


def test_a_study_like_these_is_learnt_from(study, train, tmp_path):
    status, _ = train(study())
    assert status == 0
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()


BAD = {
    "one patient": (
        {"changes": [{"patient": "a", "split": ""}]},
        "two patients or more",
    ),
    "one patient in two parts": (
        {"changes": [{"patient": "a"}]},
        "in training and in validation",
    ),
    "nothing drawn to learn from": ({"a": {"empty": True}}, "The expert masks of all"),
    "nothing drawn to validate on": (
        {"b": {"empty": True}},
        "None of the 1 validation cases",
    ),
    "labels outside the rule": (
        {"changes": [{"label_rule": "target=2 others=0"}]},
        "The labels hold 1, which the rule",
    ),
    "a rule that is none": (
        {"changes": [{"label_rule": "prostate"}]},
        "There is no label rule",
    ),
    "several channels": (
        {"changes": [{"image_t2": "a.nii.gz", "image_adc": "b.nii.gz"}]},
        "holds volumes of adc, t2",
    ),
    "no image": ({"changes": [{"image": "gone.nii.gz"}]}, "gone.nii.gz"),
}


@pytest.mark.parametrize("what", BAD)
def test_it_ends_with_one_sentence_and_no_model(study, train, tmp_path, what):
    how, words = BAD[what]
    folder = study(*how.get("changes", ()), **{k: how[k] for k in "ab" if k in how})
    status, said = train(folder)
    assert status == 2
    assert is_one_sentence(said)
    assert words in said
    assert not (tmp_path / "library").exists()
    assert not list(tmp_path.glob("run/checkpoints/*"))
    assert not (tmp_path / "run" / "model").exists()


def test_frames_with_a_preset_for_volumes(study, train, tmp_path):
    # Single frames of three cases, as pictures have them.
    folder = study()
    for path in folder.glob("*.nii.gz"):
        volume = Volume.from_spacing(np.ones((1, 40, 48), np.uint8), (1, 1, 1))
        write_volume(volume, path, overwrite=True)
    status, said = train(folder, "--set", "epochs=1", preset="picai")
    assert status == 2
    assert is_one_sentence(said)
    assert not list(tmp_path.glob("run/checkpoints/*"))


def test_the_same_command_again_once_the_data_are_mended(study, train, tmp_path):
    folder = study(a={"empty": True})
    assert train(folder)[0] == 2
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, 10:25, 12:30] = 1
    scan = Volume.from_spacing(mask, (1, 1, 1))
    write_volume(scan, folder / "a_mask.nii.gz", overwrite=True)

    status, said = train(folder)
    assert status == 0, said
    lines = (tmp_path / "run" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert not any('"Failed"' in line for line in lines)
    # A run that got somewhere keeps its folder.
    status, said = train(folder)
    assert status == 2
    assert "Choose another folder, or resume that run" in said
