"""Time and memory as a scan grows: both must be proportional to the frames.

Usage: ``python benchmarks/scaling.py [--frames 30 100 300 1000] [--model small]``. All
lengths are segmented at once, a batch of each in turn, the short ones again and again
until the longest is done: a shared machine slows them alike. The median of the batches
counts, with what comes before the first and after the last. "Beyond input" is the most
memory a process of its own had (PyTorch and the network included) without the scan
itself. Limit: input and the mask, of the same size.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
from _common import drain, load, peak_rss_mib, report, scan_of

from napari_microus.core.predict import predict

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_microus.core.library import LoadedModel

MOST_MIB = 1.5 * 1000**3 / 2**20
WITHIN = 0.10


def memory(model: str, frames: int) -> dict[str, int]:
    """Return what this process needed at most, which must have done nothing else."""
    loaded, scan = load(model), scan_of(frames)
    drain(predict(loaded, scan, device="cpu"))
    peak_mib, scan_mib = peak_rss_mib(), scan.array.nbytes / 2**20
    return {
        "scan_mib": round(scan_mib),
        "beyond_input_mib": round(peak_mib - scan_mib),
        "beyond_input_and_mask_mib": round(peak_mib - 2 * scan_mib),
    }


def ms_per_frame(model: LoadedModel, lengths: list[int]) -> dict[int, float]:
    """Return the time a frame took in scans of each length."""
    scans = {frames: scan_of(frames) for frames in lengths}
    drain(predict(model, scan_of(8), device="cpu"))
    runs: dict[int, list[list[float]]] = {frames: [[]] for frames in lengths}
    works: dict[int, Generator] = {}
    while len(runs[max(lengths)]) == 1:
        for frames, scan in scans.items():
            started = time.perf_counter()
            work = works.setdefault(frames, predict(model, scan, device="cpu"))
            is_done = next(work, None) is None
            runs[frames][-1].append(time.perf_counter() - started)
            if is_done:
                del works[frames]
                runs[frames].append([])
    return {n: 1000 * whole(taken[:-1]) / n for n, taken in runs.items()}


def whole(runs: list[list[float]]) -> float:
    """Return the seconds of a scan, from the medians of its start, batches and end."""
    batches = np.median([step for run in runs for step in run[1:-1]])
    edges = np.median([run[0] + run[-1] for run in runs])
    return float(edges + batches * (len(runs[0]) - 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[30, 100, 300, 1000])
    parser.add_argument("--model", default="small", help="small, base or a folder")
    parser.add_argument("--one", action="store_true", help="in this process")
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(memory(chosen.model, chosen.frames[0])))
        return
    # First: a child's peak begins at what its parent has.
    needed = {}
    for frames in chosen.frames:
        run = [sys.executable, __file__, "--one", "--model", chosen.model]
        done = subprocess.run(
            [*run, "--frames", str(frames)], check=True, capture_output=True, text=True
        )
        needed[frames] = json.loads(done.stdout)
    times = ms_per_frame(load(chosen.model), chosen.frames)
    scans = [
        {"frames": frames, "ms_per_frame": round(times[frames], 2), **needed[frames]}
        for frames in chosen.frames
    ]
    spread = max(times.values()) / min(times.values()) - 1
    result = {
        "model": chosen.model,
        "scans": scans,
        "spread": round(spread, 3),
        "is_linear": spread <= WITHIN,
        "memory_is_met": all(s["beyond_input_mib"] < MOST_MIB for s in scans[:3]),
    }
    rows = [list(scan.values()) for scan in scans]
    head = ["frames", "ms a frame", "scan, MiB", "beyond input", "beyond both"]
    report(result, rows, head)


if __name__ == "__main__":
    main()
