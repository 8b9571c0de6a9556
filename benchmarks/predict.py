"""Frames per second from a scan in memory to full-size masks, ours and the naive way.

Usage: ``python benchmarks/predict.py [--model small|base|FOLDER] [--frames 48]
[--device cpu|cuda] [--batch-size 8]``. The
naive way is the published pipeline's (`_common.naive_masks`), with the same weights;
all ways take turns, the fastest of each counts. Limit: the network's arithmetic at the
speed of one large matrix product, measured in the same run. Where no trained model is
given the weights are drawn, and the Dice between precisions says little. A second table
gives the stages of a frame, by processor time.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from _common import (
    SHAPE,
    dice,
    drain,
    in_turn,
    load,
    naive_masks,
    peak_rss_mib,
    product_gflop_per_s,
    report,
    scan_of,
)
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from napari_microus.core.models.export import input_size
from napari_microus.core.models.fast import multiplies_bfloat16
from napari_microus.core.predict import predict
from napari_microus.core.predict.components import keep_one_piece
from napari_microus.core.predict.networks import Panel
from napari_microus.core.predict.outline import smooth_mask
from napari_microus.core.preprocess import (
    cut_at_full_size,
    intensity_window,
    to_network,
)

if TYPE_CHECKING:
    from napari_microus.core.library import LoadedModel


def gflop(network: torch.nn.Module, device: torch.device) -> float:
    size = input_size(network)
    # The counter does not see the products inside fused attention.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        network(torch.zeros(1, 1, size, size, device=device))
    return counter.get_total_flops() / 1e9


def stages(
    model: LoadedModel, frames: np.ndarray, device: torch.device, runs: int
) -> dict[str, float]:
    """Return milliseconds of processor time a frame of each stage, in turn.

    All threads together; on a GPU the network's is what the processor has to do.
    """
    panel = Panel([model], device)
    window = intensity_window(frames)
    tensors = [torch.from_numpy(frame.copy())[None, None] for frame in frames]

    def resize() -> torch.Tensor:
        return torch.cat(
            [to_network(t.to(device), panel.size, window) for t in tensors]
        )

    small = resize()
    with panel.evaluating():
        logits = panel(small).cpu()[:, 0].numpy()
    masks = [cut_at_full_size(frame, SHAPE, 0.0) for frame in logits]
    ways = {
        "to the network": resize,
        "network": lambda: panel(small),
        "smooth outline": lambda: [smooth_mask(frame, SHAPE) for frame in logits],
        "or: raw, cut": lambda: [cut_at_full_size(x, SHAPE, 0.0) for x in logits],
        "or: raw, one piece": lambda: [keep_one_piece(m.copy()) for m in masks],
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    with panel.evaluating():
        for _ in range(max(3, runs)):
            for name, way in ways.items():
                began = time.process_time()
                way()
                times[name].append(time.process_time() - began)
    return {name: 1e3 * float(np.median(t)) / len(frames) for name, t in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="small", help="small, base or a folder")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int, default=8)
    chosen = parser.parse_args()
    device = torch.device(chosen.device)
    model, scan = load(chosen.model), scan_of(chosen.frames)
    few = scan.array[: max(2, chosen.frames // 8)]
    masks = {}
    # One each: the fast form of a network is kept with its model.
    models = {name: dataclasses.replace(model) for name in ("float32", "auto")}

    def ours(precision: str) -> None:
        done = drain(
            predict(
                models[precision],
                scan,
                device=device,
                precision=precision,
                batch_size=chosen.batch_size,
            )
        )
        masks[precision] = done.mask.array

    model.network.to(device)
    ways = {
        "naive": lambda: naive_masks(model.network, few),
        "float32": lambda: ours("float32"),
        "auto": lambda: ours("auto"),
    }
    seconds = in_turn(ways, chosen.runs, warm=1)
    counts = {"naive": len(few), "float32": chosen.frames, "auto": chosen.frames}
    rates = {name: counts[name] / seconds[name] for name in ways}
    is_reduced = multiplies_bfloat16(device)
    dtype = torch.bfloat16 if is_reduced else torch.float32
    limit = product_gflop_per_s(dtype, device) / gflop(model.network, device)
    result = {
        "model": model.name,
        "device": chosen.device,
        "frames": chosen.frames,
        "shape": SHAPE,
        "frames_per_s": {name: round(rate, 2) for name, rate in rates.items()},
        "limit_frames_per_s": round(limit, 1),
        "ratio": round(rates["auto"] / rates["naive"], 2),
        "dice_auto_to_float32": round(dice(masks["float32"], masks["auto"]), 5),
        "capsule_pixels": int((masks["float32"] > 0).sum()),
        "peak_rss_mib": peak_rss_mib(),
        "scan_mib": scan.array.nbytes >> 20,
    }
    rows = [[name, rate, rate / rates["naive"]] for name, rate in rates.items()]
    rows.append(["limit", limit, limit / rates["naive"]])
    spent = stages(models["auto"], scan.array[:8], device, chosen.runs)
    total = sum(spent[name] for name in ("to the network", "network", "smooth outline"))
    result["stages_ms"] = {name: round(ms, 2) for name, ms in spent.items()}
    report(result, rows, ["way", "frames/s", "x naive"])
    print(f"\n{'stage, processor time':24}{'ms a frame':>12}{'of smooth':>12}")
    for name, ms in spent.items():
        print(f"{name:24}{ms:12.2f}{ms / total:12.2f}")


if __name__ == "__main__":
    main()
