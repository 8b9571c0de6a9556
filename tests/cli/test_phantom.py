import json
import sys

import nibabel as nib
import pytest

from napari_microus.cli import main

SMALL = ["--frames", "2", "--rows", "48", "--columns", "64"]


@pytest.fixture
def run(monkeypatch):
    """Run the command line; return the exit status."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["napari-microus", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        return stop.value.code or 0

    return run


def test_writes_a_folder_for_each_case(run, tmp_path, capsys):
    status = run("phantom", "-o", tmp_path, "--count", 2, "--seed", 3, *SMALL)

    assert status == 0
    stated = capsys.readouterr().out
    for name in ("phantom_0003", "phantom_0004"):
        assert nib.load(tmp_path / name / "scan.nii.gz").shape == (64, 48, 2)
        assert name in stated


def test_json_progress_is_one_object_a_line(run, tmp_path, capsys):
    assert run("phantom", "-o", tmp_path, "--progress", "json", *SMALL) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["Progress", "Progress", "Finished"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--style", "lazy"], "Choose one of cautious, generous, hasty"),
        (["--frames", "0"], "A phantom of 0 frames is none"),
        (["--seed", "-1"], "The seed is -1"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(run, tmp_path, capsys, words, sentence):
    assert run("phantom", "-o", tmp_path / "new", *SMALL, *words) == 2
    stated = capsys.readouterr().err.strip()
    assert sentence in stated
    assert "Traceback" not in stated
    assert not (tmp_path / "new").exists()


def test_existing_output_is_refused(run, tmp_path, capsys):
    assert run("phantom", "-o", tmp_path, *SMALL) == 0
    assert run("phantom", "-o", tmp_path, *SMALL) == 2
    err = capsys.readouterr().err
    assert "already exists" in err
    assert "Use --overwrite to replace it." in err
    assert run("phantom", "-o", tmp_path, "--overwrite", *SMALL) == 0
