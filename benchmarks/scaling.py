"""Time and memory as a scan grows: both must be proportional to the frames.

Usage: ``python benchmarks/scaling.py [--frames 30 100 300 1000] [--model small]``. Each
scan is segmented in a fresh process, as often as a thousand frames allow, and the
fastest counts. "Beyond input" is the most memory the process had (PyTorch and the
network included) without the scan itself. Limit: input and the mask, of the same size.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

from _common import drain, in_turn, load, peak_rss_mib, report, scan_of

from napari_microus.core.predict import predict

MOST_MIB = 1.5 * 1000**3 / 2**20
WITHIN = 0.10


def measure(model: str, frames: int) -> dict[str, float]:
    loaded, scan = load(model), scan_of(frames)
    drain(predict(loaded, scan, device="cpu", frames=range(min(8, frames))))
    work = {"all": lambda: drain(predict(loaded, scan, device="cpu"))}
    seconds = in_turn(work, max(2, min(10, 300 // frames)))["all"]
    scan_mib = scan.array.nbytes / 2**20
    return {
        "frames": frames,
        "ms_per_frame": round(1000 * seconds / frames, 2),
        "scan_mib": round(scan_mib),
        "beyond_input_mib": round(peak_rss_mib() - scan_mib),
        "beyond_input_and_mask_mib": round(peak_rss_mib() - 2 * scan_mib),
    }


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
    times = [scan["ms_per_frame"] for scan in scans]
    spread = max(times) / min(times) - 1
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
