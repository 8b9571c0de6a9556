"""docs/papers.md: each row's command runs in miniature, and what it names is there."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from napari_microus.cli import main
from napari_microus.core.io import write_mask, write_volume
from napari_microus.core.phantom import make_phantom
from napari_microus.core.study import Study, split_in_folds
from tiny_network import TINY

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
HEAD = ["what", "where", "command", "measured here"]
SMALL = {
    "model": {"architecture": "transunet", "transunet": TINY},
    "epochs": 1,
    "batch_size": 2,
    "threads": 1,
    "device": "cpu",
    "precision": "32-true",
    "to_library": False,
    "early_stop": None,
}


def rows():
    """Return the cells of each row of the page's tables."""
    found = []
    for line in PAGE.splitlines():
        if not line.startswith("|") or line.startswith("|---"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[:4] != HEAD:
            found.append(cells)
    return found


ROWS = rows()
COMMANDS = sorted({match for row in ROWS for match in re.findall(r"`([^`]+)`", row[2])})
TESTS = [command for command in COMMANDS if command.startswith("pytest ")]
OURS = [command for command in COMMANDS if command.startswith("napari-microus ")]
SCRIPTS = [command for command in COMMANDS if command.startswith("python ")]


def test_every_row_is_whole():
    assert len(ROWS) > 30
    assert {len(row) for row in ROWS} == {5}
    assert sorted(TESTS + OURS + SCRIPTS) == COMMANDS
    for what, _, command, measured, missing in ROWS:
        assert what
        assert command or missing, f"{what}: neither a command nor why there is none"
        assert measured or missing or command, what


@pytest.mark.parametrize(
    "figure",
    [
        "Table 1",
        "Table 2",
        "Figure 2",
        "Figure 3",
        "Figures 4 to 6",
        "Figures 3 and 4",
        "Figure 5",
    ],
)
def test_every_table_and_figure_of_both_papers_has_its_row(figure):
    assert any(figure in row[0] for row in ROWS)


def test_what_was_measured_is_where_the_links_lead():
    links = set(re.findall(r"\]\(([\w.]+)#([\w-]+)\)", "\n".join(map(str, ROWS))))
    assert len(links) > 3
    for page, anchor in links:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        kept = [re.sub(r"[^\w\s-]", "", heading).strip() for heading in headings]
        anchors = {re.sub(r"[\s-]+", "-", heading).lower() for heading in kept}
        assert anchor in anchors, f"{page} has no heading for #{anchor}"


@pytest.mark.parametrize("command", TESTS)
def test_the_named_tests_are_there(command):
    """They run with all the others; here it is seen that they hold tests."""
    path = ROOT / command.split()[1]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert any(name.startswith("test_") for name in names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The public data set's layout and a study in folds, of phantoms."""
    root = tmp_path_factory.mktemp("papers")
    study = Study.create(root / "study")
    numbers = [("train", 1), ("train", 2), ("train", 3), ("test", 4), ("test", 11)]
    for seed, (split, number) in enumerate(numbers):
        case = make_phantom(seed, frames=3, shape=(60, 86))
        tag = f"{split}_{number:02}.nii.gz"
        part = root / "micro_us" / split
        write_volume(case.scan, part / "micro_ultrasound_scans" / f"microUS_{tag}")
        experts = part / "expert_annotations"
        write_mask(case.expert, experts / f"expert_annotation_{tag}")
        if split == "train":
            others = part / "non_expert_annotations"
            write_mask(case.nonexpert, others / f"nonexpert_annotation_{tag}")
        study.add_case(tag[:-7], tag[:-7], case.scan, case.expert, case.nonexpert)
    split_in_folds(study, 2)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("command", OURS)
def test_each_command_runs_in_miniature(command, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    words = shlex.split(command)
    small = dict(SMALL)
    if "size-smoothness" in words:
        small["model"] = {"architecture": "basic_unet", "baseline": {"image_size": 32}}
    if words[1] == "train":
        small["data.fold"] = 0
        small["data.cache"] = str(folder / "cache")
    for name, value in small.items():
        words += ["--set", f"{name}={json.dumps(value)}"]
    monkeypatch.setattr(sys, "argv", words)
    status = 0
    try:
        main()
    except SystemExit as ended:
        status = ended.code or 0
    assert status == 0, capsys.readouterr()
    output = Path(words[words.index("-o") + 1])
    if words[1] == "train":
        assert (output / "model" / "model_card.md").is_file()
        return
    for name in (
        "report.md",
        "report.html",
        "table1.csv",
        "table2.csv",
        "samples.png",
        "losses.png",
        "contours.png",
        "agreement.png",
    ):
        assert (output / name).is_file(), name
    text = (output / "report.md").read_text(encoding="utf-8")
    assert "from random weights" in text.splitlines()[0]
    assert "| 11 | 0.9426 | 0.9194 | 0.9436 |" in text  # of the published table
    assert "test_04" in text


@pytest.mark.slow
@pytest.mark.parametrize("command", SCRIPTS)
def test_each_script_runs_in_miniature(command, folder, monkeypatch, capsys):
    from napari_microus.core import library
    from napari_microus.core.config import ModelConfig, TransUNetConfig
    from napari_microus.core.models import create_model

    monkeypatch.chdir(folder)
    config = ModelConfig(transunet=TransUNetConfig.from_dict(TINY))
    library.save_model(
        folder / "model",
        create_model(config),
        config={
            "architecture": "transunet",
            "options": TINY,
            "input": {"size": TINY["image_size"]},
        },
        card="# Tiny",
        metrics={},
        overwrite=True,
    )
    words = shlex.split(command)[1:]
    spec = importlib.util.spec_from_file_location("script", ROOT / words[0])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", words)
    module.main()
    assert "Spearman" in capsys.readouterr().out
