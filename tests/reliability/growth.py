"""Segment one scan again and again, open and close the docks: does memory grow?

    python tests/reliability/growth.py [--runs 200] [--cycles 50]

In a real napari (on a virtual screen of its own where there is xvfb-run) one scan is
segmented 200 times in *Segment capsule*, its capsule taken away each time; then each
dock is opened and closed 50 times. What the process holds (resident memory after a
search for garbage) is taken after a warm-up, which imports and compiles what the first
uses need, and at the end. Before the docks a dock of 60 plain buttons is opened and
closed as often: napari and Qt keep something of every dock, whoever made it. Prints a
row for each; ends with 1 where one grew by 5 % or more, or where the last quarter alone
still grew by more than 1 %, and where a dock then also grew by more than that of plain
buttons.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DOCKS = (
    *("Segment capsule", "Correct capsule", "Compare annotations"),
    *("Train", "Batch"),
)
MOST = 0.05
WARM_RUNS, WARM_CYCLES = 20, 5


def resident_mb() -> float:
    """Return the memory that the process holds, after a search for garbage."""
    for _ in range(3):
        gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def settle(condition=lambda: True, least_s: float = 0.0) -> None:
    """Let the window work until the condition holds, and what went be destroyed."""
    from qtpy.QtCore import QCoreApplication, QEvent
    from qtpy.QtWidgets import QApplication

    began = time.monotonic()
    while not condition() or time.monotonic() - began < least_s:
        QApplication.processEvents()
        time.sleep(0.002)
        if time.monotonic() - began > 300:
            raise SystemExit("The window must answer within five minutes.")
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()


def grow(act, warm: int, times: int) -> tuple[float, float, float]:
    """Return MB after the warm-up, at three quarters, and at the end."""
    for _ in range(warm):
        act()
    before = late = resident_mb()
    for number in range(times):
        act()
        if number == times * 3 // 4:
            late = resident_mb()
    return before, late, resident_mb()


def segment(viewer, scan):
    """Return what segments the scan once, and takes the capsule away."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-microus", "Segment capsule")
    settle(least_s=3)  # it warms up

    def once() -> None:
        dock.run_button.click()
        settle(lambda: not dock.is_running)
        (capsule,) = (layer for layer in viewer.layers if layer is not scan)
        assert capsule.data.any(), dock.message.text()
        viewer.layers.remove(capsule)
        settle()

    return once, dock


def open_and_close(viewer, title: str):
    def once() -> None:
        _, dock = viewer.window.add_plugin_dock_widget("napari-microus", title)
        settle(least_s=0.05)
        viewer.window.remove_dock_widget(dock)
        settle()

    return once


def open_and_close_plain(viewer):
    from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

    def once() -> None:
        plain = QWidget()
        column = QVBoxLayout(plain)
        for number in range(60):
            column.addWidget(QPushButton(str(number)))
        viewer.window.add_dock_widget(plain, name="plain")
        settle(least_s=0.05)
        viewer.window.remove_dock_widget(plain)
        settle()

    return once


def measure(runs: int, cycles: int, docks: list[str]) -> int:
    """Be the process with the window, and print the table."""
    import napari

    from napari_microus.core.samples import read_sweep

    viewer = napari.Viewer()
    sweep = read_sweep().scan
    scan = viewer.add_image(sweep.array, name="scan")
    bad = 0

    plain_mb = 0.0  # that a dock of plain buttons grows by

    def tell(words: str, times: int, found: tuple[float, float, float]) -> float:
        nonlocal bad
        before, late, end = found
        share, last = end / before - 1, end / late - 1
        is_bad = share >= MOST or (times >= 40 and last > MOST / 5)
        bad += is_bad and end - before > plain_mb
        print(
            f"| {words} | {times} | {before:.0f} | {end:.0f} | {100 * share:+.1f} % |",
            flush=True,
        )
        return end - before

    if runs:
        once, dock = segment(viewer, scan)
        tell("*Segment capsule* on one scan", runs, grow(once, WARM_RUNS, runs))
        viewer.window.remove_dock_widget(dock)
        settle()
    if docks:
        was_bad, once = bad, open_and_close_plain(viewer)
        found = grow(once, WARM_CYCLES, cycles)
        plain_mb = tell("open and close 60 plain buttons", cycles, found)
        bad = was_bad
    for title in docks:
        once = open_and_close(viewer, title)
        tell(f"open and close *{title}*", cycles, grow(once, WARM_CYCLES, cycles))
    viewer.close()
    return bad > 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--docks", nargs="*", default=DOCKS)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        return measure(arguments.runs, arguments.cycles, arguments.docks)
    with tempfile.TemporaryDirectory(prefix="growth-") as home:
        env = {**os.environ, "HOME": home, "XDG_RUNTIME_DIR": home}
        for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
            env[f"XDG_{kind}_HOME"] = f"{home}/{kind.lower()}"
        env.pop("QT_QPA_PLATFORM", None)
        env["OMP_NUM_THREADS"] = "1"
        env["PYTHONPATH"] = str(Path(__file__).parents[2] / "src")
        words = [sys.executable, __file__, "--measure", *sys.argv[1:]]
        if shutil.which("xvfb-run"):
            words = ["xvfb-run", "-a", "-s", "-screen 0 1366x768x24", *words]
        return subprocess.run(words, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
