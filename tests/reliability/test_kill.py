"""A few kills in the suite; `make test-all` kills 50 times each."""

import subprocess
import sys
from pathlib import Path

import pytest

KILL = Path(__file__).with_name("kill.py")


@pytest.mark.parametrize(
    "kind",
    [
        *("mask.nii.gz", "draft of corrections", "manifest of a study", "case"),
        *("export .json", "adjudication", "download"),
        pytest.param("batch", marks=pytest.mark.slow),
        pytest.param("training", marks=pytest.mark.slow),
    ],
)
def test_a_killed_writer_leaves_the_old_or_the_new_file(kind):
    done = subprocess.run(
        [sys.executable, KILL, "--times", "4", "--kinds", kind],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"| {kind} | 4 |")
