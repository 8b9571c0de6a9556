"""Windows that are closed, killed and doubled; `make test-all` does every scene."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NEEDS_SCREEN = pytest.mark.skipif(
    not shutil.which("xvfb-run") or not Path("/proc/self/environ").exists(),
    reason="needs a virtual screen and Linux's list of processes",
)


def run(script, *words):
    return subprocess.run(
        [sys.executable, HERE / script, *words],
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


@NEEDS_SCREEN
def test_a_monkey_breaks_nothing_in_sixty_actions():
    done = run("monkey.py", "--actions", "60", "--seeds", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    table = done.stdout.splitlines()[-1]  # napari's own errors may stand above
    assert table.startswith("| 3 | 60 |")
    assert table.endswith("| 0 |")


@NEEDS_SCREEN
def test_the_monkey_notices_what_it_should(tmp_path):
    """With an error in a slot, a layer that goes, and a process that stays."""
    script = tmp_path / "broken.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(HERE)!r})\n"
        "import subprocess, monkey\n"
        "monkey.__file__ = __file__\n"
        "def slip(self):\n"
        "    if self.left == 6: subprocess.Popen(['sleep', '60'])\n"
        "    if self.left == 4: del self.viewer.layers['points']\n"
        "    if self.left == 2: raise ValueError('slipped')\n"
        "monkey.ACTS = {slip: 1}\n"
        "sys.exit(monkey.main())\n"
    )
    done = run(script, "--actions", "9", "--seeds", "0")
    assert done.returncode == 1
    assert "ValueError: slipped" in done.stderr
    assert "the layer 'points' went by itself" in done.stderr
    assert "runs on: sleep 60" in done.stderr
    assert done.stdout.rstrip().endswith("| 3 |"), done.stdout + done.stderr


@NEEDS_SCREEN
@pytest.mark.parametrize(
    "scene",
    [
        "closed while segmenting",
        "napari killed in a training",
        "two windows adjudicate one pair",
    ],
)
def test_work_in_a_window_ends_or_is_found_again(scene):
    done = run("windows.py", "--scenes", scene)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"| {scene} | 1 | 0 |")


@NEEDS_SCREEN
@pytest.mark.slow
def test_a_dock_that_is_opened_again_and_again_takes_no_more_memory():
    words = ("--runs", "0", "--cycles", "15", "--acts", "Compare annotations")
    done = run("growth.py", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| open and close *Compare annotations* | 15 |" in done.stdout
