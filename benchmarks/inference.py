"""Time the networks alone, from their input size to logits, against the naive way.

    python benchmarks/inference.py [--models small base] [--threads 2] [--repeats 5]
                                   [--device cpu|cuda] [--int8]

Naive is the published pipeline's way: one frame at a time, float32, eager. Then plain
autocast with a batch, and the network as `prepare_for_inference` makes it, all with
the same weights, timed in turn; the fastest of each counts, because a shared machine
slows all. CPU seconds are summed over threads and show what a quiet machine would do.
Limit: the network's arithmetic at the speed of one large matrix product, measured
here. ``--int8`` adds dynamic quantisation of the transformer's linear layers.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from napari_microus.core.config import TransUNetConfig
from napari_microus.core.models.fast import multiplies_bfloat16, prepare_for_inference
from napari_microus.core.models.transunet import TransUNet

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = {"cpu": 8, "cuda": 64}


def network(name: str, device: torch.device) -> TransUNet:
    """Random weights, with the statistics that a trained network would have."""
    torch.manual_seed(0)
    model = TransUNet(getattr(TransUNetConfig, name)()).to(device).train()
    with torch.no_grad():
        for _ in range(3):
            model(frames_for(model, 2, device))
    return model.eval()


def frames_for(model: TransUNet, count: int, device: torch.device) -> Tensor:
    size = model.config.image_size
    return torch.rand(count, 1, size, size, device=device)


def gflop(model: TransUNet, device: torch.device) -> float:
    # The counter does not see the products inside fused attention.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(frames_for(model, 1, device))
    return counter.get_total_flops() / 1e9


def product_gflop_per_s(device: torch.device, dtype: torch.dtype) -> float:
    size = 2048 if device.type == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    wall, _ = fastest({"product": lambda: a @ b}, device, 10)["product"]
    return 2 * size**3 / 1e9 / wall


def fastest(
    ways: dict[str, Callable[[], object]], device: torch.device, repeats: int
) -> dict[str, tuple[float, float]]:
    """Return the shortest wall and CPU seconds of each way."""
    best = dict.fromkeys(ways, (float("inf"), float("inf")))
    with torch.inference_mode():
        for turn in range(repeats + 1):
            for name, way in ways.items():
                wall, cpu = time.perf_counter(), time.process_time()
                way()
                if device.type == "cuda":
                    torch.cuda.synchronize()
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                if turn > 0:  # the first one warms up
                    best[name] = min(best[name][0], wall), min(best[name][1], cpu)
    return best


def quantised(model: TransUNet) -> Callable[[Tensor], Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        small = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, torch.qint8)
    return lambda frames: small(frames).logits


def measure(name: str, device: torch.device, repeats: int, int8: bool) -> dict:
    batch = BATCH[device.type]
    model = network(name, device)
    frames = frames_for(model, batch, device)
    one = frames[:1]
    dtype = torch.bfloat16 if multiplies_bfloat16(device) else torch.float32
    prepared = prepare_for_inference(model, dtype)

    def autocast() -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, dtype is torch.bfloat16):
            return model(frames).logits

    ways = {
        "naive": (1, lambda: model(one).logits),
        "autocast, batch": (batch, autocast),
        "prepared, one frame": (1, lambda: prepared(one)),
        "prepared, batch": (batch, lambda: prepared(frames)),
    }
    if int8:
        small = quantised(model)
        ways["int8 linear, batch"] = (batch, lambda: small(frames))
    times = fastest({key: way for key, (_, way) in ways.items()}, device, repeats)
    with torch.inference_mode():
        plain = model(frames).logits
        threshold = plain.median()
        masks = {key: way() > threshold for key, (n, way) in ways.items() if n > 1}
    work = gflop(model, device)
    limit = product_gflop_per_s(device, dtype) / work
    rows = {}
    for key, (count, _) in ways.items():
        wall, cpu = times[key]
        rows[key] = {
            "frames_per_s": round(count / wall, 2),
            "ratio_to_naive": round(times["naive"][0] * count / wall, 2),
            "cpu_s_per_frame": round(cpu / count, 4),
            "part_of_limit": round(count / wall / limit, 2),
        }
        if key in masks:
            both = (masks[key] & (plain > threshold)).sum() * 2
            total = masks[key].sum() + (plain > threshold).sum()
            rows[key]["dice_with_float32_random_weights"] = round(
                float(both / total), 4
            )
    return {"gflop_per_frame": round(work, 2), "limit_fps": round(limit, 1), **rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["small", "base"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--int8", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    report = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "threads": given.threads,
        "torch": torch.__version__,
        "batch": BATCH[device.type],
    }
    for name in given.models:
        report[name] = measure(name, device, given.repeats, given.int8)
    print(json.dumps(report, indent=2))
    print(f"{'':28}{'frames/s':>10}{'x naive':>9}{'CPU s':>9}{'of limit':>10}")
    for name in given.models:
        rows = {k: v for k, v in report[name].items() if isinstance(v, dict)}
        for key, row in rows.items():
            print(
                f"{name + ': ' + key:28}{row['frames_per_s']:10.1f}"
                f"{row['ratio_to_naive']:9.2f}{row['cpu_s_per_frame']:9.4f}"
                f"{row['part_of_limit']:10.2f}"
            )


if __name__ == "__main__":
    main()
