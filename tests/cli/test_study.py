import json

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import napari_microus.cli.commands  # noqa: F401  registers the commands
from napari_microus.cli import app
from napari_microus.core import library
from napari_microus.core.errors import ConfigError, InputError
from napari_microus.core.io import read_mask, write_mask
from napari_microus.core.study import Study
from napari_microus.core.volume import Volume


class Echo(nn.Module):
    """Take brightness for certainty: bright is capsule, mid-grey a coin flip."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(20.0))

    def forward(self, x):
        return (x - 0.35) * self.scale


def scan(bright):
    rows, columns = np.mgrid[:40, :48]
    disc = (rows - 20) ** 2 + (columns - 24) ** 2 < 100
    array = np.random.default_rng(0).integers(0, 60, (2, 40, 48)) + disc * bright
    return Volume.from_spacing(array.astype(np.uint8), (1.0, 0.2, 0.1))


@pytest.fixture
def asked(monkeypatch):
    """The models that were loaded."""
    names = []

    def load(name):
        names.append(name)
        return Echo()

    monkeypatch.setattr(library, "load_model", load)
    return names


@pytest.fixture
def study(tmp_path):
    study = Study.create(tmp_path / "study")
    study.add_case("clear", "p1", scan(150))
    study.add_case("faint", "p2", scan(50))
    return study


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)


def test_next_lists_the_scan_that_teaches_most_first(study, asked):
    done = run("study", "next", study.folder)

    lines = done.stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["faint", "clear"]
    assert "expected disagreement" in lines[0]
    assert asked == [library.DEFAULT_MODEL]


def test_next_as_json_ends_with_the_ranking(study, asked):
    options = ("--model", "mine", "--progress", "json")
    done = run("study", "next", study.folder, *options)

    last = json.loads(done.stdout.splitlines()[-1])
    ranked = last["result"]["ranked"]
    assert [row["case"] for row in ranked] == ["faint", "clear"]
    assert ranked[0]["uncertainty"] > ranked[1]["uncertainty"]
    assert asked == ["mine"]


@pytest.mark.usefixtures("asked")
def test_next_wants_a_frame_at_least(study):
    with pytest.raises(ConfigError, match="at least 1; got 0"):
        run("study", "next", study.folder, "--frames", 0)


def test_annotate_gives_a_case_its_mask(study, tmp_path):
    image = scan(50)
    mask = image.like((image.array > 90).astype(np.uint8))
    write_mask(mask, tmp_path / "mask.nii.gz")
    words = ("study", "annotate", study.folder, "--expert", tmp_path / "mask.nii.gz")

    assert run(*words, "--case", "faint").stdout == "faint: annotated.\n"

    case = Study.open(study.folder).cases[1]
    found = read_mask(study.folder / case.expert)
    np.testing.assert_array_equal(found.array, mask.array)
    with pytest.raises(InputError, match="without an expert mask; got 'faint'"):
        run(*words, "--case", "faint")
    with pytest.raises(InputError, match="got 'nobody'"):
        run(*words, "--case", "nobody")
