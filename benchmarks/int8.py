"""Eight-bit weights and products against our bfloat16: speed, and the Dice they cost.

Usage: ``python benchmarks/int8.py [--model small|base|FOLDER] [--frames 32]`` (needs
onnx and onnxruntime). Ways: dynamic quantisation of the linear layers (torch.ao), and
onnxruntime in float32, with dynamic quantisation, and with static quantisation
calibrated on other phantoms, of the products and of the convolutions too. The network
alone, 224 x 224 in and logits out, in batches of eight; all ways take turns. "Loss" is
one minus the mean Dice with float32's masks on phantom frames. An option would have to
lose less than 0.002 and be faster than what is there.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import torch
from _common import SIZE, dice, in_turn, load, report
from onnxruntime import quantization as onnx_int8

from napari_microus.core.models.export import export_model
from napari_microus.core.models.fast import prepare_for_inference
from napari_microus.core.phantom import make_phantom
from napari_microus.core.preprocess import to_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn

BATCH = 8


def frames_of(seeds: range) -> Tensor:
    cases = [make_phantom(seed, frames=4).scan.array for seed in seeds]
    return to_network(torch.from_numpy(np.concatenate(cases))[:, None], SIZE)


class Calibration(onnx_int8.CalibrationDataReader):
    """Gives frames of other phantoms, one at a time."""

    def __init__(self, frames: Tensor) -> None:
        self._frames: Iterator[Tensor] = iter(frames)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next input; onnxruntime's name."""
        frame = next(self._frames, None)
        return None if frame is None else {"frames": frame[None].numpy()}


def of_torch(network: nn.Module, is_whole: bool = True) -> Callable[[Tensor], Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao is to move to another package
        small = torch.ao.quantization.quantize_dynamic(
            network, {torch.nn.Linear}, torch.qint8
        )
    return (lambda frames: small(frames).logits) if is_whole else small


class Int8Linear(torch.nn.Module):
    """A linear layer in eight bits between layers in bfloat16."""

    def __init__(self, *layers: nn.Linear, gelu: bool = False) -> None:
        super().__init__()
        weight = torch.cat([layer.weight for layer in layers])
        plain = torch.nn.Linear(weight.shape[1], weight.shape[0])
        plain.weight.data = weight.detach().clone()
        plain.bias.data = torch.cat([layer.bias for layer in layers]).detach()
        self.linear, self.gelu = of_torch(torch.nn.Sequential(plain), False), gelu

    def forward(self, x: Tensor) -> Tensor:
        """Map the last axis."""
        y = self.linear(x.float())
        return (torch.nn.functional.gelu(y) if self.gelu else y).to(x.dtype)


def ours_in_int8(network: nn.Module) -> nn.Module:
    """Our form of a network with the transformer's products in eight bits."""
    fast = prepare_for_inference(network, torch.bfloat16)
    plain_blocks = network.transformer.encoder.layer
    blocks = fast.model.transformer.encoder.layer
    for plain, block in zip(plain_blocks, blocks, strict=True):
        attention = plain.attn
        block.attn.inputs = Int8Linear(attention.query, attention.key, attention.value)
        block.attn.out = Int8Linear(attention.out)
        block.ffn[0] = Int8Linear(plain.ffn.fc1, gelu=True)
        block.ffn[1] = Int8Linear(plain.ffn.fc2)
    return fast


def of_onnx(path: Path, threads: int) -> Callable[[Tensor], Tensor]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )

    def ask(frames: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"frames": frames.numpy()})[0])

    return ask


def quantised_files(network: nn.Module, folder: Path, calibration: Tensor) -> dict:
    plain, ready = folder / "plain.onnx", folder / "ready.onnx"
    export_model(network, plain)
    onnx_int8.quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
    files = {"onnxruntime, float32": plain}
    dynamic = folder / "dynamic.onnx"
    onnx_int8.quantize_dynamic(ready, dynamic, op_types_to_quantize=["MatMul"])
    files["onnxruntime, int8 dynamic"] = dynamic
    static = {"products": ["MatMul"], "products and convolutions": ["MatMul", "Conv"]}
    for name, operators in static.items():
        path = folder / f"static {name}.onnx"
        onnx_int8.quantize_static(
            ready,
            path,
            Calibration(calibration),
            quant_format=onnx_int8.QuantFormat.QDQ,
            op_types_to_quantize=operators,
            per_channel=True,
            activation_type=onnx_int8.QuantType.QUInt8,
            weight_type=onnx_int8.QuantType.QInt8,
        )
        files[f"onnxruntime, int8 static, {name}"] = path
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="small", help="small, base or a folder")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    network = load(chosen.model).network
    frames = frames_of(range(-(-chosen.frames // 4)))[: chosen.frames]
    calibration = frames_of(range(1000, 1004))
    ours = prepare_for_inference(network, torch.bfloat16)
    asked: dict[str, Callable[[Tensor], Tensor]] = {
        "float32, eager": lambda frames: network(frames).logits,
        "ours, bfloat16": ours,
        "torch.ao, int8 dynamic": of_torch(network),
        "ours with torch.ao's int8": ours_in_int8(network),
    }
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        files = quantised_files(network, Path(folder), calibration)
        for name, path in files.items():
            asked[name] = of_onnx(path, torch.get_num_threads())
        batch = frames[:BATCH]
        seconds = in_turn(
            {name: lambda way=way: way(batch) for name, way in asked.items()},
            chosen.runs,
            warm=1,
        )
        masks = {
            name: torch.cat([way(part) for part in frames.split(BATCH)]).numpy() > 0
            for name, way in asked.items()
        }
    plain = masks["float32, eager"]
    ways, rows = {}, []
    for name in asked:
        rate = len(batch) / seconds[name]
        pairs = zip(masks[name], plain, strict=True)
        loss = 1 - np.mean([dice(*pair) for pair in pairs])
        ways[name] = {"frames_per_s": round(rate, 2), "dice_loss": round(loss, 5)}
        rows.append([name, rate, seconds["ours, bfloat16"] / seconds[name], loss])
    result = {"model": chosen.model, "frames": len(frames), "ways": ways}
    report(result, rows, ["way", "frames/s", "x ours", "Dice lost"])


if __name__ == "__main__":
    main()
