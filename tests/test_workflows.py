"""Workflows, hooks and forms name what is there, and hook and lint agree."""

import os
import re
import shutil
import subprocess
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
    locked = re.search(
        r"^ruff==(\S+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M
    )
    assert f"rev: v{locked[1]}\n" in hooks
    assert ".venv/bin" not in hooks  # Windows has .venv\Scripts


def test_hook_and_workflow_look_for_slips_alike():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    used = re.search(r"crate-ci/typos@(v\S+)", workflow)
    assert f"repo: https://github.com/crate-ci/typos\n    rev: {used[1]}\n" in hooks


def needs_system(target):
    """Whether a target of the Makefile asks for Debian's packages first."""
    text = (ROOT / "Makefile").read_text("utf-8")
    found = re.search(rf"^{target}:(.*)$", text, re.M)
    before = [word for word in found[1].split() if word in TARGETS]
    return target == "system" or any(needs_system(one) for one in before)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_runner_who_is_not_root_has_the_libraries_before_it_needs_them(path):
    for name, job in yaml.safe_load(path.read_text("utf-8"))["jobs"].items():
        lines = "\n".join(step.get("run", "") for step in job["steps"])
        installed, missing = False, []
        for sudo, target in re.findall(r"(sudo )?make ([a-z-]+)", lines):
            if sudo and target == "system":
                installed = True
            elif needs_system(target) and not installed:
                missing.append(target)
        assert not missing, f"{path.name}, {name}: sudo make system before {missing}"


def test_no_job_leaves_its_key_in_the_checkout():
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values():
            for step in job["steps"]:
                if step.get("uses", "").startswith("actions/checkout"):
                    assert step["with"]["persist-credentials"] is False, path.name


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("ending", ["", "t64"])
def test_a_library_is_there_by_its_old_name_and_by_its_new(tmp_path, ending):
    # Debian 13 and Ubuntu 24.04 have libglib2.0-0t64 for libglib2.0-0.
    query = tmp_path / "dpkg-query"
    query.write_text(
        "#!/bin/sh\n"
        'for name in "$@"; do case "$name" in\n'
        f"libglib2.0-0) [ -z '{ending}' ] && echo install ok installed;;\n"
        f"libglib2.0-0t64) [ -n '{ending}' ] && echo install ok installed;;\n"
        "lib*|python3-venv|xvfb) echo install ok installed;;\n"
        "esac; done; true\n"
    )
    query.chmod(0o755)
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\necho apt-get was asked; exit 1\n")
    apt.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        ["make", "system"],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "apt-get" not in done.stdout
