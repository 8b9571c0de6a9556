"""Time how long the *Compare annotations* dock holds up a brush stroke.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/live_compare.py
        [--frames 1 300] [--strokes 40] [--hz 60 --seconds 5]

A real napari window with both masks at 962 x 1372, the dock open, and a brush of 40
pixels. A stroke is eight dabs while the button is down and a release. Timed is what
the dock adds to it, that is the handlers of napari's events up to the request to draw
again, not napari's own painting nor the graphics card's: per dab, and for the whole
update after the stroke (release and second look, the part that makes every number of
the dock true). Then the same for undo and for a fill. Naive compares the whole scan
again. Wall time and, for a machine that others use too, CPU time.

With ``--hz`` a brush is drawn at that rate as a mouse would, with everything that
napari and the screen do to it, for a while without the dock and then with *Compare*
live: the part of dabs that came in time, and how long a dab and its drawing took. Where
no graphics card is, napari's own drawing sets the limit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_microus.core.disagreement import disagreement_map
from napari_microus.widgets.compare import CompareWidget

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_microus.widgets.compare.live import LiveComparison

ROWS, COLUMNS = 962, 1372
LIMIT_MS = 16.0


class Stopwatch:
    """Adds up the time spent in the dock's handlers."""

    def __init__(self, widget: CompareWidget) -> None:
        comparison = widget.comparison
        assert comparison is not None
        self.wall_s = self.cpu_s = 0.0
        self._depth = 0
        for watcher in comparison._watchers:
            watcher.edited.disconnect(comparison._update)
            watcher.edited.connect(self._timed(comparison))

    def _timed(self, comparison: LiveComparison) -> Any:
        def update(box: tuple[slice, ...]) -> None:
            wall, cpu = time.perf_counter(), time.process_time()
            comparison._update(box)
            self.wall_s += time.perf_counter() - wall
            self.cpu_s += time.process_time() - cpu

        return update

    def lap(self) -> tuple[float, float]:
        """Return wall and CPU time in ms since the last lap."""
        lap = self.wall_s * 1e3, self.cpu_s * 1e3
        self.wall_s = self.cpu_s = 0.0
        return lap


def ellipse(height: float, width: float) -> np.ndarray:
    """Return a capsule-like mask."""
    y, x = np.indices((ROWS, COLUMNS))
    inside = ((y - ROWS / 2) / height) ** 2 + ((x - COLUMNS / 2) / width) ** 2 < 1
    return inside.astype(np.uint8)


def settle() -> None:
    for _ in range(4):
        QApplication.processEvents()


def measure(frames: int, strokes: int) -> dict[str, dict[str, float]]:
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1500, 900)
    layers: list[Labels] = []
    for name, mask in (
        ("expert", ellipse(300, 450)),
        ("non-expert", ellipse(315, 440)),
    ):
        stack = np.repeat(mask[None], frames, axis=0)
        layers.append(viewer.add_labels(stack, name=name))
    with tempfile.TemporaryDirectory() as folder:
        widget = CompareWidget(viewer, journal_folder=Path(folder))
        viewer.window.add_dock_widget(widget, name="Compare annotations", area="right")
        began = time.perf_counter()
        widget.picker.compare_button.click()
        assert widget.comparison is not None
        widget.comparison.finish()
        first_s = time.perf_counter() - began
        laps = _strokes(viewer, widget, layers[1], strokes)
        whole = []
        for _ in range(3):
            began = time.perf_counter()
            disagreement_map(layers[0].data, layers[1].data)
            whole.append((time.perf_counter() - began) * 1e3)
        again = disagreement_map(layers[0].data, layers[1].data)
        assert np.array_equal(widget.comparison.layer.data, again)
        widget.close_down()
    viewer.close()
    settle()
    result = {name: summary(times) for name, times in laps.items()}
    result["naive"] = {"wall_ms": min(whole)}
    result["first comparison"] = {"wall_ms": first_s * 1e3}
    return result


