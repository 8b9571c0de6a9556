"""How long until something is there: the command line, napari, and each dock.

Usage: ``xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/starting.py``. The
help is timed in fresh processes (fastest and median), each dock in a napari of its own
with a scan open, from the click to the window having drawn it. Also shows whether
starting napari with the plugin imported PyTorch. Limit: a Python that imports typer,
and a dock with one empty label.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

DOCKS = ("Segment capsule", "Compare annotations", "Train")
HEAVY = ("torch", "monai", "SimpleITK", "nibabel", "lightning_fabric")


def seconds_of(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def open_dock(name: str) -> dict[str, Any]:
    import napari
    import numpy as np
    from qtpy.QtWidgets import QApplication, QLabel

    def settle() -> None:
        for _ in range(5):
            QApplication.processEvents()

    viewer = napari.Viewer()
    rng = np.random.default_rng(0)
    viewer.add_image(rng.integers(0, 255, (8, 962, 1372), np.uint8), name="scan")
    settle()
    at_start = [module for module in HEAVY if module in sys.modules]
    started = time.perf_counter()
    viewer.window.add_dock_widget(QLabel(), name="empty")
    settle()
    empty_s = time.perf_counter() - started
    started = time.perf_counter()
    viewer.window.add_plugin_dock_widget("napari-microus", name)
    settle()
    seconds = time.perf_counter() - started
    at_once = [module for module in HEAVY if module in sys.modules]
    return {
        "seconds": round(seconds, 3),
        "empty_dock_s": round(empty_s, 3),
        "imported_by_napari": at_start,
        "imported_by_dock": at_once,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--dock", choices=DOCKS, help="open one, in this process")
    chosen = parser.parse_args()
    if chosen.dock:
        print(json.dumps(open_dock(chosen.dock)))
        sys.stdout.flush()
        sys.exit()
    program = Path(sys.executable).with_name("napari-microus")
    ways = {
        "napari-microus --help": [str(program), "--help"],
        "python -c 'import typer'": [sys.executable, "-c", "import typer"],
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(chosen.runs):
        for name, command in ways.items():
            times[name].append(seconds_of(command))
    result: dict[str, Any] = {}
    for name, taken in times.items():
        median = statistics.median(taken)
        result[name] = {"fastest_s": round(min(taken), 3), "median_s": round(median, 3)}
        print(f"{name:26} {min(taken):6.3f} s, median {median:.3f} s")
    for dock in DOCKS:
        command = [sys.executable, __file__, "--dock", dock]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        result[dock] = json.loads(done.stdout.splitlines()[-1])
        found = result[dock]
        print(
            f"{dock:26} {found['seconds']:6.3f} s, an empty dock "
            f"{found['empty_dock_s']:.3f} s, imports {found['imported_by_dock']}"
        )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
