"""A few writers on failing disks; `make test-all` tries all of them."""

import subprocess
import sys
from pathlib import Path

import pytest

DISKS = Path(__file__).with_name("disks.py")
sys.path.insert(0, str(DISKS.parent))


@pytest.fixture(scope="module", autouse=True)
def _can_be_built(tmp_path_factory):
    import disks

    try:
        disks.build(tmp_path_factory.mktemp("shim"))
    except FileNotFoundError as error:
        pytest.skip(f"needs {error}")


@pytest.mark.parametrize("kinds", [["mask.mha", "draft"], ["case"], ["study add"]])
def test_a_failing_disk_leaves_old_or_new_files_and_a_sentence(kinds):
    done = subprocess.run(
        [sys.executable, DISKS, "--every", "3", "--kinds", *kinds],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split(" | ")[0] for line in done.stdout.splitlines()] == [
        f"| {kind}" for kind in kinds
    ]
