"""Time and memory as a scan grows: both must be proportional to the frames.

Usage: ``python benchmarks/scaling.py [--frames 30 100 300 1000] [--model small]``. Each
scan is segmented in a fresh process, as often as a thousand frames allow, and the
fastest counts. A long scan has no quiet moment on a shared machine, and in a virtual
one the first touch of memory can take ten microseconds a page, a sixth of our time. So
the spread is also taken over "quiet": the mask's memory is at hand, and as many batches
are counted as there are at their lower quartile, with all that comes before and after.
"Beyond input" is the most memory the process had (PyTorch and the network included)
without the scan itself. Limit: input and the mask, of the same size.
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
    from napari_microus.core.library import LoadedModel
    from napari_microus.core.volume import Volume

MOST_MIB = 1.5 * 1000**3 / 2**20
WITHIN = 0.10


def measure(model: str, frames: int) -> dict[str, float]:
    loaded, scan = load(model), scan_of(frames)
    drain(predict(loaded, scan, device="cpu", frames=range(min(8, frames))))
    runs = max(2, min(10, 300 // frames))
    walls = [
        times[-1] - times[0] for times in (timed(loaded, scan) for _ in range(runs))
    ]
    peak_mib, scan_mib = peak_rss_mib(), scan.array.nbytes / 2**20
    out, quiets = np.ones_like(scan.array), []
    for _ in range(runs):
        out[:] = 0
        times = timed(loaded, scan, out)
        around = times[1] - times[0] + times[-1] - times[-2]
        batch = np.quantile(np.diff(times[1:-1]), 0.25)
        quiets.append(around + batch * frames / 8)
    return {
        "frames": frames,
        "ms_per_frame": round(1000 * min(walls) / frames, 2),
        "quiet_ms_per_frame": round(1000 * min(quiets) / frames, 2),
        "scan_mib": round(scan_mib),
        "beyond_input_mib": round(peak_mib - scan_mib),
        "beyond_input_and_mask_mib": round(peak_mib - 2 * scan_mib),
    }


def timed(model: LoadedModel, scan: Volume, out: np.ndarray | None = None) -> list:
    """Return when the work began, when each batch was done, and when it ended."""
    times = [time.perf_counter()]
    for _ in predict(model, scan, device="cpu", out=out):
        times.append(time.perf_counter())
    return [*times, time.perf_counter()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[30, 100, 300, 1000])
    parser.add_argument("--model", default="small", help="small, base or a folder")
    parser.add_argument("--one", action="store_true", help="in this process")
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.model, chosen.frames[0])))
        return
    scans = []
    for frames in chosen.frames:
        run = [sys.executable, __file__, "--one", "--model", chosen.model]
        done = subprocess.run(
            [*run, "--frames", str(frames)], check=True, capture_output=True, text=True
        )
        scans.append(json.loads(done.stdout))
    spreads = {}
    for name in ("ms_per_frame", "quiet_ms_per_frame"):
        times = [scan[name] for scan in scans]
        spreads[name] = round(max(times) / min(times) - 1, 3)
    result = {
        "model": chosen.model,
        "scans": scans,
        "spread": spreads,
        "is_linear": {name: spread <= WITHIN for name, spread in spreads.items()},
        "memory_is_met": all(s["beyond_input_mib"] < MOST_MIB for s in scans[:3]),
    }
    rows = [list(scan.values()) for scan in scans]
    head = ["frames", "ms a frame", "quiet", "scan, MiB", "beyond input", "beyond both"]
    report(result, rows, head)


if __name__ == "__main__":
    main()
