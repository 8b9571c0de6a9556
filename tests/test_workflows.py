"""Workflows, hooks and forms name what is there, and hook and lint agree."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github").rglob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_is_yaml(path):
    text = path.read_text("utf-8")
    assert isinstance(yaml.safe_load(text), dict)
    assert "\t" not in text


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_asks_for_no_more_than_it_needs(path):
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        for target in re.findall(r"make ([a-z-]+)", str(job)):
            assert target in TARGETS, f"{path.name}, {name}: make {target}"
        for tests in re.findall(r"\btests/[\w/.]+", str(job)):
            assert (ROOT / tests).exists(), f"{path.name}, {name}: {tests}"
        if "id-token" in job.get("permissions", {}):
            assert "environment" in job, f"{path.name}, {name}: a person must agree"


def test_hooks_use_the_linter_of_make_lint():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    locked = re.search(r"^ruff==(\S+)", (ROOT / "constraints.txt").read_text(), re.M)
    assert f"rev: v{locked[1]}\n" in hooks
    assert ".venv/bin" not in hooks  # Windows has .venv\Scripts
