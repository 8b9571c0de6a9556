"""One table of speeds with all instructions of this processor and as on older ones.

Usage: ``python benchmarks/instruction_sets.py [--models small base] [--rounds 2]``, or
``python benchmarks/instruction_sets.py --on avx2 -- python benchmarks/int8.py`` for any
other command. On Linux with CPUID faulting the instructions are hidden from every
library (older_processor.c, for which a C compiler is needed); elsewhere PyTorch and
oneDNN are asked to leave them, which the table says. Sets: ``all``; ``avx2-vnni``, no
AVX-512 and AMX (Intel's laptops since 2021); ``avx2``, no byte products either (laptops
before, and many of AMD's).

Each round measures every set in turn, each in a process of its own. Within a process
the published way and ours take turns; ratios come from there, of the least processor
time of all threads. Speeds change with the neighbours of a busy machine, ratios less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
SETS = ("all", "avx2-vnni", "avx2")
CANNOT = 77  # how a process ends from which nothing can be hidden


def hiding_library(folder: Path) -> Path | None:
    """Return the built library of older_processor.c, None where it cannot serve."""
    target = folder / "older_processor.so"
    command = [
        "cc",
        "-O2",
        "-shared",
        "-fPIC",
        "-o",
        target,
        HERE / "older_processor.c",
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
        tried = subprocess.run(
            [sys.executable, "-c", ""],
            env=os.environ | {"LD_PRELOAD": str(target)},
            check=False,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return target if tried.returncode == 0 else None


def environment(name: str, library: Path | None) -> dict[str, str]:
    """Return the environment in which a process runs as on an older processor."""
    if name == "all":
        return dict(os.environ)
    if library is not None:
        hidden = {
            "LD_PRELOAD": str(library),
            "MICROUS_HIDE_VNNI": str(int(name == "avx2")),
            "MICROUS_HIDDEN": f"to {name}, from every library",
        }
        return os.environ | hidden
    isa = "AVX2_VNNI" if name == "avx2-vnni" else "AVX2"
    asked = {
        "ONEDNN_MAX_CPU_ISA": isa,
        "ATEN_CPU_CAPABILITY": "avx2",
        "MICROUS_HIDDEN": f"to {name}, from PyTorch and oneDNN alone",
    }
    return os.environ | asked


# --- what is measured, in a process of its own


def in_turn(
    ways: dict[str, Callable[[], object]], runs: int
) -> dict[str, tuple[float, float]]:
    """Return the least processor and wall seconds of each way."""
    best = dict.fromkeys(ways, (float("inf"), float("inf")))
    for turn in range(runs + 1):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            taken = time.process_time() - cpu, time.perf_counter() - wall
            if turn:  # the first warms up
                cpu, wall = map(min, best[name], taken)
                best[name] = cpu, wall
    return best


def segmenting(name: str, frames: int, runs: int) -> dict[str, Any]:
    """Time a model from scans to masks, and its network alone, against naive ways."""
    import torch
    from _common import drain, load, naive_masks, scan_of

    from napari_microus.core.models.fast import prepare_for_inference
    from napari_microus.core.models.openvino_form import compiled_form
    from napari_microus.core.predict import predict
    from napari_microus.core.predict.networks import Panel, input_size

    model, scan = load(name), scan_of(frames)
    network = model.network.eval()
    few = scan.array[: max(1, frames // 8)]
    batch = torch.rand(8, 1, input_size(network), input_size(network))
    panel = Panel([model], torch.device("cpu"))
    fast = compiled_form(network, panel.dtype) or prepare_for_inference(network)
    one = batch[:1]
    if name == "small":  # long work runs by OpenVINO, where it is installed
        for _ in range(100 // frames + 1):
            drain(predict(model, scan, device="cpu"))

    with torch.inference_mode():
        times = in_turn(
            {
                "naive": lambda: naive_masks(network, few),
                "ours": lambda: drain(predict(model, scan, device="cpu")),
                "plain network": lambda: network(one),
                "our network": lambda: fast(batch),
            },
            runs,
        )
    counts = {
        "naive": len(few),
        "ours": frames,
        "plain network": 1,
        "our network": len(batch),
    }
    per = {
        key: [seconds / counts[key] for seconds in pair] for key, pair in times.items()
    }
    label = "bundled model" if name == "small" else f"{name}, drawn weights"
    return {
        f"{label}, scan to masks, a frame": (per["naive"], per["ours"]),
        f"{label}, network alone, a frame": (per["plain network"], per["our network"]),
    }


def training(runs: int) -> dict[str, Any]:
    """Time a training step of the bundled network against the published way."""
    from training_step import Sides, configured

    sides = Sides(configured("small", "cpu", 8), 16)
    times = in_turn({"published": sides.published_step, "ours": sides.our_step}, runs)
    return {"small, training step, 8 frames": (times["published"], times["ours"])}


def measures(runs: int) -> dict[str, Any]:
    """Time HD95 and Dice against distance transforms of the whole frame."""
    import metrics

    rows = {}
    for kind, noise in (("smooth", 0.0), ("ragged", 0.02)):
        masks = (
            metrics.capsule(500, 690, 400, 0, noise),
            metrics.capsule(490, 700, 390, 0.5, noise),
        )
        times = in_turn(
            {
                "whole": lambda both=masks: metrics.whole_frame(*both),
                "ours": lambda both=masks: metrics.ours(*both),
            },
            runs,
        )
        rows[f"HD95 + Dice, {kind} masks"] = (times["whole"], times["ours"])
    return rows


def measure(chosen: argparse.Namespace) -> None:
    """Print the times of this process as one JSON object."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    torch.set_num_threads(chosen.threads)
    rows: dict[str, Any] = {}
    for name in chosen.models:
        frames = 2 if name == "base" else 16
        rows |= segmenting(name, frames, chosen.runs)
    if not chosen.no_training:
        rows |= training(chosen.runs)
    rows |= measures(chosen.runs)
    print(json.dumps({"as": torch.backends.cpu.get_cpu_capability(), "rows": rows}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["small", "base"])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-training", action="store_true")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--on", choices=SETS, help="run COMMAND on this set alone")
    parser.add_argument("command", nargs="*", metavar="COMMAND")
    chosen = parser.parse_args()
    if chosen.measure:
        measure(chosen)
        return
    with tempfile.TemporaryDirectory() as folder:
        library = hiding_library(Path(folder))
        if chosen.on:
            done = subprocess.run(
                chosen.command, env=environment(chosen.on, library), check=False
            )
            sys.exit(done.returncode)
        table(chosen, library)


