"""The script for Slurm trains, continues, and asks to be queued again when ended."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "scripts" / "train.slurm"
BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(
    BASH is None or os.name == "nt", reason="the script needs bash"
)


@pytest.fixture
def cluster(tmp_path):
    """Programs of the names that the script calls; each writes down its words."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "napari-microus").write_text(
        f'#!/bin/bash\necho "train: $*" >> {tmp_path}/said\n'
        f"if [ -e {tmp_path}/short ]; then exit 3; fi\n"
        f"until [ -e {tmp_path}/run/stop ]; do sleep 0.05; done\n"
    )
    (programs / "scontrol").write_text(
        f'#!/bin/bash\necho "scontrol: $*" >> {tmp_path}/said\n'
    )
    for program in programs.iterdir():
        program.chmod(0o755)
    (tmp_path / "run").mkdir()
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "SLURM_JOB_ID": "7", "SLURM_NNODES": "1"}


def begin(tmp_path, cluster):
    words = [BASH, str(SCRIPT), "my_study", "best", str(tmp_path / "run")]
    return subprocess.Popen(words, env=cluster)


def said(tmp_path):
    path = tmp_path / "said"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [line for line in lines if "hostnames" not in line]


def test_a_job_that_is_ended_stops_its_run_and_is_queued_again(tmp_path, cluster):
    job = begin(tmp_path, cluster)
    while not said(tmp_path):
        time.sleep(0.02)
    time.sleep(0.2)  # it waits for its child
    job.send_signal(signal.SIGTERM)
    assert job.wait(20) == 0
    first, last = said(tmp_path)
    run = tmp_path / "run"
    assert first.startswith(
        f"train: train --preset best --study my_study --output {run}"
    )
    assert last == "scontrol: requeue 7"
    assert not (run / "stop").exists()


def test_a_run_that_is_there_continues_and_its_status_is_the_jobs(tmp_path, cluster):
    (tmp_path / "run" / "checkpoints").mkdir()
    (tmp_path / "run" / "checkpoints" / "last.ckpt").touch()
    (tmp_path / "short").touch()
    assert begin(tmp_path, cluster).wait(20) == 3
    (line,) = said(tmp_path)
    assert line.startswith(f"train: resume {tmp_path / 'run'}")
