"""Longest gap in napari's event loop while *Segment capsule* runs.

Usage: ``xvfb-run -a python benchmarks/ui_gap.py [--frames 60] [--click-after 5]``. A
timer of 2 ms ticks in the window's thread; the longest time between two ticks is how
long the window did not answer. The dock warms up when it is opened: "warming up" is
the time before the click, with ``--click-after 0`` the first run holds the import of
PyTorch and the loading of the model. "First result" is the time from the click to the
frame in view with its capsule, drawn. napari needs a moment to make and draw a new
layer, longer where no graphics card is; that is "new layer", whether it falls into the
run or comes after it. Prints a table and one JSON object. Where the library has no
model, a small one with drawn weights is made for the occasion.

With ``--training`` the same is measured while the *Train* dock starts, watches and
ends a real run of the small network on phantoms. Limit: the longest gap while a dock
with a single label changes its text as often. napari's window is put together again for
each, by the processor where no graphics card is.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel

SHAPE = (962, 1372)


class Heartbeat:
    """Notes when the event loop comes round."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._timer = QTimer()
        self._timer.setInterval(2)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        self.times.append(time.perf_counter())

    def gaps_ms(self, since: float) -> np.ndarray:
        """Return the times between beats after ``since``, longest first."""
        times = np.array([t for t in self.times if t >= since])
        return np.sort(1000 * np.diff(times))[::-1]


def wait(condition) -> None:
    while not condition():
        QApplication.processEvents()
        time.sleep(0.0005)


