"""Make phantom frames in child processes, one for each core.

The children are started as programs, not through `multiprocessing`: a script that
trains then needs no ``if __name__ == "__main__"``, and no memory is shared but the
files being filled.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from napari_microus.core.errors import InputError
from napari_microus.core.events import Event, Progress
from napari_microus.core.parent import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Generator

# Frames of one seed; more children or fewer make the same frames.
CHUNK = 40
# Apart, because the seeds of one run must not meet those of the next.
_SEEDS_PER_RUN = 1_000_000


def fill(
    folder: Path, seed: int, count: int, size: int
) -> Generator[Event, None, None]:
    """Fill ``frames.npy``, ``expert.npy`` and ``nonexpert.npy`` of a folder.

    Parameters
    ----------
    folder : Path
        Holds the three files, each uint8 of shape (count, size, size).
    seed : int
        Chooses the phantoms.
    count, size : int
        Number of frames and their edge in pixels.

    Raises
    ------
    InputError
        If a child fails; its last words are in the message.
    """
    chunks = -(-count // CHUNK)
    workers = max(1, min(os.cpu_count() or 1, chunks))
    # Each child has a core of its own and must not fight for the others.
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment = os.environ | single
    done: queue.Queue[int] = queue.Queue()
    children = []
    try:
        for worker in range(workers):
            command = [sys.executable, "-m", __name__, str(folder)]
            command += [str(n) for n in (seed, count, size, worker, workers)]
            child = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
            children.append(child)
            assert child.stdout is not None  # asked for above
            reader = threading.Thread(
                target=_count_lines, args=(child.stdout, done), daemon=True
            )
            reader.start()
        finished, ended = 0, 0
        while ended < workers:
            frames = done.get()
            if frames < 0:
                ended += 1
                continue
            finished += frames
            yield Progress(finished, count, "frames", "Making phantoms")
        for child in children:
            if child.wait() != 0:
                assert child.stderr is not None  # asked for above
                words = child.stderr.read().strip().splitlines()[-1:]
                raise InputError(
                    "Making phantoms must succeed; got "
                    f"'{words[0] if words else child.returncode}'. "
                    "Check the free space and memory, then start again.",
                    plain=(
                        "The phantoms could not be made "
                        f"('{words[0] if words else child.returncode}'). Check the "
                        "free space and memory, then start again."
                    ),
                )
    finally:
        for child in children:
            child.kill()
            child.wait()
            for pipe in (child.stdout, child.stderr):
                if pipe is not None:
                    pipe.close()


def _count_lines(pipe: IO[str], done: queue.Queue[int]) -> None:
    try:
        for line in pipe:
            done.put(int(line))
    except ValueError:  # the pipe was closed because the run is being stopped
        pass
    done.put(-1)


def _work(arguments: list[str]) -> None:
    """Fill every ``workers``-th chunk, reporting the number of frames after each."""
    from napari_microus.core.phantom import training_batch

    folder = Path(arguments[0])
    seed, count, size, worker, workers = (int(word) for word in arguments[1:])
    names = ("frames", "expert", "nonexpert")
    arrays = [np.load(folder / f"{name}.npy", mmap_mode="r+") for name in names]
    for start in range(worker * CHUNK, count, workers * CHUNK):
        length = min(CHUNK, count - start)
        made = training_batch(seed * _SEEDS_PER_RUN + start, length, size)
        for array, part in zip(arrays, made, strict=True):
            array[start : start + length] = part
        print(length, flush=True)


if __name__ == "__main__":
    end_with_parent()
    _work(sys.argv[1:])
