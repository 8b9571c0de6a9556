"""Parents are killed; their children, busy or waiting, must not be left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from napari_microus.core.events import CANCEL_VARIABLE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

PROGRAM = """
import time
from napari_microus.core.parent import end_with_parent
end_with_parent()
print("ready", flush=True)
{work}
"""

# Reads what never comes, as from a network drive that has gone.
BATCH = """
import multiprocessing, sys
from pathlib import Path
from napari_microus.core.batch.processes import in_processes
from napari_microus.core.batch.scan import Scan
from napari_microus.core.batch.settings import batch_settings

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    settings = batch_settings(folder / "out", device="cpu")
    scans = [(n, Scan(f"s{n}", f"s{n}", (folder / f"s{n}.nii",))) for n in (1, 2)]
    work = in_processes(settings, scans, 2)
    next(work)
    for child in multiprocessing.active_children():
        print(child.pid, flush=True)
    while True:
        next(work)
"""


def is_alive(number):
    """Return whether a process runs; one that only waits to be counted does not."""
    try:
        with open(f"/proc/{number}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        pass
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return not os.path.exists("/proc/self")


def wait_until_gone(numbers, timeout_s):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end and any(map(is_alive, numbers)):
        time.sleep(0.1)
    return [number for number in numbers if is_alive(number)]


def open_once_read(fifo, timeout_s):
    """Open a pipe for writing as soon as somebody waits to read it."""
    end = time.monotonic() + timeout_s
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_a_batch_s_processes_go_with_their_parent(tmp_path):
    """Both wait for a file, and hear nothing through their pipes."""
    fifos = [tmp_path / "s1.nii", tmp_path / "s2.nii"]
    for fifo in fifos:
        os.mkfifo(fifo)
    script = tmp_path / "batch.py"
    script.write_text(BATCH)
    parent = subprocess.Popen(
        [sys.executable, script, tmp_path], stdout=subprocess.PIPE, text=True
    )
    children, open_files = [], []
    try:
        children = [int(parent.stdout.readline()) for _ in fifos]
        open_files = [open_once_read(fifo, 60) for fifo in fifos]
        assert all(map(is_alive, children))

        parent.send_signal(signal.SIGKILL)
        parent.wait()

        assert wait_until_gone(children, 10) == []
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        for file in open_files:
            os.close(file)
        for child in filter(is_alive, children):
            os.kill(child, signal.SIGKILL)


def test_a_program_goes_with_the_one_that_started_it():
    child = PROGRAM.format(work="time.sleep(60)")
    between = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}],\n"
        "    stdout=subprocess.PIPE, text=True)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", between], stdout=subprocess.PIPE, text=True
    )
    number = 0
    try:
        number = int(parent.stdout.readline())
        assert is_alive(number)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert wait_until_gone([number], 5) == []
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        if number and is_alive(number):
            os.kill(number, signal.SIGKILL)


def test_a_window_s_segmentation_goes_with_the_window(tmp_path):
    """It waits for its scan, and prints nothing that could fail."""
    fifo = tmp_path / "scan.nii"
    os.mkfifo(fifo)
    words = ["-m", "napari_microus", "segment", str(fifo), "-o", "mask.nii"]
    window = (
        "import os, subprocess, sys, time\n"
        f"environment = os.environ | {{{CANCEL_VARIABLE!r}: 'cancel'}}\n"
        f"child = subprocess.Popen([sys.executable, *{words}], env=environment)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", window],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    number, file = 0, -1
    try:
        number = int(parent.stdout.readline())
        file = open_once_read(fifo, 60)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert wait_until_gone([number], 5) == []
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        if file >= 0:
            os.close(file)
        if number and is_alive(number):
            os.kill(number, signal.SIGKILL)


def test_a_program_whose_parent_lives_continues():
    code = PROGRAM.format(work="time.sleep(1.5)")
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=30)
    assert done.returncode == 0
