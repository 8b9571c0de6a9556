"""Longest gap in napari's event loop while *Segment capsule* runs.

Usage: ``xvfb-run -a python benchmarks/ui_gap.py [--frames 60]``. A timer of 2 ms
ticks in the window's thread; the longest time between two ticks is how long the
window did not answer. The first run holds the import of PyTorch and the loading of
the model, the second none of it. Prints a table and one JSON object. Where the
library has no model, a small one with drawn weights is made for the occasion.

With ``--training`` the same is measured while the *Train* dock starts, watches and
ends a real run of the small network on phantoms.
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
from qtpy.QtWidgets import QApplication

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


def measure_training(epochs: int) -> None:
    """Train in the dock and print the longest gaps by phase."""
    from napari_microus.widgets._train_child import command
    from napari_microus.widgets._train_places import Places
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
    started = time.perf_counter()
    widget = TrainWidget(viewer, make_command=on_few_phantoms, places=Places(folder))
    viewer.window.add_dock_widget(widget, name="Train")
    report = {"opening_dock_s": round(time.perf_counter() - started, 3)}
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
    noise = np.random.default_rng(0).integers(0, 255, (1, *SHAPE), np.uint8)
    viewer.add_image(np.repeat(noise, frames, axis=0), name="scan")
    started = time.perf_counter()
    widget = SegmentWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Segment capsule")
    opening_s = time.perf_counter() - started
    heart = Heartbeat()
    wait(lambda: len(heart.times) > 200)
    since = heart.times[100]
    report = {"frames": frames, "shape": SHAPE, "opening_dock_s": round(opening_s, 3)}
    report["idle_ms"] = round(float(heart.gaps_ms(since)[0]), 1)
    for name in ("first run", "second run"):
        since = time.perf_counter()
        QTest.mouseClick(widget.run_button, Qt.MouseButton.LeftButton)
        wait(lambda: not widget.is_running)
        gaps = heart.gaps_ms(since)
        report[name] = {
            "seconds": round(time.perf_counter() - since, 2),
            "longest_gaps_ms": [round(float(gap), 1) for gap in gaps[:5]],
        }
        print(f"{name:12} longest gap {gaps[0]:6.1f} ms  {widget.message.text()}")
    print(json.dumps(report))
    viewer.close()


if __name__ == "__main__":
    main()