def make_model(folder: Path) -> None:
    """Save a small network with drawn weights; in a process that may import torch."""
    import subprocess
    import sys

    code = f"""
from napari_microus.core import library
from napari_microus.core.config import ModelConfig
from napari_microus.core.models import create_model
config = ModelConfig.small()
library.save_model({str(folder)!r}, create_model(config), card="", metrics={{}},
    config={{"architecture": "transunet", "options": config.transunet.to_dict()}})
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def label_gaps(viewer, seconds: float = 8.0) -> np.ndarray:
    """Return the gaps while a label in a dock changes ten times a second."""
    label = QLabel("0")
    dock = viewer.window.add_dock_widget(label, name="Label")
    heart = Heartbeat()
    wait(lambda: len(heart.times) > 200)
    since = due = time.perf_counter()
    while time.perf_counter() - since < seconds:
        if time.perf_counter() > due:
            label.setText(f"{due:.3f}")
            due += 0.1
        QApplication.processEvents()
        time.sleep(0.0005)
    gaps = heart.gaps_ms(since)
    viewer.window.remove_dock_widget(dock)
    return gaps


def measure_training(epochs: int) -> None:
    """Train in the dock and print the longest gaps by phase."""
    from napari_microus.core.runs.process import command
    from napari_microus.core.runs.workspace import Workspace
    from napari_microus.widgets.train import TrainWidget

    folder = Path(tempfile.mkdtemp())
    os.environ["NAPARI_MICROUS_MODELS"] = str(folder / "models")
    data = {"phantom_frames": 64, "phantom_val_cases": 1, "phantom_val_frames": 2}

    def on_few_phantoms(words):
        more = [f"data.{name}={value}" for name, value in data.items()]
        return command([*words, *(part for line in more for part in ("--set", line))])

    viewer = napari.Viewer()
    noise = np.random.default_rng(0).integers(0, 255, (60, *SHAPE), np.uint8)
    viewer.add_image(noise, name="scan")
    limit = label_gaps(viewer)
    print(f"{'a single label':20} longest gap {limit[0]:6.1f} ms")
    started = time.perf_counter()
    widget = TrainWidget(
        viewer, make_command=on_few_phantoms, workspace=Workspace(folder)
    )
    viewer.window.add_dock_widget(widget, name="Train")
    report = {"opening_dock_s": round(time.perf_counter() - started, 3)}
    report["a single label"] = {"longest_gaps_ms": rounded(limit)}
    panel, heart = widget.panel, Heartbeat()
    wait(lambda: len(heart.times) > 200)
    widget.form.choose_small()
    widget.form.advanced.fields["epochs"].setText(str(epochs))
    phases = {
        "estimate and start": lambda: panel.history.started is not None,
        "training": lambda: len(panel.history.epochs) >= epochs,
        "end": lambda: not panel.is_active,
    }
    since = time.perf_counter()
    QTest.mouseClick(widget.start_button, Qt.MouseButton.LeftButton)
    for name, is_over in phases.items():
        wait(is_over)
        gaps = heart.gaps_ms(since)
        report[name] = {
            "seconds": round(time.perf_counter() - since, 2),
            "longest_gaps_ms": [round(float(gap), 1) for gap in gaps[:5]],
        }
        print(f"{name:20} longest gap {gaps[0]:6.1f} ms  {panel.figures.text()!r}")
        since = time.perf_counter()
    print(json.dumps(report))
    viewer.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--click-after", type=float, default=5.0, help="seconds")
    parser.add_argument("--training", action="store_true", help="the Train dock")
    parser.add_argument("--epochs", type=int, default=4, help="of the training")
    arguments = parser.parse_args()
    if arguments.training:
        measure_training(arguments.epochs)
        return
    frames = arguments.frames
    from napari_microus.core import library
    from napari_microus.widgets.segment import SegmentWidget

    if not library.list_models():
        folder = Path(tempfile.mkdtemp())
        os.environ["NAPARI_MICROUS_MODELS"] = str(folder)
        make_model(folder / "drawn")
    viewer = napari.Viewer()
    viewer.add_image(phantom_scan(frames), name="scan")
    heart = Heartbeat()
    wait(lambda: len(heart.times) > 200)
    idle_ms = heart.gaps_ms(heart.times[100])[0]
    started = time.perf_counter()
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment capsule")
    QApplication.processEvents()
    opening_s = time.perf_counter() - started
    report = {"frames": frames, "shape": SHAPE, "opening_dock_s": round(opening_s, 3)}
    report["idle_ms"] = round(float(idle_ms), 1)
    print(f"opening the dock {opening_s:.3f} s")
    opened = time.perf_counter()
    wait(lambda: time.perf_counter() - opened > arguments.click_after)
    if arguments.click_after:
        gaps = heart.gaps_ms(opened)
        report["warming up"] = {"longest_gaps_ms": rounded(gaps)}
        print(f"warming up   longest gap {gaps[0]:6.1f} ms")
    for name in ("first run", "second run"):
        report[name] = one_run(viewer, widget, heart, name)
    print(json.dumps(report))
    viewer.close()


def one_run(viewer, widget, heart: Heartbeat, name: str) -> dict:
    """Click *Segment*, wait for the end, and return times and gaps."""
    layers, first_result = len(viewer.layers), []
    made: list[tuple[float, float]] = []

    def is_over() -> bool:
        if not made and len(viewer.layers) > layers:
            made.append((heart.times[-1], time.perf_counter()))
        return bool(first_result) and not widget.is_running

    def note_frame() -> None:
        """Note when a picture with the capsule is on the screen."""
        shown = len(viewer.layers) > layers and viewer.layers[-1].visible
        if shown and not first_result and viewer.layers[-1].data[frame].any():
            first_result.append(time.perf_counter() - since)

    frame = viewer.dims.current_step[0]
    canvas = viewer.window._qt_viewer.canvas.native
    canvas.frameSwapped.connect(note_frame)
    since = time.perf_counter()
    QTest.mouseClick(widget.run_button, Qt.MouseButton.LeftButton)
    wait(is_over)
    seconds = time.perf_counter() - since
    canvas.frameSwapped.disconnect(note_frame)
    wait(lambda: time.perf_counter() - since > seconds + 0.5)
    times = np.array([t for t in heart.times if t >= since])
    gaps, ends = 1000 * np.diff(times), times[1:]
    # Making the layer and its controls, then the slice, the shaders and the canvas.
    around = (ends >= made[0][0]) & (ends <= made[0][1] + 0.5)
    other = np.sort(gaps[~around])[::-1]
    layer = np.sort(gaps[around])[::-1]
    print(
        f"{name:12} longest gap {other[0]:6.1f} ms, new layer {layer[0]:6.1f} ms, "
        f"first result {first_result[0]:.2f} s, all {seconds:.2f} s"
    )
    return {
        "first_result_s": round(first_result[0], 2),
        "seconds": round(seconds, 2),
        "longest_gaps_ms": rounded(other),
        "new_layer_gaps_ms": rounded(layer),
    }


def rounded(gaps) -> list[float]:
    return [round(float(gap), 1) for gap in gaps[:5]]


def phantom_scan(frames: int) -> np.ndarray:
    """Repeat a few phantom frames; in a process of its own, to import nothing here."""
    import subprocess
    import sys

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scan.npy"
        code = (
            "import numpy as np\n"
            "from napari_microus.core.phantom import make_phantom\n"
            f"scan = make_phantom(0, frames=4, shape={SHAPE}).scan.array\n"
            f"np.save({str(file)!r}, scan)\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
        few = np.load(file)
    return np.tile(few, (-(-frames // 4), 1, 1))[:frames]


if __name__ == "__main__":
    main()