def at_rate(hz: float, seconds: float) -> dict[str, dict[str, float]]:
    """Draw with a brush at a rate, without the dock and with it."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1500, 900)
    first = viewer.add_labels(ellipse(300, 450)[None], name="expert")
    layer = viewer.add_labels(ellipse(315, 440)[None], name="non-expert")
    layer.brush_size = 40
    first.visible = False
    settle()
    found = {"without the dock": _brush(viewer, layer, hz, seconds)}
    first.visible = True
    with tempfile.TemporaryDirectory() as folder:
        widget = CompareWidget(viewer, journal_folder=Path(folder))
        viewer.window.add_dock_widget(widget, name="Compare annotations", area="right")
        widget.picker.compare_button.click()
        assert widget.comparison is not None
        widget.comparison.finish()
        settle()
        found["with Compare live"] = _brush(viewer, layer, hz, seconds)
        watch = Stopwatch(widget)
        laps = []
        with layer.block_history():
            for dab in range(int(hz)):
                layer.paint((0, 300, 300 + 5 * dab), dab % 2)
                laps.append(watch.lap()[0])
        found["the dock's own part of a dab"] = {"median_ms": statistics.median(laps)}
        widget.close_down()
    viewer.close()
    settle()
    return found


def _brush(
    viewer: napari.Viewer, layer: Labels, hz: float, seconds: float
) -> dict[str, float]:
    canvas = viewer.window._qt_viewer.canvas
    period, taken = 1 / hz, []
    settle()
    began = due = time.perf_counter()
    with layer.block_history():
        for dab in range(int(seconds * hz)):
            while time.perf_counter() < due:
                QApplication.processEvents()
            started = time.perf_counter()
            angle = 2 * np.pi * dab / hz
            row, column = ROWS / 2 + 250 * np.sin(angle), 700 + 400 * np.cos(angle)
            layer.paint((0, round(row), round(column)), 1 + dab // int(hz) % 2)
            canvas.native.repaint()
            QApplication.processEvents()
            taken.append(time.perf_counter() - started)
            due = max(due + period, time.perf_counter())
    whole = time.perf_counter() - began
    return {
        "reached_hz": round(len(taken) / whole, 1),
        "median_ms": round(1000 * statistics.median(taken), 2),
        "p95_ms": round(1000 * float(np.percentile(taken, 95)), 2),
        "in_time": round(float(np.mean(np.array(taken) <= period)), 3),
    }


def _strokes(
    viewer: napari.Viewer, widget: CompareWidget, layer: Labels, strokes: int
) -> dict[str, list[tuple[float, float]]]:
    rng = np.random.default_rng(0)
    watch = Stopwatch(widget)
    layer.brush_size = 40
    frame = layer.data.shape[0] // 2
    viewer.dims.set_point(0, frame)
    settle()
    laps: dict[str, list[tuple[float, float]]] = {
        "dab": [],
        "stroke": [],
        "undo": [],
        "fill": [],
    }
    watch.lap()
    for number in range(strokes):
        row = int(rng.integers(120, ROWS - 120))
        column = int(rng.integers(120, COLUMNS - 200))
        with layer.block_history():  # as napari does while the button is down
            for dab in range(8):
                layer.paint((frame, row, column + 9 * dab), number % 2)
                laps["dab"].append(watch.lap())
        settle()
        laps["stroke"].append(watch.lap())
    for _ in range(strokes // 4):
        layer.undo()
        settle()
        laps["undo"].append(watch.lap())
    for number in range(strokes // 4):
        layer.fill((frame, ROWS // 2, COLUMNS // 2), number % 2)
        settle()
        laps["fill"].append(watch.lap())
    return laps


def summary(laps: list[tuple[float, float]]) -> dict[str, float]:
    wall = [lap[0] for lap in laps]
    cpu = [lap[1] for lap in laps]
    return {
        "wall_ms": statistics.median(wall),
        "wall_p95_ms": float(np.percentile(wall, 95)),
        "cpu_ms": statistics.median(cpu),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 300])
    parser.add_argument("--strokes", type=int, default=40)
    parser.add_argument("--hz", type=float, help="draw at this rate instead")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.hz:
        found = at_rate(options.hz, options.seconds)
        for name, figures in found.items():
            print(f"{name:30} {figures}")
        print(json.dumps(found))
        return
    results = {}
    for frames in options.frames:
        results[frames] = measure(frames, options.strokes)
        print(f"{frames} frames of {ROWS} x {COLUMNS}")
        for name, times in results[frames].items():
            shown = "  ".join(f"{key} {value:8.2f}" for key, value in times.items())
            print(f"  {name:18s} {shown}")
    worst = max(result["stroke"]["wall_ms"] for result in results.values())
    verdict = "met" if worst <= LIMIT_MS else "missed"
    print(
        f"update after a stroke: {worst:.2f} ms median, limit {LIMIT_MS} ms: {verdict}"
    )
    if options.json is not None:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
