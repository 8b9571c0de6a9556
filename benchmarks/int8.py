"""Eight-bit and other libraries' forms of a network: speed, and the Dice they cost.

Usage: ``python benchmarks/int8.py [--model small|base|FOLDER] [--frames-from FOLDER]
[--threads 1] [--ways openvino onnxruntime torch]``. Needs onnx, and of the ways what is
installed: openvino and nncf, onnxruntime. Every way sees the same batches and all take
turns; "CPU ms" is processor time of all threads a frame, which a busy machine changes
least. FOLDER holds real frames (``images``, ``index.csv`` with file, patient and frame;
for the second Dice ``outlines/one``): the first patients calibrate, the others are
judged. Without it phantoms do both. "Lost" is one minus the mean Dice with float32's
masks; "DSC" is the Dice with the outlines, less float32's. An option has to lose less
than 0.002 and to be faster. ``instruction_sets.py --on avx2 -- python
benchmarks/int8.py`` runs it as on an older processor.
"""

from __future__ import annotations

import argparse
import copy
import csv
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from _common import dice, load, report
from PIL import Image

from napari_microus.core.models.export import export_model
from napari_microus.core.models.fast import prepare_for_inference
from napari_microus.core.models.resnet import StdConv2d
from napari_microus.core.phantom import make_phantom
from napari_microus.core.preprocess import mask_to_network, to_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn

    Way = Callable[[Tensor], Tensor]

CALIBRATING = 12  # patients


def phantoms(seeds: range, size: int) -> Tensor:
    cases = [make_phantom(seed, frames=4).scan.array for seed in seeds]
    return to_network(torch.from_numpy(np.concatenate(cases))[:, None], size)


def picture(path: Path) -> Tensor:
    return torch.from_numpy(np.array(Image.open(path).convert("L")))[None, None]


def real_frames(folder: Path, size: int) -> tuple[Tensor, Tensor, list[Tensor | None]]:
    """Return frames to calibrate with, frames to judge, and outlines of the latter."""
    with (folder / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    first = set(sorted({row["patient"] for row in rows})[:CALIBRATING])
    calibrating, judged, outlines = [], [], []
    for row in rows:
        frame = to_network(picture(folder / "images" / row["file"]), size)
        if row["patient"] in first:
            calibrating.append(frame)
            continue
        judged.append(frame)
        outline = folder / "outlines" / "one" / row["file"]
        mask = None
        if outline.is_file():
            mask = mask_to_network((picture(outline) > 0).float(), size)
        outlines.append(mask)
    return torch.cat(calibrating), torch.cat(judged), outlines


def plain_copy(network: nn.Module) -> nn.Module:
    """Return the network with filters that are standardised once and for all."""
    plain = copy.deepcopy(network).eval()
    for module in list(plain.modules()):
        for name, child in module.named_children():
            if isinstance(child, StdConv2d):
                conv = torch.nn.Conv2d(
                    child.in_channels,
                    child.out_channels,
                    child.kernel_size,
                    child.stride,
                    child.padding,
                    bias=False,
                )
                conv.weight.data = child.standardised_weight().detach().clone()
                setattr(module, name, conv)
    return plain


def onnxruntime_ways(
    path: Path, calibration: Tensor, threads: int, folder: Path
) -> dict[str, Way]:
    import onnxruntime
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):
        def __init__(self) -> None:
            self._frames: Iterator[Tensor] = iter(calibration)

        def get_next(self) -> dict[str, np.ndarray] | None:
            frame = next(self._frames, None)
            return None if frame is None else {"frames": frame[None].numpy()}

    ready = folder / "ready.onnx"
    quantization.quant_pre_process(str(path), str(ready), skip_symbolic_shape=True)
    files = {"onnxruntime, float32": path}
    kinds = {"products": ["MatMul", "Gemm"], "all": ["MatMul", "Gemm", "Conv"]}
    for name, operators in kinds.items():
        target = folder / f"static {name}.onnx"
        quantization.quantize_static(
            ready,
            target,
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=operators,
            per_channel=True,
            # Without VNNI two products of a byte and a signed byte overflow 16 bits.
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )
        files[f"onnxruntime, int8 {name}"] = target
    ways: dict[str, Way] = {}
    for name, file in files.items():
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(
            file, options, providers=["CPUExecutionProvider"]
        )

        def ask(frames: Tensor, session: Any = session) -> Tensor:
            [logits] = session.run(None, {"frames": frames.numpy()})
            return torch.from_numpy(logits)

        ways[name] = ask
    return ways


def openvino_ways(
    path: Path, calibration: Tensor, threads: int, forms: list[str]
) -> dict[str, Way]:
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    models = {"OpenVINO, float32": model}
    if forms:
        import nncf

        data = nncf.Dataset(list(calibration), lambda frame: frame[None].numpy())
        settings: dict[str, dict[str, Any]] = {
            "int8": {},
            "int8, ends float32": {"ignored_scope": _ends(model, nncf)},
        }
        for name in forms:
            models[f"OpenVINO, {name}"] = nncf.quantize(
                model,
                data,
                model_type=nncf.ModelType.TRANSFORMER,
                preset=nncf.QuantizationPreset.MIXED,
                target_device=nncf.TargetDevice.CPU,
                subset_size=len(calibration),
                **settings[name],
            )
    ways: dict[str, Way] = {}
    for name, one in models.items():
        compiled = core.compile_model(
            one,
            "CPU",
            {
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": "f32",
                "NUM_STREAMS": 1,
            },
        )
        request = compiled.create_infer_request()

        def ask(frames: Tensor, request: Any = request) -> Tensor:
            answer = request.infer({0: frames.numpy()})
            return torch.from_numpy(np.array(answer[0]))

        ways[name] = ask
    return ways


