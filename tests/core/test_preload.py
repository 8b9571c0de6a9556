"""PyTorch comes into memory without Python's lock, and is the same PyTorch."""

import subprocess
import sys

import pytest

from napari_microus.core import preload

PROBE = """
import sys, threading, time
import gc
import numpy
garbage = [[] for _ in range(2_000_000)]  # as many objects as a window has
from napari_microus.core.preload import import_torch, _libraries, _map
assert "torch" not in sys.modules
longest, over = 0.0, threading.Event()

def watch():
    global longest
    last = time.process_time()
    while not over.is_set():
        time.sleep(0.001)
        now = time.process_time()
        longest, last = max(longest, now - last), now

watcher = threading.Thread(target=watch)
watcher.start()
if "--plainly" in sys.argv:
    import torch
else:
    import_torch()
    import torch
over.set()
watcher.join()
assert gc.isenabled()
assert torch.ones(2).sum().item() == 2
print(longest)
"""


def lock_held_s(*arguments):
    """Return the processor time of the longest stretch in which a thread waited."""
    run = [sys.executable, "-c", PROBE, *arguments]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the libraries map differently")
def test_other_threads_run_while_the_libraries_are_mapped():
    # In processor time, which a busy machine does not stretch: 0.05 and 0.2 s.
    assert lock_held_s() < 0.6 * lock_held_s("--plainly")


def test_a_library_that_cannot_be_mapped_is_left_to_the_import(tmp_path):
    library = tmp_path / "libtorch.so"
    library.write_bytes(b"no library")
    if sys.platform != "win32":
        assert preload._map(library) is False
    preload.import_torch()
