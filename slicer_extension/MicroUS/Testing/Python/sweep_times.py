"""How long the Slicer module works on a long sweep, and how long a window waits.

Run with the environment of the tests::

    python MicroUS/Testing/Python/sweep_times.py --frames 200

For each action it prints the processor time and the longest slice between two turns
of the window, in seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time

import conftest  # noqa: F401  puts the stand-ins in place
import numpy as np
import slicer
from MicroUSLib.compare import adjudication, comparison, model_check
from MicroUSLib.scene import annotations
from MicroUSLib.scene import segments as segs
from MicroUSLib.scene.annotations import Annotator


class Clock:
    """Takes every event; keeps the longest slice between two."""

    def __init__(self) -> None:
        self.began = self.last = time.process_time()
        self.longest = 0.0

    def __call__(self, event: object = None) -> None:
        """Begin the next slice."""
        now = time.process_time()
        self.longest = max(self.longest, now - self.last)
        self.last = now


def timed(name, act):
    """Print how long ``act`` takes; it is given the clock."""
    clock = Clock()
    result = act(clock)
    clock()
    whole = clock.last - clock.began
    print(f"{name:28s} {whole:7.2f} {clock.longest:7.2f}", flush=True)
    return result


def outlines(frames, rows, columns):
    """Two outlines of a gland that cross each other ten times a frame."""
    y, x = np.ogrid[:rows, :columns]
    y, x = y - rows / 2, x - columns / 2
    angle, radius = np.arctan2(y, x), np.hypot(y / (rows / 3), x / (columns / 3))
    pair = np.zeros((2, frames, rows, columns), np.uint8)
    for k in range(frames):
        size = 0.5 + 0.5 * np.sin(np.pi * (k + 0.5) / frames)
        pair[0, k] = radius < size
        pair[1, k] = radius < size * (1 + 0.04 * np.sin(5 * angle + k / 9))
    return pair


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rows", type=int, default=962)
    parser.add_argument("--columns", type=int, default=1372)
    size = parser.parse_args()
    one, two = outlines(size.frames, size.rows, size.columns)
    scan = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    slicer.util.updateVolumeFromArray(scan, one * np.uint8(60))
    scan.SetSpacing(0.05, 0.05, 0.5)
    drawn = segs.new_segmentation(scan, "drawn")
    print(f"{'':28s} {'seconds':>7s} {'longest':>7s}")
    keys = [
        timed("new capsule", lambda _, m=m: segs.add_segment(m, drawn, scan))
        for m in (one, two)
    ]
    pair = [Annotator(drawn, k, r) for k, r in zip(keys, "ab", strict=True)]
    timed(
        "one frame of a capsule",
        lambda _: segs.change_frames(two, [size.frames // 2], drawn, keys[1], scan),
    )
    found = timed(
        "compare",
        lambda clock: comparison.compare(
            scan,
            *pair,
            kernel_size=4,
            rank_by="contour_distance",
            through_frames=False,
            on_event=clock,
        ),
    )
    timed("show the differences", lambda c: comparison.show_differences(found, 4, c))
    print(f"{len(found.regions)} disputed regions")
    case = timed("begin to settle", lambda c: adjudication.begin(found, "ab", c))
    timed("a decision", lambda c: case.decide(found.regions[0], "expert", c))
    timed("its journal", lambda _: case.keep())
    adjudicated = annotations.parts_of(case.node)[0][0]
    stroke = np.zeros_like(one)
    stroke[:, 5:20, 5:20] = 1
    segs.change_frames(stroke, [0], case.node, adjudicated, scan)
    timed("after drawing", lambda c: case.decide(found.regions[1], "expert", c))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/settled.nii.gz"
        timed("save", lambda c: case.save(path, overwrite=False, on_event=c))
        timed("resume", lambda c: adjudication.resume(found, path, c))
    third = Annotator(case.node, adjudicated, "third")
    for method in ("union", "mean_distance", "staple"):
        timed(
            f"consensus, {method}",
            lambda c, m=method: comparison.add_consensus(scan, [*pair, third], m, c),
        )
    timed("a third mask", lambda c: model_check.compare_model(found, third, c))


if __name__ == "__main__":
    main()