def table(chosen: argparse.Namespace, library: Path | None) -> None:
    """Measure every set, round after round, and print one table."""
    command = [sys.executable, __file__, "--measure", "--models", *chosen.models]
    command += ["--runs", str(chosen.runs), "--threads", str(chosen.threads)]
    command += ["--no-training"] if chosen.no_training else []
    found: dict[str, dict[str, Any]] = {name: {} for name in chosen.sets}
    for _ in range(chosen.rounds):
        for name in chosen.sets:
            done = subprocess.run(
                command,
                env=environment(name, library),
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            stated = json.loads(done.stdout.splitlines()[-1])
            for row, pair in stated["rows"].items():
                found[name].setdefault(row, []).append(pair)
    how = "from every library" if library else "from PyTorch and oneDNN alone"
    print(f"Instructions hidden {how}; processor time of {chosen.threads} threads.")
    rows = list(found[chosen.sets[0]])
    width = max(map(len, rows))
    print(" " * width, *(f"{name:>26}" for name in chosen.sets))
    print(
        " " * width, *(f"{'before ms':>12}{'ours ms':>9}{'x':>5}" for _ in chosen.sets)
    )
    for row in rows:
        cells = []
        for name in chosen.sets:
            # The ratio of each round, so that both come from one process.
            ratios = sorted(before[0] / ours[0] for before, ours in found[name][row])
            before, ours = (
                1e3 * min(pair[i][0] for pair in found[name][row]) for i in (0, 1)
            )
            cells.append(f"{before:12.1f}{ours:9.1f}{ratios[len(ratios) // 2]:5.1f}")
        print(f"{row:{width}}", *cells)
    print(json.dumps({"hidden": how, "threads": chosen.threads, "rounds": found}))


if __name__ == "__main__":
    main()
