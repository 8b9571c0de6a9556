"""Frames per second from a scan in memory to full-size masks, ours and the naive way.

Usage: ``python benchmarks/predict.py [--model small|base] [--frames 48]``. Prints a
table and one JSON object. The naive way is the published pipeline's: one frame at a
time, float32, nearest resizing, SciPy on the CPU; the weights are the same. Where no
trained model is given the weights are drawn, with a bias that makes one component.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage

from napari_microus.core import library
from napari_microus.core.config import ModelConfig
from napari_microus.core.library import LoadedModel
from napari_microus.core.models import create_model
from napari_microus.core.phantom import make_phantom
from napari_microus.core.predict import predict
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Generator

SHAPE = (962, 1372)


def drain(work: Generator) -> object:
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def scan_of(frames: int) -> Volume:
    """Repeat a few phantom frames at the size of the public dataset."""
    case = make_phantom(0, frames=4, shape=SHAPE)
    repeats = -(-frames // 4)
    return Volume(np.tile(case.scan.array, (repeats, 1, 1))[:frames])


def naive(network: torch.nn.Module, frames: np.ndarray) -> np.ndarray:
    """Segment as the published pipeline does."""
    masks = np.zeros(frames.shape, np.uint8)
    size = 224
    rows = np.arange(size) * frames.shape[1] // size
    columns = np.arange(size) * frames.shape[2] // size
    up_rows = np.arange(frames.shape[1]) * size // frames.shape[1]
    up_columns = np.arange(frames.shape[2]) * size // frames.shape[2]
    for index, frame in enumerate(frames):
        small = frame[rows][:, columns].astype(np.float32) / 255
        with torch.no_grad():
            logits = network(torch.from_numpy(small)[None, None]).logits
        probability = torch.sigmoid(logits)[0, 0].numpy()
        mask = probability[up_rows][:, up_columns] > 0.5
        labels, count = ndimage.label(mask)
        if count:
            mask = labels == 1 + np.bincount(labels[labels > 0] - 1).argmax()
        masks[index] = ndimage.binary_fill_holes(mask)
    return masks


def load(name: str) -> LoadedModel:
    known = {model.name for model in library.list_models() if not model.problem}
    if name == "small" and library.DEFAULT_MODEL in known:
        return library.load_model()
    torch.manual_seed(0)
    network = create_model(getattr(ModelConfig, name)()).eval()
    return LoadedModel(network, f"{name}, drawn weights", "0", {}, "", {})


def best_of(runs: int, work) -> float:
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=("small", "base"), default="small")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    model, scan = load(chosen.model), scan_of(chosen.frames)
    few = scan.array[: max(2, chosen.frames // 8)]

    slow = best_of(chosen.runs, lambda: naive(model.network, few)) / len(few)
    rates = {"naive": 1 / slow}
    results = {}
    for precision in ("float32", "auto"):
        drain(predict(model, scan, device="cpu", frames=0, precision=precision))
        seconds = best_of(
            chosen.runs,
            lambda p=precision: results.update(
                {p: drain(predict(model, scan, device="cpu", precision=p))}
            ),
        )
        rates[precision] = len(scan.array) / seconds
    plain, fast = (results[p].mask.array > 0 for p in ("float32", "auto"))
    dice = 2 * (plain & fast).sum() / max(1, plain.sum() + fast.sum())
    report = {
        "model": model.name,
        "frames": len(scan.array),
        "shape": SHAPE,
        "threads": torch.get_num_threads(),
        "frames_per_s": {name: round(rate, 2) for name, rate in rates.items()},
        "ratio": round(rates["auto"] / rates["naive"], 2),
        "dice_auto_to_float32": round(float(dice), 5),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "scan_mib": scan.array.nbytes >> 20,
    }
    for name, rate in rates.items():
        print(f"{name:10} {rate:8.1f} frames/s {rate / rates['naive']:6.2f} x naive")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
