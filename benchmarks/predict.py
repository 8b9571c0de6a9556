"""Frames per second from a scan in memory to full-size masks, ours and the naive way.

Usage: ``python benchmarks/predict.py [--model small|base|FOLDER] [--frames 48]
[--device cpu|cuda] [--batch-size 8]``. The
naive way is the published pipeline's (`_common.naive_masks`), with the same weights;
all ways take turns, the fastest of each counts. Limit: the network's arithmetic at the
speed of one large matrix product, measured in the same run. Where no trained model is
given the weights are drawn, and the Dice between precisions says little.
"""

from __future__ import annotations

import argparse
import dataclasses

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

from napari_microus.core.models.fast import multiplies_bfloat16
from napari_microus.core.predict import predict


def gflop(network: torch.nn.Module, device: torch.device) -> float:
    # The counter does not see the products inside fused attention.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        network(torch.zeros(1, 1, 224, 224, device=device))
    return counter.get_total_flops() / 1e9


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
    report(result, rows, ["way", "frames/s", "x naive"])


if __name__ == "__main__":
    main()
