"""What the benchmarks share: scans, the naive pipeline, turns, and tables."""

from __future__ import annotations

import json
import platform
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import ndimage

from napari_microus.core import library
from napari_microus.core.config import ModelConfig
from napari_microus.core.library import LoadedModel
from napari_microus.core.models import create_model
from napari_microus.core.models.export import input_size
from napari_microus.core.phantom import make_phantom
from napari_microus.core.study import Study
from napari_microus.core.volume import Volume

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator, Iterator, Mapping

SHAPE = (962, 1372)  # frames of the public dataset
SIZE = 224


def drain(work: Generator[Any, Any, Any]) -> Any:
    """Return the result of a core generator."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def study_and_models(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse a study and the models of its folds, the n-th not trained on fold n."""
    parser.add_argument("study", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    return parser.parse_args()


def held_out(
    arguments: argparse.Namespace,
) -> Iterator[tuple[LoadedModel, Volume, np.ndarray]]:
    """Yield model, scan and outline 1 (Z, Y, X) of every case a model has not seen."""
    study = Study.open(arguments.study)
    for fold, path in enumerate(arguments.models):
        model = library.read_model(path)
        for case in study.used:
            if case.fold == fold:
                scan, one, _ = study.read(case)
                yield model, scan, one.array == 1


def scan_of(frames: int) -> Volume:
    """Repeat a few phantom frames at the size of the public dataset."""
    few = make_phantom(0, frames=4, shape=SHAPE).scan.array
    return Volume(np.tile(few, (-(-frames // 4), 1, 1))[:frames])


def load(name: str) -> LoadedModel:
    """Return the bundled model for "small", a model's folder, or drawn weights."""
    known = {model.name for model in library.list_models() if not model.problem}
    if name == "small" and library.DEFAULT_MODEL in known:
        return library.load_model()
    if name not in ("small", "base"):
        return library.load_model(Path(name))
    torch.manual_seed(0)
    network = create_model(getattr(ModelConfig, name)()).eval()
    return LoadedModel(network, f"{name}, drawn weights", "0", {}, "", {})


def naive_masks(network: torch.nn.Module, frames: np.ndarray) -> np.ndarray:
    """Segment as the published pipeline does.

    One frame at a time, float32, eager, nearest resizing both ways, largest component
    and holes by SciPy.
    """
    size = input_size(network)
    masks = np.zeros(frames.shape, np.uint8)
    device = next(network.parameters()).device
    rows = np.arange(size) * frames.shape[1] // size
    columns = np.arange(size) * frames.shape[2] // size
    up_rows = np.arange(frames.shape[1]) * size // frames.shape[1]
    up_columns = np.arange(frames.shape[2]) * size // frames.shape[2]
    for index, frame in enumerate(frames):
        small = frame[rows][:, columns].astype(np.float32) / 255
        with torch.no_grad():
            logits = network(torch.from_numpy(small)[None, None].to(device)).logits
        probability = torch.sigmoid(logits)[0, 0].cpu().numpy()
        mask = probability[up_rows][:, up_columns] > 0.5
        labels, count = ndimage.label(mask)
        if count:
            mask = labels == 1 + np.bincount(labels[labels > 0] - 1).argmax()
        masks[index] = ndimage.binary_fill_holes(mask)
    return masks


def in_turn(
    ways: Mapping[str, Callable[[], object]], runs: int, warm: int = 0
) -> dict[str, float]:
    """Return the shortest seconds of each way; all take turns on a shared machine."""
    best = dict.fromkeys(ways, float("inf"))
    for turn in range(warm + runs):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if turn >= warm:
                best[name] = min(best[name], time.perf_counter() - started)
    return best


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return the overlap of two masks; 1 where both are empty."""
    total = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero((first > 0) & (second > 0)) / total if total else 1.0


def product_gflop_per_s(dtype: torch.dtype, device: torch.device) -> float:
    """Return the speed of one large matrix product, the limit of any network."""
    size = 2048 if device.type == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))

    def product() -> None:
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize()

    seconds = in_turn({"product": product}, 10, warm=1)["product"]
    return 2 * size**3 / 1e9 / seconds


def peak_rss_mib() -> int:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def report(result: Mapping[str, Any], rows: list[list[Any]], head: list[str]) -> None:
    """Print a table and one JSON object."""
    table = [head, *([_text(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    for row in table:
        first, *others = (
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]))
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    machine = {
        "gpu": gpu,
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "system": platform.system(),
    }
    print(json.dumps({**result, "machine": machine}))


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
