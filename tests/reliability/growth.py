"""Segment one scan again and again, open and close the docks: does memory grow?

    python tests/reliability/growth.py [--runs 200] [--cycles 50] [--acts Train …]

In a real napari (on a virtual screen of its own where there is xvfb-run) one scan is
segmented 200 times in *Segment capsule*, its capsule taken away each time; then each
dock is opened and closed 50 times: each act in a process of its own. What the process
holds is its resident memory after a search for garbage, and after the C library has
given back what was freed: without that a dock of 60 plain buttons, opened and closed
40 times, swings between 430 and 527 MB, of which 102 to 113 are in use. It is taken
after a warm-up, which imports and compiles what the first uses need, and at the end.

Beside each dock its twin is measured: a dock of as many labels, buttons, boxes and
lists as Qt makes them, none of which is ours. What Qt and napari keep of each control
shows there. Prints a row for each, with what a cycle keeps in kB; ends with 1 where one
of ours grew by 5 % or more, or where its last quarter alone grew by more than 1 %.
"""

from __future__ import annotations

import argparse
import collections
import ctypes
import gc
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

DOCKS = (
    *("Segment capsule", "Correct capsule", "Compare annotations"),
    *("Train", "Batch", "Segment live"),
)
SEGMENT, PLAIN, TWIN = "segment", "60 plain buttons", "twin of "
ACTS = (SEGMENT, PLAIN, *(f"{twin}{dock}" for dock in DOCKS for twin in ("", TWIN)))
MOST = 0.05
WARM_RUNS, WARM_CYCLES = 20, 5


class _MallocInfo(ctypes.Structure):
    """mallinfo2 of the GNU C library."""

    NAMES = (
        "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    )
    _fields_ = tuple((name, ctypes.c_size_t) for name in NAMES.split())


def resident_mb() -> float:
    """Return the memory that the process holds and needs."""
    for _ in range(3):
        gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def in_use_kb() -> float:
    """Return what the C library counts as in use: Qt's objects among them."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _MallocInfo
    return mallinfo2().uordblks / 1e3


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


@dataclass(frozen=True)
class Growth:
    """Memory after the warm-up, at three quarters, at the end; what a cycle keeps."""

    before: float
    late: float
    end: float
    kept_kb: float

    def is_bad(self, times: int) -> bool:
        return self.end / self.before - 1 >= MOST or (
            times >= 40 and self.end / self.late - 1 > MOST / 5
        )


def grow(act, warm: int, times: int) -> Growth:
    for _ in range(warm):
        act()
    before = late = resident_mb()
    in_use = [in_use_kb()]
    for number in range(1, times + 1):
        act()
        if number % max(1, times // 10) == 0:
            gc.collect()
            in_use.append(in_use_kb())
        if number == times * 3 // 4:
            late = resident_mb()
    # The canvas takes and gives back megabytes: the middle of many differences.
    steps = sorted(two - one for one, two in itertools.pairwise(in_use))
    kept = steps[len(steps) // 2] / max(1, times // 10)
    return Growth(before, late, resident_mb(), kept)


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


def open_and_close_controls(viewer, controls: dict[type, int]):
    """Return what opens and closes a dock of Qt's own controls, so many of each."""
    from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

    def once() -> None:
        plain = QWidget()
        column = QVBoxLayout(plain)
        for kind, count in controls.items():
            for _ in range(count):
                control = kind()
                if isinstance(control, QComboBox):
                    control.addItems(["one", "two"])
                column.addWidget(control)
        viewer.window.add_dock_widget(plain, name="plain")
        settle(least_s=0.05)
        viewer.window.remove_dock_widget(plain)
        settle()

    return once


def controls_of(viewer, title: str) -> dict[type, int]:
    """Return which of Qt's controls a dock is made of, and how many of each."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-microus", title)
    settle(least_s=1)
    found = counted(dock, collections.Counter())
    viewer.window.remove_dock_widget(dock)
    settle()
    return found


def counted(widget, found: collections.Counter) -> collections.Counter:
    from qtpy import QtWidgets as Qt

    # These make controls of their own inside.
    whole = (Qt.QAbstractSpinBox, Qt.QComboBox, Qt.QAbstractScrollArea, Qt.QLineEdit)
    for child in widget.children():
        if not isinstance(child, Qt.QWidget):
            continue
        kind = next(
            k for k in type(child).__mro__ if k.__module__.endswith(".QtWidgets")
        )
        is_control = kind not in (Qt.QWidget, Qt.QFrame, Qt.QMenu, Qt.QAbstractButton)
        if is_control and not child.objectName().startswith("qt_"):
            found[kind] += 1
        if not issubclass(kind, whole) or issubclass(kind, Qt.QScrollArea):
            counted(child, found)
    return found


def measure(act: str, runs: int, cycles: int) -> int:
    """Be the process with the window, and print a row."""
    import napari
    from qtpy.QtWidgets import QPushButton

    from napari_microus.core.samples import read_sweep

    viewer = napari.Viewer()
    scan = viewer.add_image(read_sweep().scan.array, name="scan")
    times, warm = (runs, WARM_RUNS) if act == SEGMENT else (cycles, WARM_CYCLES)
    words = f"open and close *{act}*"
    if act == SEGMENT:
        once, _ = segment(viewer, scan)
        words = "*Segment capsule* on one scan"
    elif act == PLAIN:
        once = open_and_close_controls(viewer, {QPushButton: 60})
        words = f"open and close {PLAIN} (napari and Qt alone)"
    elif act.startswith(TWIN):
        controls = controls_of(viewer, act.removeprefix(TWIN))
        once = open_and_close_controls(viewer, controls)
        words = f"the same of its twin ({controls.total()} controls of Qt)"
    else:
        once = open_and_close(viewer, act)
    found = grow(once, warm, times)
    share = 100 * (found.end / found.before - 1)
    print(
        f"| {words} | {times} | {found.before:.0f} | {found.end:.0f} | {share:+.1f} % "
        f"| {found.kept_kb:.0f} |",
        flush=True,
    )
    viewer.close()
    is_control = act == PLAIN or act.startswith(TWIN)
    return found.is_bad(times) and not is_control


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--acts", nargs="*", default=ACTS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        return measure(arguments.measure, arguments.runs, arguments.cycles)
    return sum([in_process(act, arguments) for act in arguments.acts]) > 0


def in_process(act: str, arguments: argparse.Namespace) -> bool:
    """Measure one act in a process of its own; return whether it is bad."""
    with tempfile.TemporaryDirectory(prefix="growth-") as home:
        env = {**os.environ, "HOME": home, "XDG_RUNTIME_DIR": home}
        for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
            env[f"XDG_{kind}_HOME"] = f"{home}/{kind.lower()}"
        env.pop("QT_QPA_PLATFORM", None)
        env["OMP_NUM_THREADS"] = "1"
        env["PYTHONPATH"] = str(Path(__file__).parents[2] / "src")
        words = [sys.executable, __file__, "--measure", act]
        words += ["--runs", str(arguments.runs), "--cycles", str(arguments.cycles)]
        if shutil.which("xvfb-run"):
            words = ["xvfb-run", "-a", "-s", "-screen 0 1366x768x24", *words]
        return subprocess.run(words, env=env, check=False).returncode != 0


if __name__ == "__main__":
    sys.exit(main())