def _ends(model: Any, nncf: Any) -> Any:
    """Return the first convolutions and the last ones, which see the largest images."""
    convolutions = [
        op.get_friendly_name()
        for op in model.get_ordered_ops()
        if "Convolution" in op.get_type_name()
    ]
    return nncf.IgnoredScope(names=[*convolutions[:3], *convolutions[-3:]])


def torch_ways(network: nn.Module) -> dict[str, Way]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao is to move to another package
        small = torch.ao.quantization.quantize_dynamic(
            network, {torch.nn.Linear}, torch.qint8
        )
    return {"torch.ao, int8 dynamic": lambda frames: small(frames).logits}


def in_turn(ways: dict[str, Way], batch: Tensor, runs: int) -> dict[str, list[float]]:
    """Return the least wall and processor seconds of each way."""
    best = {name: [float("inf")] * 2 for name in ways}
    for turn in range(runs + 1):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way(batch)
            taken = time.perf_counter() - wall, time.process_time() - cpu
            if turn:  # the first warms up
                best[name] = [min(pair) for pair in zip(best[name], taken, strict=True)]
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="small", help="small, base or a folder")
    parser.add_argument("--frames-from", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--calibrating", type=int, default=100, help="frames at most")
    parser.add_argument("--judged", type=int, default=1000, help="frames at most")
    parser.add_argument(
        "--ways", nargs="*", default=["openvino", "onnxruntime", "torch"]
    )
    parser.add_argument(
        "--forms", nargs="*", default=["int8", "int8, ends float32"], help="OpenVINO's"
    )
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    network = load(chosen.model).network.eval()
    size = network.config.image_size
    outlines: list[Tensor | None]
    if chosen.frames_from is None:
        calibration = phantoms(range(1000, 1004), size)
        judged = phantoms(range(8), size)
        outlines = [None] * len(judged)
    else:
        calibration, judged, outlines = real_frames(chosen.frames_from, size)
    step = max(1, len(calibration) // chosen.calibrating)
    calibration = calibration[::step][: chosen.calibrating]
    judged, outlines = judged[: chosen.judged], outlines[: chosen.judged]
    ways: dict[str, Way] = {
        "PyTorch": lambda frames: network(frames).logits,
        "ours": prepare_for_inference(network),
    }
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        folder = Path(name)
        export_model(plain_copy(network), folder / "plain.onnx")
        given = folder / "plain.onnx", calibration, chosen.threads
        if "openvino" in chosen.ways:
            ways |= openvino_ways(*given, chosen.forms)
        if "onnxruntime" in chosen.ways:
            ways |= onnxruntime_ways(*given, folder)
        if "torch" in chosen.ways:
            ways |= torch_ways(network)
        batch = judged[: chosen.batch].contiguous()
        times = in_turn(ways, batch, chosen.runs)
        logits = {
            key: torch.cat([way(part) for part in judged.split(chosen.batch)])
            for key, way in ways.items()
        }
    plain = (logits["PyTorch"] > 0).numpy()
    told = [(i, m.numpy() > 0) for i, m in enumerate(outlines) if m is not None]
    truth = _mean_dice(plain, told)
    result: dict[str, Any] = {}
    rows = []
    for key in ways:
        masks = (logits[key] > 0).numpy()
        lost = 1 - np.mean([dice(a, b) for a, b in zip(masks, plain, strict=True)])
        wall, cpu = (1e3 * seconds / len(batch) for seconds in times[key])
        faster = times["ours"][1] / times[key][1]
        gain = _mean_dice(masks, told) - truth if told else float("nan")
        off = float((logits[key] - logits["PyTorch"]).abs().mean())
        rows.append([key, wall, cpu, faster, lost, gain, off])
        result[key] = {
            "wall_ms": round(wall, 2),
            "cpu_ms": round(cpu, 2),
            "times_ours": round(faster, 3),
            "dice_lost": round(float(lost), 5),
            "dsc_change": round(float(gain), 5) if told else None,
            "mean_error_of_logits": round(off, 4),
        }
    head = ["way", "wall ms", "CPU ms", "x ours", "lost", "DSC", "logits off"]
    told_of = {"model": chosen.model, "frames": len(judged), "threads": chosen.threads}
    report(
        {**told_of, "hidden": os.environ.get("MICROUS_HIDDEN", "nothing"), **result},
        rows,
        head,
    )


def _mean_dice(masks: np.ndarray, told: list[tuple[int, np.ndarray]]) -> float:
    return float(np.mean([dice(masks[i], mask[0]) for i, mask in told])) if told else 0


if __name__ == "__main__":
    main()
